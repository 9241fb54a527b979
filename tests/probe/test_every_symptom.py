"""Every kind of symptom is shown by a real server, and a look-alike beside it does not show it."""

from __future__ import annotations

import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from h2_server import h2_server, steps
from scripted_server import Script, Serve, answering, held, send, then_reset
from test_experiments import MESSAGE, Chat, numbered, zipped

from ssemedic.probe import outside
from ssemedic.probe.experiments import Wanted, run
from ssemedic.probe.redirects import record_following
from ssemedic.probe.request import Request
from ssemedic.stream.detect import observe, observe_one
from ssemedic.stream.record import Stream
from ssemedic.stream.remarks import remarks
from ssemedic.symptoms import Expected, Kind

ROOT = Path(__file__).resolve().parents[2]

#: Kinds that no client sees from the wire alone, and the lab fault that shows each.
SHOWN_IN_THE_LAB = {Kind.NO_ROOM: "nginx_worker_connections"}
#: What no client but a browser shows: tests/browser does.
SHOWN_IN_A_BROWSER = {Kind.BROWSER_REFUSED}

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVENT = b"data: x\n\n"
CHUNK = b"9\r\n" + EVENT + b"\r\n"
STREAM = OK + b"\r\n" + EVENT
HEALTHY = held(STREAM)
PAGE = "https://app.example.org"
NOTHING = b"Content-Length: 0\r\n\r\n"
ALLOWED = b"Access-Control-Allow-Origin: https://app.example.org\r\n"


@dataclass(frozen=True)
class Wire:
    """Real servers: in the clear, and with TLS under the name stream.test."""

    serve: Serve
    context: ssl.SSLContext
    certificate: Path

    def secure(self, script: Script, **changes: Any) -> Request:
        served = self.serve(script, context=self.context, read_request=False)
        ca = {"ca_file": str(self.certificate), **changes}
        return Request("public", "https://stream.test/e", connect=served.address, **ca)


@pytest.fixture
def wire(serve: Serve, server_context: ssl.SSLContext, certificate: Path) -> Wire:
    return Wire(serve, server_context, certificate)


Look = Callable[[Wire], set[Kind]]


def seen(request: Request, expected: Expected | None = None, timeouts: Any = ()) -> set[Kind]:
    """What one record shows; made again where the machine held the recorder up."""
    for _attempt in range(4):
        stream = record_following(request)
        if stream.stalled < 0.05:
            break
    found = (*observe_one(stream, expected), *remarks(stream, expected, timeouts))
    return {symptom.kind for symptom in found}


def at(url: str) -> Look:
    return lambda wire: seen(Request("public", url, window=0.5))


def answer(
    script: Script,
    window: float = 0.5,
    expected: Expected | None = None,
    timeouts: tuple[tuple[float, str], ...] = (),
    **changes: Any,
) -> Look:
    """A look at a server that answers with the script."""

    def look(wire: Wire) -> set[Kind]:
        request = Request("public", wire.serve(script).url, window=window, **changes)
        return seen(request, expected, timeouts)

    return look


def page_sees(script: Script) -> Look:
    return answer(script, expected=Expected(origin=PAGE))


def asked(choose: Callable[[bytes], Script], *names: str, **wanted: Any) -> Look:
    """An experiment with a server that answers by the request."""

    def look(wire: Wire) -> set[Kind]:
        served = wire.serve(answering(choose), read_request=False)
        request = Request("public", served.url, token="t0ken", token_parameter="", window=0.9)
        return experimented(request, *names, **wanted)

    return look


def experimented(request: Request, *names: str, **wanted: Any) -> set[Kind]:
    first = record_following(replace(request, window=0.15))
    done = run(request, Wanted(names=names, **wanted), first)
    return {symptom.kind for experiment in done for symptom in experiment.symptoms}


def messages(reach: Callable[[int], bool]) -> Look:
    def look(wire: Wire) -> set[Kind]:
        served = wire.serve(Chat(reach).script(), read_request=False)
        request = Request("public", served.url, window=1.1)
        return experimented(request, "fanout", message=MESSAGE, streams=4)

    return look


