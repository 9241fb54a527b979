"""Both recorders over HTTP/2: with and without TLS, what ends a stream, and what is no HTTP/2."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.settings
import hpack
import pytest
from h2_server import EVENT, HEADERS, Answer, ending, frame, h2_server, steps
from scripted_server import Record, Script, Serve, held, send, steady, then_reset

from ssemedic.probe import http2, inside, outside
from ssemedic.probe.request import Limits, Request
from ssemedic.stream.record import Stream

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n" + EVENT
SMALL = Limits(max_bytes=100_000, header_bytes=8192, header_count=50, connect_seconds=0.3)

SETTINGS = frame(4, 0, 0, b"")
STATUS = b"\x88"  # :status 200, by its index
HEAD = frame(1, 4, 1, STATUS + b"\x0f\x10\x11text/event-stream")
DATA = frame(0, 0, 1, EVENT)


@pytest.fixture(params=[inside.record, outside.record], ids=["inside", "outside"])
def record(request: pytest.FixtureRequest) -> Record:
    """Each recorder in turn."""
    return steady(request.param)


def ask(url: str, **changes: Any) -> Request:
    settings: dict[str, Any] = {"window": 3.0, "limits": SMALL, "version": "2", **changes}
    return Request("public", url, **settings)


def secure(address: str, certificate: Path, **changes: Any) -> Request:
    url = "https://stream.test/events"
    return ask(url, connect=address, ca_file=str(certificate), **changes)


@pytest.fixture
def answered(serve: Serve, record: Record) -> Callable[..., Stream]:
    """``answered(answer)`` is the record of that answer by the library h2."""

    def recorded(answer: Answer, **changes: Any) -> Stream:
        return record(ask(serve(h2_server(answer), read_request=False).url, **changes))

    return recorded


@pytest.fixture
def framed(serve: Serve, record: Record) -> Callable[..., Stream]:
    """``framed(parts...)`` is the record of these bytes, right or wrong, on a held connection."""

    def recorded(*parts: bytes | float, **changes: Any) -> Stream:
        return record(ask(serve(read_all(held(*parts)), read_request=False).url, **changes))

    return recorded


def read_all(script: Script) -> Script:
    """Reads what comes meanwhile: what is left unread at a close makes the kernel reset."""

    def reading(connection: socket.socket) -> None:
        def drain() -> None:
            with contextlib.suppress(OSError):
                while connection.recv(65536):
                    pass

        threading.Thread(target=drain, daemon=True).start()
        script(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # a close alone waits for the other thread

    return reading


# --- a healthy stream -------------------------------------------------------------------


def test_events_are_recorded_each_at_its_own_time(record: Record, serve: Serve) -> None:
    seen: list[tuple[bytes, bytes]] = []
    answer = ending(0.15, EVENT, 0.15, EVENT)
    served = serve(h2_server(answer, seen), read_request=False)
    headers = (("Cookie", "a=1"), ("Connection", "keep-alive"), ("X-Page", "home"))
    stream = record(ask(served.url + "?a=1", token="tok.en.x", headers=headers))
    assert (stream.response_version, stream.status, stream.end.kind) == ("2", 200, "last_chunk")
    assert stream.headers == (("content-type", "text/event-stream"),)
    assert (stream.body, [read.size for read in stream.reads]) == (EVENT * 2, [9, 9])
    assert stream.reads[1].at - stream.reads[0].at == pytest.approx(0.15, abs=0.1)
    assert sorted(seen) == sorted(
        [  # h2 itself puts the cookies last
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", served.address.encode()),
            (b":path", b"/events?a=1&access_token=tok.en.x"),
            (b"user-agent", b"ssemedic"),
            (b"accept", b"text/event-stream"),
            (b"cache-control", b"no-cache"),
            (b"accept-encoding", b"identity"),
            (b"cookie", b"a=1"),
            (b"x-page", b"home"),
        ]
    )


def test_http2_is_offered_under_tls(
    record: Record, serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    server_context.set_alpn_protocols(["h2", "http/1.1"])
    served = serve(h2_server(ending(EVENT)), context=server_context, read_request=False)
    stream = record(secure(served.address, certificate))
    assert (stream.response_version, stream.end.kind, stream.size) == ("2", "last_chunk", 9)
    assert stream.phases.tls is not None


def test_http2_is_not_offered_unless_asked_for(
    record: Record, serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    server_context.set_alpn_protocols(["h2", "http/1.1"])
    served = serve(send(OK), context=server_context)
    stream = record(secure(served.address, certificate, version="1.1"))
    assert (stream.response_version, stream.status) == ("1.1", 200)


def test_a_server_without_http2_is_recorded_with_the_version_it_speaks(
    record: Record, serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    server_context.set_alpn_protocols(["http/1.1"])
    served = serve(send(OK), context=server_context)
    stream = record(secure(served.address, certificate))
    assert (stream.request_version, stream.response_version, stream.status) == ("2", "1.1", 200)
    assert served.heard[0].startswith(b"GET /events HTTP/1.1\r\n")


def test_a_quiet_stream_ends_with_the_window(answered: Callable[..., Stream]) -> None:
    stream = answered(steps(EVENT, 0.1, EVENT), window=0.8)
    assert (stream.end.kind, stream.size) == ("limit_time", 18)


def test_a_large_post_waits_for_the_servers_window(record: Record, serve: Serve) -> None:
    body, bodies = bytes(range(256)) * 1200, list[bytes]()
    served = serve(h2_server(ending(EVENT), bodies=bodies), read_request=False)
    stream = record(ask(served.url, method="POST", body=body))
    assert (stream.status, stream.end.kind, bodies) == (200, "last_chunk", [body])
    assert stream.phases.sent is not None


def test_a_token_longer_than_a_frame_goes_on_in_the_next(record: Record, serve: Serve) -> None:
    seen: list[tuple[bytes, bytes]] = []
    served = serve(h2_server(ending(EVENT), seen), read_request=False)
    stream = record(ask(served.url, token="t" * 40_000, token_parameter=""))
    assert stream.status == 200
    assert (b"authorization", b"Bearer " + b"t" * 40_000) in seen


def test_a_stream_far_longer_than_the_window_goes_on() -> None:
    # The library h2 is the server: it raises where it has no credit left.
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    client = http2.Exchange(ask("http://127.0.0.1:1/"))
    server.receive_data(client.to_send())
    server.send_headers(1, HEADERS)
    received = 0
    for _ in range(1000):
        server.send_data(1, b"x" * 16384)
        for item in client.feed(server.data_to_send()):
            received += len(item) if isinstance(item, bytes) else 0
        server.receive_data(client.to_send())
    assert received == 1000 * 16384 > 2 * http2.WINDOW_BYTES


def test_interim_answers_and_trailers_are_passed_over(framed: Callable[..., Stream]) -> None:
    early = frame(1, 4, 1, b"\x08\x03103")
    trailers = frame(1, 5, 1, b"\x00\x03x-t\x011")
    stream = framed(SETTINGS, early, HEAD, DATA, trailers)
    assert (stream.status, stream.end.kind, stream.size) == (200, "last_chunk", 9)
    assert stream.header("x-t") is None


def test_headers_in_pieces_with_padding_and_priority_are_whole(
    framed: Callable[..., Stream],
) -> None:
    block = STATUS + b"\x0f\x10\x11text/event-stream"
    first = frame(1, 0x28, 1, b"\x03" + b"\0\0\0\0\x0f" + block[:4] + b"\0\0\0")
    rest = frame(9, 0, 1, block[4:9]) + frame(9, 4, 1, block[9:])
    data = frame(0, 8, 1, b"\x04" + EVENT + b"\0\0\0\0")
    stream = framed(SETTINGS, first, 0.05, rest, data + DATA, window=0.5)
    assert stream.headers == (("content-type", "text/event-stream"),)
    assert stream.body == EVENT * 2


def test_part_of_a_frame_is_an_arrival(framed: Callable[..., Stream]) -> None:
    whole = frame(0, 0, 1, EVENT)
    stream = framed(SETTINGS, HEAD, whole[:13], 0.1, whole[13:], window=0.6)
    assert [read.size for read in stream.reads] == [4, 5]


def test_pings_settings_and_unknown_frames_do_not_disturb(framed: Callable[..., Stream]) -> None:
    noise = frame(6, 0, 0, b"12345678") + SETTINGS + frame(0xFA, 7, 3, b"grease")
    noise += frame(2, 0, 3, b"\0\0\0\0\x10") + frame(8, 0, 0, b"\0\0\1\0") + frame(4, 1, 0, b"")
    stream = framed(SETTINGS, noise, HEAD, noise, DATA, noise, window=0.5)
    assert (stream.end.kind, stream.body) == ("limit_time", EVENT)


def test_a_goaway_without_an_error_lets_the_stream_go_on(framed: Callable[..., Stream]) -> None:
    # As nginx sends at a reload: first for what is to come, then with the last it has taken.
    closing = frame(7, 0, 0, b"\x7f\xff\xff\xff" + b"\0" * 4)
    closing += frame(7, 0, 0, b"\0\0\0\1" + b"\0" * 4)
    stream = framed(SETTINGS, HEAD, DATA, closing, 0.1, DATA, window=0.6)
    assert (stream.end.kind, stream.body) == ("limit_time", EVENT * 2)


def test_an_answer_to_head_has_no_body(framed: Callable[..., Stream]) -> None:
    block = STATUS + b"\x0f\x0d\x03100"
    stream = framed(SETTINGS, frame(1, 5, 1, block), method="HEAD")
    assert (stream.status, stream.end.kind, stream.size) == (200, "last_chunk", 0)


# --- how a stream breaks ----------------------------------------------------------------


def reset_with(code: int) -> Answer:
    def answer(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        steps(EVENT, 0.1)(state, number, flush)
        state.reset_stream(number, code)

    return answer


@pytest.mark.parametrize("code", list(h2.errors.ErrorCodes), ids=lambda code: code.name)
def test_a_reset_names_its_error(answered: Callable[..., Stream], code: Any) -> None:
    stream = answered(reset_with(code))
    assert (stream.status, stream.end.kind, stream.size) == (200, "h2_reset", 9)
    assert stream.end.detail == f"RST_STREAM {code.name}"


def test_a_reset_with_an_unknown_error_gives_its_number(answered: Callable[..., Stream]) -> None:
    assert answered(reset_with(4711)).end.detail == "RST_STREAM 4711"


def test_a_reset_in_the_same_read_keeps_what_came_before(framed: Callable[..., Stream]) -> None:
    stream = framed(SETTINGS + HEAD + DATA + frame(3, 0, 1, b"\0\0\0\2"))
    assert (stream.status, stream.body) == (200, EVENT)
    assert stream.end.detail == "RST_STREAM INTERNAL_ERROR"


def test_a_reset_before_the_answer_has_no_status(framed: Callable[..., Stream]) -> None:
    stream = framed(SETTINGS + frame(3, 0, 1, b"\0\0\0\7"))
    assert (stream.status, stream.end.detail) == (None, "RST_STREAM REFUSED_STREAM")


def test_a_goaway_names_its_error(answered: Callable[..., Stream]) -> None:
    def answer(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        steps(EVENT, 0.1)(state, number, flush)
        state.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, last_stream_id=number)

    stream = answered(answer)
    assert (stream.end.kind, stream.end.detail) == ("h2_reset", "GOAWAY ENHANCE_YOUR_CALM")


def test_a_goaway_before_the_request_is_a_reset(framed: Callable[..., Stream]) -> None:
    stream = framed(SETTINGS, frame(7, 0, 0, b"\0" * 8))
    assert (stream.status, stream.end.kind) == (None, "h2_reset")
    assert stream.end.detail == "GOAWAY before the request was taken"


def test_a_connection_that_closes_is_truncated(record: Record, serve: Serve) -> None:
    script = read_all(send(SETTINGS, HEAD, DATA, 0.1))
    stream = record(ask(serve(script, read_request=False).url))
    assert (stream.status, stream.end.kind, stream.size) == (200, "truncated", 9)


@pytest.mark.parametrize(
    ("parts", "detail"),
    [
        ((SETTINGS,), "closed without an answer"),
        ((SETTINGS, frame(1, 0, 1, STATUS)), "closed after part of the headers"),
    ],
)
def test_closing_before_the_headers_are_whole_has_no_status(
    record: Record, serve: Serve, parts: tuple[bytes, ...], detail: str
) -> None:
    stream = record(ask(serve(read_all(send(*parts, 0.1)), read_request=False).url))
    assert (stream.status, stream.end.kind, stream.end.detail) == (None, "truncated", detail)


def test_a_reset_of_the_connection_is_a_reset(record: Record, serve: Serve) -> None:
    script = then_reset(SETTINGS, HEAD, DATA)
    stream = record(ask(serve(script, read_request=False).url))
    assert (stream.status, stream.end.kind) == (200, "reset")


def test_an_end_before_the_announced_length_is_truncated(framed: Callable[..., Stream]) -> None:
    head = frame(1, 4, 1, STATUS + b"\x0f\x0d\x03100")
    stream = framed(SETTINGS, head, frame(0, 1, 1, EVENT))
    assert (stream.end.kind, stream.size) == ("truncated", 9)


# --- what a browser refuses -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("connection", "keep-alive", "header connection over HTTP/2"),
        ("keep-alive", "timeout=5", "header keep-alive over HTTP/2"),
        ("transfer-encoding", "chunked", "header transfer-encoding over HTTP/2"),
        ("upgrade", "h2c", "header upgrade over HTTP/2"),
        ("X-Accel", "no", "header name 'X-Accel' over HTTP/2"),
        ("bad name", "1", "header name 'bad name' over HTTP/2"),
        ("x-a", "1\r\nset-cookie: b", "malformed value of header x-a over HTTP/2"),
    ],
)
def test_a_header_that_browsers_refuse_is_a_protocol_error_with_the_answer_seen(
    answered: Callable[..., Stream], name: str, value: str, detail: str
) -> None:
    stream = answered(steps(EVENT, headers=[*HEADERS, (name, value)]))
    assert (stream.status, stream.end.kind, stream.end.detail) == (200, "protocol_error", detail)
    assert stream.header(name) == value


@pytest.mark.parametrize(
    ("parts", "detail"),
    [
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "answers HTTP/1 to a request in HTTP/2"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "the answer begins with 'SSH-2', must be SETTINGS"),
        ((frame(4, 1, 0, b""),), "SETTINGS in place of the first SETTINGS"),
        ((SETTINGS, frame(1, 4, 1, b"\x0f\x10\x11text/event-stream")), "headers without :status"),
        ((SETTINGS, frame(1, 4, 1, b"\xff" * 40)), "headers that cannot be decoded"),
        ((SETTINGS, DATA), "DATA before the headers"),
        ((SETTINGS, frame(1, 4, 3, STATUS)), "HEADERS on stream 3"),
        ((SETTINGS, frame(9, 4, 1, STATUS)), "CONTINUATION, which nothing calls for"),
        ((SETTINGS, frame(1, 0, 1, STATUS), DATA), "DATA in place of CONTINUATION"),
        ((SETTINGS, frame(5, 4, 1, b"\0\0\0\2" + STATUS)), "PUSH_PROMISE, which nothing calls"),
        ((SETTINGS, b"\x01\x00\x00\x00\x00\x00\x00\x00\x01"), "a frame of 65536 bytes"),
        ((SETTINGS, frame(6, 0, 0, b"1")), "PING of 1 bytes"),
        ((SETTINGS, frame(8, 0, 1, b"\0\0\0\0")), "WINDOW_UPDATE by 0 bytes"),
        ((SETTINGS, frame(8, 0, 0, b"\x7f\xff\xff\xff")), "WINDOW_UPDATE by 2147483647"),
        ((frame(4, 0, 0, b"\0\2\0\0\0\1"),), "SETTINGS with ENABLE_PUSH 1"),
        ((frame(4, 0, 0, b"\0\4\xff\xff\xff\xff"),), "SETTINGS with a window"),
        ((frame(4, 0, 0, b"\0\5\0\0\0\1"),), "SETTINGS with frames"),
        ((frame(4, 0, 0, b"1"),), "SETTINGS of 1 bytes"),
        ((SETTINGS, frame(4, 1, 0, b"123456")), "SETTINGS acknowledged with 6 bytes"),
        ((SETTINGS, frame(7, 0, 0, b"1")), "GOAWAY of 1 bytes"),
        ((SETTINGS, frame(1, 4, 1, b"\x08\x03101")), "the server switches protocols unasked"),
        ((SETTINGS, frame(1, 5, 1, b"\x08\x03103")), "the stream ends with status 103"),
        ((SETTINGS, frame(1, 0xC, 1, b"\x09" + STATUS)), "more padding than frame"),
    ],
)
def test_what_is_no_http2_is_a_protocol_error_that_says_why(
    framed: Callable[..., Stream], parts: tuple[bytes, ...], detail: str
) -> None:
    stream = framed(*parts)
    assert (stream.status, stream.end.kind) == (None, "protocol_error")
    assert detail in stream.end.detail
    assert stream.end.at < 2.0


@pytest.mark.parametrize(
    ("part", "detail"),
    [
        (frame(1, 4, 1, b"\x00\x01a\x011"), "headers inside the body"),
        (frame(1, 5, 1, STATUS), "a pseudo-header after the body"),
        (frame(0, 8, 1, b"\x20" + EVENT), "more padding than frame"),
        (frame(0, 0, 3, EVENT), "DATA on stream 3"),
    ],
)
def test_a_body_that_is_no_http2_keeps_what_came_before(
    framed: Callable[..., Stream], part: bytes, detail: str
) -> None:
    stream = framed(SETTINGS, HEAD, DATA + part)
    assert (stream.status, stream.end.kind, stream.body) == (200, "protocol_error", EVENT)
    assert detail in stream.end.detail


def test_more_data_than_announced_is_a_protocol_error(framed: Callable[..., Stream]) -> None:
    stream = framed(SETTINGS, frame(1, 4, 1, STATUS + b"\x0f\x0d\x015"), DATA)
    assert (stream.status, stream.end.kind) == (200, "protocol_error")


# --- limits -----------------------------------------------------------------------------


def test_headers_that_decode_to_too_much_stop_at_the_limit(framed: Callable[..., Stream]) -> None:
    # One field of 3 kB in the table, then named again in one byte each.
    value = b"\x7f" + bytes([0x80 | (3000 - 127) & 0x7F, (3000 - 127) >> 7]) + b"x" * 3000
    stream = framed(SETTINGS, frame(1, 4, 1, STATUS + b"\x40\x01a" + value + b"\xbe" * 40))
    assert (stream.end.kind, stream.end.detail) == ("limit_headers", "more than 8192 header bytes")


def test_too_many_headers_stop_at_the_limit(framed: Callable[..., Stream]) -> None:
    stream = framed(SETTINGS, frame(1, 4, 1, STATUS + b"\x00\x01a\x011" * 51))
    assert (stream.end.kind, stream.end.detail) == ("limit_headers", "more than 50 headers")


def test_as_many_headers_as_allowed_are_recorded(framed: Callable[..., Stream]) -> None:
    stream = framed(SETTINGS, frame(1, 5, 1, STATUS + b"\x00\x01a\x011" * 50))
    assert (stream.status, len(stream.headers)) == (200, 50)


def test_headers_without_an_end_stop_at_the_limit(framed: Callable[..., Stream]) -> None:
    stream = framed(SETTINGS, frame(1, 0, 1, STATUS), frame(9, 0, 1, b"") * 2000)
    assert stream.end.kind == "limit_headers"


def test_a_flood_of_pings_before_the_answer_stops_at_the_limit(
    framed: Callable[..., Stream],
) -> None:
    stream = framed(SETTINGS, frame(6, 0, 0, b"12345678") * 2000)
    assert (stream.status, stream.end.kind) == (None, "limit_headers")


# --- the two against each other, and against the library ----------------------------------


@pytest.mark.parametrize(
    "answer",
    [ending(0.1, EVENT, 0.1, EVENT), reset_with(1), steps(EVENT, 0.1, EVENT)],
    ids=["ended", "reset", "open"],
)
def test_both_recorders_agree_in_every_field(serve: Serve, answer: Answer) -> None:
    served = serve(h2_server(answer), read_request=False)
    here = steady(outside.record)(ask(served.url, window=0.7))
    there = steady(inside.record)(ask(served.url, window=0.7))

    def comparable(stream: Stream) -> list[object]:
        data = stream.to_dict()
        ended, reads, phases = data.pop("end"), data.pop("reads"), data.pop("phases")
        del data["vantage"], data["started"], data["stalled"]
        reached = sorted(name for name, at in phases.items() if at is not None)
        return [data, ended["kind"], ended["detail"], [size for _at, size in reads], reached]

    assert comparable(here) == comparable(there)


def test_a_secret_header_may_be_kept_by_no_hop(record: Record, serve: Serve) -> None:
    heard: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        connection.settimeout(1.0)
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                heard.append(data)

    record(ask(serve(listen, read_request=False).url, token="tok.en.x", window=0.3))
    sent = b"".join(heard)
    block = sent[sent.index(b"\x10\x07:method") :]
    fields = hpack.Decoder().decode(block, raw=True)
    assert fields, "nothing else follows the headers"
    assert all(isinstance(field, hpack.NeverIndexedHeaderTuple) for field in fields)
