"""Defaults by version and build, and which directive is inherited how.

The versions are those of nginx.org/en/CHANGES and of the modules' pages at nginx.org/en/docs/http/.
"""

from __future__ import annotations

import pytest

from ssemedic.nginx import Route, route, tree_of
from ssemedic.nginx.build import build_of, module_name
from ssemedic.nginx.versions import default, default_lines

URL = "http://chat.example.org/events"
DEBIAN = """nginx version: nginx/1.22.1
built with OpenSSL 3.0.22 25 Aug 2026
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2 -Wformat' --prefix=/usr/share/nginx \
--http-log-path=/var/log/nginx/access.log --error-log-path=stderr --with-compat \
--with-http_ssl_module --with-http_v2_module --without-http_uwsgi_module --with-stream=dynamic \
--with-http_perl_module=dynamic \
--add-dynamic-module=/build/nginx/debian/modules/http-headers-more-filter \
--add-module=/src/ngx_brotli"""  # fmt: skip
OPENRESTY = """nginx version: openresty/1.25.3.1
configure arguments: --prefix=/usr/local/openresty/nginx --with-cc-opt=-O2 \
--add-module=../ngx_devel_kit-0.3.3 --add-module=../echo-nginx-module-0.63 \
--add-module=../headers-more-nginx-module-0.37 --add-module=../ngx_lua-0.10.26 \
--with-http_v2_module"""


def of(
    server: str = "location / { proxy_pass http://a; }",
    http: str = "",
    version: str = "1.22.1",
    main: str = "",
    build: str = "",
) -> Route:
    text = f"{main}\nhttp {{\n{http}\nserver {{ server_name chat.example.org;\n{server}\n}} }}"
    return route(tree_of({"/n": text.encode()}, "/n"), URL, version, build=build)


@pytest.mark.parametrize(
    ("name", "version", "value"),
    [
        ("proxy_http_version", "1.29.6", "1.0"),  # 1.29.7: HTTP/1.1 and keepalive
        ("proxy_http_version", "1.29.7", "1.1"),
        ("keepalive", "1.29.6", None),
        ("keepalive", "1.29.7", "32 local"),
        ("keepalive_requests", "1.19.9", "100"),  # 1.19.10: 1000
        ("keepalive_requests", "1.19.10", "1000"),
        ("ssl_protocols", "1.22.1", "TLSv1 TLSv1.1 TLSv1.2"),
        ("ssl_protocols", "1.24.0", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),  # 1.23.4
        ("ssl_protocols", "1.27.3", "TLSv1.2 TLSv1.3"),
        ("http2", "1.24.0", None),  # 1.25.1: the directive
        ("http2", "1.25.1", "off"),
        ("http3", "1.24.0", None),
        ("http3", "1.26.3", "on"),
        ("add_header_inherit", "1.29.2", None),  # 1.29.3
        ("add_header_inherit", "1.29.3", "on"),
        ("keepalive_min_timeout", "1.27.3", None),  # 1.27.4
        ("keepalive_min_timeout", "1.27.4", "0"),
        ("accept_mutex", "1.10.0", "on"),  # 1.11.3: off
        ("accept_mutex", "1.22.1", "off"),
        ("proxy_request_buffering", "1.22.1", "on"),
        ("scgi_read_timeout", "1.22.1", "60s"),
        ("uwsgi_buffers", "1.22.1", "8 4k"),
        ("fastcgi_intercept_errors", "1.22.1", "off"),
        ("grpc_read_timeout", "1.22.1", "60s"),
        ("worker_connections", "1.22.1", "512"),
        ("worker_shutdown_timeout", "1.22.1", None),
        ("proxy_ignore_headers", "1.22.1", None),
    ],
)  # fmt: skip
def test_defaults_by_version(name: str, version: str, value: str | None) -> None:
    found = default(name, version)
    assert (None if found is None else " ".join(found)) == value


