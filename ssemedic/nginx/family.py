"""Wishes for a proxied location, said in the words of the module that passes it on."""

from __future__ import annotations

from dataclasses import replace

from .edit import UnsafeError
from .lexer import Directive
from .ours import Line

#: Directives without "proxy_" that fastcgi, uwsgi and scgi know under their own prefix.
_COMMON = frozenset(
    {
        "buffer_size", "buffering", "buffers", "busy_buffers_size", "cache", "cache_bypass",
        "cache_lock", "connect_timeout", "force_ranges", "hide_header", "ignore_client_abort",
        "ignore_headers", "intercept_errors", "limit_rate", "max_temp_file_size",
        "next_upstream", "next_upstream_timeout", "next_upstream_tries", "no_cache",
        "pass_header", "pass_request_headers", "read_timeout", "request_buffering",
        "send_timeout", "socket_keepalive",
    }
)  # fmt: skip
_GRPC = frozenset(
    {
        "buffer_size", "connect_timeout", "hide_header", "ignore_headers", "intercept_errors",
        "next_upstream", "next_upstream_timeout", "next_upstream_tries", "pass_header",
        "read_timeout", "send_timeout", "set_header", "socket_keepalive",
    }
)  # fmt: skip


def translated(line: Line, handler: Directive | None) -> Line:
    """ "proxy_buffering off" where fastcgi_pass serves: "fastcgi_buffering off".

    Raises `UnsafeError` where the module has no such directive.
    """
    if handler is None or not line.name.startswith("proxy_") or line.name == "proxy_pass":
        return line
    family = handler.name.partition("_")[0]
    if family in ("proxy", "memcached"):
        return line
    rest = line.name[len("proxy_") :]
    if rest in (_GRPC if family == "grpc" else _COMMON):
        return replace(line, name=f"{family}_{rest}")
    why = (
        "grpc_pass never buffers"
        if (family, rest) == ("grpc", "buffering")
        else (f"{handler.name} has no counterpart of {line.name}")
    )
    raise UnsafeError(f"{handler.where}: {why}")
