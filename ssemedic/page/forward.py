"""A door on loopback to where only a proxy command leads: a browser cannot take a socket."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

from ssemedic.probe.outside import connect_by_command
from ssemedic.probe.request import Request
from ssemedic.probe.tape import Stop, Tape


@contextlib.contextmanager
def forwarded(request: Request) -> Iterator[str]:
    """The address, "127.0.0.1:port", behind which the request's host answers."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=32)
    threading.Thread(target=_accept, args=(listener, request), daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, request: Request) -> None:
    with contextlib.suppress(OSError):  # the listener is closed: that is the end
        while True:
            client, _address = listener.accept()
            threading.Thread(target=_carry, args=(client, request), daemon=True).start()


def _carry(client: socket.socket, request: Request) -> None:
    with client, contextlib.suppress(OSError):
        try:
            server = connect_by_command(request, Tape(request, "outside", None))
        except Stop:
            return  # closed without a byte: the browser sees that nobody answers
        with server, selectors.DefaultSelector() as ready:
            for one, other in ((client, server), (server, client)):
                one.setblocking(True)
                ready.register(one, selectors.EVENT_READ, other)
            while True:
                for key, _events in ready.select():
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(65536)
                    if not data:
                        return
                    key.data.sendall(data)
