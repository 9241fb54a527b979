"""What nginx asks its upstream, from the configuration alone."""

from __future__ import annotations

import pytest

from ssemedic.nginx import Route, route, tree_of
from ssemedic.nginx.asked import MARKER, asked, lost, marked, other_paths, with_query

URL = "http://chat.example.org/api/events?room=5"


def routed(server: str, url: str = URL, version: str = "1.22.1", http: str = "") -> Route:
    text = f"events {{}} http {{ {http} server {{ listen 80; {server} }} }}"
    return route(tree_of({"/n.conf": text.encode()}, "/n.conf"), url, version)


def test_by_default_it_is_http10_with_the_upstreams_own_name() -> None:
    sent = asked(routed("location / { proxy_pass http://127.0.0.1:8000; }"))
    assert sent is not None
    assert (sent.version, sent.target) == ("1.0", "/api/events?room=5")
    assert sent.header("host") == "127.0.0.1:8000"
    assert sent.header("Connection") == "close"
    assert sent.passes("Accept") and not sent.passes("Upgrade")


def test_from_1_29_7_on_it_is_http11_without_a_connection_line() -> None:
    sent = asked(routed("location / { proxy_pass http://127.0.0.1:8000; }", version="1.29.7"))
    assert sent is not None
    assert (sent.version, sent.header("Connection")) == ("1.1", None)


def test_variables_of_headers_are_evaluated_where_they_can_be() -> None:
    sent = asked(
        routed(
            "location / { proxy_pass http://pool/x/; proxy_set_header Host $host;"
            ' proxy_set_header X-Room "room $arg_room at $proxy_host:$proxy_port";'
            ' proxy_set_header Accept ""; proxy_set_header X-Trace $request_id; }',
            http="upstream pool { server 127.0.0.1:8000; }",
        )
    )
    assert sent is not None
    assert sent.header("Host") == "chat.example.org"
    assert sent.header("X-Room") == "room 5 at pool:80"
    assert sent.header("Accept") is None and not sent.passes("accept")
    assert sent.unknown == ("X-Trace",)


def test_header_lines_of_the_location_replace_all_of_the_server() -> None:
    sent = asked(
        routed(
            "proxy_set_header Host $host; location / { proxy_pass http://127.0.0.1:8000;"
            " proxy_set_header X-A b; }"
        )
    )
    assert sent is not None
    assert sent.header("Host") == "127.0.0.1:8000"


def test_a_header_with_an_underscore_is_dropped_unless_allowed() -> None:
    plain = asked(routed("location / { proxy_pass http://127.0.0.1:8000; }"))
    allowed = asked(
        routed("underscores_in_headers on; location / { proxy_pass http://127.0.0.1:8000; }")
    )
    assert plain is not None and allowed is not None
    assert (plain.passes("X_Key"), allowed.passes("X_Key")) == (False, True)


@pytest.mark.parametrize(
    ("lines", "server_name", "tls_name"),
    [
        ("proxy_pass https://app.example.org:8443;", None, "app.example.org"),
        (
            "proxy_pass https://app.example.org; proxy_ssl_server_name on;",
            "app.example.org",
            "app.example.org",
        ),
        ("proxy_pass https://192.0.2.9; proxy_ssl_server_name on;", None, None),
        (
            "proxy_pass https://192.0.2.9; proxy_ssl_server_name on; proxy_ssl_name $host;",
            "chat.example.org",
            "chat.example.org",
        ),
        ("proxy_pass http://app.example.org; proxy_ssl_server_name on;", None, None),
    ],
)
def test_the_name_in_tls_is_sent_only_where_it_is_asked_for(
    lines: str, server_name: str | None, tls_name: str | None
) -> None:
    sent = asked(routed(f"location / {{ {lines} }}"))
    assert sent is not None
    assert (sent.server_name, sent.tls_name) == (server_name, tls_name)


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("proxy_pass http://127.0.0.1:8000;", ()),
        ("proxy_pass http://127.0.0.1:8000/x/;", ()),
        ("set $a 127.0.0.1:8000; proxy_pass http://$a;", ()),
        ("set $a 127.0.0.1:8000; proxy_pass http://$a/x;", ("room", "access_token")),
        ("set $a 127.0.0.1:8000; proxy_pass http://$a$request_uri;", ()),
        ("set $a 127.0.0.1:8000; proxy_pass http://$a/x?room=$arg_room;", ("access_token",)),
        (
            "set $a 127.0.0.1:8000; proxy_pass http://$a/rooms/$arg_room;"
            ' proxy_set_header Authorization "Bearer $arg_access_token";',
            (),
        ),
        ("rewrite ^ /x? break; proxy_pass http://127.0.0.1:8000;", ("room", "access_token")),
        ("rewrite ^ /x?a=1 break; proxy_pass http://127.0.0.1:8000;", ()),
    ],
)
def test_what_the_upstream_never_gets_of_the_query(lines: str, names: tuple[str, ...]) -> None:
    url = marked(URL, "access_token")
    assert MARKER in url
    sent = asked(routed(f"location / {{ {lines} }}", url))
    assert sent is not None
    assert lost(sent, url) == names


def test_the_clients_query_is_added_beside_what_nginx_writes() -> None:
    assert with_query("/x?room=1", "http://h/e?room=5&b=2") == "/x?room=1&b=2"
    assert with_query("/x", "http://h/e") == "/x"


@pytest.mark.parametrize(
    ("server", "paths"),
    [
        (
            "location /api { proxy_pass http://127.0.0.1:8000/; }",
            {
                "path-kept": "/api/events",
                "path-merged": "/events",
                "path-slash": "/events/",
            },
        ),
        (
            "location /api/ { proxy_pass http://127.0.0.1:8000; }",
            {"path-stripped": "/events", "path-slash": "/api/events/"},
        ),
        (
            "location ~ ^/api/ { rewrite ^/api(.*)$ /v1$1 break; proxy_pass http://127.0.0.1; }",
            {"path-kept": "/api/events", "path-stripped": "/events", "path-slash": "/v1/events/"},
        ),
    ],
)
def test_other_paths_are_those_that_a_slash_or_a_prefix_makes(
    server: str, paths: dict[str, str]
) -> None:
    assert other_paths(routed(server)) == paths


def test_nothing_is_said_of_an_answer_that_nginx_makes_itself() -> None:
    assert asked(routed("location / { return 204; }")) is None
    assert asked(routed("location / { fastcgi_pass 127.0.0.1:9000; }")) is None
