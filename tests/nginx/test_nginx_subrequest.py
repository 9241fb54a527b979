"""Where the subrequest of auth_request goes, and what it asks there."""

from __future__ import annotations

import pytest

from ssemedic.nginx import Route, route, tree_of
from ssemedic.nginx.subrequest import auth_asked, auth_route

URL = "http://web1/events?access_token=abc&x=1"


def led(server: str) -> Route:
    text = f"events {{}} http {{ upstream gate {{ server 10.0.0.9:9000; }} server {{ {server} }} }}"
    return route(tree_of({"/nginx.conf": text.encode()}, "/nginx.conf", {}), URL, "1.22.1")


def test_without_auth_request_there_is_none() -> None:
    assert auth_route(led("location / { proxy_pass http://127.0.0.1:8000; }")) is None
    off = "auth_request /a; location / { auth_request off; proxy_pass http://127.0.0.1:8000; }"
    assert auth_route(led(off)) is None


def test_an_internal_location_takes_it_and_the_query_stays_behind() -> None:
    found = led(
        "location /events { auth_request /gate/x; proxy_pass http://127.0.0.1:8000; }"
        "location /gate/ { internal; proxy_pass http://gate/verify/;"
        " proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Args $args; }"
    )
    way, asked = auth_route(found), auth_asked(found)
    assert way is not None and asked is not None
    assert way.location is not None and way.location.name == "/gate/"
    assert [(t.host, t.port) for t in way.targets] == [("10.0.0.9", 9000)]
    assert asked.target == "/verify/x"
    assert asked.header("X-Original-URI") == "/events?access_token=abc&x=1"
    assert asked.header("X-Args") is None


@pytest.mark.parametrize(
    ("location", "serves", "status"),
    [
        ("return 302 /login;", "return", 302),
        ("return 204;", "return", 204),
        ("root /srv;", "static", None),
    ],
)
def test_nginx_may_answer_it_by_itself(location: str, serves: str, status: int | None) -> None:
    found = led(
        "location /events { auth_request /gate; proxy_pass http://127.0.0.1:8000; }"
        f"location = /gate {{ {location} }}"
    )
    way = auth_route(found)
    assert way is not None
    assert (way.serves, way.status) == (serves, status)
    assert auth_asked(found) is None


def test_a_variable_that_only_a_request_can_tell_leads_nowhere_known() -> None:
    found = led(
        "location /events { auth_request /gate; proxy_pass http://127.0.0.1:8000; }"
        "location = /gate { proxy_pass http://$cookie_gate; }"
    )
    way = auth_route(found)
    assert way is not None
    assert way.targets == ()
    assert auth_asked(found) is None
