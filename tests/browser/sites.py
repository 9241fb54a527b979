"""Small servers on loopback for a real browser: routes to scripts, each answer byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

CONNECTION = socket.socket


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def origin(self) -> str:
        return self.headers.get("origin", "")


Answer = Callable[[Asked, CONNECTION], None]

HTML = "text/html; charset=utf-8"


@dataclass
class Site:
    """A running server. ``routes`` maps a path to who answers it; the empty one takes the rest."""

    address: str
    scheme: str
    routes: dict[str, Answer]
    heard: list[Asked] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.address}"

    def url(self, path: str = "/events") -> str:
        return self.origin + path


def start(
    routes: Mapping[str, Answer], context: ssl.SSLContext | None = None
) -> tuple[Site, socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    site = Site(address, "https" if context else "http", dict(routes))

    def serve(connection: CONNECTION) -> None:
        with contextlib.suppress(OSError), connection:
            peer = context.wrap_socket(connection, server_side=True) if context else connection
            asked = read(peer)
            if asked is None:
                return
            site.heard.append(asked)
            answer = site.routes.get(asked.path) or site.routes.get("") or status(404)
            answer(asked, peer)
            peer.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return site, listener


def read(connection: CONNECTION) -> Asked | None:
    connection.settimeout(5.0)
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _blank, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ", 2)
    path, _mark, query = target.partition("?")
    headers = {k.strip().lower(): v.strip() for k, _c, v in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Asked(method, path, query, headers, body)


def head(code: int, kind: str | None, *lines: str) -> bytes:
    names = {200: "OK", 204: "No Content", 401: "Unauthorized", 404: "Not Found"}
    found = [f"HTTP/1.1 {code} {names.get(code, 'Said')}", "Connection: close"]
    found += [f"Content-Type: {kind}"] if kind else []
    return ("\r\n".join([*found, *lines]) + "\r\n\r\n").encode("latin-1")


def status(code: int, *lines: str, body: bytes = b"no") -> Answer:
    def answer(_asked: Asked, connection: CONNECTION) -> None:
        connection.sendall(head(code, "text/plain", f"Content-Length: {len(body)}", *lines) + body)

    return answer


def page(text: str, *lines: str) -> Answer:
    body = text.encode()

    def answer(_asked: Asked, connection: CONNECTION) -> None:
        connection.sendall(head(200, HTML, f"Content-Length: {len(body)}", *lines) + body)

    return answer


def script(text: str) -> Answer:
    def answer(_asked: Asked, connection: CONNECTION) -> None:
        connection.sendall(head(200, "text/javascript", f"Content-Length: {len(text)}"))
        connection.sendall(text.encode())

    return answer


def stream(
    *lines: str,
    every: float = 0.2,
    wait: float = 0.0,
    events: int | None = None,
    kind: str = "text/event-stream",
    say: Callable[[int], bytes] = lambda n: b'id: %d\nevent: tick\ndata: {"n": %d}\n\n' % (n, n),
) -> Answer:
    """Events until the client leaves; with ``events``, that many and a clean end."""

    def answer(_asked: Asked, connection: CONNECTION) -> None:
        connection.sendall(head(200, kind, "Cache-Control: no-cache", *lines))
        time.sleep(wait)
        number = 0
        until = time.monotonic() + 30
        while (events is None or number < events) and time.monotonic() < until:
            number += 1
            connection.sendall(say(number))
            time.sleep(every)

    return answer


def silent(*lines: str, headers: bool = True) -> Answer:
    """Nothing after the headers, or nothing at all, until the client leaves."""

    def answer(_asked: Asked, connection: CONNECTION) -> None:
        if headers:
            connection.sendall(head(200, "text/event-stream", "Cache-Control: no-cache", *lines))
        connection.settimeout(30)
        while connection.recv(4096):
            pass

    return answer


def allowing(origin: str, *more: str) -> tuple[str, ...]:
    return (f"Access-Control-Allow-Origin: {origin}", *more)
