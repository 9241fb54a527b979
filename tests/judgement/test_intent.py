"""Which location was meant for a URL, and what keeps its settings from counting."""

from __future__ import annotations

import pytest

from ssemedic.clues.intent import Meant, meant
from ssemedic.nginx import route, tree_of

URL = "http://chat.example.org/events"
APP = "proxy_pass http://127.0.0.1:8000;"
OFF = f"{APP} proxy_buffering off;"
ROOT = f"location / {{ {APP} }} "


def found(server: str, http: str = "", url: str = URL) -> Meant | None:
    text = (
        f"events {{}} http {{ {http} server {{ listen 80; server_name chat.example.org;"
        f" {server} }} }}"
    )
    return meant(route(tree_of({"/n.conf": text.encode()}, "/n.conf"), url, "1.22.1"))


@pytest.mark.parametrize(
    "location",
    [
        "^/events",
        "^/events$",
        "^/(events|stream)",
        '"^/events/?$"',
        "events",
        "/Events",
        "/EVENTS",
        "= /Events",
        "~ ^/Events$",
    ],
)
def test_a_location_that_almost_fits_was_meant(location: str) -> None:
    there = found(f"{ROOT} location {location} {{ {OFF} }}")
    assert there is not None and not there.handed_over
    assert there.settings == {"proxy_buffering": (("off",),)}
    assert there.why


@pytest.mark.parametrize(
    "location",
    [
        "/event-log",
        "/events2",
        "/chat",
        "^/chat",
        "~ ^/chat",
        r"~ \.php$",
        "~* ^/eventsource",
        "= /event",
        "@events",
        "/api/events",
    ],
)
def test_a_location_of_another_path_was_not(location: str) -> None:
    assert found(f"{ROOT} location {location} {{ {OFF} }}") is None


def test_a_pattern_wins_over_a_plain_prefix_and_not_over_a_firm_one() -> None:
    pattern = f"location ~ ^/(api|events) {{ {APP} }}"
    there = found(f"location /events {{ {OFF} }} {pattern}")
    assert there is not None
    assert "location ~ ^/(api|events)" in there.why
    assert found(f"location ^~ /events {{ {OFF} }} {pattern}") is None


def test_of_two_patterns_the_first_is_taken() -> None:
    there = found(f"location ~ ^/e {{ {APP} }} location ~ ^/events$ {{ {OFF} }}")
    assert there is not None
    assert there.location.name == "^/events$"


def test_the_root_location_was_meant_for_the_rest() -> None:
    assert found(f"location / {{ {OFF} }} location /events {{ {APP} }}") is None
    assert found(f"location / {{ {OFF} }} location ~ ^/events {{ {APP} }}") is None


def test_settings_that_are_in_force_anyway_are_not_missed() -> None:
    assert found(f"location / {{ {OFF} }} location ^/events {{ {OFF} }}") is None


def test_worse_settings_are_not_missed() -> None:
    location = f"location ^/events {{ {APP} proxy_read_timeout 5s; proxy_buffering on; }}"
    assert found(f"{ROOT} {location}") is None


def test_another_server_of_the_name_was_meant_and_one_of_another_name_was_not() -> None:
    other = f"server {{ listen 443 ssl; server_name NAME; location /events {{ {OFF} }} }}"
    there = found(ROOT, http=other.replace("NAME", "chat.example.org"))
    assert there is not None
    assert "port 443" in there.why
    assert found(ROOT, http=other.replace("NAME", "www.example.org")) is None
    assert found(ROOT, http=other.replace("NAME", "_")) is None


def test_the_server_behind_this_one_was_not_meant_for_its_clients() -> None:
    http = f"server {{ listen 8081; server_name chat.example.org; location / {{ {OFF} }} }}"
    assert found("location / { proxy_pass http://127.0.0.1:8081; }", http=http) is None


def test_who_hands_over_loses_what_the_last_location_does_not_have() -> None:
    there = found(
        f"location /events {{ proxy_buffering off; proxy_read_timeout 1h; try_files /no @app; }}"
        f" location @app {{ {APP} proxy_read_timeout 2h; }}"
    )
    assert there is not None and there.handed_over
    assert there.settings == {"proxy_buffering": (("off",),)}
    assert "try_files at /n.conf:1" in there.why


def test_an_error_page_hands_over_too() -> None:
    there = found(
        "location /events { proxy_buffering off; error_page 404 = @app; return 404; }"
        f" location @app {{ {APP} }}"
    )
    assert there is not None and there.handed_over


def test_the_way_of_a_request_that_only_lua_knows_is_not_judged() -> None:
    lua = "rewrite_by_lua_block { ngx.exec('/other') }"
    assert found(f"location / {{ {APP} {lua} }} location ^/events {{ {OFF} }}") is None


def test_where_a_page_answers_the_location_with_the_app_was_meant() -> None:
    there = found(f"location / {{ try_files $uri /index.html; }} location ^/events {{ {APP} }}")
    assert there is not None and there.passes
    assert found("location / { try_files $uri /index.html; } location ^/events { }") is None


def test_the_directives_of_the_module_in_use_count() -> None:
    there = found(
        "location / { uwsgi_pass 127.0.0.1:9000; }"
        " location ^/events { uwsgi_pass 127.0.0.1:9000; uwsgi_buffering off;"
        " proxy_buffering off; }"
    )
    assert there is not None
    assert there.settings == {"uwsgi_buffering": (("off",),)}
