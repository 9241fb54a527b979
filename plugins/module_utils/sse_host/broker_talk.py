"""The protocols of NATS and Redis on a plain socket, as far as watching and a canary need them.

Sources: the NATS client protocol (docs.nats.io, "Client Protocol") and RESP (redis.io,
"Redis serialization protocol specification"). Every read has a time limit and a size limit.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any, List, Optional, Tuple

from .broker_login import Login

CONNECT_SECONDS = 1.0
LINE_BYTES = 64 * 1024
NAME = "ssemedic"


class RefusedError(Exception):
    """The broker does not let us; the message says what it said."""


class Talk:
    """One connection with a buffer. Reading ends at ``deadline`` (time.monotonic())."""

    def __init__(self, address: str, deadline: float) -> None:
        host, _colon, port = address.rpartition(":")
        self._socket = socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS)
        self._buffer = bytearray()
        self.deadline = deadline
        self.received = 0

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.settimeout(CONNECT_SECONDS)
        self._socket.sendall(data)

    def line(self) -> bytes:
        """Up to CRLF, without it. Raises TimeoutError, ConnectionError, RefusedError."""
        while True:
            end = self._buffer.find(b"\r\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 2]
                return line
            if len(self._buffer) > LINE_BYTES:
                raise RefusedError("a line is longer than %d bytes" % LINE_BYTES)
            self._more()

    def take(self, size: int) -> bytes:
        """Exactly so many bytes and the CRLF after them, which is dropped."""
        while len(self._buffer) < size + 2:
            self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[: size + 2]
        return data

    def _more(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("the time is over")
        self._socket.settimeout(left)
        part = self._socket.recv(65536)
        if not part:
            raise ConnectionError("the broker closed the connection")
        self.received += len(part)
        self._buffer += part


def nats(address: str, login: Optional[Login], deadline: float) -> Talk:
    """A NATS connection that answered PING. Raises OSError or `RefusedError`."""
    talk = Talk(address, min(deadline, time.monotonic() + 2 * CONNECT_SECONDS))
    try:
        info = talk.line()
        if not info.startswith(b"INFO "):
            raise RefusedError("its first line is not INFO")
        told = json.loads(info[5:])
        if told.get("tls_required"):
            raise RefusedError("it wants TLS, which is not spoken here")
        if told.get("auth_required") and not (login and (login.user or login.password)):
            raise RefusedError("it wants credentials, and the service's settings name none")
        talk.send(_connect(login) + b"PING\r\n")
        nats_confirmed(talk)
    except (OSError, ValueError, RefusedError):
        talk.__exit__()
        raise
    talk.deadline = deadline
    return talk


def _connect(login: Optional[Login]) -> bytes:
    said = {"verbose": False, "pedantic": False, "name": NAME, "lang": "python", "version": "1"}
    if login and login.password:
        said.update({"user": login.user, "pass": login.password})
    elif login and login.user:
        said["auth_token"] = login.user
    return b"CONNECT " + json.dumps(said).encode("utf-8") + b"\r\n"


def nats_confirmed(talk: Talk) -> None:
    """Read up to PONG; what the broker refuses before it is raised as `RefusedError`."""
    while True:
        line = talk.line()
        if line == b"PONG":
            return
        if line.startswith(b"-ERR"):
            raise RefusedError(line[5:205].decode("utf-8", "replace").strip("'"))
        if line == b"PING":
            talk.send(b"PONG\r\n")
        elif line.startswith(b"MSG "):
            talk.take(int(line.split()[-1]))


def redis(address: str, login: Optional[Login], deadline: float) -> Talk:
    """A Redis connection that answered PING. Raises OSError or `RefusedError`."""
    talk = Talk(address, min(deadline, time.monotonic() + 2 * CONNECT_SECONDS))
    try:
        if login and login.encrypted:
            raise RefusedError("it wants TLS, which is not spoken here")
        if login and login.password:
            ask(talk, *(["AUTH", login.user] if login.user else ["AUTH"]), login.password)
        ask(talk, "PING")
        ask(talk, "CLIENT", "SETNAME", NAME)
    except (OSError, ValueError, RefusedError):
        talk.__exit__()
        raise
    talk.deadline = deadline
    return talk


def ask(talk: Talk, *words: str) -> Any:
    """One Redis command and its answer; raises `RefusedError` with Redis' own words."""
    parts = [word.encode("utf-8") for word in words]
    talk.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
    return answer(talk)


def answer(talk: Talk, depth: int = 0) -> Any:
    """One RESP value: bytes, int, None or a list."""
    line = talk.line()
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest
    if kind == b"-":
        raise RefusedError(rest[:200].decode("utf-8", "replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        size = int(rest)
        if size > 4 * 1024 * 1024:
            raise RefusedError("an answer of %d bytes is too long" % size)
        return None if size < 0 else talk.take(size)
    if kind == b"*" and depth < 4:
        count = int(rest)
        return None if count < 0 else [answer(talk, depth + 1) for _ in range(min(count, 100000))]
    raise RefusedError("its answer is not Redis'")


def nats_message(talk: Talk) -> Optional[Tuple[str, bytes]]:
    """The next message, or None for another line. Raises what `Talk.line` raises."""
    line = talk.line()
    if line == b"PING":
        talk.send(b"PONG\r\n")
        return None
    if line.startswith(b"-ERR"):
        raise RefusedError(line[5:205].decode("utf-8", "replace").strip("'"))
    if not line.startswith(b"MSG "):
        return None
    fields = line.split()
    return fields[1].decode("utf-8", "replace"), talk.take(int(fields[-1]))


def redis_message(talk: Talk) -> Optional[Tuple[str, bytes]]:
    """The next message of a PSUBSCRIBE, or None for another push."""
    value: List[Any] = answer(talk) or []
    if len(value) == 4 and value[0] == b"pmessage":
        payload = value[3] if isinstance(value[3], bytes) else b""
        return value[2].decode("utf-8", "replace"), payload
    return None
