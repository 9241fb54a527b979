"""The page on loopback, with a prober beside it that tells what a browser keeps to itself.

Whoever may use the prober is known by a key; the key is given once, for the secret that stands
in the fragment of the page's address, which no browser sends to anybody. Host and Origin must be
this server's own, so that neither another page nor a name that resolves here gets in.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from ssemedic.page import twin, write
from ssemedic.page.twin import AskedWrongError

_MAX_BODY = 16 << 20
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


@dataclass
class Doors:
    """Who may come in. The secret opens once."""

    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _key: str | None = field(default=None, repr=False)
    _used: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def exchange(self, offered: object) -> str | None:
        """The key for the secret, the first time it is shown; None for everything else."""
        with self._lock:
            if self._used or not isinstance(offered, str):
                return None
            if not secrets.compare_digest(offered.encode(), self.secret.encode()):
                return None
            self._used = True
            self._key = secrets.token_urlsafe(32)
            return self._key

    def opens(self, key: str | None) -> bool:
        """True for the key that was given."""
        if key is None or self._key is None:
            return False
        return secrets.compare_digest(key.encode(), self._key.encode())


class Server(ThreadingHTTPServer):
    """One page, one prober; `address` is what a person opens, once."""

    daemon_threads = True

    def __init__(self, settings: Mapping[str, object], port: int = 0) -> None:
        self.doors = Doors()
        self.settings = {**settings, "twin": True}
        super().__init__(("127.0.0.1", port), _Handler)
        self.authorities = tuple(f"{n}:{self.server_port}" for n in ("127.0.0.1", "localhost"))

    @property
    def address(self) -> str:
        """The URL with the secret in its fragment."""
        return f"http://{self.authorities[0]}/#secret={self.doors.secret}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "ssemedic"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30
    _actions: ClassVar[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
        "probe": twin.probe,
        "judge": twin.judged,
    }

    def log_message(self, *_arguments: object) -> None:
        """Nothing is logged: what is asked for holds tokens."""

    def do_GET(self) -> None:
        """The page, at / alone."""
        if not self._is_ours():
            self._refuse(HTTPStatus.FORBIDDEN, "not by this name")
        elif self.path.partition("?")[0] != "/":
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")
        else:
            self._answer(
                HTTPStatus.OK, "text/html; charset=utf-8", write.text(self.server.settings)
            )

    def do_POST(self) -> None:
        """The prober's own doors, below /api/."""
        data = self._asked()
        if data is None:
            return
        action = self.path.removeprefix("/api/")
        if action == "session":
            key = self.server.doors.exchange(data.get("secret"))
            if key is None:
                self._refuse(HTTPStatus.FORBIDDEN, "the secret is used up or wrong")
            else:
                self._tell({"key": key})
            return
        if not self.server.doors.opens(self.headers.get("X-Ssemedic-Key")):
            self._refuse(HTTPStatus.FORBIDDEN, "no key")
        elif action == "hello":
            self._tell({"ok": True})
        elif action in self._actions:
            try:
                self._tell(self._actions[action](data))
            except AskedWrongError as error:
                self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such door")

    def _asked(self) -> dict[str, Any] | None:
        """The request's JSON; None where it was refused."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no body, or one too large")
            return None
        body = self.rfile.read(int(length))
        origins = [f"http://{authority}" for authority in self.server.authorities]
        if not self._is_ours() or self.headers.get("Origin") not in origins:
            self._refuse(HTTPStatus.FORBIDDEN, "not from another page")
            return None
        if self.headers.get("Content-Type") != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "must be application/json")
            return None
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            self._refuse(HTTPStatus.BAD_REQUEST, "must be a JSON object")
            return None
        return data

    def _is_ours(self) -> bool:
        return self.headers.get_all("Host") in [[name] for name in self.server.authorities]

    def _tell(self, data: Mapping[str, Any]) -> None:
        self._answer(HTTPStatus.OK, "application/json", json.dumps(data))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._answer(status, "text/plain; charset=utf-8", why + "\n")

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        for name, value in (("Content-Type", kind), *_HEADERS):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the page was closed meanwhile
