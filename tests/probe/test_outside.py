"""What only the recorder on the controller does: HTTP/2 and the proxy command."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import pytest
from scripted_server import Script, Serve, held, send, steady

from ssemedic.probe import outside
from ssemedic.probe.request import Request

EVENT = b"data: x\n\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n" + EVENT
HEADERS = [(":status", "200"), ("content-type", "text/event-stream")]

record = steady(outside.record)

Answer = Callable[[h2.connection.H2Connection, int, Callable[[], None]], None]


def ask(url: str, **changes: Any) -> Request:
    settings: dict[str, Any] = {"window": 3.0, **changes}
    return Request("public", url, **settings)


def h2_server(answer: Answer, seen: list[tuple[bytes, bytes]] | None = None) -> Script:
    """Speaks HTTP/2; ``answer`` gets the connection, the stream's number and a flush."""

    def script(connection: socket.socket) -> None:
        # The faults under test are what a server should not send.
        config = h2.config.H2Configuration(
            client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        state = h2.connection.H2Connection(config)
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        connection.settimeout(5.0)

        def flush() -> None:
            connection.sendall(state.data_to_send())

        while True:
            data = connection.recv(65536)
            if not data:
                return
            try:
                events = state.receive_data(data)
            except h2.exceptions.ProtocolError:
                return  # the answer has closed the connection
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    if seen is not None:
                        seen.extend(event.headers or [])
                    answer(state, event.stream_id or 0, flush)
            flush()

    return script


def two_events(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
    state.send_headers(number, HEADERS)
    for _ in range(2):
        flush()
        time.sleep(0.15)
        state.send_data(number, EVENT)
    flush()


def end_after(answer: Answer) -> Answer:
    def script(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        answer(state, number, flush)
        state.end_stream(number)

    return script


def test_http2_events_are_recorded_each_at_its_own_time(serve: Serve) -> None:
    seen: list[tuple[bytes, bytes]] = []
    served = serve(h2_server(end_after(two_events), seen), read_request=False)
    stream = record(ask(served.url + "?a=1", version="2", token="tok.en.x"))
    assert (stream.response_version, stream.status, stream.end.kind) == ("2", 200, "last_chunk")
    assert (stream.body, [read.size for read in stream.reads]) == (EVENT * 2, [9, 9])
    assert stream.reads[1].at - stream.reads[0].at == pytest.approx(0.15, abs=0.1)
    assert (b":path", b"/events?a=1&access_token=tok.en.x") in seen
    assert (b":authority", served.address.encode()) in seen
    assert (b"accept", b"text/event-stream") in seen


def test_http2_is_offered_under_tls(
    serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    server_context.set_alpn_protocols(["h2", "http/1.1"])
    served = serve(h2_server(end_after(two_events)), context=server_context, read_request=False)
    request = ask(
        "https://stream.test/events",
        connect=served.address,
        ca_file=str(certificate),
        version="2",
    )
    stream = record(request)
    assert (stream.response_version, stream.end.kind, stream.size) == ("2", "last_chunk", 18)


def test_a_server_without_http2_is_recorded_with_the_version_it_speaks(
    serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    server_context.set_alpn_protocols(["http/1.1"])
    served = serve(send(OK), context=server_context)
    request = ask(
        "https://stream.test/events",
        connect=served.address,
        ca_file=str(certificate),
        version="2",
    )
    stream = record(request)
    assert (stream.request_version, stream.response_version, stream.status) == ("2", "1.1", 200)


def test_a_quiet_http2_stream_ends_with_the_window(serve: Serve) -> None:
    served = serve(h2_server(two_events), read_request=False)
    stream = record(ask(served.url, version="2", window=0.8))
    assert (stream.end.kind, stream.size) == ("limit_time", 18)


def test_a_reset_of_an_http2_stream_names_its_error(serve: Serve) -> None:
    def answer(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        state.send_headers(number, HEADERS)
        flush()
        time.sleep(0.1)
        state.reset_stream(number, h2.errors.ErrorCodes.INTERNAL_ERROR)

    stream = record(ask(serve(h2_server(answer), read_request=False).url, version="2"))
    assert (stream.status, stream.end.kind) == (200, "h2_reset")
    assert stream.end.detail == "RST_STREAM INTERNAL_ERROR"


def test_a_goaway_names_its_error(serve: Serve) -> None:
    def answer(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        state.send_headers(number, HEADERS)
        flush()
        time.sleep(0.1)
        state.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, last_stream_id=number)

    stream = record(ask(serve(h2_server(answer), read_request=False).url, version="2"))
    assert (stream.end.kind, stream.end.detail) == ("h2_reset", "GOAWAY ENHANCE_YOUR_CALM")


def test_a_hop_by_hop_header_over_http2_is_a_protocol_error(serve: Serve) -> None:
    def answer(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        state.send_headers(number, [*HEADERS, ("connection", "keep-alive")])

    stream = record(ask(serve(h2_server(answer), read_request=False).url, version="2"))
    assert (stream.status, stream.end.kind) == (200, "protocol_error")
    assert stream.end.detail == "header connection over HTTP/2"


def test_http1_in_answer_to_http2_is_a_protocol_error(serve: Serve) -> None:
    served = serve(held(OK), read_request=False)
    assert record(ask(served.url, version="2")).end.kind == "protocol_error"


# --- the proxy command -----------------------------------------------------------------

PASSES = """
import socket, sys
host, port = sys.argv[1:]
connection = socket.create_connection((host, int(port)))
with socket.socket(fileno=1) as caller:
    socket.send_fds(caller, [b"\\0"], [connection.fileno()])
"""


@pytest.fixture
def proxy(tmp_path: Path) -> Callable[[str], str]:
    """``proxy(program)`` is a command line that runs it with the host and the port."""

    def written(program: str) -> str:
        path = tmp_path / "a proxy.py"
        path.write_text(program)
        return f"{sys.executable} -I '{path}' %h %p"

    return written


def test_a_proxy_command_passes_the_connected_socket(
    serve: Serve, proxy: Callable[[str], str]
) -> None:
    served = serve(send(OK))
    url = "http://chat.example.org/events"
    request = ask(url, connect=served.address, proxy_command=proxy(PASSES))
    stream = record(request)
    assert (stream.status, stream.body, stream.address) == (200, EVENT, served.address)
    assert b"\r\nHost: chat.example.org\r\n" in served.heard[0]


def test_a_proxy_command_carries_tls(
    serve: Serve,
    proxy: Callable[[str], str],
    certificate: Path,
    server_context: ssl.SSLContext,
) -> None:
    served = serve(send(OK), context=server_context)
    request = ask(
        "https://stream.test/",
        connect=served.address,
        ca_file=str(certificate),
        proxy_command=proxy(PASSES),
    )
    assert record(request).status == 200


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("web1, port 80: Connection refused", "refused"),
        ("web1: No route to host", "unreachable"),
        ("web1, port 80: Connection timed out", "timeout_connect"),
        ("usage: proxy HOST PORT", "not_recorded"),
    ],
)
def test_a_proxy_command_that_fails_says_why(
    proxy: Callable[[str], str], words: str, kind: str
) -> None:
    command = proxy(f"import sys; sys.exit({words!r})")
    stream = record(ask("http://web1/", proxy_command=command))
    assert (stream.end.kind, stream.end.detail) == (kind, f"proxy command: {words}")
    assert stream.status is None


def test_a_proxy_command_that_hangs_is_ended(proxy: Callable[[str], str]) -> None:
    command = proxy("import time; time.sleep(60)")
    stream = record(ask("http://web1/", proxy_command=command, window=0.4))
    assert stream.end.kind == "timeout_connect"
    assert stream.end.at < 2.0


@pytest.mark.parametrize("command", ["/nonexistent/proxy %h", "'unbalanced", ""])
def test_a_proxy_command_that_cannot_run_is_not_recorded(command: str) -> None:
    stream = record(ask("http://web1/", proxy_command=command))
    assert stream.end.kind == "not_recorded"


def test_a_percent_sign_in_a_proxy_command_is_written_twice(proxy: Callable[[str], str]) -> None:
    command = proxy("import sys; sys.exit('|'.join(sys.argv[1:]))") + " 100%% %x x%hx"
    stream = record(ask("http://web1:81/", proxy_command=command))
    assert stream.end.detail == "proxy command: web1|81|100%|%x|xweb1x"
