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
