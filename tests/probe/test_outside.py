"""What only the recorder on the controller does: the proxy command."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Serve, send, steady

from ssemedic.probe import outside
from ssemedic.probe.request import Request

EVENT = b"data: x\n\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n" + EVENT

record = steady(outside.record)


def ask(url: str, **changes: Any) -> Request:
    settings: dict[str, Any] = {"window": 3.0, **changes}
    return Request("public", url, **settings)


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