def hops(app: Script, public: Script) -> Look:
    """Two hops at the same time, side by side."""

    def look(wire: Wire) -> set[Kind]:
        streams: dict[str, Stream] = {}

        def one(hop: str, script: Script) -> None:
            request = Request(hop, wire.serve(script).url, window=4.5)
            streams[hop] = outside.record(request)

        threads = [threading.Thread(target=one, args=a) for a in (("app", app), ("public", public))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {symptom.kind for symptom in observe(tuple(streams.values()))}

    return look


def closed_port(wire: Wire) -> set[Kind]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return at(f"http://127.0.0.1:{unused.getsockname()[1]}/")(wire)


def gzipped(flush: int) -> Look:
    return answer(zipped(flush), window=1.0)


def resumed(again: Script) -> Look:
    first = numbered(1, 2, 3, 4, 5)
    return asked(
        lambda head: again if b"\r\nlast-event-id: 3\r\n" in head.lower() else first, "resume"
    )


def preflighted(reply: bytes) -> Look:
    return asked(
        lambda head: send(reply) if head.startswith(b"OPTIONS") else HEALTHY,
        "preflight",
        expected=Expected(origin=PAGE),
    )


def many(limit: int) -> Look:
    lock, opened = threading.Lock(), [0]

    def choose(_head: bytes) -> Script:
        with lock:
            opened[0] += 1
            allowed = opened[0] <= limit + 1  # the first look is one of them
        return HEALTHY if allowed else send(b"HTTP/1.1 503 x\r\n" + NOTHING)

    return asked(choose, "many", streams=4)


def browsers_seventh(wire: Wire, with_http2: bool) -> set[Kind]:
    if with_http2:
        wire.context.set_alpn_protocols(["h2", "http/1.1"])
        headers = [(":status", "200"), ("content-type", "text/event-stream")]
        two, one = h2_server(steps(EVENT, headers=headers)), answering(lambda head: HEALTHY)

        def script(connection: socket.socket) -> None:
            assert isinstance(connection, ssl.SSLSocket)
            (two if connection.selected_alpn_protocol() == "h2" else one)(connection)

        return experimented(wire.secure(script, window=0.9), "versions")
    return experimented(wire.secure(answering(lambda head: HEALTHY), window=0.9), "versions")


def tls(verified: bool) -> Look:
    def look(wire: Wire) -> set[Kind]:
        trust = {} if verified else {"ca_file": None}
        return seen(wire.secure(answering(lambda head: HEALTHY), window=0.5, **trust))

    return look


def moved(to: bytes) -> Script:
    return send(b"HTTP/1.1 302 x\r\nLocation: %s\r\n" % to + NOTHING)


def redirected(circle: bool) -> Look:
    def look(wire: Wire) -> set[Kind]:
        def choose(head: bytes) -> Script:
            return HEALTHY if b" /there " in head and not circle else moved(b"/there")

        served = wire.serve(answering(choose), read_request=False)
        return seen(Request("public", served.url, window=0.5))

    return look


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nCache-Control: no-cache\r\n\r\n"
PINGS = [part for _ in range(5) for part in (b": ping\n\n", 0.3)]
BUSY = [part for _ in range(4) for part in (EVENT, 0.4)]
IN_TIME = held(OK + b"\r\n", *[part for _ in range(8) for part in (EVENT, 0.5)])
EXPECTING = Expected(keepalive_seconds=0.5, window=1.6)
LIMIT_OF_300_MS = ((0.3, "a proxy"),)
UNTIL_THE_END = b"X: 1\r\nContent-Length: 999\r\n\r\n"

#: What shows the kind, and what looks much the same and must not.
LOOKS: dict[Kind, tuple[Look, Look]] = {
    Kind.UNREACHABLE: (at("http://255.255.255.255:9/"), closed_port),
    Kind.REFUSED: (closed_port, answer(send(b"HTTP/1.1 403 x\r\n" + NOTHING))),
    Kind.TLS_ERROR: (tls(verified=False), tls(verified=True)),
    Kind.NOT_HTTP: (answer(held(b"SSH-2.0-OpenSSH_9.2\r\n")), answer(held(b"HTTP/1.1 200 OK\r\n"))),
    Kind.NO_ANSWER: (answer(held()), answer(held(OK + b"\r\n"))),
    Kind.HEADERS_LATE: (
        answer(held(2.4, STREAM), window=2.8),
        answer(held(OK + b"\r\n", 2.4, EVENT), window=2.8),
    ),
    Kind.WRONG_STATUS: (answer(send(b"HTTP/1.1 401 x\r\n" + NOTHING)), redirected(circle=False)),
    Kind.HTML_INSTEAD: (
        answer(send(HTML % b"text/html" + b"<html>")),
        answer(held(OK + b"\r\ndata: <html>\n\n")),
    ),
    Kind.WRONG_TYPE: (
        answer(send(HTML % b"application/json" + b"{}")),
        answer(held(HTML % b"Text/Event-Stream; charset=utf-8" + EVENT)),
    ),
    Kind.CLOSED_AT_ONCE: (answer(send(CHUNKED)), answer(held(CHUNKED))),
    Kind.ENDED: (
        answer(send(CHUNKED, CHUNK, 1.2, b"0\r\n\r\n"), window=2.0),
        answer(send(CHUNKED, CHUNK, 1.2, b"0\r\n\r\n"), window=2.0, method="POST", body=b"{}"),
    ),
    Kind.CUT_WHEN_IDLE: (
        answer(send(OK + UNTIL_THE_END, EVENT, 1.4), window=3.0),
        answer(send(OK + UNTIL_THE_END, EVENT, 1.4, EVENT), window=3.0),
    ),
    Kind.CUT_AFTER: (
        answer(send(OK + UNTIL_THE_END, *BUSY), window=3.0),
        answer(held(OK + UNTIL_THE_END, *BUSY), window=2.0),
    ),
    Kind.RESET: (
        answer(then_reset(OK + UNTIL_THE_END, *BUSY[:4]), window=3.0),
        answer(send(OK + UNTIL_THE_END, *BUSY[:4]), window=3.0),
    ),
    Kind.BUFFERED: (
        hops(IN_TIME, held(OK + b"\r\n", 4.0, EVENT * 8)),
        hops(held(OK + b"\r\n", 3.6, EVENT * 8), held(OK + b"\r\n", 3.6, EVENT * 8)),
    ),
    Kind.SILENT: (
        answer(held(OK + b"\r\n"), window=1.6, expected=EXPECTING),
        answer(held(OK + b"\r\n", *PINGS), window=1.6, expected=EXPECTING),
    ),
    Kind.NOT_PARSABLE: (
        answer(send(OK + b'\r\n{"a": 1}\n{"b": 2}\n', 0.2)),
        answer(held(OK + b"\r\n", *PINGS), window=1.0),
    ),
    Kind.COMPRESSED: (gzipped(zlib.Z_NO_FLUSH), gzipped(zlib.Z_SYNC_FLUSH)),
    Kind.MISSING_HEADER: (
        answer(held(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + EVENT)),
        answer(held(OK.replace(b"no-cache", b"No-Store, no-transform") + b"\r\n" + EVENT)),
    ),
    Kind.DUPLICATE_CORS: (
        page_sees(held(OK + ALLOWED + ALLOWED + b"\r\n" + EVENT)),
        page_sees(held(OK + ALLOWED + b"Vary: Origin\r\nVary: Origin\r\n\r\n" + EVENT)),
    ),
    Kind.MISSING_CORS: (page_sees(HEALTHY), page_sees(held(OK + ALLOWED + b"\r\n" + EVENT))),
    Kind.CANARY_LOST: (messages(lambda number: False), messages(lambda number: number > 0)),
    Kind.REDIRECT_LOOP: (redirected(circle=True), redirected(circle=False)),
    Kind.PREFLIGHT_REFUSED: (
        preflighted(b"HTTP/1.1 405 x\r\n" + NOTHING),
        preflighted(
            b"HTTP/1.1 204 x\r\n" + ALLOWED + b"Access-Control-Allow-Headers: authorization\r\n\r\n"
        ),
    ),
    Kind.ERROR_WITHOUT_CORS: (
        page_sees(send(b"HTTP/1.1 401 x\r\n" + NOTHING)),
        page_sees(send(b"HTTP/1.1 401 x\r\n" + ALLOWED + NOTHING)),
    ),
    Kind.KEEPALIVE_SLOW: (
        answer(held(OK + b"\r\n", *PINGS), window=1.4, timeouts=LIMIT_OF_300_MS),
        answer(held(OK + b"\r\n", *PINGS), window=1.4, timeouts=((5.0, "a proxy"),)),
    ),
    Kind.NOT_CONFORMING: (
        answer(held(OK + b"\r\nretry: +5\ndata: x\n\n")),
        answer(held(OK + b"\r\n\xef\xbb\xbfretry: 5\rdata\r\rdata: x\r\n\r\n"[3:])),
    ),
    Kind.WRONG_HOP_HEADER: (
        answer(held(OK + b"Server: nginx\r\nX-Accel-Buffering: no\r\n\r\n" + EVENT)),
        answer(held(OK + b"Server: uvicorn\r\nX-Accel-Buffering: no\r\n\r\n" + EVENT)),
    ),
    Kind.LOST_ON_RESUME: (resumed(numbered()), resumed(numbered(4, 5))),
    Kind.REPLAYED: (resumed(numbered(1, 2, 3, 4, 5)), resumed(numbered(4, 5))),
    Kind.FANOUT_PARTIAL: (messages(lambda number: number % 2 == 0), messages(lambda number: True)),
    Kind.FEW_STREAMS: (many(2), many(99)),
    Kind.SIX_CONNECTIONS: (
        lambda wire: browsers_seventh(wire, with_http2=False),
        lambda wire: browsers_seventh(wire, with_http2=True),
    ),
}


def test_every_kind_is_shown_by_a_server_a_browser_or_a_fault_of_the_lab() -> None:
    assert set(LOOKS) | set(SHOWN_IN_THE_LAB) | SHOWN_IN_A_BROWSER == set(Kind)
    assert not set(LOOKS) & set(SHOWN_IN_THE_LAB)
    for fault in SHOWN_IN_THE_LAB.values():
        assert (ROOT / "lab" / "faults" / f"{fault}.yml").is_file()


@pytest.mark.parametrize("kind", LOOKS, ids=str)
def test_a_server_shows_it(wire: Wire, kind: Kind) -> None:
    assert kind in LOOKS[kind][0](wire)


@pytest.mark.parametrize("kind", LOOKS, ids=str)
def test_a_server_that_looks_alike_does_not_show_it(wire: Wire, kind: Kind) -> None:
    assert kind not in LOOKS[kind][1](wire)
