"""The counter-tests of policy and protocol: when they are made, and what they ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible.module_utils.sse_host import counter_tests, streams
from ansible.module_utils.sse_host.limits import Limits
from ansible.module_utils.sse_host.wanted import Wanted

from ssemedic.nginx import tree_of

URL = "http://chat.example.org/events"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
PASS = "proxy_pass http://127.0.0.1:8000;"


def way(location: str = PASS, server: str = "listen 80;", url: str = URL) -> counter_tests.Way:
    text = f"events {{}} http {{ server {{ {server} location /events {{ {location} }} }} }}"
    tree = tree_of({"/nginx.conf": text.encode()}, "/nginx.conf", {})
    return streams.way(tree, url, "1.22.1", "access_token")


def variants(found: counter_tests.Way) -> set[str]:
    """The tests that would be begun at once."""
    seen = counter_tests.Seen(found, {})
    tests = counter_tests.for_way(found, found.target)
    return {test.variant for test in tests if not test.after and test.needed(seen)}


def test_a_plain_location_needs_none_of_them() -> None:
    assert not variants(way()) & {"h2", "parallel-2", "parallel-3", "auth"}


def test_http2_is_asked_for_where_it_is_offered() -> None:
    assert "h2" in variants(way(server="listen 443 ssl http2;", url=URL.replace("http", "https")))
    assert "h2" not in variants(way(server="listen 443 ssl;", url=URL.replace("http", "https")))


@pytest.mark.parametrize(
    ("limits", "beside"),
    [
        ("limit_conn a 1;", {"parallel-2"}),
        ("limit_conn a 2; limit_conn b 50;", {"parallel-2", "parallel-3"}),
        ("limit_conn a 100;", set()),
        ("limit_req zone=a;", {"parallel-2"}),
        ("limit_req zone=a burst=20 nodelay;", set()),
    ],
)
def test_streams_are_opened_beside_only_where_a_small_limit_would_show(
    limits: str, beside: set[str]
) -> None:
    found = {name for name in variants(way(PASS + limits)) if name.startswith("parallel")}
    assert found == beside


class Gate:
    """Stands for the endpoint of auth_request; writes down what it was asked."""

    def __init__(self) -> None:
        asked: list[tuple[str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {k.lower(): v for k, v in self.headers.items()}
                asked.append((self.path, headers))
                self.send_response(302)
                self.send_header("Location", "/login?next=" + headers.get("x-original-uri", ""))
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()
    yield found
    found.server.shutdown()
    found.server.server_close()


def asked_at(gate: Gate, location: str, **wishes: Any) -> dict[str, Any]:
    """The record of the gate, asked as nginx would ask it."""
    found = way(
        PASS + "auth_request /gate;",
        server="listen 80; location = /gate { internal; "
        f"proxy_pass http://127.0.0.1:{gate.port}/verify; {location} }}",
    )
    values = {"url": URL, "token": TOKEN, "window": 1.0, **wishes}
    ask = counter_tests.Ask(Wanted(Limits(since=0.0), **values), found, found.target)
    request = ask.auth()
    assert request is not None
    recording = streams.Recording(ask.wanted, found, found.target)
    stream = recording._record(request)
    deadline = time.monotonic() + 2.0
    while not gate.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    data: dict[str, Any] = stream.to_dict()
    return data


def test_the_gate_is_asked_without_the_query_as_nginx_asks_it(gate: Gate) -> None:
    record = asked_at(gate, "proxy_set_header Host gate.example.org;")
    ((path, headers),) = gate.asked
    assert path == "/verify"
    assert headers["host"] == "gate.example.org"
    assert TOKEN not in str(headers)
    assert (record["hop"], record["variant"], record["status"]) == ("app", "auth", 302)


def test_a_token_that_nginx_hands_on_reaches_the_gate_and_is_masked_in_what_comes_back(
    gate: Gate,
) -> None:
    record = asked_at(gate, "proxy_set_header X-Original-URI $request_uri;")
    ((_path, headers),) = gate.asked
    assert headers["x-original-uri"] == f"/events?access_token={TOKEN}"
    assert "authorization" not in headers
    assert TOKEN not in str(record)
    assert "/login?next=" in str(record["headers"])


def test_a_bearer_token_goes_along_as_every_header_of_the_client_does(gate: Gate) -> None:
    asked_at(gate, "", token_parameter="")
    ((_path, headers),) = gate.asked
    assert headers["authorization"] == f"Bearer {TOKEN}"


def test_the_origin_that_nginx_allows_by_name_asks_where_nobody_named_one() -> None:
    allows = "add_header Access-Control-Allow-Origin {};"
    assert "origin" in variants(way(PASS + allows.format("https://app.example.org")))
    assert "origin" not in variants(way(PASS + allows.format("*")))
    assert "origin" not in variants(way(PASS + allows.format("$http_origin")))
    assert "origin" not in variants(way(PASS + allows.format("http://chat.example.org")))


@pytest.mark.parametrize("named", [None, "https://other.example.org"])
def test_an_origin_that_was_named_is_asked_for_by_every_record_already(named: str | None) -> None:
    found = way(PASS + "add_header Access-Control-Allow-Origin https://app.example.org;")
    ask = counter_tests.Ask(
        Wanted(Limits(since=0.0), url=URL, origin=named), found, "127.0.0.1:8000"
    )
    request = ask.with_origin("app")
    assert (request is None) is (named is not None)
    if request is not None:
        assert ("Origin", "https://app.example.org") in request.wire_headers()
