"""Real servers on loopback, scripted byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_server import Script, Serve, Served, request_on


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(script)`` answers every connection with the script, each in a thread."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(
        script: Script,
        *,
        unix: Path | None = None,
        context: ssl.SSLContext | None = None,
        read_request: bool = True,
    ) -> Served:
        if unix is not None:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(unix))
            listener.listen(8)
            served = Served(f"unix:{unix}")
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            served = Served(f"127.0.0.1:{listener.getsockname()[1]}")
        listeners.append(listener)

        def answer(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                peer = connection
                if context is not None:
                    peer = context.wrap_socket(connection, server_side=True)
                if read_request:
                    served.heard.append(request_on(peer))
                script(peer)
                peer.close()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    worker = threading.Thread(target=answer, args=(connection,), daemon=True)
                    threads.append(worker)
                    worker.start()

        threading.Thread(target=accept, daemon=True).start()
        return served

    yield start
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5.0)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and key for ``stream.test``, in one PEM file."""
    path = tmp_path_factory.mktemp("tls") / "stream.pem"
    key = path.with_suffix(".key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=stream.test"),
            *("-addext", "subjectAltName=DNS:stream.test"),
            *("-keyout", str(key), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(key.read_bytes() + path.read_bytes())
    return path


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    """The TLS side of a server called ``stream.test``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
