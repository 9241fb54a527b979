"""The notify service as a process, NATS beside it, and a client that sees every byte."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[2] / "roles" / "sse_service" / "files"
SECRET = "a-secret-of-the-tests-0123456789abcdef"
# Generous: the machine may stall. A test that waits this long has failed anyway.
PATIENCE = 8.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, holds: Any, seconds: float = PATIENCE) -> Any:
    """The first true answer of `holds()`; AssertionError with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := holds():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds:g} s")


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@dataclass
class Nats:
    """A real nats-server on loopback that can be stopped and started again on its port."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert binary, "nats-server is missing; `apt-get install nats-server` brings it"
        self.process = subprocess.Popen(
            [binary, "-a", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for("nats-server listens", lambda: accepts(self.port))

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def publish(self, subject: str, payload: bytes) -> None:
        """Publish as any other program would, in the plain NATS protocol."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as link:
            link.recv(4096)
            link.sendall(b'CONNECT {"verbose":false}\r\n')
            link.sendall(f"PUB {subject} {len(payload)}\r\n".encode() + payload + b"\r\nPING\r\n")
            seen = b""
            while b"PONG" not in seen:
                seen += link.recv(4096)


@dataclass
class Service:
    """The running service: its port, its process and what it has logged."""

    port: int
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def health(self) -> httpx.Response:
        return httpx.get(f"{self.url}/health", timeout=PATIENCE)

    def post(self, token: str, chat: str = "c1", text: str = "hello") -> httpx.Response:
        return httpx.post(
            f"{self.url}/api/chats/{chat}/messages",
            headers={"Authorization": f"Bearer {token}"},
            json={"text": text},
            timeout=PATIENCE,
        )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running_service(folder: Path, nats_port: int, **environment: str) -> Iterator[Service]:
    """The service with `environment`, once it answers (and has reached NATS, if there is one)."""
    port = free_port()
    key_file = folder / "token.key"
    key_file.write_text(SECRET + "\n", encoding="ascii")
    log_file = folder / f"notify-{port}.log"
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "PYTHONUNBUFFERED": "1",
        "NOTIFY_PORT": str(port),
        "NOTIFY_NATS_URL": f"nats://127.0.0.1:{nats_port}",
        "NOTIFY_TOKEN_KEY_FILE": str(key_file),
        **environment,
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "notify"],
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    service = Service(port, process, log_file)
    try:
        wait_for(
            "the service listens", lambda: accepts(port) or process.poll() is not None, seconds=20
        )
        assert process.poll() is None, service.log
        if accepts(nats_port):
            wait_for("the broker is connected", lambda: "broker connected" in service.log)
        yield service
    finally:
        process.kill()
        process.wait()


def claims(**changes: object) -> dict[str, object]:
    """Claims the service accepts, with `changes`; None removes one. Times are relative to now."""
    wanted: dict[str, object] = {
        "iss": "notify",
        "aud": "notify",
        "sub": "u1",
        "workspace": "acme",
        "exp": 600,
        **changes,
    }
    now = time.time()
    return {
        name: now + value if name in ("exp", "nbf", "iat") and isinstance(value, int) else value
        for name, value in wanted.items()
        if value is not None
    }


def token(**changes: object) -> str:
    return jwt.encode(claims(**changes), SECRET, algorithm="HS256")


@dataclass
class Seen:
    """One SSE block: the fields of an event, or a comment; and when its last byte came."""

    fields: dict[str, str]
    at: float

    @property
    def event(self) -> str:
        return self.fields.get("event", "")

    @property
    def data(self) -> Any:
        return json.loads(self.fields["data"])


@dataclass
class Stream:
    """A raw HTTP connection: the request is written as given, every byte of the answer is kept."""

    link: socket.socket
    received: bytes = b""
    body: bytes = b""
    ended: bool = False
    opened: float = field(default_factory=time.monotonic)
    _parsed: int = 0
    _taken: int = 0

    @classmethod
    def open(
        cls,
        port: int,
        bearer: str | None,
        *,
        path: str = "/events",
        version: str = "1.1",
        headers: dict[str, str] | None = None,
    ) -> Stream:
        link = socket.create_connection(("127.0.0.1", port), PATIENCE)
        lines = [f"GET {path} HTTP/{version}", "Host: chat.test", "Accept: text/event-stream"]
        if bearer is not None:
            lines.append(f"Authorization: Bearer {bearer}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        link.sendall("\r\n".join([*lines, "", ""]).encode())
        return cls(link)

    def close(self) -> None:
        self.link.close()

    @property
    def head(self) -> str:
        """Status line and headers in lower case, empty while they have not come."""
        head, mark, _ = self.received.partition(b"\r\n\r\n")
        return head.decode("latin-1").lower() if mark else ""

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    def header(self, name: str) -> list[str]:
        prefix = f"{name.lower()}:"
        return [
            line.removeprefix(prefix).strip()
            for line in self.head.split("\r\n")[1:]
            if line.startswith(prefix)
        ]

    def read(self, seconds: float) -> None:
        """Take what comes within `seconds`, or until the end."""
        end = time.monotonic() + seconds
        while not self.ended and (left := end - time.monotonic()) > 0:
            self._receive(left)

    def read_head(self) -> str:
        wait_for("the headers came", lambda: self.head or self._receive(0.2) or self.ended)
        return self.head

    def read_to_end(self) -> None:
        wait_for("the connection ended", lambda: self._receive(0.2) or self.ended)

    def next(self, event: str | None = None) -> Seen:
        """The next block, or the next with this `event`."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            while (block := self._next_block()) is not None:
                if event is None or block.event == event:
                    return block
            assert not self.ended, f"the stream ended before {event!r}: {self.received[-300:]!r}"
            self._receive(0.2)
        raise AssertionError(f"no {event!r} within {PATIENCE:g} s: {self.received[-300:]!r}")

    @property
    def terminated(self) -> bool:
        """Whether a chunked body was ended as HTTP/1.1 wants it."""
        return self.received.endswith(b"0\r\n\r\n")

    def _receive(self, seconds: float) -> None:
        self.link.settimeout(max(seconds, 0.001))
        try:
            data = self.link.recv(65536)
        except TimeoutError:
            return
        except ConnectionResetError:
            data = b""
        self.received += data
        self.ended = not data
        if self.head:
            self._decode()

    def _decode(self) -> None:
        raw = self.received.partition(b"\r\n\r\n")[2]
        if "chunked" not in self.header("transfer-encoding"):
            self.body = raw
            return
        while True:
            size, mark, rest = raw[self._parsed :].partition(b"\r\n")
            if not mark or len(rest) < (length := int(size, 16)) + 2 or length == 0:
                return
            self.body += rest[:length]
            self._parsed += len(size) + 2 + length + 2

    def _next_block(self) -> Seen | None:
        block, mark, _ = self.body[self._taken :].partition(b"\n\n")
        if not mark:
            return None
        self._taken += len(block) + 2
        pairs = (line.partition(":") for line in block.decode().split("\n"))
        fields = {name: value.removeprefix(" ") for name, _, value in pairs}
        return Seen(fields, time.monotonic())


def gunzip_so_far(body: bytes) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(body)
