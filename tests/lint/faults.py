"""One fault each, planted in a healthy site: what it is called, and where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ssemedic.lint import Level
from tests.lint.sites import Node, Site, block

HTTP11_BY_DEFAULT = (1, 29, 7)


@dataclass(frozen=True)
class Fault:
    """``plant`` changes the site and gives the node whose line must be named; None where the
    site cannot have this fault. ``also`` are rules that name what follows from it."""

    rule: str
    level: Level
    plant: Callable[[Site], Node | None]
    also: tuple[str, ...] = ()


def _http10(site: Site) -> Node | None:
    if site.number >= HTTP11_BY_DEFAULT:
        return None
    _without(site, "proxy_http_version")
    return site.stream


def _http10_written(site: Site) -> Node:
    _without(site, "proxy_http_version")
    return site.stream.add("proxy_http_version", "1.0")


def _wrong_location(site: Site) -> Node | None:
    """`location ^/events`: a prefix that no path begins with."""
    if site.stream.words[1] != "~" or site.number >= HTTP11_BY_DEFAULT:
        return None
    site.stream.words = ["location", site.stream.words[2]]
    assert site.server.children is not None
    site.server.children = [n for n in site.server.children if n.words[:2] != ["location", "/"]]
    site.server.children.append(
        block("location", "/", inside=[Node(["proxy_pass", "http://127.0.0.1:8000"])])
    )
    return site.stream


def _lost_by_try_files(site: Site) -> Node | None:
    """The settings stand where the request only passes through."""
    if site.stream.words[1] != "@app" or site.number >= HTTP11_BY_DEFAULT:
        return None
    assert site.server.children is not None and site.stream.children is not None
    first = next(
        n for n in site.server.children if n.children and n.children[0].name == "try_files"
    )
    settings = [n for n in site.stream.children if n.name != "proxy_pass"]
    site.stream.children = [n for n in site.stream.children if n.name == "proxy_pass"]
    site.server.children = [n for n in site.server.children if not n.name.startswith("proxy_")]
    assert first.children is not None
    first.children += [*settings, Node(["proxy_http_version", "1.1"])]
    return first


def _read_timeout(site: Site) -> Node:
    _without(site, "proxy_read_timeout")
    return site.stream.add("proxy_read_timeout", "30s")


def _hop_header(site: Site) -> Node | None:
    return site.stream.add("add_header", "Connection", "keep-alive") if site.tls else None


def _no_http2(site: Site) -> Node | None:
    if not site.tls:
        return None
    site.server.drop("http2")
    for listen in site.server.inside():
        if listen.name == "listen":
            listen.words = [word for word in listen.words if word != "http2"]
    return site.server.find("listen")


def _gzip(site: Site) -> Node:
    _without(site, "proxy_buffering", "gzip")
    site.stream.add("gzip", "on")
    return site.stream.add("gzip_types", "text/plain", "text/event-stream")


def _cache(site: Site) -> Node:
    _without(site, "proxy_buffering", "proxy_cache")
    assert site.http.children is not None
    site.http.drop("proxy_cache_path")
    site.http.children.insert(
        0, Node(["proxy_cache_path", "/var/cache/nginx/a", "keys_zone=kept:1m"])
    )
    site.stream.add("proxy_ignore_headers", "Cache-Control")
    site.stream.add("proxy_cache_valid", "200", "10s")
    return site.stream.add("proxy_cache", "kept")


def _limit_conn(site: Site) -> Node:
    assert site.http.children is not None
    site.http.drop("limit_conn_zone")
    site.http.children.insert(0, Node(["limit_conn_zone", "$binary_remote_addr", "zone=few:1m"]))
    return site.stream.add("limit_conn", "few", "2")


def _localhost(site: Site) -> Node:
    site.stream.drop("proxy_pass")
    return site.stream.add("proxy_pass", "http://localhost:8000")


def _name(site: Site) -> Node:
    site.stream.drop("proxy_pass")
    return site.stream.add("proxy_pass", "http://localhost.localdomain:8000")


def _args_dropped(site: Site) -> Node:
    site.stream.drop("proxy_pass")
    site.stream.add("set", "$backend", "127.0.0.1:8000")
    return site.stream.add("proxy_pass", "http://$backend/events")


def _intercept(site: Site) -> Node:
    site.stream.add("error_page", "401", "403", "404", "=200", "/index.html")
    return site.stream.add("proxy_intercept_errors", "on")


def _shutdown(site: Site) -> Node:
    assert site.main.children is not None
    site.main.drop("worker_shutdown_timeout")
    node = Node(["worker_shutdown_timeout", "5s"])
    site.main.children.insert(0, node)
    return node


def _twice(site: Site) -> Node:
    site.stream.add("add_header", "Access-Control-Allow-Origin", "https://app.example.org")
    return site.stream.add("add_header", "Access-Control-Allow-Origin", "https://app.example.org")


def _lost_cors(site: Site) -> Node:
    assert site.server.children is not None
    site.server.children.insert(
        0, Node(["add_header", "Access-Control-Allow-Origin", "https://app.example.org"])
    )
    return site.stream.add("add_header", "Cache-Control", "no-cache")


def _buffering(site: Site) -> Node | None:
    if site.number >= HTTP11_BY_DEFAULT:
        return None
    _without(site, "proxy_buffering", "proxy_http_version")
    return site.stream


def _ignored(site: Site) -> Node | None:
    if site.number >= HTTP11_BY_DEFAULT:
        return None
    _without(site, "proxy_buffering", "proxy_http_version")
    return site.stream.add("proxy_ignore_headers", "X-Accel-Buffering")


def _wrong_hop(site: Site) -> Node:
    _without(site, "proxy_buffering")
    return site.stream.add("add_header", "X-Accel-Buffering", "no")


def _page(site: Site) -> Node | None:
    """The single-page application takes the stream's URL."""
    if site.stream.words[1] != "/":
        return None
    site.stream.children = [Node(["root", "/srv/www"]), Node(["try_files", "$uri", "/index.html"])]
    return site.stream


