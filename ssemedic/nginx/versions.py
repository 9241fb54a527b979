"""What nginx does when a directive is absent, by version.

Source: nginx.org/en/docs/http/, and CHANGES of 1.29.7 for the upstream protocol.
"""

from __future__ import annotations

import re

_HTTP11_UPSTREAM = (1, 29, 7)  # HTTP/1.1 and keepalive to upstreams by default

#: Directives of which all lines of the nearest level count together, and none of outer levels.
ARRAYS = frozenset(
    {
        "add_header",
        "add_trailer",
        "allow",
        "auth_request_set",
        "deny",
        "error_page",
        "fastcgi_param",
        "limit_conn",
        "limit_req",
        "proxy_cache_bypass",
        "proxy_cookie_path",
        "proxy_hide_header",
        "proxy_ignore_headers",
        "proxy_no_cache",
        "proxy_pass_header",
        "proxy_set_header",
        "sub_filter",
        "uwsgi_param",
    }
)
#: Array directives whose first argument is a key that should stand only once in a location.
KEYED = frozenset({"add_header", "proxy_hide_header", "proxy_pass_header", "proxy_set_header"})
#: Directives that count only where they stand and are not inherited by a nested location.
NOT_INHERITED = frozenset(
    {
        "fastcgi_pass",
        "grpc_pass",
        "if",
        "proxy_pass",
        "return",
        "rewrite",
        "scgi_pass",
        "set",
        "try_files",
        "uwsgi_pass",
    }
)

_DEFAULTS: dict[str, tuple[str, ...]] = {
    "add_header_inherit": ("on",),
    "auth_request": ("off",),
    "chunked_transfer_encoding": ("on",),
    "gzip": ("off",),
    "gzip_comp_level": ("1",),
    "gzip_http_version": ("1.1",),
    "gzip_min_length": ("20",),
    "gzip_proxied": ("off",),
    "gzip_types": ("text/html",),
    "keepalive_timeout": ("75s",),
    "lingering_close": ("on",),
    "merge_slashes": ("on",),
    "proxy_buffer_size": ("4k",),
    "proxy_buffering": ("on",),
    "proxy_buffers": ("8", "4k"),
    "proxy_busy_buffers_size": ("8k",),
    "proxy_cache": ("off",),
    "proxy_cache_lock": ("off",),
    "proxy_connect_timeout": ("60s",),
    "proxy_http_version": ("1.0",),
    "proxy_ignore_client_abort": ("off",),
    "proxy_intercept_errors": ("off",),
    "proxy_next_upstream": ("error", "timeout"),
    "proxy_pass_request_headers": ("on",),
    "proxy_read_timeout": ("60s",),
    "proxy_request_buffering": ("on",),
    "proxy_send_timeout": ("60s",),
    "proxy_socket_keepalive": ("off",),
    "proxy_ssl_server_name": ("off",),
    "root": ("html",),
    "send_timeout": ("60s",),
}
_TIME = re.compile(r"(\d+)(ms|[smhdwMy]?)")
_SECONDS = {
    "": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
    "M": 2592000.0, "y": 31536000.0,
}  # fmt: skip


def number(version: str) -> tuple[int, ...]:
    """ "1.22.1", "nginx/1.22.1 (Debian)" -> (1, 22, 1); () where there is no number."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def default(name: str, version: str) -> tuple[str, ...] | None:
    """The arguments a directive has when it is absent; None where absence is "nothing"."""
    if number(version) >= _HTTP11_UPSTREAM:
        if name == "proxy_http_version":
            return ("1.1",)
        if name == "keepalive":
            return ("32", "local")
    return _DEFAULTS.get(name)


def default_lines(name: str, version: str) -> tuple[tuple[str, ...], ...]:
    """The lines that are in force when no level has the directive."""
    if name == "proxy_set_header":
        connection = "" if number(version) >= _HTTP11_UPSTREAM else "close"
        return (("Host", "$proxy_host"), ("Connection", connection))
    args = default(name, version)
    return () if args is None else (args,)


def seconds(time: str) -> float | None:
    """nginx's time ("60", "1h30m", "500ms") in seconds; None where it is not a time."""
    compact = time.replace(" ", "")
    if not compact or not re.fullmatch(rf"(?:{_TIME.pattern})+", compact):
        return None
    return sum(float(found[1]) * _SECONDS[found[2]] for found in _TIME.finditer(compact))
