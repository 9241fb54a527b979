"""One conformance suite for both recorders: the same server gives the same record."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from h2_server import ending, h2_server
from scripted_server import (
    Record,
    Script,
    Serve,
    endless,
    held,
    send,
    steady,
    then_reset,
    wait_for_close,
)

from ssemedic.probe import inside, outside, wire
from ssemedic.probe.request import Limits, Request
from ssemedic.probe.tape import Clock, Stop
from ssemedic.stream.record import END_KINDS, Stream

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVENT = b"data: x\n\n"
CHUNK = b"9\r\n" + EVENT + b"\r\n"
SMALL = Limits(
    max_bytes=100_000,
    body_limit=4096,
    header_bytes=8192,
    header_count=50,
    line_bytes=2048,
    connect_seconds=0.3,
)


@pytest.fixture(params=[inside.record, outside.record], ids=["inside", "outside"])
def record(request: pytest.FixtureRequest) -> Record:
    """Each recorder in turn."""
    return steady(request.param)


def ask(url: str, **changes: Any) -> Request:
    settings: dict[str, Any] = {"window": 5.0, "limits": SMALL, **changes}
    return Request("app", url, **settings)


# --- how a record ends --------------------------------------------------------------


def test_chunked_events_are_recorded_each_at_its_own_time(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED, 0.15, CHUNK, 0.15, CHUNK, b"0\r\n\r\n"))
    stream = record(ask(served.url))
    assert (stream.status, stream.reason, stream.response_version) == (200, "OK", "1.1")
    assert stream.is_event_stream
    assert stream.end.kind == "last_chunk"
    assert stream.body == EVENT * 2
    assert [read.size for read in stream.reads] == [9, 9]
    first, second = (read.at for read in stream.reads)
    headers = stream.phases.headers
    assert headers is not None
    assert first - headers == pytest.approx(0.15, abs=0.1)
    assert second - first == pytest.approx(0.15, abs=0.1)


def test_two_chunks_in_one_read_are_one_arrival(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(send(CHUNKED, 0.1, CHUNK * 3 + b"0\r\n\r\n")).url))
    assert [read.size for read in stream.reads] == [27]


def test_a_chunk_arrives_byte_by_byte_before_it_is_complete(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(held(CHUNKED + b"ff\r\ndata", 0.1, b": x")).url, window=0.4))
    assert [read.size for read in stream.reads] == [4, 3]
    assert stream.end.kind == "limit_time"


def test_http10_without_length_ends_with_the_connection(record: Record, serve: Serve) -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    stream = record(ask(serve(send(head, EVENT, 0.1, EVENT)).url))
    assert (stream.response_version, stream.end.kind, stream.size) == ("1.0", "eof", 18)


def test_an_unauthorized_json_answer_ends_with_its_length(record: Record, serve: Serve) -> None:
    body = b'{"detail":"token has expired"}'
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n"
    served = serve(held(head + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    stream = record(ask(served.url))
    assert (stream.status, stream.reason) == (401, "Unauthorized")
    assert (stream.end.kind, stream.body) == ("last_chunk", body)
    assert stream.end.at < 2.0, "the open connection must not hold the record"


def test_an_html_page_is_recorded_as_it_came(record: Record, serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n"
    stream = record(ask(serve(send(head + b"<html>")).url))
    assert (stream.content_type, stream.body) == ("text/html", b"<html>")


def test_closing_at_once_after_the_headers_is_truncated(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(send(CHUNKED)).url))
    assert (stream.status, stream.end.kind, stream.size) == (200, "truncated", 0)


def test_a_clean_end_without_a_byte_is_a_last_chunk(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(send(CHUNKED + b"0\r\n\r\n")).url))
    assert (stream.status, stream.end.kind, stream.size) == (200, "last_chunk", 0)


def test_a_missing_last_chunk_is_truncated(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(send(CHUNKED + CHUNK, 0.1)).url))
    assert (stream.end.kind, stream.size) == ("truncated", 9)


def test_a_short_content_length_body_is_truncated(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(send(OK + b"Content-Length: 100\r\n\r\n" + EVENT)).url))
    assert (stream.end.kind, stream.size) == ("truncated", 9)


def test_closing_without_an_answer_is_truncated_without_status(
    record: Record, serve: Serve
) -> None:
    stream = record(ask(serve(send()).url))
    assert (stream.status, stream.end.kind) == (None, "truncated")
    assert stream.end.detail == "closed without an answer"


def test_closing_inside_the_headers_is_truncated_without_status(
    record: Record, serve: Serve
) -> None:
    stream = record(ask(serve(send(OK)).url))
    assert (stream.status, stream.end.kind) == (None, "truncated")
    assert stream.end.detail == "closed after part of the headers"


def test_a_reset_before_the_answer_is_a_reset(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(then_reset()).url))
    assert (stream.status, stream.end.kind) == (None, "reset")


def test_a_reset_in_the_stream_keeps_what_came_before(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(then_reset(CHUNKED + CHUNK)).url))
    assert (stream.status, stream.end.kind, stream.size) == (200, "reset", 9)


def test_a_closed_port_is_refused(record: Record) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        stream = record(ask(f"http://127.0.0.1:{unused.getsockname()[1]}/"))
    assert (stream.status, stream.end.kind) == (None, "refused")
    assert stream.phases.connected is None


def test_an_address_without_a_route_is_unreachable(record: Record) -> None:
    stream = record(ask("http://255.255.255.255:9/"))  # refused by the kernel; nothing is sent
    assert stream.end.kind == "unreachable"


def test_a_full_accept_queue_is_a_connection_timeout(record: Record) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        stream = record(ask(f"http://127.0.0.1:{address[1]}/"))
        for client in waiting:
            client.close()
    assert stream.end.kind == "timeout_connect"
    assert 0.25 < stream.end.at < 2.0


def test_a_server_that_never_answers_ends_with_the_window(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(held()).url, window=0.3))
    assert (stream.status, stream.end.kind) == (None, "limit_time")
    assert stream.phases.sent is not None
    assert stream.end.at == pytest.approx(0.3, abs=0.2)


def test_a_quiet_open_stream_ends_with_the_window(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(held(CHUNKED + CHUNK)).url, window=0.3))
    assert (stream.status, stream.end.kind, stream.size) == (200, "limit_time", 9)
    assert stream.open_at_end


def test_slow_bytes_do_not_outlast_the_window(record: Record, serve: Serve) -> None:
    drip = [part for _ in range(40) for part in (b"x", 0.03)]
    stream = record(ask(serve(send(OK + b"\r\n", *drip)).url, window=0.5))
    assert stream.end.kind == "limit_time"
    assert stream.end.at == pytest.approx(0.5, abs=0.2)
    assert 5 < stream.size < 30


def test_slow_headers_do_not_outlast_the_window(record: Record, serve: Serve) -> None:
    drip = [part for byte in OK for part in (bytes([byte]), 0.02)]
    stream = record(ask(serve(send(*drip)).url, window=0.4))
    assert (stream.status, stream.end.kind) == (None, "limit_time")


# --- limits -------------------------------------------------------------------------


def test_a_huge_body_stops_at_the_byte_limit(record: Record, serve: Serve) -> None:
    lines = (b"data: " + b"x" * 43 + b"\n") * 100
    stream = record(ask(serve(endless(OK + b"\r\n", lines)).url))
    assert (stream.end.kind, stream.size) == ("limit_bytes", SMALL.max_bytes)
    assert len(stream.body) == SMALL.body_limit


def test_an_endless_line_of_an_event_stream_is_an_event_without_end(
    record: Record, serve: Serve
) -> None:
    stream = record(ask(serve(endless(OK + b"\r\ndata: a\n\n", b"x" * 5000)).url))
    assert (stream.end.kind, stream.size) == ("limit_event", SMALL.max_bytes)
    assert stream.open_at_end


def test_an_endless_file_is_no_event(record: Record, serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
    assert record(ask(serve(endless(head, b"x" * 5000)).url)).end.kind == "limit_bytes"


def test_an_endless_header_line_stops_at_the_header_limit(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(endless(OK + b"X-Long: ", b"x" * 500)).url))
    assert (stream.status, stream.end.kind) == (None, "limit_headers")


def test_endless_headers_stop_at_the_header_count(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(endless(OK, b"X-Again: 1\r\n")).url))
    assert (stream.status, stream.end.kind) == (None, "limit_headers")


def test_too_many_complete_headers_stop_at_the_header_count(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(held(OK + b"A: 1\r\n" * 60 + b"\r\n")).url))
    assert (stream.status, stream.end.kind) == (None, "limit_headers")


def test_an_endless_status_line_stops_at_the_line_limit(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(endless(b"HTTP/1.1 200 ", b"O" * 500)).url))
    assert (stream.status, stream.end.kind) == (None, "limit_line")


def test_an_endless_chunk_size_stops_at_the_line_limit(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(endless(CHUNKED + b"9;", b"x" * 500)).url))
    assert (stream.status, stream.end.kind) == (200, "limit_line")


def test_endless_trailers_stop_at_the_line_limit(record: Record, serve: Serve) -> None:
    stream = record(ask(serve(endless(CHUNKED + b"0\r\n", b"A: 1\r\n" * 50)).url))
    assert (stream.status, stream.end.kind) == (200, "limit_line")


def test_large_headers_within_the_limit_are_recorded(record: Record, serve: Serve) -> None:
    large = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 400) for n in range(10))
    head = OK + large + b"Transfer-Encoding: chunked\r\n\r\n"
    stream = record(ask(serve(send(head, 0.1, CHUNK + b"0\r\n\r\n")).url))
    assert (stream.status, stream.end.kind, stream.size) == (200, "last_chunk", 9)


def test_bytes_that_came_in_time_are_read_after_a_stall() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * (wire.READ_BYTES + 100))
        line = wire.Wire(ours, Clock(window=-1.0))  # the window has closed
        assert line.read() == b"x" * wire.READ_BYTES
        with pytest.raises(Stop, match="limit_time"):
            line.read()


# --- what is not HTTP ---------------------------------------------------------------


def test_another_protocol_is_a_protocol_error_at_its_first_bytes(
    record: Record, serve: Serve
) -> None:
    stream = record(ask(serve(held(b"SSH-2.0-OpenSSH_9.2\r\n")).url))
    assert (stream.status, stream.end.kind) == (None, "protocol_error")
    assert "'SSH-2'" in stream.end.detail
    assert stream.end.at < 2.0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ],
)
def test_a_malformed_head_is_a_protocol_error(record: Record, serve: Serve, answer: bytes) -> None:
    stream = record(ask(serve(held(answer)).url))
    assert (stream.status, stream.end.kind) == (None, "protocol_error")


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"\r\n", b"3\r\nabcX\r\n", b"-1\r\n", b"0x1\r\n"])
def test_a_malformed_chunk_is_a_protocol_error(record: Record, serve: Serve, chunk: bytes) -> None:
    stream = record(ask(serve(held(CHUNKED + chunk)).url))
    assert (stream.status, stream.end.kind) == (200, "protocol_error")


def test_interim_answers_are_passed_over(record: Record, serve: Serve) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    stream = record(ask(serve(send(early + early, 0.1, CHUNKED + b"0\r\n\r\n")).url))
    assert (stream.status, stream.end.kind) == (200, "last_chunk")
    assert stream.header("link") is None


def test_a_redirect_is_recorded_and_not_followed(record: Record, serve: Serve) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"
    served = serve(held(head))
    stream = record(ask(served.url))
    assert (stream.status, stream.header("Location")) == (302, "/login")
    assert all(head.startswith(b"GET /events ") for head in served.heard)


@pytest.mark.parametrize("value", [b"http://[::1/", b"/a\tb", b"\xff\xfe", b"http://x:99999/"])
def test_a_location_that_is_no_url_is_recorded_as_it_came(
    record: Record, serve: Serve, value: bytes
) -> None:
    lines = b"Location: %s\r\nSet-Cookie: =;=\x80\r\nContent-Length: 0\r\n\r\n" % value
    stream = record(ask(serve(send(b"HTTP/1.1 302 Found\r\n" + lines)).url))
    assert (stream.status, stream.header("location")) == (302, value.decode("latin-1"))


def test_compressed_bytes_stay_compressed(record: Record, serve: Serve) -> None:
    body = b"\x1f\x8b not really gzip"
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert record(ask(serve(send(head + body)).url)).body == body


def test_repeated_headers_keep_their_order_and_case(record: Record, serve: Serve) -> None:
    head = OK + b"X-A: 1\r\nx-a:  2 \r\nX-Empty:\r\nX-Raw: \xff\x1b[31m\r\n\r\n"
    stream = record(ask(serve(send(head)).url))
    assert stream.headers[2:] == (
        ("X-A", "1"),
        ("x-a", "2"),
        ("X-Empty", ""),
        ("X-Raw", "\xff\x1b[31m"),
    )


# --- what is sent -------------------------------------------------------------------


def test_the_request_is_a_browsers(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED + b"0\r\n\r\n"))
    record(ask(served.url + "?chat=a%20b", headers=(("Origin", "https://a.example"),)))
    lines = served.heard[0].decode().split("\r\n")
    assert lines[0] == "GET /events?chat=a%20b HTTP/1.1"
    assert lines[1:-2] == [
        f"Host: {served.address}",
        "User-Agent: ssemedic",
        "Accept: text/event-stream",
        "Cache-Control: no-cache",
        "Accept-Encoding: identity",
        "Origin: https://a.example",
    ]


def test_version_10_is_asked_as_nginx_asks_its_upstream(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED + CHUNK + b"0\r\n\r\n"))
    stream = record(ask(served.url, version="1.0", variant="http10"))
    assert served.heard[0].startswith(b"GET /events HTTP/1.0\r\n")
    assert b"\r\nConnection: close\r\n" in served.heard[0]
    assert (stream.request_version, stream.variant) == ("1.0", "http10")
    assert stream.body == EVENT, "servers answer chunked even to HTTP/1.0"


def test_a_post_carries_its_body(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED + CHUNK + b"0\r\n\r\n"))
    kind = ("Content-Type", "application/json")
    record(ask(served.url, method="POST", body=b'{"a":1}', headers=(kind,)))
    assert served.heard[0].startswith(b"POST /events HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 7\r\n" in served.heard[0]
    assert served.heard[0].endswith(b'\r\n\r\n{"a":1}')


def test_an_early_refusal_of_a_large_post_is_heard(record: Record, serve: Serve) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        wait_for_close(connection)

    stream = record(ask(serve(refuse).url, method="POST", body=b"x" * 3_000_000))
    assert (stream.status, stream.end.kind) == (413, "last_chunk")


def test_a_refusal_that_resets_a_large_post_is_heard(record: Record, serve: Serve) -> None:
    # Closing with unread bytes makes the kernel send RST while the client still writes.
    refuse = send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 0.1)
    stream = record(ask(serve(refuse).url, method="POST", body=b"x" * 20_000_000))
    assert (stream.status, stream.end.kind) == (413, "last_chunk")


def test_cookies_and_codings_are_sent_as_they_are_given(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED + b"0\r\n\r\n"))
    given = (
        ("Cookie", "a=1; session=s3cr3t-value"),
        ("Accept-Encoding", "gzip"),
        ("accept", "application/json, text/event-stream"),
    )
    record(ask(served.url, headers=given))
    head = served.heard[0]
    assert b"\r\nCookie: a=1; session=s3cr3t-value\r\n" in head
    assert head.lower().count(b"\r\naccept-encoding: ") == 1
    assert head.lower().count(b"\r\naccept: application/json, text/event-stream\r\n") == 1


def test_a_client_that_comes_back_sends_the_last_id_in_utf8(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED + b"0\r\n\r\n"))
    stream = record(ask(served.url).resumed("\u20ac7").resumed("\u20ac8"))
    assert b"\r\nLast-Event-ID: \xe2\x82\xac8\r\n" in served.heard[0]
    assert served.heard[0].count(b"Last-Event-ID") == 1
    assert stream.variant == "resume"


def test_connect_overrides_the_address_and_keeps_the_host(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED + b"0\r\n\r\n"))
    stream = record(ask("http://chat.example.org/events", connect=served.address))
    assert b"\r\nHost: chat.example.org\r\n" in served.heard[0]
    assert (stream.address, stream.url) == (served.address, "http://chat.example.org/events")


def test_a_unix_socket_is_recorded_like_a_port(
    record: Record, serve: Serve, tmp_path: Path
) -> None:
    served = serve(send(CHUNKED + CHUNK + b"0\r\n\r\n"), unix=tmp_path / "s")
    stream = record(ask("http://localhost/events", connect=served.address))
    assert (stream.status, stream.size, stream.address) == (200, 9, served.address)


def test_a_missing_unix_socket_is_refused(record: Record, tmp_path: Path) -> None:
    stream = record(ask("http://localhost/", connect=f"unix:{tmp_path}/none"))
    assert stream.end.kind == "refused"


# --- TLS ----------------------------------------------------------------------------


def test_tls_is_recorded_with_the_name_of_the_url(
    record: Record, serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    served = serve(send(CHUNKED + CHUNK + b"0\r\n\r\n"), context=server_context)
    url = "https://stream.test/events"
    stream = record(ask(url, connect=served.address, ca_file=str(certificate)))
    assert (stream.status, stream.body, stream.end.kind) == (200, EVENT, "last_chunk")
    assert stream.phases.tls is not None
    assert b"\r\nHost: stream.test\r\n" in served.heard[0]


def test_an_untrusted_certificate_is_a_tls_error(
    record: Record, serve: Serve, server_context: ssl.SSLContext
) -> None:
    served = serve(send(CHUNKED), context=server_context)
    stream = record(ask("https://stream.test/", connect=served.address))
    assert stream.end.kind == "tls_error"
    assert "self-signed" in stream.end.detail


def test_a_wrong_name_is_a_tls_error_unless_told_otherwise(
    record: Record, serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    served = serve(send(CHUNKED + b"0\r\n\r\n"), context=server_context)
    wrong = ask("https://other.test/", connect=served.address, ca_file=str(certificate))
    assert record(wrong).end.kind == "tls_error"
    assert record(wrong.varied("named", server_name="stream.test")).status == 200
    assert record(wrong.varied("trusting", verify=False)).status == 200


def test_a_server_without_tls_is_a_tls_error(record: Record, serve: Serve) -> None:
    served = serve(send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), read_request=False)
    assert record(ask("https://stream.test/", connect=served.address)).end.kind == "tls_error"


def test_a_silent_tls_handshake_ends_with_the_window(record: Record, serve: Serve) -> None:
    served = serve(held(), read_request=False)
    stream = record(ask("https://stream.test/", connect=served.address, window=0.3))
    assert (stream.status, stream.end.kind) == (None, "limit_time")
    assert stream.phases.connected is not None
    assert stream.phases.tls is None


# --- secrets ------------------------------------------------------------------------

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


def test_a_token_is_sent_in_the_query_and_is_not_in_the_record(
    record: Record, serve: Serve
) -> None:
    served = serve(send(CHUNKED + b"0\r\n\r\n"))
    stream = record(ask(served.url + "?chat=1&access_token=stale", token=JWT))
    assert served.heard[0].startswith(f"GET /events?chat=1&access_token={JWT} ".encode())
    assert stream.url == served.url + "?chat=1"
    assert JWT not in repr(stream)


def test_a_token_can_go_into_the_authorization_header(record: Record, serve: Serve) -> None:
    served = serve(send(CHUNKED + b"0\r\n\r\n"))
    stream = record(ask(served.url, token=JWT, token_parameter=""))
    assert f"\r\nAuthorization: Bearer {JWT}\r\n".encode() in served.heard[0]
    assert JWT not in repr(stream)


def test_a_token_that_the_server_sends_back_is_masked(record: Record, serve: Serve) -> None:
    body = f"bad token {JWT}".encode()
    head = f"HTTP/1.1 302 {JWT}\r\nLocation: /events/?access_token={JWT}\r\n".encode()
    served = serve(send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    stream = record(ask(served.url, token=JWT))
    assert JWT not in repr(stream)
    assert stream.size == len(body)
    assert stream.header("location") == "/events/?access_token=" + "*" * len(JWT)


def test_a_cookie_and_a_key_that_the_server_sends_back_are_masked(
    record: Record, serve: Serve
) -> None:
    body = b"no such session s3cr3t-value, key sk-123456"
    served = serve(send(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    given = (("Cookie", "a=1; session=s3cr3t-value; b=2"), ("X-Api-Key", "sk-123456"))
    stream = record(ask(served.url, headers=given))
    assert stream.body == b"no such session ************, key *********"


def test_a_token_cut_by_the_end_of_the_kept_body_is_masked(record: Record, serve: Serve) -> None:
    body = b"x" * (SMALL.body_limit - 20) + JWT.encode()
    served = serve(send(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    stream = record(ask(served.url, token=JWT))
    assert stream.body.endswith(b"x" + b"*" * 20)


# --- the two against each other ------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        send(CHUNKED, 0.1, CHUNK, 0.1, CHUNK, b"0\r\nX-T: 1\r\n\r\n"),
        send(CHUNKED + CHUNK),
        send(b"HTTP/1.0 404\r\nServer: a\r\n b\r\n\r\n<html>"),
        send(b"HTTP/1.1 204 No Content\r\n\r\n"),
        send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        then_reset(CHUNKED),
    ],
    ids=["chunked", "truncated", "folded", "204", "101", "bare-lf", "reset"],
)
def test_both_recorders_agree_in_every_field(serve: Serve, script: Script) -> None:
    served = serve(script)
    here = steady(outside.record)(ask(served.url))
    there = steady(inside.record)(ask(served.url))

    def comparable(stream: Stream) -> list[object]:
        data = stream.to_dict()
        ended, reads, phases = data.pop("end"), data.pop("reads"), data.pop("phases")
        del data["vantage"], data["started"], data["stalled"]
        reached = sorted(name for name, at in phases.items() if at is not None)
        return [data, ended["kind"], ended["detail"], [size for _at, size in reads], reached]

    assert comparable(here) == comparable(there)
    assert Stream.from_dict(here.to_dict()).end.kind in END_KINDS


# --- the host has no proxy and no proxy command ----------------------------------------


def test_the_recorder_on_the_host_says_what_it_cannot_record() -> None:
    assert inside.record(ask("http://127.0.0.1:1/", proxy_command="x")).end.kind == "not_recorded"
    proxied = ask("http://127.0.0.1:1/", proxy="http://127.0.0.1:2")
    assert inside.record(proxied).end.kind == "not_recorded"


def test_the_recorder_on_the_host_runs_on_its_oldest_python(serve: Serve) -> None:
    oldest = sorted(Path.home().glob(".pyenv/versions/3.8.*/bin/python"))
    python = str([sys.executable, *oldest][-1])
    one = serve(send(CHUNKED + CHUNK + b"0\r\n\r\n"))
    two = serve(h2_server(ending(EVENT)), read_request=False)
    root = Path(__file__).resolve().parents[2]
    program = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "from ssemedic.probe.inside import record; from ssemedic.probe.request import Request\n"
        "asked = Request('app', sys.argv[2], version=sys.argv[3])\n"
        "print(json.dumps(record(asked).to_dict()))\n"
        "assert not {'httpx', 'h11', 'h2', 'yaml'} & set(sys.modules)\n"
    )
    for served, version in ((one, "1.1"), (two, "2")):
        command = [python, "-I", "-c", program, str(root), served.url, version]
        done = subprocess.run(command, capture_output=True, check=True)
        stream = Stream.from_dict(json.loads(done.stdout))
        assert (stream.body, stream.response_version) == (EVENT, version)
