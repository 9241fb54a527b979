"""Scripts for real servers on loopback: bytes to send, seconds to wait, ways to close."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ssemedic.probe.request import Request
from ssemedic.stream.record import Stream

Script = Callable[[socket.socket], None]


@dataclass
class Served:
    """A running server: where it listens, and the request heads and bodies it was sent."""

    address: str
    heard: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """A URL of the server."""
        return f"http://{self.address}/events"


Serve = Callable[..., Served]


Record = Callable[[Request], Stream]


def steady(record: Record) -> Record:
    """The recorder, asked again where the machine held it up: times are then worth nothing."""

    def recorded(request: Request) -> Stream:
        for _attempt in range(4):
            stream = record(request)
            if stream.stalled < 0.05:
                break
        return stream

    return recorded


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_for_close(connection: socket.socket) -> None:
    """Hold the connection open until the client leaves, at most 10 s."""
    connection.settimeout(10.0)
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def request_on(connection: socket.socket) -> bytes:
    """One request: its head, and as much body as its Content-Length announces."""
    connection.settimeout(5.0)
    data = b""
    while not _complete(data):
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def _complete(data: bytes) -> bool:
    head, blank, body = data.partition(b"\r\n\r\n")
    announced = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    # A large body is left to the script: it may answer before it has read everything.
    wanted = int(announced.group(1)) if announced else 0
    return bool(blank) and (len(body) >= wanted or wanted > 65536)


def send(*parts: bytes | float) -> Script:
    """A script of bytes to send and seconds to sleep."""

    def script(connection: socket.socket) -> None:
        for part in parts:
            if isinstance(part, bytes):
                connection.sendall(part)
            else:
                time.sleep(part)

    return script


def held(*parts: bytes | float) -> Script:
    """The same, and the connection stays open until the client leaves."""

    def script(connection: socket.socket) -> None:
        send(*parts)(connection)
        wait_for_close(connection)

    return script


def then_reset(*parts: bytes | float) -> Script:
    def script(connection: socket.socket) -> None:
        send(*parts)(connection)
        time.sleep(0.05)  # what was sent must be read before the reset discards it
        reset(connection)

    return script


def answering(choose: Callable[[bytes], Script]) -> Script:
    """A script chosen by the request; for ``serve(..., read_request=False)``."""

    def script(connection: socket.socket) -> None:
        choose(request_on(connection))(connection)

    return script


def endless(start: bytes, again: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(again)

    return script
