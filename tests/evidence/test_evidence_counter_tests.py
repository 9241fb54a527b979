"""Which counter-tests are made, and what exactly they ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.sse_host import nginx, streams
from ansible.module_utils.sse_host.limits import Limits
from ansible.module_utils.sse_host.wanted import Wanted

TOKEN = "eyJh.eyJz.c2VjcmV0"
Asked = list[tuple[str, str, dict[str, str]]]


class Service:
    """Takes what passes ``accepts``, refuses the rest with 401; writes down what it was asked."""

    def __init__(self, accepts: Any) -> None:
        asked: Asked = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {k.lower(): v for k, v in self.headers.items()}
                asked.append((self.path, self.request_version, headers))
                status = accepts(self.path, headers)
                self.send_response(status)
                self.send_header(
                    "Content-Type", "text/event-stream" if status == 200 else "text/plain"
                )
                self.send_header("Connection", "close")
                self.end_headers()
                if status == 200:
                    self.wfile.write(b"data: 1\n\n")
                    self.wfile.flush()
                    time.sleep(1.0)

            def log_message(self, *args: object) -> None:
                pass

        self.asked = asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def nginx_refuses() -> Iterator[str]:
    """Stands for an nginx whose answer is a refusal."""
    service = Service(lambda _path, _headers: 401)
    yield service.address
    service.close()


def recorded(
    tmp_path: Path,
    location: str,
    service: Service,
    answers: str,
    version: str = "1.22.1",
    **wishes: Any,
) -> dict[tuple[str, str], dict[str, Any]]:
    """Every record of a way that leads through ``location`` to the service."""
    path = tmp_path / "nginx.conf"
    text = location.replace("APP", service.address)
    path.write_text(f"events {{}} http {{ server {{ listen {answers}; {text} }} }}")
    limits = Limits(since=0.0)
    tree = nginx.configuration(str(path), limits).tree
    assert tree is not None
    url = f"http://chat.example.org:{answers.rpartition(':')[2]}/events?room=5"
    values: dict[str, Any] = {"url": url, "token": TOKEN}
    wanted = Wanted(**{"limits": limits, "window": 1.6, **values, **wishes})
    way = streams.way(tree, wanted.url or "", version, wanted.token_parameter)
    recording = streams.Recording(wanted, way, way.target)
    recording.begin()
    return {(r["hop"], r["variant"]): r for r in recording.result()}


def test_the_app_is_asked_exactly_as_nginx_asks_it(tmp_path: Path, nginx_refuses: str) -> None:
    service = Service(lambda path, _headers: 200 if "access_token" in path else 401)
    location = """location /events {
        set $app APP; proxy_pass http://$app/stream; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Host $host;
        proxy_set_header X-Real-IP $scheme-$remote_addr; proxy_set_header Origin ""; }"""
    found = recorded(tmp_path, location, service, nginx_refuses, origin="https://page.example.org")
    path, version, headers = next(a for a in service.asked if "origin" not in a[2] and a[0] != "/")
    assert (path, version) == ("/stream", "HTTP/1.1")
    assert headers["host"] == "chat.example.org"
    assert "connection" not in headers and headers["accept"] == "text/event-stream"
    assert found["app", ""]["status"] == 200  # asked with the whole query of the client
    assert found["app", "as-nginx"]["status"] == 401
    assert found["app", "args"]["status"] == 200
    assert ("app", "host") not in found  # the query was all that was missing
    assert TOKEN not in str(found)
    service.close()


def test_nginx_before_1_29_7_asks_with_http10_and_the_name_of_the_upstream(
    tmp_path: Path, nginx_refuses: str
) -> None:
    service = Service(lambda _path, headers: 200 if "chat" in headers["host"] else 400)
    found = recorded(tmp_path, "location / { proxy_pass http://APP; }", service, nginx_refuses)
    assert found["app", "as-nginx"]["status"] == 400
    assert found["app", "as-nginx"]["request_version"] == "1.0"
    assert found["app", "host"]["status"] == 200
    exact = [a for a in service.asked if a[2]["host"] == service.address]
    assert [a[2]["connection"] for a in exact] == ["close"]
    assert exact[0][0] == f"/events?room=5&access_token={TOKEN}"
    service.close()


def test_with_the_public_host_refused_localhost_is_tried(
    tmp_path: Path, nginx_refuses: str
) -> None:
    service = Service(lambda _path, headers: 200 if "localhost" in headers["host"] else 421)
    location = "location / { proxy_pass http://APP; proxy_set_header Host $host; }"
    found = recorded(tmp_path, location, service, nginx_refuses)
    assert found["app", ""]["status"] == found["app", "as-nginx"]["status"] == 421
    assert found["app", "host"]["status"] == 200
    service.close()


def test_the_token_goes_along_in_the_header_that_nginx_puts_it_into(
    tmp_path: Path, nginx_refuses: str
) -> None:
    service = Service(lambda _path, headers: 200 if "authorization" in headers else 401)
    location = """location = /events { proxy_pass http://APP/stream?room=$arg_room;
        proxy_set_header Authorization "Bearer $arg_access_token"; }"""
    found = recorded(tmp_path, location, service, nginx_refuses)
    assert found["app", "as-nginx"]["status"] == 200 and ("app", "args") not in found
    assert ("/stream?room=5", f"Bearer {TOKEN}") in [
        (path, headers.get("authorization")) for path, _version, headers in service.asked
    ]
    assert TOKEN not in str(found)
    service.close()


def test_a_pasted_upgrade_is_left_out_once(tmp_path: Path, nginx_refuses: str) -> None:
    service = Service(lambda _path, headers: 400 if "upgrade" in str(headers) else 200)
    location = """location / { proxy_pass http://APP; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }"""
    found = recorded(tmp_path, location, service, nginx_refuses)
    assert found["app", "as-nginx"]["status"] == 400
    assert found["app", "connection"]["status"] == 200
    service.close()


@pytest.mark.parametrize(
    ("location", "wants", "works"),
    [
        ("location /events { proxy_pass http://APP/; }", "/events", "path-kept"),
        ("location / { proxy_pass http://APP/app/; }", "/app/events", ""),
        ("location /e { proxy_pass http://APP/e/; }", "/e/vents", ""),
    ],
)
def test_other_paths_are_tried_where_the_app_has_none_such(
    tmp_path: Path, nginx_refuses: str, location: str, wants: str, works: str
) -> None:
    service = Service(lambda path, _headers: 200 if path.startswith(wants + "?") else 404)
    found = recorded(tmp_path, location, service, nginx_refuses)
    streaming = {variant for (_hop, variant), r in found.items() if r["status"] == 200}
    assert streaming - {"as-nginx", "http10", "gzip"} == {works}
    service.close()


def test_a_stream_that_works_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    service = Service(lambda path, _headers: 200 if "access_token" in path else 401)
    location = "location / { proxy_pass http://APP; }"
    found = recorded(tmp_path, location, service, service.address)
    by_the_app = {("app", variant) for variant in ("", "alive", "gzip", "http10")}
    assert set(found) == {*by_the_app, ("nginx", "")}
    service.close()


def test_when_nothing_answers_the_window_is_not_waited_out(tmp_path: Path) -> None:
    service = Service(lambda _path, _headers: 200)
    service.close()
    began = time.monotonic()
    recorded(tmp_path, "location / { proxy_pass http://APP; }", service, "127.0.0.1:1")
    assert time.monotonic() - began < 1.0


def test_a_token_alone_is_a_query_that_can_be_lost(tmp_path: Path, nginx_refuses: str) -> None:
    service = Service(lambda path, _headers: 200 if "access_token" in path else 401)
    url = f"http://chat.example.org:{nginx_refuses.rpartition(':')[2]}/events"
    location = "location / { set $app APP; proxy_pass http://$app/events; }"
    found = recorded(tmp_path, location, service, nginx_refuses, url=url)
    assert (found["app", "as-nginx"]["status"], found["app", "args"]["status"]) == (401, 200)
    service.close()


def test_the_header_lines_that_a_location_hides_are_put_back_once(
    tmp_path: Path, nginx_refuses: str
) -> None:
    service = Service(
        lambda _path, headers: 200 if "tenant" in headers.get("x-tenant", "") else 400
    )
    location = """proxy_set_header X-Tenant "tenant $host"; proxy_set_header X-Trace $request_id;
        location / { proxy_pass http://APP; proxy_set_header X-Real-IP $remote_addr; }"""
    found = recorded(tmp_path, location, service, nginx_refuses)
    assert found["app", "as-nginx"]["status"] == 400
    assert found["app", "inherited"]["status"] == 200
    sent = [headers.get("x-tenant") for _path, _version, headers in service.asked]
    assert "tenant chat.example.org" in sent
    service.close()


def test_only_where_nginx_compresses_streams_is_it_asked_for_gzip(tmp_path: Path) -> None:
    service = Service(lambda _path, _headers: 200)
    for lines, asked in (("gzip on; gzip_types *;", True), ("gzip on;", False)):
        location = f"{lines} location / {{ proxy_pass http://APP; }}"
        found = recorded(tmp_path, location, service, service.address)
        assert (("nginx", "gzip") in found) is asked
    # The app is asked for gzip each time, as a browser asks it; once more through nginx.
    assert [h["accept-encoding"] for _p, _v, h in service.asked].count("gzip") == 3
    service.close()


def test_only_where_a_cache_is_in_scope_is_nginx_asked_again(tmp_path: Path) -> None:
    service = Service(lambda path, _headers: 200 if path.startswith("/events") else 404)
    for lines, asked in (("proxy_cache pages;", True), ("proxy_cache off;", False)):
        location = f"{lines} location / {{ proxy_pass http://APP; }}"
        found = recorded(tmp_path, location, service, service.address)
        assert (("nginx", "again") in found) is asked
    service.close()


def test_a_second_nginx_behind_the_first_is_a_hop_of_its_own(tmp_path: Path) -> None:
    service, inner = Service(lambda path, _headers: 200), Service(lambda path, _headers: 200)
    at = inner.address
    location = f"""proxy_set_header Host in; location / {{ proxy_pass http://{at}/in/; }}
        }} server {{ listen {at}; location /in/ {{ proxy_pass http://APP/; }}"""
    found = recorded(tmp_path, location, service, service.address)
    assert {("app", ""), ("inner", ""), ("nginx", "")} <= set(found)
    path, _version, headers = inner.asked[0]
    assert (path, headers["host"]) == (f"/in/events?room=5&access_token={TOKEN}", "in")
    assert found["app", ""]["address"] == service.address
    assert found["app", ""]["url"].endswith("/events?room=5")
    assert TOKEN not in str(found)
    inner.close()
    service.close()


def test_from_1_29_7_on_an_app_that_fails_is_asked_over_http10_too(
    tmp_path: Path, nginx_refuses: str
) -> None:
    service = Service(lambda _path, headers: 200 if headers.get("connection") == "close" else 502)
    location = "location / { proxy_pass http://APP; }"
    found = recorded(tmp_path, location, service, nginx_refuses, version="1.30.0")
    assert found["app", "as-nginx"]["status"] == found["app", ""]["status"] == 502
    assert found["app", "http10"]["status"] == 200
    service.close()
