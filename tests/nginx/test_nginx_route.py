"""What a route tells beyond what a running nginx can show: places, reasons, defaults."""

from __future__ import annotations

import time

import pytest

from ssemedic.nginx import ConfigError, endpoints, parse, route, seconds, tree_of

URL = "http://chat.example.org/events"


def of(server: str, http: str = "", url: str = URL, version: str = "1.22.1"):  # type: ignore[no-untyped-def]
    text = f"http {{\n{http}\nserver {{ server_name chat.example.org;\n{server}\n}} }}"
    return route(tree_of({"/n": text.encode()}, "/n"), url, version)


def test_a_setting_says_where_it_is_written() -> None:
    found = of("location /events { proxy_pass http://a:1; }\nproxy_read_timeout 90s;")
    assert found.setting("proxy_read_timeout").where == "/n:5"
    assert found.setting("proxy_buffering").where == "default of 1.22.1"
    assert found.setting("proxy_buffering").values == (("on",),)
    assert found.setting("proxy_ignore_headers").values == ()


@pytest.mark.parametrize(
    ("version", "http", "connection", "keepalive"),
    [
        ("1.22.1", "1.0", "close", ()),
        ("nginx/1.29.6 (Ubuntu)", "1.0", "close", ()),
        ("1.29.7", "1.1", "", (("32", "local"),)),
        ("1.30.0", "1.1", "", (("32", "local"),)),
    ],
)
def test_defaults_are_those_of_the_version(
    version: str, http: str, connection: str, keepalive: tuple[tuple[str, ...], ...]
) -> None:
    found = of("location / { proxy_pass http://a; }", version=version)
    assert found.setting("proxy_http_version").values == ((http,),)
    assert found.setting("proxy_set_header").keyed("connection") == (connection,)
    assert found.setting("keepalive").values == keepalive


def test_scalars_are_inherited_and_arrays_replaced_whole() -> None:
    found = of(
        "proxy_buffering off; proxy_set_header A 1; proxy_set_header B 2; add_header C 3;\n"
        "location / { proxy_set_header D 4; location /events { proxy_pass http://a; } }"
    )
    assert found.setting("proxy_buffering").values == (("off",),)
    assert found.setting("proxy_set_header").values == (("D", "4"),)
    assert found.setting("proxy_set_header").keyed("Host") == ("$proxy_host",)
    assert found.setting("add_header").values == (("C", "3"),)


def test_targets_name_the_line_of_the_server_behind_an_upstream() -> None:
    found = of(
        "location / { proxy_pass http://app; }",
        http="upstream app {\n server 10.0.0.1;\n server unix:/run/a.sock backup;\n"
        " server [::1]:81 down;\n keepalive 8; }",
    )
    got = [(t.host, t.port, t.unix, t.where, t.backup, t.down) for t in found.targets]
    assert got == [
        ("10.0.0.1", 80, "", "/n:3", False, False),
        ("", 0, "/run/a.sock", "/n:4", True, False),
        ("::1", 81, "", "/n:5", False, True),
    ]
    assert found.setting("keepalive").values == (("8",),)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000, "", "http")),
        ("https://a.example/x", ("a.example", 443, "", "https")),
        ("http://[::1]:9/", ("::1", 9, "", "http")),
        ("http://unix:/run/a.sock", ("", 0, "/run/a.sock", "http")),
        ("http://unix:/run/a.sock:/x", ("", 0, "/run/a.sock", "http")),
        ("http://$b", ("10.1.1.1", 7, "", "http")),
        ("http://$mapped", ("10.2.2.2", 80, "", "http")),
    ],
)
def test_targets_of_a_pass(written: str, expected: tuple[str, int, str, str]) -> None:
    found = of(
        f"set $b 10.1.1.1:7; location / {{ proxy_pass {written}; }}",
        http="map $uri $mapped { default x; ~^/ev 10.2.2.2; }",
    )
    (target,) = found.targets
    assert (target.host, target.port, target.unix, target.scheme) == expected


def test_a_target_that_only_a_request_can_tell_is_noted_not_guessed() -> None:
    found = of("location / {\n proxy_pass http://$cookie_backend; }")
    assert (found.serves, found.targets, found.resolved) == ("proxy", (), False)
    assert found.notes == ("/n:5: http://$cookie_backend depends on what only a request can tell",)


