"""Two nginx servers in a row, header lines that an inner level hides, compressed streams."""

from __future__ import annotations

import pytest

from ssemedic.nginx import Route, route, tree_of
from ssemedic.nginx.compression import zips
from ssemedic.nginx.inheritance import lost_lines
from ssemedic.nginx.onward import onward

URL = "http://chat.example.org/events?room=5"
APP = "proxy_pass http://127.0.0.1:8000;"
ROOT = f"location / {{ {APP} }}"


def routed(server: str, http: str = "", version: str = "1.22.1", url: str = URL) -> Route:
    text = f"events {{}} http {{ {http} server {{ listen 80; {server} }} }}"
    return route(tree_of({"/n.conf": text.encode()}, "/n.conf"), url, version)


def test_a_second_server_behind_the_first_is_followed_to_its_app() -> None:
    behind = onward(
        routed(
            "location /events { proxy_pass http://127.0.0.1:8081/api/; }",
            http=f"server {{ listen 127.0.0.1:8081; location /api {{ {APP} }} }}",
        )
    )
    assert behind is not None and behind.location is not None
    assert behind.location.name == "/api"
    assert behind.uri_passed == "/api/?room=5"
    assert [(t.host, t.port) for t in behind.targets] == [("127.0.0.1", 8000)]


def test_the_second_server_is_chosen_by_the_host_that_the_first_one_sends() -> None:
    inner = "".join(
        f"server {{ listen 8081; server_name {name}; location / {{ return {code}; }} }}"
        for name, code in (("other", 204), ("chat.example.org", 205))
    )
    outer = "location / { proxy_pass http://localhost:8081; proxy_set_header Host $host; }"
    behind = onward(routed(outer, http=inner))
    assert behind is not None and behind.status == 205


def test_a_second_server_at_a_socket_is_followed_too() -> None:
    behind = onward(
        routed(
            "location / { proxy_pass http://unix:/run/inner.sock; proxy_set_header Host $host; }",
            http="server { listen unix:/run/inner.sock; server_name other; return 204; }"
            f"server {{ listen unix:/run/inner.sock; server_name chat.example.org; {ROOT} }}",
        )
    )
    assert behind is not None and behind.serves == "proxy"
    assert [(t.host, t.port) for t in behind.targets] == [("127.0.0.1", 8000)]


def test_a_colon_behind_a_socket_with_nothing_after_it_is_no_uri() -> None:
    plain = routed("location /events { proxy_pass http://unix:/run/app.sock:; }")
    other = routed("location /events { proxy_pass http://unix:/run/app.sock:/x; }")
    assert plain.uri_passed == "/events?room=5"
    assert other.uri_passed == "/x?room=5"


@pytest.mark.parametrize(
    ("server", "http"),
    [
        (f"location / {{ {APP} }}", ""),
        ("location / { proxy_pass http://192.0.2.7:8081; }", "server { listen 8081; }"),
        ("location / { proxy_pass http://127.0.0.1:80; }", ""),
        ("location / { proxy_pass http://unix:/run/app.sock; }", ""),
        ("location / { proxy_pass http://127.0.0.1:8081; }", "server { listen 192.0.2.7:8081; }"),
        ("location / { return 200; }", "server { listen 8081; }"),
        ("location / { proxy_pass http://$cookie_app; }", "server { listen 8081; }"),
    ],
    ids=["app", "another host", "itself", "socket", "another address", "no proxy", "unknown"],
)
def test_there_is_no_second_server_where_nginx_does_not_ask_itself(server: str, http: str) -> None:
    assert onward(routed(server, http=http)) is None


def test_one_line_in_the_location_hides_all_lines_of_the_server_but_its_own() -> None:
    found = routed(
        'proxy_set_header Host $host; proxy_set_header Connection ""; proxy_set_header X-A outer;'
        f"location / {{ {APP} proxy_set_header x-a inner; }}"
    )
    assert [line.args for line in lost_lines(found, "proxy_set_header")] == [
        ("Host", "$host"),
        ("Connection", ""),
    ]


def test_a_location_without_lines_of_its_own_loses_nothing() -> None:
    found = routed(f"proxy_set_header Host $host; location / {{ {APP} }}")
    assert lost_lines(found, "proxy_set_header") == ()


def test_a_nested_location_hides_the_lines_of_the_one_around_it() -> None:
    found = routed(
        "add_header X-Server yes; location / { add_header X-Outer yes;"
        f" location /events {{ {APP} add_header X-Inner yes; }} }}"
    )
    assert [line.args for line in lost_lines(found, "add_header")] == [("X-Outer", "yes")]


def test_levels_that_are_merged_lose_nothing() -> None:
    found = routed(
        "add_header X-Server yes; location / {"
        f" {APP} add_header_inherit merge; add_header X-Inner yes; }}",
        version="1.29.3",
    )
    assert lost_lines(found, "add_header") == ()


@pytest.mark.parametrize(
    ("lines", "compressed"),
    [
        ("gzip on; gzip_types text/event-stream;", True),
        ("gzip on; gzip_types text/css TEXT/EVENT-STREAM;", True),
        ("gzip on; gzip_types *;", True),
        ("gzip on;", False),
        ("gzip_types text/event-stream;", False),
        ("gzip off; gzip_types *;", False),
        ("gzip on; gzip_types application/json;", False),
    ],
)
def test_a_stream_is_compressed_by_switch_and_type_together(lines: str, compressed: bool) -> None:
    assert zips(routed(f"{lines} location / {{ {APP} }}")) is compressed
