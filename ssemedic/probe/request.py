"""What to ask, and the limits of asking. Both recorders send exactly this.

Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, unquote_plus, urlsplit, urlunsplit

VERSIONS = ("1.0", "1.1", "2")

_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


class RequestError(ValueError):
    """The request cannot be sent as it is written; the message never holds a secret."""


@dataclass(frozen=True)
class Limits:
    """Where a recorder stops, whatever the server does. Sizes in bytes, times in seconds."""

    max_bytes: int = 1 << 20  # body bytes read in all
    body_limit: int = 64 << 10  # body bytes kept
    header_bytes: int = 64 << 10
    header_count: int = 200
    line_bytes: int = 16 << 10  # status line, chunk-size line
    connect_seconds: float = 3.0  # for each address that is tried


@dataclass(frozen=True)
class Request:
    """One attempt at one hop.

    ``headers`` are added to a browser's (and replace those of the same name).
    ``token`` goes into the query parameter ``token_parameter``, or into a Bearer
    header where that is "". ``connect`` overrides where to connect ("127.0.0.1:8000",
    "[::1]:80", "unix:/path"); Host and SNI stay those of ``url``. Version "1.0" sends
    ``Connection: close`` as nginx does to its upstreams. ``window`` is in seconds
    from the start. Raises `RequestError` for what could not be sent safely.
    """

    hop: str
    url: str = field(repr=False)
    variant: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)
    token_parameter: str = "access_token"  # noqa: S105 - a parameter's name, not a secret
    body: bytes | None = field(default=None, repr=False)
    connect: str | None = None
    version: str = "1.1"
    window: float = 8.0
    limits: Limits = field(default_factory=Limits)
    ca_file: str | None = None
    server_name: str | None = None
    verify: bool = True
    proxy_command: str | None = field(default=None, repr=False)  # outside only

    def __post_init__(self) -> None:
        """Refuse what would smuggle a line into the request."""
        if _CONTROL.search(self.url):
            raise RequestError("url: has a space or control character, must be percent-encoded")
        scheme = self.url.split("://", 1)[0].lower()
        if scheme not in ("http", "https"):
            raise RequestError("url: must begin with http:// or https://")
        try:
            parts = urlsplit(self.url)
            host, _port = parts.hostname, parts.port
        except ValueError as error:
            raise RequestError("url: host or port is not valid") from error
        if not host:
            raise RequestError("url: names no host")
        if not _TOKEN.fullmatch(self.method):
            raise RequestError("method: is not an HTTP method")
        if self.token is not None and (not self.token or _CONTROL.search(self.token)):
            raise RequestError("token: is empty or has a space or control character")
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name):
                raise RequestError("headers: a name is not an HTTP field name")
            if any(ord(c) < 32 and c != "\t" for c in value) or not _is_latin1(value):
                raise RequestError(f"headers: the value of {name} has a character HTTP forbids")
        if self.version not in VERSIONS:
            raise RequestError(f"version: is {self.version!r}, must be one of {VERSIONS}")
        if not self.window > 0:
            raise RequestError(f"window: is {self.window} s, must be more than 0")
        if self.connect is not None:
            address_of(self.connect)

    @property
    def secure(self) -> bool:
        """True for https."""
        return urlsplit(self.url).scheme.lower() == "https"

    @property
    def host(self) -> str:
        """The host of the URL as it goes into DNS and SNI: IDNA, no brackets."""
        return _ascii_host(urlsplit(self.url).hostname or "")

    @property
    def port(self) -> int:
        """The port of the URL, or the scheme's own."""
        return urlsplit(self.url).port or (443 if self.secure else 80)

    @property
    def authority(self) -> str:
        """The Host header: brackets around IPv6, no default port (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.secure else 80
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query as sent: the token is in it where it goes by query."""
        parts = urlsplit(self.url)
        query = parts.query
        if self.token is not None and self.token_parameter:
            kept = _without(query, self.token_parameter)
            pair = f"{quote(self.token_parameter, safe='')}={quote(self.token, safe='')}"
            query = f"{kept}&{pair}" if kept else pair
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._[]")
        query = quote(query, safe="/%:@!$&'()*+,;=~-._[]?")
        return f"{path}?{query}" if query else path

    @property
    def public_url(self) -> str:
        """The URL for the record: no user, no token, no fragment."""
        parts = urlsplit(self.url)
        query = _without(parts.query, self.token_parameter) if self.token_parameter else parts.query
        kept = [part for part in query.split("&") if part and not _JWT.search(unquote(part))]
        netloc = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme.lower(), netloc, parts.path or "/", "&".join(kept), ""))

    @property
    def address(self) -> str:
        """Where to connect, as text."""
        if self.connect is not None:
            return self.connect
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def wire_headers(self) -> list[tuple[str, str]]:
        """Every header line in the order sent; a browser's EventSource sends the same."""
        lines = [
            ("Host", self.authority),
            ("User-Agent", "ssemedic"),
            ("Accept", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("Accept-Encoding", "identity"),
        ]
        user = urlsplit(self.url)
        if self.token is not None and not self.token_parameter:
            lines.append(("Authorization", f"Bearer {self.token}"))
        elif user.username is not None:
            pair = f"{unquote(user.username)}:{unquote(user.password or '')}".encode()
            lines.append(("Authorization", "Basic " + base64.b64encode(pair).decode("ascii")))
        if self.body is not None:
            lines.append(("Content-Length", str(len(self.body))))
        if self.version == "1.0":
            lines.append(("Connection", "close"))
        ours = {name.lower() for name, _value in self.headers}
        return [line for line in lines if line[0].lower() not in ours] + list(self.headers)

    def secrets(self) -> list[bytes]:
        """What must not appear in a record, in every form in which it travels."""
        found: set[bytes] = set()
        if self.token is not None:
            found |= {self.token.encode("utf-8"), quote(self.token, safe="").encode("ascii")}
        parts = urlsplit(self.url)
        for part in parts.query.split("&"):
            name, _equals, value = part.partition("=")
            hidden = self.token_parameter and unquote_plus(name) == self.token_parameter
            if value and (hidden or _JWT.search(unquote(part))):
                found |= {value.encode("utf-8"), unquote(value).encode("utf-8")}
        if parts.password:
            found.add(unquote(parts.password).encode("utf-8"))
        for name, value in self.headers:
            if name.lower() in ("authorization", "cookie"):
                found |= {value.encode("latin-1"), value.rpartition(" ")[2].encode("latin-1")}
        return sorted((s for s in found if s), key=len, reverse=True)

    def varied(self, variant: str, **changes: object) -> Request:
        """The same request with one thing changed and named."""
        return replace(self, variant=variant, **changes)  # type: ignore[arg-type]


def address_of(text: str) -> tuple[str, int]:
    """("host", port), or ("/path", 0) for "unix:/path". Raises `RequestError`."""
    if text.startswith("unix:"):
        if not text.startswith("unix:/") or "\x00" in text:
            raise RequestError("connect: a unix socket needs an absolute path, as in unix:/run/x")
        return text[len("unix:") :], 0
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise RequestError("connect: an IPv6 address needs brackets, as in [::1]:80")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise RequestError(f"connect: is {text!r}, must be HOST:PORT or unix:/path")
    return host, int(port)


def mask(data: bytes, secrets: list[bytes]) -> bytes:
    """The same length, every secret replaced by stars."""
    for secret in secrets:
        data = data.replace(secret, b"*" * len(secret))
    return data


def _without(query: str, parameter: str) -> str:
    parts = (part for part in query.split("&") if part)
    return "&".join(p for p in parts if unquote_plus(p.partition("=")[0]) != parameter)


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise RequestError("url: host is not a valid name") from error


def _is_latin1(text: str) -> bool:
    return all(ord(c) < 256 for c in text)