def test_nginx_asks_its_upstream_to_close_before_1_29_7() -> None:
    assert ("Connection", "close") in default_lines("proxy_set_header", "1.29.6")
    assert ("Connection", "") in default_lines("proxy_set_header", "1.29.7")


@pytest.mark.parametrize("family", ["proxy", "fastcgi", "uwsgi", "scgi"])
def test_a_stream_setting_is_that_of_the_family_in_use(family: str) -> None:
    target = "http://a" if family == "proxy" else "a:1"
    found = of(
        f"proxy_buffering on; {family}_buffering off;\n"
        f"location / {{ {family}_pass {target}; {family}_hide_header A; }}\n"
        f"{family}_hide_header B;"
    )
    assert found.family == family
    assert found.stream_setting("buffering").first == "off"
    assert found.stream_setting("buffering").where == "/n:5"
    assert found.stream_setting("hide_header").values == (("A",),)
    assert found.stream_setting("read_timeout").where == "default of 1.22.1"


def test_grpc_never_buffers_whatever_is_written() -> None:
    found = of("location / { grpc_pass grpc://a; proxy_buffering on; }").stream_setting("buffering")
    assert (found.first, found.where, found.is_default) == ("off", "always so in grpc", True)


def test_settings_of_the_process_are_found_from_a_route() -> None:
    found = of(
        main="worker_rlimit_nofile 9000;\nworker_shutdown_timeout 30s;\nerror_log /e warn;\n"
        "events {\n worker_connections 12; }"
    )
    said = {n: (found.setting(n).first, found.setting(n).where) for n in (
        "worker_rlimit_nofile", "worker_shutdown_timeout", "worker_connections", "error_log",
        "worker_processes")}  # fmt: skip
    assert said == {
        "worker_rlimit_nofile": ("9000", "/n:1"),
        "worker_shutdown_timeout": ("30s", "/n:2"),
        "worker_connections": ("12", "/n:5"),
        "error_log": ("/e", "/n:3"),
        "worker_processes": ("1", "default of 1.22.1"),
    }


def test_allow_and_deny_are_one_list() -> None:
    found = of("deny all; location / { allow 10.0.0.0/8; proxy_pass http://a; }")
    assert found.setting("deny").values == ()
    assert [d.args for d in found.access_rules] == [("10.0.0.0/8",)]
    assert found.serves == "proxy"
    assert of("deny all; location / { proxy_pass http://a; }").status == 403
    either = of("deny all; satisfy any; auth_basic x; location / { proxy_pass http://a; }")
    assert either.serves == "proxy"


def test_headers_more_adds_to_the_outer_levels() -> None:
    found = of("more_set_headers A; location / { more_set_headers B; proxy_pass http://a; }")
    assert found.setting("more_set_headers").values == (("A",), ("B",))


@pytest.mark.parametrize(
    ("version", "how", "expected"),
    [
        ("1.29.3", "add_header_inherit merge;", ["C", "B", "A"]),
        ("1.29.3", "add_header_inherit off;", ["C"]),
        ("1.29.3", "", ["C"]),
        ("1.29.2", "add_header_inherit merge;", ["C"]),
    ],
)
def test_add_header_is_inherited_as_its_rule_says(
    version: str, how: str, expected: list[str]
) -> None:
    found = of(
        f"add_header B 2; location / {{ {how} proxy_pass http://a; add_header C 3 always; }}",
        http="add_header A 1;" + (how if "merge" in how else ""),
        version=version,
    )
    assert [name for name, _, _ in found.added_headers()] == expected
    assert [name for name, _, _ in found.added_headers(502)] == ["C"]


def test_a_level_without_lines_of_its_own_may_refuse_the_outer_ones() -> None:
    found = of(
        "add_header A 1; location / { add_header_inherit off; proxy_pass http://a; }",
        version="1.29.3",
    )
    assert found.added_headers() == ()