def _without(site: Site, *names: str) -> None:
    """The location as if nobody had written these, at any level."""
    for name in names:
        site.stream.drop(name)
        site.server.drop(name)


#: Where all settings of a location are lost, their defaults are named where they count.
_LOST = ("nginx_http10_upstream", "nginx_read_timeout_idle")

FAULTS = {
    "HTTP/1.0 by default": Fault("nginx_http10_upstream", Level.WARNING, _http10),
    "HTTP/1.0 by hand": Fault("nginx_http10_upstream", Level.WARNING, _http10_written),
    "a prefix with a caret": Fault(
        "nginx_location_not_matched", Level.ERROR, _wrong_location, _LOST
    ),
    "settings before try_files": Fault(
        "nginx_internal_redirect_loses_settings", Level.ERROR, _lost_by_try_files, _LOST
    ),
    "30 s of silence": Fault("nginx_read_timeout_idle", Level.ERROR, _read_timeout),
    "a hop header over HTTP/2": Fault("h2_hop_header", Level.ERROR, _hop_header),
    "TLS without HTTP/2": Fault("cl_six_connections", Level.WARNING, _no_http2),
    "gzip over the stream": Fault("nginx_gzip_event_stream", Level.WARNING, _gzip),
    "a cache over the stream": Fault("nginx_cache_sse", Level.WARNING, _cache),
    "buffering and HTTP/1.0": Fault(
        "nginx_proxy_buffering", Level.WARNING, _buffering, ("nginx_http10_upstream",)
    ),
    "the app's header ignored": Fault(
        "nginx_xaccel_ignored",
        Level.WARNING,
        _ignored,
        ("nginx_http10_upstream", "nginx_proxy_buffering"),
    ),
    "the header at the wrong hop": Fault("nginx_xaccel_wrong_hop", Level.NOTE, _wrong_hop),
    "a page in its place": Fault("nginx_html_fallback", Level.ERROR, _page),
    "two connections for each": Fault("nginx_limit_conn", Level.WARNING, _limit_conn),
    "localhost": Fault("nginx_upstream_ipv6_localhost", Level.WARNING, _localhost),
    "a name, resolved once": Fault("nginx_stale_upstream_dns", Level.WARNING, _name),
    "the query dropped": Fault("nginx_args_dropped", Level.WARNING, _args_dropped),
    "errors made pages": Fault("nginx_intercept_errors", Level.WARNING, _intercept),
    "5 s for old workers": Fault("nginx_reload_old_workers", Level.NOTE, _shutdown),
    "CORS twice": Fault("nginx_duplicate_cors", Level.WARNING, _twice),
    "CORS lost": Fault("nginx_header_inheritance", Level.WARNING, _lost_cors),
}
