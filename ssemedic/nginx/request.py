"""The request whose way through nginx is asked for."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from .pattern import decode

_SAFE_TARGET = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True)
class Request:
    """A GET of an event stream, as nginx sees it: ``uri`` is decoded and normalised."""

    scheme: str
    host: str
    port: int
    uri: str
    args: str
    target: str  # as sent in the request line
    accept: str = "text/event-stream"

    @property
    def quoted(self) -> bool:
        """The path holds %XX, so nginx escapes what it passes on of it (quoted_uri)."""
        return "%" in self.target.partition("?")[0]

    @property
    def escapes_captures(self) -> bool:
        """nginx escapes what a pattern captured of the path (quoted_uri or plus_in_uri)."""
        return self.quoted or "+" in self.target.partition("?")[0]

    @property
    def named(self) -> str:
        """The host as in $host and in a server_name: an IPv6 address keeps its brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """The Host line a browser sends: the port only where it is not the scheme's own."""
        usual = self.port == (443 if self.scheme == "https" else 80)
        return self.named if usual else f"{self.named}:{self.port}"

    @property
    def address(self) -> str | None:
        """The host where it is a literal address, without brackets."""
        try:
            return str(ipaddress.ip_address(self.host))
        except ValueError:
            return None


def request_of(url: str, merge_slashes: bool = True) -> Request:
    """A URL as a request. Raises ValueError for what is no http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url {url!r}: is no absolute http or https URL")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = _SAFE_TARGET.sub("", parts.path) or "/"
    asked = "?" in url.partition("#")[0]  # "/x?" keeps its mark
    target = path + (f"?{parts.query}" if asked else "")
    host = parts.hostname.lower().rstrip(".")
    return Request(parts.scheme, host, port, normal(path, merge_slashes), parts.query, target)


def normal(path: str, merge_slashes: bool = True) -> str:
    """A raw path as nginx matches it: %XX decoded, dot segments and double slashes gone."""
    text = decode(unquote_to_bytes(path))
    if merge_slashes:
        text = re.sub("/{2,}", "/", text)
    if "/." not in text:
        return text
    out: list[str] = []
    parts = text.split("/")[1:]
    for part in parts:
        if part == "..":
            del out[-1:]
        elif part != ".":
            out.append(part)
    if parts and parts[-1] in (".", "..") and (not out or out[-1] != ""):
        out.append("")
    return "/" + "/".join(out)


def escape(uri: str) -> str:
    """A decoded URI as nginx writes it to an upstream (ngx_escape_uri, NGX_ESCAPE_URI)."""
    return _escaped(uri, b'"#%<>?\\^`{|}')


def escape_args(text: str) -> str:
    """Captured text as nginx writes it into arguments (NGX_ESCAPE_ARGS)."""
    return _escaped(text, b'"#%&+;<>?\\^`{|}')


def escape_redirect(text: str) -> str:
    """Captured text as it comes out in a redirect (NGX_ESCAPE_ARGS, NGX_UNESCAPE_REDIRECT)."""
    return _escaped(text, b'"#%')


def _escaped(text: str, special: bytes) -> str:
    out = []
    for byte in text.encode("utf-8", "surrogateescape"):
        if byte <= 0x20 or byte >= 0x7F or byte in special:
            out.append(f"%{byte:02X}")
        else:
            out.append(chr(byte))
    return "".join(out)
