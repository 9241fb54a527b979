"""What nginx does when a directive is absent, by version, and how directives are inherited.

Sources: nginx.org/en/docs/http/, nginx.org/en/CHANGES, and the merge functions
(ngx_http_*_merge_loc_conf) of the modules. A version in this file is that of CHANGES.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

#: The families of directives that pass a request on, by their prefix.
FAMILIES = ("proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached")
_CACHING = ("proxy", "fastcgi", "uwsgi", "scgi")


def _of_families() -> frozenset[str]:
    names = {f"{family}_next_upstream" for family in FAMILIES}
    for family in FAMILIES[:-1]:
        names |= {f"{family}_{rest}" for rest in ("hide_header", "ignore_headers", "pass_header")}
    for family in _CACHING:
        names |= {
            f"{family}_{rest}"
            for rest in (
                "cache_bypass",
                "cache_methods",
                "cache_use_stale",
                "cache_valid",
                "no_cache",
            )
        }
    for family in ("proxy", "grpc", "uwsgi"):
        names |= {f"{family}_{rest}" for rest in ("ssl_conf_command", "ssl_protocols")}
    names |= {f"{family}_param" for family in ("fastcgi", "scgi", "uwsgi")}
    return frozenset(names)


#: Directives of which all lines of the nearest level count together, and none of outer levels.
ARRAYS = _of_families() | {
    "access_log",
    "add_header",
    "add_trailer",
    "addition_types",
    "allow",
    "auth_request_set",
    "brotli_types",
    "charset_types",
    "deny",
    "error_log",
    "error_page",
    "fastcgi_catch_stderr",
    "grpc_set_header",
    "gzip_proxied",
    "gzip_types",
    "index",
    "limit_conn",
    "limit_req",
    "mirror",
    "modsecurity_rules",
    "modsecurity_rules_file",
    "proxy_cookie_domain",
    "proxy_cookie_flags",
    "proxy_cookie_path",
    "proxy_redirect",
    "proxy_set_header",
    "server_name",
    "set_real_ip_from",
    "ssi_types",
    "ssl_certificate",
    "ssl_certificate_key",
    "ssl_conf_command",
    "ssl_protocols",
    "sub_filter",
    "sub_filter_types",
    "valid_referers",
    "zstd_types",
}
#: Directives whose lines of all levels count, those of outer levels first (headers-more).
MERGED = frozenset(
    {
        "more_clear_headers",
        "more_clear_input_headers",
        "more_set_headers",
        "more_set_input_headers",
    }
)
#: Directives that share one array: a line of the one cuts off the outer lines of the other.
TOGETHER: Mapping[str, tuple[str, ...]] = {"allow": ("allow", "deny"), "deny": ("allow", "deny")}
#: Directives that say how an array is inherited (1.29.3).
INHERIT_RULE: Mapping[str, str] = {
    "add_header": "add_header_inherit",
    "add_trailer": "add_trailer_inherit",
}
#: Directives that count only where they stand and are not inherited by a nested location.
NOT_INHERITED = frozenset(
    {
        "break",
        "content_by_lua",
        "content_by_lua_block",
        "content_by_lua_file",
        "echo",
        "empty_gif",
        "fastcgi_pass",
        "flv",
        "grpc_pass",
        "if",
        "js_content",
        "listen",
        "memcached_pass",
        "mp4",
        "perl",
        "proxy_pass",
        "return",
        "rewrite",
        "scgi_pass",
        "server_name",
        "set",
        "stub_status",
        "try_files",
        "uwsgi_pass",
    }
)
#: Directives of the whole server process, outside every block.
MAIN = frozenset(
    {
        "daemon",
        "load_module",
        "master_process",
        "pcre_jit",
        "pid",
        "thread_pool",
        "user",
        "worker_aio_requests",
        "worker_cpu_affinity",
        "worker_priority",
        "worker_processes",
        "worker_rlimit_core",
        "worker_rlimit_nofile",
        "worker_shutdown_timeout",
        "working_directory",
    }
)
#: Directives of the events block.
EVENTS = frozenset(
    {"accept_mutex", "accept_mutex_delay", "multi_accept", "use", "worker_connections"}
)
#: Directives of upstream blocks that stand nowhere else.
UPSTREAM = frozenset(
    {
        "hash",
        "ip_hash",
        "keepalive",
        "least_conn",
        "least_time",
        "ntlm",
        "queue",
        "random",
        "state",
        "sticky",
        "zone",
    }
)

_OFF, _ON = ("off",), ("on",)


def _family_defaults() -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    everywhere: dict[str, tuple[str, ...]] = {
        "buffer_size": ("4k",),
        "connect_timeout": ("60s",),
        "next_upstream": ("error", "timeout"),
        "next_upstream_timeout": ("0",),
        "next_upstream_tries": ("0",),
        "read_timeout": ("60s",),
        "send_timeout": ("60s",),
        "socket_keepalive": _OFF,
    }
    buffered: dict[str, tuple[str, ...]] = {
        "buffering": _ON,
        "buffers": ("8", "4k"),
        "busy_buffers_size": ("8k",),
        "cache": _OFF,
        "cache_lock": _OFF,
        "cache_lock_age": ("5s",),
        "cache_lock_timeout": ("5s",),
        "cache_methods": ("GET", "HEAD"),
        "cache_min_uses": ("1",),
        "cache_revalidate": _OFF,
        "cache_use_stale": _OFF,
        "force_ranges": _OFF,
        "ignore_client_abort": _OFF,
        "limit_rate": ("0",),
        "max_temp_file_size": ("1024m",),
        "pass_request_body": _ON,
        "pass_request_headers": _ON,
        "request_buffering": _ON,
        "store": _OFF,
        "temp_file_write_size": ("8k",),
    }
    for family in FAMILIES:
        known.update({f"{family}_{name}": args for name, args in everywhere.items()})
        if family != "memcached":
            known[f"{family}_intercept_errors"] = _OFF
        if family in _CACHING:
            known.update({f"{family}_{name}": args for name, args in buffered.items()})
        if family in ("proxy", "grpc", "uwsgi"):
            known.update(
                {
                    f"{family}_ssl_server_name": _OFF,
                    f"{family}_ssl_session_reuse": _ON,
                    f"{family}_ssl_verify": _OFF,
                    f"{family}_ssl_verify_depth": ("1",),
                }
            )
    return known


#: One memory page of the host (4k on x86-64; 64k on some ARM hosts), two or eight of them.
PAGE_SIZED = frozenset(
    f"{family}_{name}"
    for family in FAMILIES
    for name in ("buffer_size", "buffers", "busy_buffers_size", "temp_file_write_size")
) | {"gzip_buffers"}

_DEFAULTS: dict[str, tuple[str, ...]] = {
    **_family_defaults(),
    "absolute_redirect": _ON,
    "accept_mutex": _OFF,
    "add_header_inherit": _ON,
    "add_trailer_inherit": _ON,
    "auth_basic": _OFF,
    "auth_request": _OFF,
    "brotli": _OFF,
    "brotli_comp_level": ("6",),
    "brotli_min_length": ("20",),
    "brotli_types": ("text/html",),
    "charset": _OFF,
    "chunked_transfer_encoding": _ON,
    "client_body_timeout": ("60s",),
    "client_header_timeout": ("60s",),
    "client_max_body_size": ("1m",),
    "default_type": ("text/plain",),
    "expires": _OFF,
    "fastcgi_keep_conn": _OFF,
    "gunzip": _OFF,
    "gzip": _OFF,
    "gzip_buffers": ("32", "4k"),
    "gzip_comp_level": ("1",),
    "gzip_http_version": ("1.1",),
    "gzip_min_length": ("20",),
    "gzip_proxied": _OFF,
    "gzip_static": _OFF,
    "gzip_types": ("text/html",),
    "gzip_vary": _OFF,
    "http2": _OFF,
    "http2_body_preread_size": ("64k",),
    "http2_chunk_size": ("8k",),
    "http2_max_concurrent_streams": ("128",),
    "http3": _ON,
    "if_modified_since": ("exact",),
    "ignore_invalid_headers": _ON,
    "index": ("index.html",),
    "keepalive_disable": ("msie6",),
    "keepalive_min_timeout": ("0",),
    "keepalive_requests": ("1000",),
    "keepalive_time": ("1h",),
    "keepalive_timeout": ("75s",),
    "large_client_header_buffers": ("4", "8k"),
    "limit_conn_dry_run": _OFF,
    "limit_conn_log_level": ("error",),
    "limit_conn_status": ("503",),
    "limit_rate": ("0",),
    "limit_req_dry_run": _OFF,
    "limit_req_log_level": ("error",),
    "limit_req_status": ("503",),
    "lingering_close": _ON,
    "lingering_time": ("30s",),
    "lingering_timeout": ("5s",),
    "log_not_found": _ON,
    "log_subrequest": _OFF,
    "merge_slashes": _ON,
    "mirror": _OFF,
    "mirror_request_body": _ON,
    "modsecurity": _OFF,
    "multi_accept": _OFF,
    "port_in_redirect": _ON,
    "postpone_output": ("1460",),
    "proxy_cache_background_update": _OFF,
    "proxy_cache_convert_head": _ON,
    "proxy_cache_key": ("$scheme$proxy_host$request_uri",),
    "proxy_http_version": ("1.0",),
    "proxy_redirect": ("default",),
    "proxy_ssl_name": ("$proxy_host",),
    "grpc_ssl_name": ("$proxy_host",),
    "uwsgi_ssl_name": ("$proxy_host",),
    "recursive_error_pages": _OFF,
    "reset_timedout_connection": _OFF,
    "resolver_timeout": ("30s",),
    "root": ("html",),
    "satisfy": ("all",),
    "send_lowat": ("0",),
    "send_timeout": ("60s",),
    "sendfile": _OFF,
    "server_name_in_redirect": _OFF,
    "server_tokens": _ON,
    "ssi": _OFF,
    "ssl": _OFF,
    "ssl_protocols": ("TLSv1", "TLSv1.1", "TLSv1.2"),
    "ssl_verify_client": _OFF,
    "sub_filter_last_modified": _OFF,
    "sub_filter_once": _ON,
    "sub_filter_types": ("text/html",),
    "tcp_nodelay": _ON,
    "tcp_nopush": _OFF,
    "underscores_in_headers": _OFF,
    "worker_connections": ("512",),
    "worker_processes": ("1",),
}
#: Defaults that are other since (or before) a version: (first version, arguments), oldest first.
_SINCE: dict[str, tuple[tuple[tuple[int, int, int], tuple[str, ...]], ...]] = {
    "accept_mutex": (((0, 0, 0), _ON), ((1, 11, 3), _OFF)),
    "keepalive": (((1, 29, 7), ("32", "local")),),
    "keepalive_requests": (((0, 0, 0), ("100",)), ((1, 19, 10), ("1000",))),
    "proxy_http_version": (((0, 0, 0), ("1.0",)), ((1, 29, 7), ("1.1",))),
    "ssl_protocols": (
        ((0, 0, 0), ("TLSv1", "TLSv1.1", "TLSv1.2")),
        ((1, 23, 4), ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
        ((1, 27, 3), ("TLSv1.2", "TLSv1.3")),
    ),
}
_HTTP11_UPSTREAM = (1, 29, 7)  # HTTP/1.1 and keepalive to upstreams by default
#: The first version that knows a directive, for those that matter to streams.
INTRODUCED: Mapping[str, tuple[int, int, int]] = {
    "add_header_inherit": (1, 29, 3),
    "add_trailer_inherit": (1, 29, 3),
    "http2": (1, 25, 1),
    "http3": (1, 25, 0),
    "keepalive_min_timeout": (1, 27, 4),
    "keepalive_time": (1, 19, 10),
    "limit_conn_dry_run": (1, 17, 6),
    "limit_req_dry_run": (1, 17, 1),
    "mirror": (1, 13, 4),
    "proxy_request_buffering": (1, 7, 11),
    "proxy_socket_keepalive": (1, 15, 6),
    "worker_shutdown_timeout": (1, 11, 11),
}
#: What a family does and no directive can change (the "hardcoded values" of its module).
_FIXED: Mapping[str, tuple[str, ...]] = {
    f"{family}_{name}": args
    for family, names in {
        "grpc": {
            "buffering": _OFF,
            "cache": _OFF,
            "http_version": ("2",),
            "ignore_client_abort": _OFF,
            "pass_request_headers": _ON,
            "request_buffering": _OFF,
        },
        "memcached": {"buffering": _OFF, "cache": _OFF, "ignore_client_abort": _OFF},
    }.items()
    for name, args in names.items()
}
_TIME = re.compile(r"(\d+)(ms|[smhdwMy]?)")
_SECONDS = {
    "": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
    "M": 2592000.0, "y": 31536000.0,
}  # fmt: skip


@functools.lru_cache(maxsize=256)
def number(version: str) -> tuple[int, ...]:
    """ "1.22.1", "nginx/1.22.1 (Debian)" -> (1, 22, 1); () where there is no number."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def knows(name: str, version: str) -> bool:
    """False where that version of nginx has no such directive yet."""
    since, running = INTRODUCED.get(name), number(version)
    return since is None or not running or running >= since


def default(name: str, version: str) -> tuple[str, ...] | None:
    """The arguments a directive has when it is absent; None where absence is "nothing".

    Sizes that nginx measures in memory pages (`PAGE_SIZED`) are given for pages of 4 KiB.
    A version without a number counts as older than all changes.
    """
    if not knows(name, version):
        return None
    value = _DEFAULTS.get(name)
    for since, args in _SINCE.get(name, ()):
        if number(version) >= since or since == (0, 0, 0):
            value = args
    return value


def fixed(name: str) -> tuple[str, ...] | None:
    """What a family always does, as if a directive said so; None where it is a matter of choice."""
    return _FIXED.get(name)


@functools.lru_cache(maxsize=4096)
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