def test_a_build_tells_its_modules() -> None:
    build = build_of(DEBIAN)
    assert (build.flavour, build.version, build.known) == ("nginx", "1.22.1", True)
    assert {"http_v2", "http_ssl", "brotli", "http_gzip"} <= build.static
    assert {"headers_more", "http_perl"} <= build.dynamic
    assert "http_uwsgi" not in build.static
    assert build.access_log == "/var/log/nginx/access.log"


def test_a_module_works_when_it_is_compiled_in_or_loaded() -> None:
    load = "load_module modules/ngx_http_headers_more_filter_module.so;"
    assert of(build=DEBIAN).module("headers_more") is False
    assert of(build=DEBIAN, main=load).module("headers_more") is True
    assert of(build=DEBIAN).module("brotli") is True
    assert of(build=DEBIAN).module("modsecurity") is False
    assert of().module("modsecurity") is None
    assert of(main="load_module /x/ngx_http_modsecurity_module.so;").module("modsecurity") is True
    assert of(build=OPENRESTY).module("lua") is True
    assert of(build=OPENRESTY).build.flavour == "openresty"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("modules/ngx_http_brotli_filter_module.so", "brotli"),
        ("/usr/lib/nginx/modules/ngx_http_js_module.so", "njs"),
        ("/src/njs-0.8.1/nginx", "njs"),
        ("ngx_http_modsecurity_module.so", "modsecurity"),
        ("modsecurity-nginx-1.0.3", "modsecurity"),
        ("http_v3_module", "http_v3"),
        ("ngx_http_geoip2_module.so", "geoip2"),
    ],
)
def test_modules_have_one_name(text: str, name: str) -> None:
    assert module_name(text) == name


@pytest.mark.parametrize(
    ("version", "listen", "extra", "expected"),
    [
        ("1.22.1", "443 ssl http2", "", ("h2", "http/1.1")),
        ("1.22.1", "443 ssl", "", ("http/1.1",)),
        ("1.26.3", "443 ssl", "http2 on;", ("h2", "http/1.1")),
        ("1.26.3", "443 ssl", "listen 443 quic;", ("http/1.1", "h3")),
        ("1.26.3", "443 ssl", "listen 443 quic; http3 off;", ("http/1.1",)),
        ("1.22.1", "443 http2", "", ("h2c",)),
        ("1.26.3", "443 http2", "", ("h2c", "http/1.1")),
        ("1.22.1", "443 http2", "ssl on;", ("h2", "http/1.1")),
    ],
)
def test_what_a_client_may_speak(
    version: str, listen: str, extra: str, expected: tuple[str, ...]
) -> None:
    text = f"http {{ server {{ listen {listen}; {extra} location / {{ proxy_pass http://a; }} }} }}"
    found = route(tree_of({"/n": text.encode()}, "/n"), "https://h/events", version)
    assert found.protocols == expected


def test_http2_counts_for_every_server_of_a_socket() -> None:
    text = b"""http {
      server { listen 443 ssl http2; server_name a; }
      server { listen 443 ssl; server_name b; location / { proxy_pass http://x; } } }"""
    found = route(tree_of({"/n": text}, "/n"), "https://b/", "1.22.1")
    assert found.protocols == ("h2", "http/1.1")


def test_access_logs_come_with_the_text_of_their_format() -> None:
    found = of(
        "access_log /a.log main if=$loud;\naccess_log /b.log;\nlocation / { proxy_pass http://a; }",
        http="log_format main escape=json '$request '\n '$status';",
    )
    first, second = found.access_logs
    assert (first.path, first.text, first.condition) == ("/a.log", "$request $status", "$loud")
    assert (first.where, first.format_where) == ("/n:6", "/n:3")
    assert (second.format, second.text is not None, second.format_where) == ("combined", True, "")
    assert of("access_log off; location / { proxy_pass http://a; }").access_logs == ()
    (default_log,) = of(build=DEBIAN).access_logs
    assert (default_log.path, default_log.where) == (
        "/var/log/nginx/access.log", "default of 1.22.1")  # fmt: skip
