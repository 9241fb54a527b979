"""Lines taken away, locations copied, limits set: as a real nginx serves it then."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from real_nginx import Echo, RealNginx, running
from test_nginx_adopt import (
    BUFFERING,
    CONNECTION,
    SITE,
    TIMEOUT,
    VERSION,
    Host,
    diff,
    values,
)

from ssemedic.nginx import Edit, FileEdit, Line, Refusal, UnsafeError, adopt, route
from ssemedic.nginx.effect import check_effect
from ssemedic.nginx.merge import Wishes


class Talker(Echo):
    """Also sends headers that nginx hides, ignores or obeys as it is told."""

    def end_headers(self) -> None:
        self.send_header("X-Powered-By", "talker")
        if "redirect" in self.path:
            self.send_header("X-Accel-Redirect", "/elsewhere")
        if "moved" in self.path:
            port = self.server.server_address[1]
            self.send_header("Location", f"http://127.0.0.1:{port}/base/moved/login")
        super().end_headers()


@pytest.fixture(scope="module")
def talker() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Talker)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(nginx: RealNginx, tmp_path: Path) -> Host:
    return Host(tmp_path, nginx)


@pytest.fixture
def site(nginx: RealNginx, tmp_path: Path, free_port: int) -> Host:
    return Host(tmp_path, nginx, f"http://chat.example.org:{free_port}/events?topic=a")


def gone(name: str, key: str) -> tuple[Line, ...]:
    return (Line(name, (key,), "some_cause", "it is in the way"),)


def server(site: Host, body: str) -> str:
    port = site.url.split(":")[2].partition("/")[0]
    return (
        f"server {{\n    listen 127.0.0.1:{port};\n    server_name chat.example.org;\n{body}\n}}\n"
    )


def asked(site: Host, *paths: str, headers: dict[str, str] | None = None) -> list[Any]:
    """What a running nginx answers: status, headers, and what the upstream was asked."""
    port = int(site.url.split(":")[2].partition("/")[0])
    process = running(site.nginx, site.root / "nginx.conf", port)
    out = []
    try:
        for path in paths:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path, headers={"Host": "chat.example.org", **(headers or {})})
            answer = connection.getresponse()
            body = answer.read()
            json_type = "json" in answer.headers.get("Content-Type", "")
            zipped = answer.headers.get("Content-Encoding") == "gzip"
            told = json.loads(body) if json_type and not zipped else {}
            out.append((answer.status, answer.headers, told))
            connection.close()
    finally:
        process.terminate()
        process.wait(5)
        if process.stderr:
            process.stderr.close()
    return out


@pytest.mark.parametrize(
    ("outer", "own", "expected", "lines"),
    [
        ("add_header X-F 1; add_header Connection keep-alive;", "", {"X-F": "1"}, 2),
        ("add_header Connection keep-alive;", "", {}, 1),
        ("add_header X-F 1;", "add_header connection keep-alive;", {}, 1),
        (
            "add_header X-F 1;",
            "add_header Connection keep-alive; add_header X-O 2;",
            {"X-O": "2"},
            0,
        ),
        ("", "add_header Connection keep-alive;", {}, 0),
    ],
)
def test_an_added_header_goes_and_every_other_one_is_as_it_was(
    site: Host, talker: int, outer: str, own: str, expected: dict[str, str], lines: int
) -> None:
    site.write(
        server(site, f"location /events {{ {own} proxy_pass http://127.0.0.1:{talker}; }}"),
        http=outer,
    )
    edit, _ = site.repair(without=gone("add_header", "Connection"))
    assert len(edit.directives) == lines
    ((status, headers, _told),) = asked(site, "/events")
    assert status == 200
    assert headers.get_all("Connection") != ["keep-alive", "keep-alive"]
    assert {name: headers[name] for name in ("X-F", "X-O") if name in headers} == expected


@pytest.mark.parametrize(
    ("outer", "own", "expected"),
    [
        ("proxy_set_header Range no; proxy_set_header X-S s;", "", {"range": "b=1", "x-s": "s"}),
        ("proxy_set_header Range no;", "", {"range": "b=1"}),
        ("proxy_set_header X-S s;", "proxy_set_header Range no;", {"range": "b=1"}),
        ("", "proxy_set_header Range no; proxy_set_header X-S s;", {"range": "b=1", "x-s": "s"}),
    ],
)
def test_a_request_header_is_again_what_the_client_sends(
    site: Host, talker: int, outer: str, own: str, expected: dict[str, str]
) -> None:
    site.write(
        server(site, f"location /events {{ {own} proxy_pass http://127.0.0.1:{talker}; }}"),
        http=outer,
    )
    site.repair(without=gone("proxy_set_header", "Range"))
    ((_, _, told),) = asked(site, "/events", headers={"Range": "b=1"})
    assert {k: told["headers"][k] for k in ("range", "x-s") if k in told["headers"]} == expected


@pytest.mark.parametrize(
    ("outer", "own"),
    [
        ("proxy_hide_header X-Powered-By; proxy_hide_header X-Other;", ""),
        ("proxy_hide_header X-Other;", "proxy_hide_header X-Powered-By;"),
    ],
)
def test_a_hidden_header_is_passed_on_again(site: Host, talker: int, outer: str, own: str) -> None:
    site.write(
        server(site, f"location /events {{ {own} proxy_pass http://127.0.0.1:{talker}; }}"),
        http=outer,
    )
    site.repair(without=gone("proxy_hide_header", "X-Powered-By"))
    ((_, headers, _told),) = asked(site, "/events")
    assert headers["X-Powered-By"] == "talker"


@pytest.mark.parametrize("ignored", ["X-Accel-Redirect Expires", "X-Accel-Redirect"])
@pytest.mark.parametrize("inherited", [True, False])
def test_an_ignored_header_counts_again(
    site: Host, talker: int, ignored: str, inherited: bool
) -> None:
    line = f"proxy_ignore_headers {ignored};"
    own = "" if inherited else line
    body = (
        f"location /events {{ {own} proxy_pass http://127.0.0.1:{talker}/redirect; }}\n"
        "location /elsewhere { return 204; }"
    )
    site.write(server(site, body), http=line if inherited else "proxy_ignore_headers Vary;")
    assert asked(site, "/events")[0][0] == 200
    edit, _ = site.repair(without=gone("proxy_ignore_headers", "X-Accel-Redirect"))
    assert asked(site, "/events")[0][0] == 204
    rest = "Expires" if "Expires" in ignored else "X-Accel-Charset"
    assert [line.args for line in edit.directives] == [(rest,)]


@pytest.mark.parametrize("types", ["application/json text/css", "application/json"])
def test_a_type_is_compressed_no_more(site: Host, talker: int, types: str) -> None:
    site.write(
        server(site, f"location /events {{ proxy_pass http://127.0.0.1:{talker}; }}"),
        http=f"gzip on; gzip_min_length 1; gzip_types {types};",
    )
    accept = {"Accept-Encoding": "gzip"}
    assert asked(site, "/events", headers=accept)[0][1]["Content-Encoding"] == "gzip"
    site.repair(without=gone("gzip_types", "application/json"))
    assert asked(site, "/events", headers=accept)[0][1]["Content-Encoding"] is None


def test_what_no_line_of_a_location_stops_is_refused(site: Host) -> None:
    site.write(
        server(site, "location /events { proxy_pass http://127.0.0.1:1; }"),
        http="limit_conn_zone $binary_remote_addr zone=a:1m; limit_conn a 1; keepalive_timeout 5s;",
    )
    refused = site.adopt(without=gone("limit_conn", "a"))
    assert isinstance(refused, Refusal)
    assert "limit_conn a is inherited, and no line of a location stops it" in refused.reason
    refused = site.adopt(without=gone("keepalive_timeout", "5s"))
    assert isinstance(refused, Refusal)
    assert "a location cannot be without it" in refused.reason
    main = site.root / "nginx.conf"
    assert len(refused.advice) == 1
    assert refused.advice[0].startswith(f"# without keepalive_timeout 5s; of {main}:")
    assert refused.where.endswith("in location /events")


WIDE = {
    "the whole site": "location / {{ proxy_pass http://127.0.0.1:{port}; }}",
    "a part with its prefix cut": "location / {{ proxy_pass http://127.0.0.1:{port}/base/; }}",
    "an API": (
        "location / {{ return 404; }}\n"
        "location /api/ {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header X-A 1; }}\n"
        "rewrite ^/events$ /api/v1/events;\nrewrite ^/other$ /api/v1/other;"
    ),
    "rewritten in place": (
        "location / {{ rewrite ^/(.*)$ /app/$1 break; proxy_pass http://127.0.0.1:{port}; }}"
    ),
    "handed over by try_files": (
        "location / {{ try_files $uri @app; }}\n"
        "location @app {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header X-A 1; }}"
    ),
    "handed over by a rewrite": (
        "location / {{ rewrite ^/(.*)$ /api/$1 last; }}\n"
        "location /api/ {{ internal; proxy_pass http://127.0.0.1:{port}/; }}"
    ),
    "nested": (
        "location / {{ proxy_set_header X-A 1; add_header X-B 2;\n"
        "location ~ ^/(events|other) {{ proxy_pass http://127.0.0.1:{port}; }} }}"
    ),
    "by a variable and rewritten": (
        "set $app 127.0.0.1:{port};\nlocation / {{ rewrite ^/(.*)$ /api/$1 last; }}\n"
        "location /api/ {{ proxy_pass http://$app; }}"
    ),
    "by a variable": (
        "set $app 127.0.0.1:{port};\nlocation / {{ proxy_pass http://$app$request_uri; }}"
    ),
}


@pytest.mark.parametrize("name", WIDE)
def test_a_copy_asks_the_upstream_for_the_same_and_leaves_other_urls_alone(
    site: Host, talker: int, name: str
) -> None:
    site.write(server(site, WIDE[name].format(port=talker)), http="root /nonexistent;")
    paths = ("/events", "/events?topic=a&x=%20", "/other?y=1")
    before = asked(site, *paths)
    edit, changed = site.repair(BUFFERING, TIMEOUT)
    # A rewrite of the server comes before any location is chosen.
    assert edit.location == ("= /api/v1/events" if name == "an API" else "= /events")
    assert len(changed.splitlines()) == 1
    after = asked(site, *paths)
    for was, now in zip(before, after, strict=True):
        assert now[0] == was[0] == 200
        assert now[2] == was[2]
        assert now[1]["X-B"] == was[1]["X-B"]
    assert values(site.route(), "proxy_buffering") == ["off"]
    other = route(site.tree(), site.url.replace("/events", "/other"), "1.22.1")
    assert values(other, "proxy_buffering") == ["on"]


@pytest.mark.parametrize(
    "body",
    [
        "location / {{ proxy_pass http://127.0.0.1:{port}/base/moved/; }}",
        "location / {{ proxy_pass http://127.0.0.1:{port}/base/moved/; proxy_redirect default; }}",
        "location / {{ proxy_redirect off; proxy_pass http://127.0.0.1:{port}/base/moved/; }}",
        "location / {{ rewrite ^/(.*)$ /moved/$1 last; }}\n"
        "location /moved/ {{ proxy_pass http://127.0.0.1:{port}; }}",
    ],
)
def test_a_redirect_of_the_app_leads_back_as_before(site: Host, talker: int, body: str) -> None:
    site.write(server(site, body.format(port=talker)))
    before = asked(site, "/events")[0][1]["Location"]
    edit, _ = site.repair(BUFFERING)
    assert edit.location == "= /events"
    assert asked(site, "/events")[0][1]["Location"] == before


def test_a_redirect_of_another_app_leads_back_too(site: Host, talker: int) -> None:
    site.write(server(site, "location / { proxy_pass http://127.0.0.1:1/base/moved/; }"))
    target = Line("proxy_pass", (f"http://127.0.0.1:{talker}",), "nginx_upstream_wrong_target")
    site.repair(target)
    ((_, headers, told),) = asked(site, "/events")
    assert told["target"] == "/base/moved/events"
    assert headers["Location"] == site.url.partition("/events")[0] + "/login"


def test_a_copy_keeps_who_may_pass_in_the_order_of_the_rules(site: Host, talker: int) -> None:
    body = (
        "location / { allow 127.0.0.0/9; deny 127.0.0.1; allow all; try_files $uri @app; }\n"
        f"location @app {{ proxy_pass http://127.0.0.1:{talker}; }}"
    )
    site.write(server(site, body), http="root /nonexistent;")
    edit, _ = site.repair(BUFFERING)
    rules = [f"{x.name} {x.args[0]}" for x in edit.directives if x.name in ("allow", "deny")]
    assert rules == ["allow 127.0.0.0/9", "deny 127.0.0.1", "allow all"]
    assert asked(site, "/events")[0][0] == 200


def test_a_password_that_a_location_asks_for_before_is_asked_for_by_the_copy(
    site: Host, talker: int
) -> None:
    (site.root / "users").write_text("a:{PLAIN}b\n")
    users = f"auth_basic x; auth_basic_user_file {site.root}/users;"
    body = (
        f"location / {{ {users} try_files $uri @app; }}\n"
        f"location @app {{ proxy_pass http://127.0.0.1:{talker}; }}"
    )
    site.write(server(site, body), http="root /nonexistent;")
    assert asked(site, "/events")[0][0] == 401
    site.repair(BUFFERING)
    assert asked(site, "/events")[0][0] == 401


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("location / { if ($arg_none) { set $a 1; } proxy_pass http://127.0.0.1:1; }",
         "a block if"),
        ("location / { limit_except GET { deny all; } proxy_pass http://127.0.0.1:1; }",
         "a block limit_except"),
        ("location ~ ^/(.*)$ { proxy_set_header X-P $1; proxy_pass http://127.0.0.1:1; }",
         "uses what was captured"),
        ("location ~ ^/(?<rest>.*)$ { proxy_set_header X-P $rest; proxy_pass http://127.0.0.1:1; }",
         "uses what was captured"),
        ("location / { auth_basic x; try_files $uri @app; }\n"
         "location @app { auth_basic y; proxy_pass http://127.0.0.1:1; }", "does not count at"),
        ("location / { set $who a; try_files $uri @app; }\n"
         "location @app { proxy_set_header X-W $who; proxy_pass http://127.0.0.1:1; }",
         "uses what was captured"),
        ("location / { try_files $uri @app; limit_except GET { deny all; } }\n"
         "location @app { proxy_pass http://127.0.0.1:1; }", "decides who may pass"),
    ],
)  # fmt: skip
def test_a_location_that_a_copy_would_not_match_is_not_copied(
    site: Host, body: str, reason: str
) -> None:
    site.write(server(site, body))
    refused = site.adopt(BUFFERING)
    assert isinstance(refused, Refusal), refused
    assert reason in refused.reason
    assert refused.advice == ("proxy_buffering off;",)


def test_a_wish_that_harms_nobody_else_may_go_where_no_copy_can_be_made(site: Host) -> None:
    body = "location / { if ($arg_none) { set $a 1; } proxy_pass http://127.0.0.1:1; }"
    site.write(server(site, body))
    edit, _ = site.repair(VERSION, CONNECTION)
    assert edit.location is None
    assert "serves other URLs too" in edit.notes[0]


@pytest.mark.parametrize(
    ("asked_for", "present", "expected"),
    [
        ("^~ /events", "location / { proxy_pass http://127.0.0.1:1; }", "^~ /events"),
        ("^~ /events", "location /events { return 204; } location ~ ^/ev { proxy_pass http://a; }",
         "= /events"),
        ("= /events", "location /events { proxy_pass http://127.0.0.1:1; }", "= /events"),
    ],
)  # fmt: skip
def test_a_location_that_is_asked_for_is_a_copy_under_a_name_that_is_free(
    site: Host, asked_for: str, present: str, expected: str
) -> None:
    site.write(server(site, present), http="upstream a { server 127.0.0.1:1; }")
    edit, _ = site.repair(BUFFERING, location=asked_for)
    assert edit.location == expected
    assert site.route().targets[0].port == 1


def test_a_location_for_this_url_alone_needs_no_copy(site: Host) -> None:
    site.write(server(site, "location = /events { proxy_pass http://127.0.0.1:1; }"))
    edit, _ = site.repair(BUFFERING, location="= /events")
    assert edit.location is None


def test_a_copy_with_a_target_of_its_own_asks_for_it_as_written(site: Host, talker: int) -> None:
    body = (
        "location /events { rewrite ^/events(.*) /wrong$1 break; proxy_set_header X-A 1;"
        f" proxy_pass http://127.0.0.1:{talker}; }}"
    )
    site.write(server(site, body))
    target = Line("proxy_pass", (f"http://127.0.0.1:{talker}/right",), "nginx_uri_rewrite")
    edit, changed = site.repair(target, location="= /events")
    assert changed.startswith("+") and len(changed.splitlines()) == 1
    assert [x.name for x in edit.directives] == ["proxy_set_header", "proxy_pass"]
    told = asked(site, "/events?topic=a")[0][2]
    assert (told["target"], told["headers"]["x-a"]) == ("/right?topic=a", "1")


def test_a_target_may_use_the_variables_of_the_line_it_replaces(site: Host, talker: int) -> None:
    site.write(
        server(
            site, f"set $app 127.0.0.1:{talker};\nlocation /events {{ proxy_pass http://$app/s; }}"
        )
    )
    assert asked(site, "/events?topic=a")[0][2]["target"] == "/s"
    site.repair(Line("proxy_pass", ("http://$app/s$is_args$args",), "nginx_args_dropped"))
    assert asked(site, "/events?topic=a")[0][2]["target"] == "/s?topic=a"
    refused = site.adopt(Line("proxy_pass", ("http://$other/s",), "nginx_args_dropped"))
    assert isinstance(refused, Refusal)
    assert "holds the variable $other" in refused.reason


LIMITS = {"worker_connections": "4096"}


@pytest.mark.parametrize(
    ("before", "process", "expected"),
    [
        ("events { worker_connections 256; }", LIMITS,
         "-events { worker_connections 256; }\n+events { worker_connections 4096; }"),
        ("events {\n\tworker_connections\t256 ; # enough?\n}", LIMITS,
         "-\tworker_connections\t256 ; # enough?\n+\tworker_connections\t4096 ; # enough?"),
        ("events {}", LIMITS, "-events {}\n+events { worker_connections 4096; }"),
        ("events {\n    # multi_accept on;\n}", LIMITS, "+    worker_connections 4096;"),
        ("events {\r\n  use epoll;\r\n}", LIMITS, "+  worker_connections 4096;\r"),
        ("events { worker_connections 9999; }", LIMITS, ""),
        ("worker_processes 2;\nevents {}", {"worker_rlimit_nofile": "8192"},
         "+worker_rlimit_nofile 8192;"),
        ("worker_rlimit_nofile 100; events {}", {"worker_rlimit_nofile": "8192"},
         "-worker_rlimit_nofile 100; events {}\n+worker_rlimit_nofile 8192; events {}"),
        ("worker_shutdown_timeout 1m;\nevents {}", {"worker_shutdown_timeout": "60s"}, ""),
        ("worker_shutdown_timeout 1h;\nevents {}", {"worker_shutdown_timeout": "60s"},
         "-worker_shutdown_timeout 1h;\n+worker_shutdown_timeout 60s;"),
    ],
)  # fmt: skip
def test_a_limit_is_one_line_where_it_belongs(
    host: Host, before: str, process: dict[str, str], expected: str
) -> None:
    host.write(SITE)
    main = host.root / "nginx.conf"
    text = main.read_text().replace("events { worker_connections 256; }", before)
    main.write_bytes(text.encode())
    edit, changed = host.repair(process=process)
    assert changed == ""
    assert edit.directives == ()
    assert diff(text.encode(), main.read_bytes(), host.ours) == expected


def test_a_limit_is_changed_in_the_file_that_sets_it_together_with_a_location(host: Host) -> None:
    host.write(SITE, events="worker_connections 5;\n")
    main = host.root / "nginx.conf"
    snippet = host.root / "snippets" / "events.conf"
    main.write_text(main.read_text().replace("worker_connections 256;", f"include {snippet};"))
    edit, changed = host.repair(BUFFERING, process=LIMITS)
    assert changed == "+        include OURS;"
    assert snippet.read_text() == "worker_connections 4096;\n"
    assert {change.path for change in edit.files} == {str(host.site), str(snippet)}


def test_no_other_directive_passes_for_a_limit(host: Host) -> None:
    host.write(SITE)
    for name, value in (("user", "root"), ("worker_connections", "1; user root")):
        refused = host.adopt(process={name: value})
        assert isinstance(refused, Refusal)
        assert "is no limit of nginx's processes" in refused.reason


def test_two_endpoints_in_one_location_share_one_include(host: Host) -> None:
    host.write(SITE)
    host.repair(BUFFERING)
    other = host.ours.replace("events.conf", "events-b.conf")
    found = route(host.tree(), host.url + "/b", "1.22.1")
    edit = adopt(host.tree(), found, (TIMEOUT,), other)
    assert isinstance(edit, Edit)
    assert edit.ours == host.ours
    assert edit.directives == (BUFFERING, TIMEOUT)
    host.apply(edit)
    assert host.site.read_text().count("include") == 1
    assert values(host.route(), "proxy_read_timeout") == ["1h"]


def test_our_file_in_a_nested_location_is_not_that_of_the_one_around_it(host: Host) -> None:
    nested = "location /events/b { proxy_pass http://127.0.0.1:1; }\n        proxy_read"
    host.write(SITE.replace("proxy_read", nested))
    other = host.ours.replace("events.conf", "b.conf")
    inner = adopt(host.tree(), route(host.tree(), host.url + "/b", "1.22.1"), (BUFFERING,), other)
    assert isinstance(inner, Edit)
    assert inner.location is None
    host.apply(inner)
    edit, _ = host.repair(BUFFERING)
    assert (edit.ours, edit.location) == (host.ours, "= /events")


def test_two_endpoints_in_one_server_have_a_file_each(host: Host) -> None:
    live = "location /live { proxy_pass http://127.0.0.1:1; }\n    location / "
    host.write(SITE.replace("location / ", live))
    host.repair(BUFFERING)
    other = host.ours.replace("events.conf", "live.conf")
    found = route(host.tree(), host.url.replace("events", "live"), "1.22.1")
    edit = adopt(host.tree(), found, (BUFFERING,), other)
    assert isinstance(edit, Edit)
    assert edit.ours == other
    host.apply(edit)
    assert host.nginx.test(host.root / "nginx.conf").returncode == 0
    again = host.adopt(BUFFERING)
    assert isinstance(again, Edit) and again.files == ()


@pytest.mark.parametrize(
    ("passed", "wish", "expected"),
    [
        ("fastcgi_pass 127.0.0.1:9;", BUFFERING, "fastcgi_buffering off;"),
        ("uwsgi_pass 127.0.0.1:9;", TIMEOUT, "uwsgi_read_timeout 1h;"),
        ("scgi_pass 127.0.0.1:9;", Line("proxy_cache", ("off",), "c"), "scgi_cache off;"),
        ("grpc_pass 127.0.0.1:9;", TIMEOUT, "grpc_read_timeout 1h;"),
        ("fastcgi_pass 127.0.0.1:9;", Line("fastcgi_buffering", ("off",), "c"),
         "fastcgi_buffering off;"),
    ],
)  # fmt: skip
def test_wishes_are_said_in_the_words_of_the_module_that_serves(
    host: Host, passed: str, wish: Line, expected: str
) -> None:
    host.write(SITE.replace("proxy_pass http://127.0.0.1:8000;  # the app", passed))
    host.repair(wish)
    assert expected in Path(host.ours).read_text()


@pytest.mark.parametrize(
    ("passed", "wish", "reason"),
    [
        ("grpc_pass 127.0.0.1:9;", BUFFERING, "grpc_pass never buffers"),
        ("fastcgi_pass 127.0.0.1:9;", VERSION, "has no counterpart of proxy_http_version"),
        ("proxy_pass http://127.0.0.1:9;", Line("worker_connections", ("1",), "c"),
         "has no place in a location"),
        ("proxy_pass http://127.0.0.1:9;", Line("keepalive", ("16",), "c"),
         "has no place in a location"),
    ],
)  # fmt: skip
def test_a_wish_that_the_place_cannot_hold_is_refused(
    host: Host, passed: str, wish: Line, reason: str
) -> None:
    host.write(SITE.replace("proxy_pass http://127.0.0.1:8000;  # the app", passed))
    refused = host.adopt(wish)
    assert isinstance(refused, Refusal)
    assert reason in refused.reason


def test_lines_that_were_copied_have_one_comment_and_stay_through_a_later_repair(
    host: Host,
) -> None:
    host.write(SITE.replace("location /events", "location /api").replace(
        "location / { return 204; }",
        "location / { proxy_set_header A 'x;{y}'; proxy_set_header B b; proxy_pass http://a; }",
    ), http="upstream a { server 127.0.0.1:1; }")  # fmt: skip
    host.repair(BUFFERING)
    text = Path(host.ours).read_text()
    assert text.count("# copied") == 1
    edit, changed = host.repair(TIMEOUT)
    assert changed == ""
    assert [x.name for x in edit.directives] == [
        "proxy_set_header", "proxy_set_header", "proxy_pass", "proxy_buffering",
        "proxy_read_timeout",
    ]  # fmt: skip
    assert values(host.route(), "proxy_set_header") == ["A x;{y}", "B b"]


def test_bytes_that_are_no_text_are_not_repeated(host: Host) -> None:
    latin = b'add_header X-Who "caf\xe9";\n    location /events'
    host.write(SITE.encode().replace(b"location /events", latin))
    edit, _ = host.repair(BUFFERING)
    assert edit.location is None
    refused = host.adopt(Line("add_header", ("Cache-Control", "no-cache"), "app_headers"))
    assert isinstance(refused, Refusal)
    assert "holds bytes that are no UTF-8" in refused.reason


def test_rules_that_hide_those_around_them_hide_them_in_the_copy_too(site: Host) -> None:
    body = (
        "location / { allow 10.0.0.0/8; root /a; location ~ ^/(events|b) {"
        " deny 192.0.2.1; alias /b; proxy_pass http://127.0.0.1:1; } }"
    )
    site.write(server(site, body))
    edit, _ = site.repair(BUFFERING)
    assert [x.name for x in edit.directives] == ["deny", "alias", "proxy_pass", "proxy_buffering"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("add_header X-A 1; ", "", "add_header would not be what it was"),
        ("add_header X-A 1;", "add_header X-A 1; add_header X-B 2;", "add_header would not be"),
        ("http://127.0.0.1:1;", "http://127.0.0.1:1/x;", "would be asked for /x?topic=a"),
        ("http://127.0.0.1:1;", "http://127.0.0.1:2;", "would reach another upstream"),
        ("proxy_pass http://127.0.0.1:1;", "return 204;", "would still not reach an upstream"),
        ("location /events {", "location /events { }", "would not load"),
        ("proxy_buffering off;", "proxy_buffering on;", "would still be in force instead of"),
    ],
)
def test_an_edit_that_does_more_than_it_should_is_not_given_out(
    site: Host, old: str, new: str, reason: str
) -> None:
    block = "location /events { add_header X-A 1; proxy_pass http://127.0.0.1:1; }"
    site.write(server(site, block))
    text = site.site.read_text().replace("{ add", "{ proxy_buffering off; add")
    path = str(site.root / "sites-enabled" / "chat")
    changed = FileEdit(site.tree().real(path), "", text.replace(old, new).encode())
    right = replace(changed, content=text.encode())
    wishes = Wishes((BUFFERING,))
    check_effect(site.tree(), site.route(), wishes, Edit((right,), (), None, site.ours))
    with pytest.raises(UnsafeError, match=re.escape(reason)):
        check_effect(site.tree(), site.route(), wishes, Edit((changed,), (), None, site.ours))
