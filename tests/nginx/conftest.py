"""What the tests of the nginx package share."""

from __future__ import annotations

import http.server
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # for the generated sites of tests.lint

from real_nginx import Echo, RealNginx


@pytest.fixture(scope="session")
def nginx() -> RealNginx:
    """Fails, never skips, where the binary is missing."""
    binary = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if binary is None:
        pytest.fail("nginx is not installed: apt-get install nginx-light (make test does)")
    return RealNginx(binary)


@pytest.fixture(scope="session")
def echo() -> Iterator[int]:
    """The port of an upstream that answers with what it was asked, as JSON."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