def test_a_variable_with_a_uri_loses_path_and_query() -> None:
    url = URL + "?access_token=x"
    found = of("set $b a; location / { proxy_pass http://$b/stream; }", url=url)
    assert found.uri_passed == "/stream"
    assert (
        of("location / { proxy_pass http://a/s; }", url=url).uri_passed == "/sevents?access_token=x"
    )


@pytest.mark.parametrize(
    ("value", "passed"),
    [("''", "/events"), ("$args&v=2", "/events?t=1&v=2"), ("b=2", "/events?b=2")],
)
def test_args_that_are_set_are_what_the_upstream_is_asked_with(value: str, passed: str) -> None:
    found = of(
        f"location /events {{ set $args {value}; proxy_pass http://a:1; }}", url=f"{URL}?t=1"
    )
    assert found.uri_passed == passed


def test_the_chain_shows_the_location_whose_settings_were_lost() -> None:
    found = of(
        "location /events { proxy_buffering off;\n try_files /x @app; }\n"
        "location @app { proxy_pass http://a; }"
    )
    assert [x.label for x in found.chain] == ["location /events", "location @app"]
    assert found.handed_over == ("try_files at /n:5",)
    assert found.setting("proxy_buffering").is_default


def test_a_page_in_place_of_a_stream_is_a_file() -> None:
    found = of("root /srv; location / { try_files $uri $uri/ /index.html; }")
    assert (found.serves, found.file, found.targets) == ("static", "/index.html", ())
    assert found.location is not None
    assert (found.location.label, found.location.where) == ("location /", "/n:4")


def test_try_files_of_the_server_counts_where_no_location_takes_the_request() -> None:
    found = of(
        "try_files $uri/index.html $uri @puma; location ^~ /assets/ { expires max; }\n"
        "location @puma { proxy_pass http://a; }"
    )
    assert [x.label for x in found.chain] == ["location @puma"]
    assert found.serves == "proxy"


@pytest.mark.parametrize("guard", ["$uri", "$document_uri", "$fastcgi_script_name"])
def test_a_script_that_is_only_looked_for_is_taken_to_be_there(guard: str) -> None:
    site = f"location ~ [.]php$ {{ try_files {guard} =404; fastcgi_pass unix:/php.sock; }}\n"
    for url, more in (("/sse.php", ""), ("/x", "location / { try_files $uri /index.php?$args; }")):
        found = of(site + more, url=f"http://chat.example.org{url}")
        assert (found.serves, found.status) == ("proxy", None)
    for handler in ("", "proxy_pass http://a;"):  # no stream of an app is a file
        found = of(f"location / {{ try_files $uri $uri/ {guard} =404; {handler} }}")
        assert (found.serves, found.status) == ("return", 404)


def test_a_condition_that_cannot_be_known_is_noted() -> None:
    found = of("location / { if ($cookie_x) { return 403; }\n proxy_pass http://a; }")
    assert found.serves == "proxy"
    assert found.notes == ("/n:4: the condition ($cookie_x) cannot be known, taken as false",)


def test_an_address_in_the_url_picks_the_listen_of_that_address() -> None:
    files = {
        "/n": b"""http {
        server { listen 10.0.0.1:80; location / { proxy_pass http://exact; } }
        server { listen 80; location / { proxy_pass http://any; } }
        server { listen [::]:80; location / { proxy_pass http://six; } }
    }"""
    }
    tree = tree_of(files, "/n")
    hosts = {u: route(tree, u, "1").targets[0].host for u in
             ("http://10.0.0.1/", "http://10.0.0.2/", "http://[::1]/", "http://name/")}  # fmt: skip
    assert list(hosts.values()) == ["exact", "any", "six", "any"]
    assert route(tree, "http://name/", "1", address="10.0.0.1").targets[0].host == "exact"


def test_nothing_that_listens_is_said_in_words() -> None:
    found = of("location / { proxy_pass http://a; }", url="http://chat.example.org:81/events")
    assert (found.serves, found.notes) == ("none", ("no server listens on port 81",))
    assert route(tree_of({"/n": b"events {}"}, "/n"), URL, "1").notes == ("/n: has no http block",)


