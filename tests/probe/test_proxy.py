"""The recorder on the controller through an HTTP proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Script, Serve, held, request_on, send

from ssemedic.probe import outside
from ssemedic.probe.request import Request, RequestError
from ssemedic.stream.detect import observe_one

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: x\n\n"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


def ask(url: str, proxy: str, **changes: Any) -> Request:
    return Request("public", url, proxy=f"http://{proxy}", **{"window": 3.0, **changes})


def tunnel_to(address: str) -> Script:
    """A proxy that connects everybody to one address."""

    def script(connection: socket.socket) -> None:
        host, port = address.split(":")
        with socket.create_connection((host, int(port))) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, connection), daemon=True)
            back.start()
            pump(connection, onward)
            back.join(3.0)

    return script


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_a_plain_url_is_asked_for_as_a_whole(serve: Serve) -> None:
    proxy = serve(send(OK))
    request = ask("http://chat.example.org/events?x=1", f"anna:pass-word@{proxy.address}")
    stream = outside.record(request)
    assert (stream.status, stream.address) == (200, proxy.address)
    head = proxy.heard[0]
    assert head.startswith(b"GET http://chat.example.org/events?x=1 HTTP/1.1\r\n")
    assert b"\r\nHost: chat.example.org\r\n" in head
    assert b"\r\nProxy-Authorization: Basic YW5uYTpwYXNzLXdvcmQ=\r\n" in head


def test_tls_goes_through_a_tunnel_that_shows_only_the_host(
    serve: Serve, certificate: Path, server_context: ssl.SSLContext
) -> None:
    served = serve(send(OK), context=server_context)
    proxy = serve(tunnel_to(served.address))
    request = ask(
        "https://stream.test/events",
        f"anna:pass-word@{proxy.address}",
        token=JWT,
        ca_file=str(certificate),
    )
    stream = outside.record(request)
    assert (stream.status, stream.end.kind) == (200, "last_chunk")
    assert stream.phases.tls is not None
    assert proxy.heard == [
        b"CONNECT stream.test:443 HTTP/1.1\r\nHost: stream.test:443\r\n"
        b"Proxy-Authorization: Basic YW5uYTpwYXNzLXdvcmQ=\r\n\r\n"
    ]
    assert served.heard[0].startswith(f"GET /events?access_token={JWT} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization" not in served.heard[0]


@pytest.mark.parametrize(
    ("script", "end"),
    [
        (send(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "unreachable"),
        (send(b"HTTP/1.1 502 x\r\n\r\n"), "unreachable"),
        (send(), "unreachable"),
        (send(b"SSH-2.0-x\r\n"), "protocol_error"),
        (send(b"HTTP/1.1 200 x\r\n\r\nhello"), "protocol_error"),
        (held(), "limit_time"),
    ],
    ids=["407", "502", "closed", "ssh", "speaks first", "silent"],
)
def test_a_proxy_that_gives_no_tunnel_ends_the_record(
    serve: Serve, script: Script, end: str
) -> None:
    proxy = serve(script)
    stream = outside.record(ask("https://stream.test/", proxy.address, window=0.5))
    assert (stream.status, stream.end.kind) == (None, end)
    assert len(observe_one(stream)) == 1


def test_a_password_that_the_proxy_sends_back_is_masked(serve: Serve) -> None:
    def echo(connection: socket.socket) -> None:
        head = request_on(connection)
        body = (
            b"\r\n".join(line for line in head.split(b"\r\n") if b"Proxy-A" in line) + b"pass-word"
        )
        connection.sendall(b"HTTP/1.1 407 x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    proxy = serve(echo, read_request=False)
    request = ask("http://chat.example.org/", f"anna:pass-word@{proxy.address}")
    stream = outside.record(request)
    assert stream.status == 407
    assert b"pass-word" not in stream.body
    assert b"YW5uYTpw" not in stream.body
    assert "pass-word" not in repr(request)


@pytest.mark.parametrize(
    "proxy", ["socks5://x:1", "http://", "x:1", "http://x:99999", "http://x y"]
)
def test_only_http_proxies_are_taken(proxy: str) -> None:
    with pytest.raises(RequestError, match="proxy"):
        Request("public", "http://a.example/", proxy=proxy)


def test_a_proxy_and_another_address_are_one_too_many() -> None:
    with pytest.raises(RequestError, match="connect"):
        Request("public", "http://a.example/", proxy="http://x:1", connect="127.0.0.1:1")


def test_http2_in_the_clear_is_not_recorded_through_a_proxy() -> None:
    request = Request("public", "http://a.example/", proxy="http://127.0.0.1:1", version="2")
    assert outside.record(request).end.kind == "not_recorded"
