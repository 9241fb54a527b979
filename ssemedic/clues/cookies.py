"""Which cookies reach a URL from a page: scope and site, without ever keeping a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ssemedic.stream.record import Stream


@dataclass(frozen=True)
class Cookie:
    """What a Set-Cookie line says but for the value; attribute names are in lower case."""

    name: str
    attributes: Mapping[str, str]

    @property
    def scope(self) -> str:
        """The attributes that decide where it is sent, as they were written."""
        named = {"domain": "Domain", "path": "Path", "samesite": "SameSite"}
        parts = [
            f"{said}={self.attributes[n]}" for n, said in named.items() if n in self.attributes
        ]
        parts += ["Secure"] if "secure" in self.attributes else []
        return "; ".join(parts) or "no attributes"


def cookies_of(stream: Stream) -> Iterator[Cookie]:
    """The cookies that an answer sets (RFC 6265, 5.2)."""
    for line in stream.header_values("set-cookie"):
        pair, *rest = line.split(";")
        name, equals, _ = pair.strip().partition("=")
        if not equals or not name:
            continue
        attributes = {}
        for part in rest:
            key, _, value = part.strip().partition("=")
            attributes[key.lower()] = value.strip().strip('"')
        yield Cookie(name, attributes)


def why_not_sent(cookie: Cookie, url: str, origin: str | None) -> str:
    """Why a browser does not send it to the URL from a page of the origin; "" where it does.

    RFC 6265, 5.1.3, 5.1.4 and 5.4; SameSite as in RFC 6265bis, 5.8.3.
    """
    parts, said = urlsplit(url), cookie.attributes
    host, path = (parts.hostname or "").lower(), parts.path or "/"
    domain = said.get("domain", "").lstrip(".").lower()
    if domain and host != domain and not host.endswith("." + domain):
        return f"its Domain is {domain}, and the stream is on {host}"
    if said.get("path", "/").startswith("/") and not _path_fits(said.get("path", "/"), path):
        return f"its Path is {said['path']}, and the stream is at {path}"
    if "secure" in said and parts.scheme == "http" and not _local(host):
        return "it is Secure, and the stream is on http"
    mode = said.get("samesite", "").lower()
    if mode == "none" and "secure" not in said:
        return "it is SameSite=None without Secure, which browsers refuse to keep"
    if origin and mode != "none" and _site(origin) != _site(url):
        stated = f"SameSite={said['samesite']}" if mode else "without SameSite, which counts as Lax"
        return f"it is {stated}, and the page's site ({origin}) is another one"
    return ""


def _path_fits(scope: str, path: str) -> bool:
    scope = scope or "/"
    if path == scope:
        return True
    return path.startswith(scope if scope.endswith("/") else scope + "/")


def _local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")


def _site(url: str) -> str:
    """The registrable part of the host, as far as two labels tell it; with an address, all."""
    host = (urlsplit(url).hostname or "").lower()
    labels = host.split(".")
    if ":" in host or labels[-1].isdigit():
        return host
    # Under "co.uk" and its like two sites look like one; then nothing is said, which is safe.
    return ".".join(labels[-2:])
