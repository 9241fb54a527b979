"""What to ask, and the limits of asking. Both recorders send exactly this.

Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, quote, unquote, unquote_plus, urlsplit, urlunsplit

VERSIONS = ("1.0", "1.1", "2")

_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_SECRET_NAME = re.compile(r"(?i)cookie|auth|token|secret|passw|api-?key|session")
# A shorter value of a header that only sounds secret would hide half of the record.
_SECRET_LENGTH = 6


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
    ``Connection: close`` as nginx does to its upstreams. ``without`` names header lines
    (lower case) that are not sent. ``server_name`` "" sends no name in the TLS handshake.
    ``window`` is in seconds from the start. ``proxy`` is an HTTP proxy,
    "http://[user:password@]host:port".
    Raises `RequestError` for what could not be sent safely.
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
    without: tuple[str, ...] = ()
    version: str = "1.1"
    window: float = 8.0
    limits: Limits = field(default_factory=Limits)
    ca_file: str | None = None
    server_name: str | None = None
    verify: bool = True
    proxy_command: str | None = field(default=None, repr=False)  # outside only
    proxy: str | None = field(default=None, repr=False)  # outside only

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
        if self.proxy is not None:
            if self.connect is not None:
                raise RequestError("proxy: cannot be combined with connect")
            _proxy_parts(self.proxy)

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
        host, port = self.dial
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def dial(self) -> tuple[str, int]:
        """Where to connect, as `address_of` gives it: the proxy, ``connect``, or the URL's host."""
        if self.proxy is not None:
            parts = _proxy_parts(self.proxy)
            return _ascii_host(parts.hostname or ""), parts.port or 80
        if self.connect is not None:
            return address_of(self.connect)
        return self.host, self.port

    @property
    def proxy_authorization(self) -> str | None:
        """The value of Proxy-Authorization, None where the proxy asks for nobody."""
        parts = urlsplit(self.proxy or "")
        return None if parts.username is None else _basic(parts.username, parts.password)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host, port: what decides whether two URLs are of one origin."""
        return urlsplit(self.url).scheme.lower(), self.host.lower(), self.port

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
            lines.append(("Authorization", _basic(user.username, user.password)))
        if self.body is not None:
            lines.append(("Content-Length", str(len(self.body))))
        if self.version == "1.0":
            lines.append(("Connection", "close"))
        ours = {name.lower() for name, _value in self.headers} | set(self.without)
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
        for user in (parts, urlsplit(self.proxy or "")):
            if user.password:
                found.add(unquote(user.password).encode("utf-8"))
                found.add(_basic(user.username or "", user.password).split()[1].encode("ascii"))
        for name, value in self.headers:
            if is_secret(name):
                found |= {part.encode("latin-1") for part in _secret_parts(name, value)}
        return sorted((s for s in found if s), key=len, reverse=True)

    def resumed(self, last_id: str, variant: str = "resume") -> Request:
        """The request of an EventSource that reconnects after the event with that id.

        Raises `RequestError` for an id that no header can carry. The id goes out in
        UTF-8, as a browser sends it (WHATWG HTML, 9.2.3).
        """
        kept = [pair for pair in self.headers if pair[0].lower() != "last-event-id"]
        sent = ("Last-Event-ID", last_id.encode("utf-8", "replace").decode("latin-1"))
        return replace(self, variant=variant, headers=(*kept, sent))

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


def is_secret(header: str) -> bool:
    """True for a header whose value must stay between us and the origin asked."""
    return bool(_SECRET_NAME.search(header))


def mask(data: bytes, secrets: list[bytes]) -> bytes:
    """The same length, every secret replaced by stars."""
    for secret in secrets:
        data = data.replace(secret, b"*" * len(secret))
    return data


def _secret_parts(name: str, value: str) -> list[str]:
    if name.lower() == "cookie":
        values = [part.partition("=")[2].strip() for part in value.split(";")]
        return [value, *(v for v in values if len(v) >= _SECRET_LENGTH)]
    if name.lower() in ("authorization", "proxy-authorization"):
        return [value, value.rpartition(" ")[2]]
    return [value] if len(value) >= _SECRET_LENGTH else []


def _basic(user: str, password: str | None) -> str:
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _proxy_parts(proxy: str) -> SplitResult:
    form = "http://[user:password@]host:port"
    try:
        parts = urlsplit(proxy)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise RequestError(f"proxy: host or port is not valid, must be {form}") from error
    if parts.scheme.lower() != "http" or not host or _CONTROL.search(proxy):
        raise RequestError(f"proxy: must be {form}")
    return parts


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