@pytest.mark.parametrize("url", ["chat.example.org/events", "ftp://x/", "http:///x", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no absolute http or https URL"):
        of("", url=url)


@pytest.mark.parametrize(
    ("text", "value"),
    [("60", 60), ("60s", 60), ("1h", 3600), ("1h30m", 5400), ("500ms", 0.5), ("1d", 86400),
     ("off", None), ("", None), ("$t", None)],
)  # fmt: skip
def test_times_are_seconds(text: str, value: float | None) -> None:
    assert seconds(text) == value


def test_candidates_are_proxied_locations_that_look_like_streams() -> None:
    files = {
        "/n": b"""http {
        server { listen 8080; server_name chat.example.org;
            location / { root /srv; }
            location /api/ { proxy_pass http://127.0.0.1:1; }
            location /plain { proxy_pass http://127.0.0.1:2; proxy_buffering off; }
            location /v1/events { proxy_pass http://127.0.0.1:3; proxy_buffering off;
                                  proxy_read_timeout 1h; }
            location ~ ^/sse/ { proxy_pass http://127.0.0.1:4; }
            location /live { try_files /x @app; }
            location @app { proxy_pass http://127.0.0.1:5; proxy_buffering off; }
            location /events-calendar { proxy_pass http://127.0.0.1:6; }
            location /streams.html { root /srv; }
        }
        server { listen 443 ssl; server_name *.example.org; location /sse { proxy_pass http://x; } }
    }"""
    }
    found = endpoints(tree_of(files, "/n"))
    assert [(c.url, c.targets[0].port) for c in found] == [
        ("http://chat.example.org:8080/v1/events", 3),
        ("http://chat.example.org:8080/live", 5),
        ("http://chat.example.org:8080/plain", 2),
        ("http://chat.example.org:8080/sse/", 4),
        ("http://chat.example.org:8080/events-calendar", 6),
        ("https://127.0.0.1/sse", 80),
    ]
    assert len(found[0].reasons) == 3


def test_a_broken_file_among_the_includes_is_the_error() -> None:
    files = {"/etc/n": b"http { include s/*; }", "/etc/s/a": b"server {\n"}
    with pytest.raises(ConfigError, match=r'^/etc/s/a:1: block "server" is not closed'):
        tree_of(files, "/etc/n")


def test_ten_thousand_servers_are_read_in_seconds() -> None:
    block = b"server { listen 80; server_name s%d.example; location / { proxy_pass http://a; } }\n"
    content = b"".join(block % i for i in range(10_000))
    start = time.process_time()
    assert len(parse("/n", content).directives) == 10_000
    assert time.process_time() - start < 5


def test_an_ipv6_listen_without_the_server_is_told() -> None:
    text = b"""http {
    server { listen 80 default_server; listen [::]:80 default_server; root /srv; }
    server { listen 80; server_name chat.example.org; location / { proxy_pass http://a; } }
    }"""
    tree = tree_of({"/n": text}, "/n")
    found = route(tree, URL, "1.22.1")
    assert found.serves == "proxy"
    assert [(at.address, server.line) for at, server in found.others] == [("::", 2)]
    assert route(tree, URL, "1.22.1", address="::1").serves == "static"


def test_a_unix_socket_has_its_own_servers() -> None:
    text = b"""http {
    server { listen unix:/run/n.sock; server_name x; location / { proxy_pass http://sock; } }
    server { listen 80; location / { proxy_pass http://tcp; } } }"""
    tree = tree_of({"/n": text}, "/n")
    assert route(tree, URL, "1", address="unix:/run/n.sock").targets[0].host == "sock"
    assert route(tree, URL, "1").targets[0].host == "tcp"
    assert route(tree, URL, "1", address="unix:/other").serves == "none"


def test_an_address_that_nothing_listens_at_is_said() -> None:
    tree = tree_of({"/n": b"http { server { listen 10.0.0.1:80; } }"}, "/n")
    found = route(tree, URL, "1", address="127.0.0.1")
    assert (found.serves, found.notes) == ("none", ("no server listens at 127.0.0.1 port 80",))


@pytest.mark.parametrize(
    ("block", "hosts"),
    [
        ("map $cookie_canary $b { default one; yes two; }", {"one", "two"}),
        ("geo $b { default one; 10.0.0.0/8 two; }", {"one", "two"}),
        ("split_clients $remote_addr $b { 50% one; * two; }", {"one", "two"}),
        ("map $cookie_x $c { ~a one; }  map $c $b { one two; default three; }", {"two", "three"}),
        ("map $cookie_x $b { default $cookie_y; }", set()),
    ],
)
def test_a_target_that_the_client_decides_has_all_its_possibilities(
    block: str, hosts: set[str]
) -> None:
    found = of("location / { proxy_pass http://$b; }", http=block)
    assert (found.targets, found.resolved) == ((), False)
    assert {t.host for t in found.possible_targets} - {""} == hosts


def test_what_an_unknown_condition_sets_is_not_known_afterwards() -> None:
    found = of(
        "set $b one; if ($cookie_x) { set $b two; }\n location / { proxy_pass http://$b; }",
    )
    assert (found.targets, found.resolved) == ((), False)


def test_a_name_from_a_variable_needs_a_resolver() -> None:
    lines = "set $b app.internal; location / { proxy_pass http://$b; }"
    assert "no resolver is set" in of(lines).notes[0]
    assert of("resolver 127.0.0.53; " + lines).notes == ()
    assert of(lines, http="upstream app.internal { server 10.0.0.1; }").notes == ()


def test_the_servers_of_an_upstream_are_at_port_80_unless_they_say_so() -> None:
    found = of(
        "location / { proxy_pass https://app; }",
        http="upstream app { server a.internal resolve; server 10.0.0.1:444; zone z 64k; }",
    )
    assert [(t.host, t.port, t.resolve, t.name) for t in found.targets] == [
        ("a.internal", 80, True, "a.internal"),
        ("10.0.0.1", 444, False, ""),
    ]
    assert found.setting("zone").values == (("z", "64k"),)
    assert found.upstream_setting("resolver").values == ()


def test_captures_of_the_server_name_are_variables() -> None:
    text = rb"""http { server { server_name ~^(?<who>\w+)\.example\.org$;
      location / { proxy_pass http://$who-app; } }
      server { server_name x; } }"""
    found = route(tree_of({"/n": text}, "/n"), URL, "1")
    assert found.targets[0].host == "chat-app"


NGINX = "/etc/nginx/nginx.conf"
DISTRIBUTIONS: dict[str, tuple[dict[str, str], str]] = {
    "debian": (
        {
            NGINX: "include /etc/nginx/modules-enabled/*.conf;\nevents { }\nhttp {\n"
            "include /etc/nginx/mime.types; include /etc/nginx/conf.d/*.conf;\n"
            "include /etc/nginx/sites-enabled/*;\n}",
            "/etc/nginx/mime.types": "types { text/html html; }",
            "/etc/nginx/modules-enabled/50-x.conf": "load_module modules/ngx_http_x_module.so;",
            "/etc/nginx/sites-enabled/default": "server { listen 80 default_server;\n"
            "listen [::]:80 default_server; location / { try_files $uri =404; } }",
            "/etc/nginx/sites-enabled/chat": "server { listen 80; server_name chat.example.org;\n"
            "include snippets/stream.conf; }",
            "/etc/nginx/snippets/stream.conf": "location /events {\n"
            "proxy_pass http://127.0.0.1:8000; include proxy_params; }",
            "/etc/nginx/proxy_params": "proxy_set_header Host $http_host;\nproxy_buffering off;",
        },
        "/etc/nginx/proxy_params:2",
    ),
    "rhel": (
        {
            NGINX: "events { }\nhttp {\n include /etc/nginx/conf.d/*.conf;\n"
            "server { listen 80; listen [::]:80; server_name _; root /usr/share/nginx/html;\n"
            "include /etc/nginx/default.d/*.conf; } }",
            "/etc/nginx/default.d/stream.conf": "location /events {\n"
            "proxy_pass http://127.0.0.1:8000; proxy_buffering off; }",
        },
        "/etc/nginx/default.d/stream.conf:2",
    ),
    "docker": (
        {
            NGINX: "events { }\nhttp { include /etc/nginx/conf.d/*.conf; }",
            "/etc/nginx/conf.d/default.conf": "server { listen 80; server_name localhost;\n"
            "location / { root /usr/share/nginx/html; index index.html; }\n"
            "location ^~ /events { proxy_pass http://127.0.0.1:8000;\nproxy_buffering off; } }",
        },
        "/etc/nginx/conf.d/default.conf:4",
    ),
    "openresty": (
        {
            NGINX: "events { }\nhttp { lua_shared_dict x 1m;\n"
            "init_by_lua_block { x = { a = '}' } }\nserver { listen 80;\n"
            "location /events { proxy_pass http://127.0.0.1:8000; proxy_buffering off;\n"
            "header_filter_by_lua_block { ngx.header.x = '{' } } } }",
        },
        f"{NGINX}:5",
    ),
    "proxy manager": (
        {
            NGINX: "events { }\nhttp { include /data/nginx/proxy_host/*.conf; }",
            "/data/nginx/proxy_host/1.conf": "server { set $forward_scheme http;\n"
            "set $server 127.0.0.1; set $port 8000; listen 80; server_name chat.example.org;\n"
            "proxy_buffering off; location / { include conf.d/include/proxy.conf; } }",
            "/etc/nginx/conf.d/include/proxy.conf": "proxy_set_header Host $host;\n"
            "proxy_pass $forward_scheme://$server:$port$request_uri;",
        },
        "/data/nginx/proxy_host/1.conf:3",
    ),
    "ingress": (
        {
            NGINX: "events { }\nhttp {\nupstream upstream_balancer { server 127.0.0.1:8000;\n"
            "balancer_by_lua_block { tcp() } keepalive 320; }\n"
            "server { server_name chat.example.org; listen 80; set $proxy_upstream_name -;\n"
            "location /events/ { return 404; }\n"
            'location = /events { set $service_port "80"; proxy_buffering off;\n'
            "proxy_pass http://upstream_balancer; proxy_redirect off; } } }",
        },
        f"{NGINX}:7",
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_usual_layouts_lead_to_the_app_and_to_the_line(name: str) -> None:
    files, where = DISTRIBUTIONS[name]
    tree = tree_of({path: text.encode() for path, text in files.items()}, NGINX)
    found = route(tree, URL + "?access_token=x", "1.22.1")
    (target,) = found.targets
    assert (target.host, target.port) == ("127.0.0.1", 8000)
    assert found.uri_passed == "/events?access_token=x"
    assert found.setting("proxy_buffering").where == where
    assert found.resolved


@pytest.mark.parametrize(
    ("http", "server"),
    [
        ("", "".join(f"location ~ ^/(a+)+{i}$ {{ return 204; }}" for i in range(20))),
        ("", "location / { rewrite ^(.*)$ $1x last; }"),
        ("", "location / { rewrite ^(.*)$ $1$1$1$1$1$1$1$1$1$1 last; }"),
        ("", "set $a aaaa; " + "set $a $a$a; " * 60 + "location / { proxy_pass http://$a; }"),
        ("".join(f"map $m{i + 1}$m{i + 1} $m{i} {{ default $m{i + 1}; }}" for i in range(40)),
         "location / { proxy_pass http://$m0; }"),
        ("", "recursive_error_pages on; location / { return 400; }" + "".join(
            f"error_page 4{i:02} @n{i}; location @n{i} {{ return 4{i + 1:02}; }}"
            for i in range(20))),
        ("", "location / { try_files /a /b; } location /b { try_files /b /a; }"),
        ("", "location / { error_page 404 /x; recursive_error_pages on; return 404; }"),
    ],
)  # fmt: skip
def test_hostile_configurations_end_in_bounded_time(http: str, server: str) -> None:
    start = time.process_time()
    found = of(server, http=http, url="http://chat.example.org/" + "a" * 3000)
    assert found.server is not None
    assert time.process_time() - start < 2


def test_a_cycle_is_the_500_that_nginx_gives() -> None:
    found = of("location / { rewrite ^(.*)$ $1x last; }")
    assert (found.status, found.serves) == (500, "none")
    assert found.notes == ("rewrite or internal redirection cycle: nginx answers 500",)


def test_ten_thousand_servers_are_routed_in_seconds() -> None:
    block = (
        "server {{ listen 80; listen [::]:80; server_name s{0}.example *.s{0}.example;\n"
        "location / {{ try_files $uri /i; }} location /events {{ proxy_pass http://a; }} }}\n"
    )
    text = "http {" + "".join(block.format(i) for i in range(10_000)) + "}"
    tree = tree_of({"/n": text.encode()}, "/n")
    start = time.process_time()
    for i in range(0, 10_000, 100):
        found = route(tree, f"http://x.s{i}.example/events", "1.22.1")
        assert found.server is not None
        assert tree.lines(found.server, "server_name")[0].args[0] == f"s{i}.example"
    assert time.process_time() - start < 5
