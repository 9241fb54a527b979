"""Ways to be wrong on purpose: what real services get wrong, each behind its own variable.

All are off by default. README.md says what a client sees of each. Nothing here is needed for
the service to work; remove the file's uses in stream.py, app.py and __main__.py and it is gone.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from notify.environment import choice, names, number, switch, text, whole
from notify.tokens import TokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION = "session"


@dataclass(frozen=True)
class Misconfigurations:
    """The switches; the defaults are the healthy service. Times are in seconds."""

    x_accel_buffering: bool = True
    http_parser: str = "httptools"
    http10: str = "stream"
    raise_after_200: str = "off"
    first_event: bool = True
    flush_headers: bool = True
    content_type: str = "text/event-stream"
    cache_control: str = "no-cache"
    gzip: bool = False
    close_after: float = 0
    tick: float = 0
    framing: str = "ok"
    upgrade_header: bool = False
    resubscribe: bool = True
    health: str = "honest"
    block_loop: float = 0
    stop: str = "graceful"
    allowed_hosts: tuple[str, ...] = ()
    connection: str = "any"
    header_bytes: int = 0
    publish_subject: str = ""
    fan_out: str = "broker"
    workers: int = 1
    session_cookie: str = ""
    session_only: bool = False

    def active(self) -> list[str]:
        """The switches that differ from the healthy service, for the log."""
        return [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]

    def closes_at_once(self, scope: Scope) -> bool:
        """Whether the stream ends right after its headers, as some apps do for HTTP/1.0."""
        return self.http10 == "close" and scope["http_version"] == "1.0"

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that the app does not take because of how it is asked."""
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if self.allowed_hosts and host not in self.allowed_hosts:
            return PlainTextResponse("Invalid Host header", 421)
        upgrades = "upgrade" in request.headers.get("connection", "").lower()
        if self.connection == "strict" and upgrades:
            return PlainTextResponse("no protocol to upgrade to", 400)
        return None


def read_misconfigurations(environ: Mapping[str, str]) -> Misconfigurations:
    """The switches from `NOTIFY_*` variables. Raises SettingsError."""
    return Misconfigurations(
        x_accel_buffering=switch(environ, "NOTIFY_X_ACCEL_BUFFERING", "on"),
        http_parser=choice(environ, "NOTIFY_HTTP_PARSER", "httptools", "h11"),
        http10=choice(environ, "NOTIFY_HTTP10", "stream", "close"),
        raise_after_200=choice(environ, "NOTIFY_RAISE_AFTER_200", "off", "on", "token"),
        first_event=switch(environ, "NOTIFY_FIRST_EVENT", "on"),
        flush_headers=switch(environ, "NOTIFY_FLUSH_HEADERS", "on"),
        content_type=text(environ, "NOTIFY_CONTENT_TYPE", "text/event-stream"),
        cache_control=text(environ, "NOTIFY_CACHE_CONTROL", "no-cache"),
        gzip=switch(environ, "NOTIFY_GZIP", "off"),
        close_after=number(environ, "NOTIFY_CLOSE_AFTER_SECONDS", 0, 0, 86400),
        tick=number(environ, "NOTIFY_TICK_SECONDS", 0, 0, 86400),
        framing=choice(environ, "NOTIFY_FRAMING", "ok", "no-blank-line"),
        upgrade_header=switch(environ, "NOTIFY_UPGRADE_HEADER", "off"),
        resubscribe=switch(environ, "NOTIFY_RESUBSCRIBE", "on"),
        health=choice(environ, "NOTIFY_HEALTH", "honest", "blind"),
        block_loop=number(environ, "NOTIFY_BLOCK_LOOP_SECONDS", 0, 0, 60),
        stop=choice(environ, "NOTIFY_STOP", "graceful", "hang"),
        allowed_hosts=names(environ, "NOTIFY_ALLOWED_HOSTS", ""),
        connection=choice(environ, "NOTIFY_CONNECTION", "any", "strict"),
        header_bytes=whole(environ, "NOTIFY_HEADER_BYTES", 0, 0, 60000),
        publish_subject=text(environ, "NOTIFY_PUBLISH_SUBJECT", ""),
        fan_out=choice(environ, "NOTIFY_FAN_OUT", "broker", "memory"),
        workers=whole(environ, "NOTIFY_WORKERS", 1, 1, 16),
        session_cookie=text(environ, "NOTIFY_SESSION_COOKIE", ""),
        session_only=switch(environ, "NOTIFY_SESSION_ONLY", "off"),
    )


class SessionCookie:
    """ASGI middleware: what is no stream gets a session cookie with these attributes."""

    def __init__(self, app: ASGIApp, attributes: str) -> None:
        self._app = app
        self._line = f"{SESSION}=guest; {attributes}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def setting(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"] != "/events":
                MutableHeaders(scope=message).append("Set-Cookie", self._line)
            await send(message)

        await self._app(scope, receive, setting)


def session_of(request: Request) -> str:
    """The token in the cookie of a stream that is for sessions alone. Raises TokenError."""
    token = request.cookies.get(SESSION)
    if not token:
        raise TokenError(401, "missing_cookie", f"the request carries no cookie {SESSION!r}")
    return token


def fail_after_200(workspace: str) -> None:
    """What a lookup inside the generator does to a response that has begun: always raises."""
    raise LookupError(f"cannot subscribe: no membership row for workspace {workspace!r}")


def block_the_loop(seconds: float) -> None:
    """Do what a synchronous database call does: stop every stream of the process at once."""
    time.sleep(seconds)


def spoil(scope: Scope, send: Send, wrong: Misconfigurations) -> Send:
    """Put the misconfigurations that concern bytes between the stream and the server."""
    if wrong.upgrade_header:
        send = _add_header(send, "Upgrade", "h2c")
    if wrong.header_bytes:
        send = _add_header(send, "X-Trace", "t" * wrong.header_bytes)
    if not wrong.flush_headers:
        send = _hold_headers(send)
    if wrong.framing == "no-blank-line":
        send = _drop_blank_lines(send)
    if wrong.gzip and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
        send = _compress_without_flush(send)
    return send


def _add_header(send: Send, name: str, value: str) -> Send:
    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[name] = value
        await send(message)

    return added


def _hold_headers(send: Send) -> Send:
    held: list[Message] = []

    async def holding(message: Message) -> None:
        if message["type"] == "http.response.start":
            held.append(message)
            return
        while held:
            await send(held.pop())
        await send(message)

    return holding


def _drop_blank_lines(send: Send) -> Send:
    async def unframed(message: Message) -> None:
        if message.get("body", b"").endswith(b"\n\n"):
            message = {**message, "body": message["body"][:-1]}
        await send(message)

    return unframed


def _compress_without_flush(send: Send) -> Send:
    # 31: the largest window, with a gzip header.
    compressor = zlib.compressobj(wbits=31)

    async def compressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Content-Encoding"] = "gzip"
            await send(message)
            return
        body = compressor.compress(message.get("body", b""))
        if not message.get("more_body", False):
            body += compressor.flush()
        await send({**message, "body": body})

    return compressed
