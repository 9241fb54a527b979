"""What nginx asks its upstream for one URL: request line, headers, protocol, TLS name.

Source: ngx_http_proxy_create_request() and ngx_http_proxy_headers in ngx_http_proxy_module.c.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from .request import normal
from .route import Route
from .upstream import take_apart

#: Stands for the token while a configuration is followed; shaped like one, and no secret.
MARKER = "eyJhIjoxfQ.eyJhIjoxfQ.c3NlbWVkaWM"

#: Lines of the client that nginx never passes on by itself.
_OF_THE_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
_PROXY_VARIABLE = re.compile(r"\$(?:\{(proxy_host|proxy_port)\}|(proxy_host|proxy_port)\b)")


@dataclass(frozen=True)
class Asked:
    """What the upstream is asked.

    ``target`` is path and query as sent. ``headers`` are the lines nginx writes itself, in
    order; ``replaced`` the names (lower case) that it writes or leaves out whatever the
    client sent; ``unknown`` those of them whose value only a request can tell. ``version``
    is "1.0" or "1.1". ``server_name`` is the name in the TLS handshake, None where nginx
    sends none; ``tls_name`` the one it would send if proxy_ssl_server_name were on.
    """

    target: str
    version: str
    headers: tuple[tuple[str, str], ...] = ()
    replaced: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    passes_headers: bool = True
    underscores: bool = False
    server_name: str | None = None
    tls_name: str | None = None

    def header(self, name: str) -> str | None:
        """The value that nginx writes for a header, None where it writes none."""
        lines = (value for key, value in self.headers if key.lower() == name.lower())
        return next(lines, None)

    def passes(self, name: str) -> bool:
        """True if the client's line of that name reaches the upstream."""
        dropped = name.lower() in self.replaced or ("_" in name and not self.underscores)
        return self.passes_headers and not dropped

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target's query, "" without one."""
        return self.target.partition("?")[2]


def marked(url: str, parameter: str) -> str:
    """The URL with `MARKER` as its token, so that one can see where nginx lets it go."""
    if not parameter:
        return url
    parts = urlsplit(url)
    pair = f"{parameter}={MARKER}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{pair}" if parts.query else pair))


def asked(found: Route) -> Asked | None:
    """What the upstream of a route is asked; None where the configuration cannot tell."""
    variables, handler = found.variables, found.handler
    if found.serves != "proxy" or handler is None or handler.name != "proxy_pass":
        return None
    if found.uri_passed is None or not found.uri_passed.startswith("/") or variables is None:
        return None
    passed = variables.expand(handler.args[0]) or handler.args[0]
    taken = take_apart(handler.name, passed)
    tls_name = _tls_name(found, taken.authority) if taken.scheme == "https" else None
    lines: dict[str, tuple[str, str | None]] = {}
    setting = found.setting("proxy_set_header")
    written = [args for args in setting.values if len(args) == 2]
    names = {args[0].lower() for args in written}
    for name in ("Host", "Connection"):
        if name.lower() not in names:
            value = setting.keyed(name)
            written.insert(0, (name, value[0] if value else ""))
    for name, raw in written:
        text = _PROXY_VARIABLE.sub(lambda m: _proxy_variable(m[1] or m[2], taken.authority), raw)
        lines[name.lower()] = (name, variables.expand(text))
    return Asked(
        target=found.uri_passed,
        version=found.setting("proxy_http_version").values[0][0],
        headers=tuple((name, value) for name, value in lines.values() if value),
        replaced=frozenset(lines) | _OF_THE_HOP,
        unknown=tuple(name for name, value in lines.values() if value is None),
        passes_headers=_is_on(found, "proxy_pass_request_headers", "on"),
        underscores=_is_on(found, "underscores_in_headers", "off"),
        server_name=tls_name if _is_on(found, "proxy_ssl_server_name", "off") else None,
        tls_name=tls_name,
    )


def host_of(authority: str) -> str:
    """ "app:8000" -> "app", "[::1]:80" -> "::1"."""
    return re.sub(r":\d+$", "", authority).strip("[]")


def lost(found: Asked, url: str) -> tuple[str, ...]:
    """The names of the URL's query parameters whose value nothing the upstream gets holds."""
    kept = parse_qsl(found.query, keep_blank_values=True)
    values = {value for _name, value in kept} | {value for _name, value in found.headers}
    sent = " ".join([unquote(found.path), *values])
    return tuple(
        dict.fromkeys(
            name
            for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)
            if (name, value) not in kept and not (value and value in sent)
        )
    )


def with_query(target: str, url: str) -> str:
    """The target, with the URL's query parameters that it has no value for."""
    path, _mark, query = target.partition("?")
    names = {name for name, _value in parse_qsl(query, keep_blank_values=True)}
    pairs = [pair for pair in urlsplit(url).query.split("&") if pair]
    added = [pair for pair in pairs if unquote(pair.partition("=")[0]) not in names]
    joined = "&".join([*([query] if query else []), *added])
    return f"{path}?{joined}" if joined else path


def other_paths(found: Route) -> dict[str, str]:
    """The paths that the app may have wanted instead of the one it is asked for, by name:
    "path-kept" as the client wrote it, "path-stripped" without the location's prefix,
    "path-merged" without double slashes, "path-slash" with or without the last slash."""
    raw = urlsplit(found.url).path or "/"
    kept = normal(raw)
    passed = (found.uri_passed or raw).partition("?")[0]
    location = found.location
    plain = location is not None and location.modifier in ("", "^~") and location.name != "/"
    prefix = location.name.rstrip("/") if plain and location is not None else ""
    if not prefix or not kept.startswith(prefix):
        prefix = "/" + kept.split("/")[1] if kept.count("/") > 1 else ""
    merged = re.sub("/{2,}", "/", passed)
    others = {
        "path-kept": raw,
        "path-merged": merged,
        "path-stripped": "/" + kept[len(prefix) :].lstrip("/") if prefix else "",
        "path-slash": merged.rstrip("/") if merged.endswith("/") else merged + "/",
    }
    fresh: dict[str, str] = {}
    for name, path in others.items():
        if path.startswith("/") and path not in (passed, *fresh.values()) and "$" not in path:
            fresh[name] = path
    return fresh


def _proxy_variable(name: str, authority: str) -> str:
    if name == "proxy_host":
        return authority if not authority.startswith("unix:") else "localhost"
    found = re.search(r":(\d+)$", authority)
    return found[1] if found else "80"


def _is_on(found: Route, name: str, usual: str) -> bool:
    values = found.setting(name).values
    return (values[0][0] if values else usual) == "on"


def _tls_name(found: Route, authority: str) -> str | None:
    """$proxy_ssl_name; None for an address, which TLS never carries as a name."""
    given = found.setting("proxy_ssl_name").values
    name = found.variables.expand(given[0][0]) if given and found.variables else authority
    bare = host_of(name or authority)
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return None if not bare or bare.startswith("unix:") else bare
    return None
