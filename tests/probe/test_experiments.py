"""Experiments against real servers that have the fault, and against ones that do not."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Script, Serve, answering, held, send, wait_for_close

from ssemedic.endpoint import Message
from ssemedic.probe import experiments, inside, message_experiments, outside
from ssemedic.probe.experiments import Experiment, Wanted, run
from ssemedic.probe.redirects import record_following
from ssemedic.probe.request import Request
from ssemedic.stream import cuts
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Expected

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
EVENT = b"data: x\n\n"
GZIP = OK + b"Content-Encoding: gzip\r\n\r\n"
PAGE = Expected(origin="https://app.example.org")


@pytest.fixture(params=[inside.record, outside.record], ids=["inside", "outside"])
def record(request: pytest.FixtureRequest) -> experiments.Recorder:
    """Each recorder in turn, redirects followed."""
    return lambda asked: record_following(asked, request.param)


def ask(url: str, **changes: Any) -> Request:
    return Request("public", url, **{"window": 0.9, **changes})


def glance(request: Request) -> Stream:
    """A first record just long enough to see that there is a stream."""
    return outside.record(replace(request, window=0.15))


def one(done: tuple[Experiment, ...]) -> Experiment:
    (experiment,) = done
    return experiment


def kinds(experiment: Experiment) -> list[str]:
    return [str(symptom.kind) for symptom in experiment.symptoms]


def by_header(header: bytes, with_it: Script, without: Script) -> Script:
    return answering(lambda head: with_it if header in head.lower() else without)


# --- gzip against identity ------------------------------------------------------------


def zipped(flush: int) -> Script:
    def script(connection: socket.socket) -> None:
        coder = zlib.compressobj(wbits=31)
        connection.sendall(GZIP)
        with contextlib.suppress(OSError):
            for _ in range(8):
                data = coder.compress(EVENT) + coder.flush(flush)
                connection.sendall(data)
                time.sleep(0.1)
            wait_for_close(connection)

    return script


PLAIN = held(OK + b"\r\n", *[part for _ in range(8) for part in (EVENT, 0.1)])


def test_compression_that_holds_events_is_found(record: experiments.Recorder, serve: Serve) -> None:
    script = by_header(b"accept-encoding: gzip", zipped(zlib.Z_NO_FLUSH), PLAIN)
    served = serve(script, read_request=False)
    found = one(run(request := ask(served.url), Wanted(names=("gzip",)), glance(request), record))
    assert kinds(found) == ["compressed"]
    assert "compression holds events back: 8 events without it" in found.conclusion
    assert [r.variant for r in found.records] == ["identity", "gzip"]


@pytest.mark.parametrize("script", [zipped(zlib.Z_SYNC_FLUSH), PLAIN], ids=["flushed", "none"])
def test_compression_that_holds_nothing_is_healthy(
    record: experiments.Recorder, serve: Serve, script: Script
) -> None:
    served = serve(by_header(b"accept-encoding: gzip", script, PLAIN), read_request=False)
    found = one(run(request := ask(served.url), Wanted(names=("gzip",)), glance(request), record))
    assert found.symptoms == ()


# --- versions -------------------------------------------------------------------------


def test_a_server_that_is_late_over_http10_is_shown(serve: Serve) -> None:
    script = by_header(b"http/1.0\r\n", held(), PLAIN)
    served = serve(script, read_request=False)
    found = one(run(request := ask(served.url), Wanted(names=("versions",)), glance(request)))
    assert found.conclusion.startswith("HTTP/1.0: no answer (limit_time); HTTP/1.1: 8 events")
    assert found.symptoms == ()


def test_tls_without_http2_leaves_a_browser_six_streams(
    serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    served = serve(PLAIN, context=server_context)
    request = ask("https://stream.test/e", connect=served.address, ca_file=str(certificate))
    found = one(run(request, Wanted(names=("versions",)), glance(request)))
    assert kinds(found) == ["six_connections"]
    assert [r.variant for r in found.records] == ["http10", "http11", "http2"]


# --- idle against busy ----------------------------------------------------------------


class Chat:
    """A service with streams and messages; ``reach`` says which streams a message reaches."""

    def __init__(
        self, reach: Callable[[int], bool] = lambda number: True, buffer: int = 0, idle: float = 5.0
    ) -> None:
        self._reach, self._buffer, self._idle = reach, buffer, idle
        self._lock = threading.Lock()
        self._streams: list[tuple[socket.socket, bytearray]] = []
        self.posts = 0

    def script(self) -> Script:
        return answering(lambda head: self._take(head) if head.startswith(b"POST") else self._open)

    def _open(self, connection: socket.socket) -> None:
        connection.sendall(OK + b"\r\n" + EVENT)
        with self._lock:
            self._streams.append((connection, bytearray()))
            heard = self.posts
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < self._idle:
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    break
            if self.posts > heard:
                heard, quiet_since = self.posts, time.monotonic()
        with self._lock:
            self._streams = [entry for entry in self._streams if entry[0] is not connection]

    def _take(self, head: bytes) -> Script:
        with self._lock:
            self.posts += 1
            event = b"data: m-%d %s\n\n" % (self.posts, head.partition(b"\r\n\r\n")[2])
            for number, (stream, held_back) in enumerate(self._streams):
                held_back += event if self._reach(number) else b""
                if len(held_back) > self._buffer:
                    with contextlib.suppress(OSError):
                        stream.sendall(bytes(held_back))
                    held_back.clear()
        body = json.dumps({"id": f"m-{self.posts}"}).encode()
        return send(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


MESSAGE = Message("/messages", {"text": "hello"})


def test_a_stream_that_lives_while_it_is_busy_is_cut_by_silence(serve: Serve) -> None:
    served = serve(Chat(idle=1.6).script(), read_request=False)
    wanted = Wanted(names=("idle",), message=MESSAGE)
    found = one(run(ask(served.url, window=6.0), wanted))
    assert found.conclusion.startswith("silence is what is cut, after 1.")
    assert found.records[1].variant == "busy"


def test_a_stream_that_is_cut_whatever_flows_has_an_absolute_limit(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuts, "NEAR_SECONDS", 0.3)
    pauses = iter([(0.1, 1.1), (0.7, 0.5)])

    def choose(_head: bytes) -> Script:
        before, after = next(pauses)
        return send(OK + b"Content-Length: 99\r\n\r\n", before, EVENT, after)

    served = serve(answering(choose), read_request=False)
    found = one(run(ask(served.url, window=6.0), Wanted(names=("idle",))))
    assert found.conclusion.startswith("the stream is cut 1.2 s after its start")


def test_two_cuts_that_look_alike_are_not_told_apart(serve: Serve) -> None:
    script = send(OK + b"Content-Length: 99\r\n\r\n", EVENT, 1.2)
    found = one(run(ask(serve(script).url, window=6.0), Wanted(names=("idle",))))
    assert "both fit" in found.conclusion


# --- coming back ----------------------------------------------------------------------


def numbered(*ids: int) -> Script:
    data = b"".join(b"id: %d\ndata: x\n\n" % number for number in ids)
    return held(OK + b"\r\n" + data)


@pytest.mark.parametrize(
    ("again", "found"),
    [
        (numbered(4, 5), []),
        (numbered(), ["lost_on_resume"]),
        (numbered(1, 2, 3, 4, 5), ["replayed"]),
        (numbered(1), ["replayed"]),
    ],
    ids=["as it should", "forgets", "replays", "begins anew"],
)
def test_a_client_that_comes_back(
    record: experiments.Recorder, serve: Serve, again: Script, found: list[str]
) -> None:
    script = by_header(b"\r\nlast-event-id: 3\r\n", again, numbered(1, 2, 3, 4, 5))
    served = serve(script, read_request=False)
    request = ask(served.url, window=0.4)
    assert kinds(one(run(request, Wanted(names=("resume",)), record=record))) == found


# --- preflight ------------------------------------------------------------------------


def test_a_refused_preflight_is_found_and_shows_no_token(serve: Serve) -> None:
    heard: list[bytes] = []

    def choose(head: bytes) -> Script:
        heard.append(head)
        options = head.startswith(b"OPTIONS")
        return send(b"HTTP/1.1 405 x\r\nContent-Length: 0\r\n\r\n") if options else PLAIN

    served = serve(answering(choose), read_request=False)
    request = ask(served.url, token="t0ken-t0ken", token_parameter="")
    found = one(run(request, Wanted(names=("preflight",), expected=PAGE), glance(request)))
    assert kinds(found) == ["preflight_refused"]
    asked = heard[-1]
    assert b"\r\nOrigin: https://app.example.org\r\n" in asked
    assert b"\r\nAccess-Control-Request-Headers: authorization\r\n" in asked
    assert b"t0ken" not in asked


def test_an_allowed_preflight_is_healthy(serve: Serve) -> None:
    allowed = (
        b"HTTP/1.1 204 x\r\nAccess-Control-Allow-Origin: https://app.example.org\r\n"
        b"Access-Control-Allow-Headers: authorization\r\n\r\n"
    )
    script = answering(lambda head: send(allowed) if head.startswith(b"OPTIONS") else PLAIN)
    request = ask(serve(script, read_request=False).url, token="t0ken", token_parameter="")
    assert (
        one(run(request, Wanted(names=("preflight",), expected=PAGE), glance(request))).symptoms
        == ()
    )


# --- hops, many, fan-out, sizes ---------------------------------------------------------


def test_the_hop_that_breaks_the_stream_is_found(serve: Serve) -> None:
    app, public = serve(PLAIN), serve(send(b"HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n"))
    hops = tuple(
        Request(hop, "http://chat.example.org/e", connect=served.address, window=0.5)
        for hop, served in (("app", app), ("public", public))
    )
    found = one(run(ask(public.url), Wanted(names=("hops",), hops=hops)))
    assert kinds(found) == ["wrong_status"]
    assert found.conclusion == "public: answered 502 x, must be 200"


@pytest.mark.parametrize(("limit", "found"), [(3, ["few_streams"]), (99, [])])
def test_streams_beyond_a_limit_are_counted(serve: Serve, limit: int, found: list[str]) -> None:
    lock, open_now = threading.Lock(), [0]

    def script(connection: socket.socket) -> None:
        with lock:
            open_now[0] += 1
            allowed = open_now[0] <= limit
        refusal = send(b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n")
        (held(OK + b"\r\n" + EVENT) if allowed else refusal)(connection)
        with lock:
            open_now[0] -= 1

    wanted = Wanted(names=("many",), streams=5)
    request = ask(serve(script).url, window=0.5)
    first = glance(request)
    time.sleep(0.2)  # the first stream must be gone
    done = one(run(request, wanted, first))
    assert kinds(done) == found
    expected = f"{min(limit, 5)} of 5 streams of one client opened"
    assert done.conclusion.startswith(expected)


@pytest.mark.parametrize(
    ("reach", "found", "said"),
    [
        (lambda number: True, [], "reached 4 of 4"),
        (lambda number: number % 2 == 0, ["fanout_partial"], "reached 2 of 4"),
        (lambda number: False, ["canary_lost"], "reached 0 of 4"),
    ],
)
def test_who_receives_a_message_is_counted(
    serve: Serve, reach: Callable[[int], bool], found: list[str], said: str
) -> None:
    served = serve(Chat(reach).script(), read_request=False)
    wanted = Wanted(names=("fanout",), message=MESSAGE, streams=4)
    done = one(run(request := ask(served.url, window=1.1), wanted, glance(request)))
    assert kinds(done) == found
    assert said in done.conclusion


def test_a_refused_message_proves_nothing(serve: Serve) -> None:
    refusal = send(b"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n")
    script = answering(lambda head: refusal if head.startswith(b"POST") else PLAIN)
    served = serve(script, read_request=False)
    wanted = Wanted(names=("fanout",), message=MESSAGE, streams=2)
    done = one(run(request := ask(served.url, window=1.1), wanted, glance(request)))
    assert (done.symptoms, done.conclusion) == ((), "POST /messages answered 403")


@pytest.mark.parametrize(
    ("buffer", "said"),
    [
        (0, "a message of 64 bytes comes at once"),
        (300, "a message of 512 bytes comes at once and one of 64 does not"),
    ],
)
def test_the_size_from_which_a_message_passes_is_found(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, buffer: int, said: str
) -> None:
    monkeypatch.setattr(message_experiments, "_PROMPT", 0.4)
    served = serve(Chat(buffer=buffer).script(), read_request=False)
    wanted = Wanted(names=("sizes",), message=MESSAGE)
    request = ask(served.url)
    assert said in one(run(request, wanted, glance(request))).conclusion


def test_bursts_of_a_buffer_need_no_message(serve: Serve) -> None:
    lines = b"".join(b"data: %032d\n\n" % number for number in range(200))
    bursts = [part for n in range(5) for part in (lines[1024 * n : 1024 * (n + 1)], 0.15)]
    request = ask(serve(held(OK + b"\r\n", *bursts)).url, window=1.0)
    done = one(run(request, Wanted(names=("sizes",))))
    assert done.conclusion.startswith("bytes come in bursts of 1024")


# --- which are run ----------------------------------------------------------------------


def test_a_healthy_stream_calls_for_few_experiments_and_shows_nothing(serve: Serve) -> None:
    done = run(ask(serve(PLAIN).url), Wanted(expected=PAGE))
    assert [experiment.name for experiment in done] == ["gzip", "versions"]
    assert [experiment.symptoms for experiment in done] == [(), ()]


def test_nothing_is_tried_where_nothing_answers() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert run(ask(f"http://127.0.0.1:{unused.getsockname()[1]}/")) == ()


def test_a_post_is_not_repeated_unasked(serve: Serve) -> None:
    served = serve(held(OK + b"\r\n" + EVENT))
    request = ask(served.url, method="POST", body=b"{}", window=0.5)
    assert run(request) == ()
    assert len(served.heard) == 1


def test_an_experiment_asked_for_in_vain_says_why(serve: Serve) -> None:
    done = run(ask(serve(PLAIN).url), Wanted(names=("fanout", "resume", "hops", "idle")))
    assert {experiment.name: experiment.conclusion for experiment in done} == {
        "idle": "not run: no stream was cut after a time",
        "resume": "not run: the events have no ids",
        "hops": "not run: no other hop is known",
        "fanout": "not run: no message is known that makes an event come",
    }


def test_all_experiments_share_their_time(serve: Serve) -> None:
    began = time.monotonic()
    names = ("gzip", "versions", "many")
    done = run(ask(serve(held(OK + b"\r\n")).url, window=5.0), Wanted(names=names, seconds=1.5))
    assert time.monotonic() - began < 3.0
    assert re.fullmatch("not run: of 1.5 s none are left", done[-1].conclusion)


def test_a_name_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="'gzpi' is not one of"):
        run(ask("http://127.0.0.1:1/"), Wanted(names=("gzpi",)))
