"""What a configuration alone tells of the causes of policy, capacity and protocol."""

from __future__ import annotations

import pytest

from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding
from ssemedic.nginx import route, tree_of
from ssemedic.rules import all_rules

RULES = {rule.id: rule for rule in all_rules()}
STREAM = "proxy_pass http://127.0.0.1:8000; proxy_buffering off; proxy_read_timeout 1h;"
PLAIN = "listen 80;"
TLS = "listen 443 ssl http2; ssl_certificate c; ssl_certificate_key k;"


def findings(
    rule: str,
    location: str = STREAM,
    *,
    listen: str = PLAIN,
    server: str = "",
    http: str = "",
    main: str = "",
    version: str = "1.22.1",
    url: str = "http://web1/events",
    **endpoint: object,
) -> list[Finding]:
    text = (
        f"{main} events {{}} http {{ {http} server {{ {listen} {server} "
        f"location /events {{ {location} }} location / {{ root /srv; }} }} }}"
    )
    tree = tree_of({"/etc/nginx/nginx.conf": text.encode()}, "/etc/nginx/nginx.conf", {})
    look = RULES[rule].configured
    assert look is not None
    return list(look(route(tree, url, version), Endpoint(url, **endpoint)))  # type: ignore[arg-type]


def one(rule: str, location: str = STREAM, **described: object) -> Finding:
    (found,) = findings(rule, location, **described)  # type: ignore[arg-type]
    return found


POLICY = (
    "cl_six_connections",
    "h2_hop_header",
    "nginx_auth_request",
    "nginx_duplicate_cors",
    "nginx_html_fallback",
    "nginx_intercept_errors",
    "nginx_limit_conn",
    "nginx_read_timeout_idle",
    "nginx_reload_old_workers",
)


@pytest.mark.parametrize("rule", POLICY)
@pytest.mark.parametrize("listen", [PLAIN, TLS])
def test_a_plain_good_location_gets_no_finding(rule: str, listen: str) -> None:
    url = "https://web1/events" if listen == TLS else "http://web1/events"
    assert findings(rule, listen=listen, url=url) == []


def test_two_origin_headers_at_once_are_told() -> None:
    twice = STREAM + (
        "add_header Access-Control-Allow-Origin https://a.example.org;"
        "add_header access-control-allow-origin *;"
    )
    assert one("nginx_duplicate_cors", twice).depends
    assert one("nginx_duplicate_cors", twice, origin="https://a.example.org").depends == ""


def test_two_that_take_turns_by_a_variable_are_not() -> None:
    turns = STREAM + (
        "add_header Access-Control-Allow-Origin $for_a;"
        "add_header Access-Control-Allow-Origin $for_b;"
    )
    assert findings("nginx_duplicate_cors", turns) == []


def test_a_header_of_http1_hurts_where_http2_is_offered_and_only_there() -> None:
    added = STREAM + "add_header Connection keep-alive;"
    found = one("h2_hop_header", added, listen=TLS, url="https://web1/events")
    assert found.depends == ""
    assert found.remedy is not None
    assert findings("h2_hop_header", added) == []
    newer = "listen 443 ssl; http2 on;"
    assert one("h2_hop_header", added, listen=newer, version="1.26.3", url="https://web1/events")
    empty = STREAM + 'add_header Connection "";'
    assert findings("h2_hop_header", empty, listen=TLS, url="https://web1/events") == []


@pytest.mark.parametrize(
    ("version", "line"), [("1.22.1", "listen 443 ssl http2;"), ("1.26.3", "http2 on;")]
)
def test_tls_without_http2_is_told_with_the_line_of_the_version(version: str, line: str) -> None:
    found = one(
        "cl_six_connections", listen="listen 443 ssl;", version=version, url="https://web1/events"
    )
    assert found.expected == line
    assert found.depends


@pytest.mark.parametrize(
    ("count", "told"), [("1", True), ("5", True), ("6", False), ("100", False)]
)
def test_a_limit_for_each_address_below_the_tabs_of_one_browser_is_told(
    count: str, told: bool
) -> None:
    zone = "limit_conn_zone $binary_remote_addr zone=perip:1m;"
    found = findings("nginx_limit_conn", STREAM + f"limit_conn perip {count};", http=zone)
    assert bool(found) is told


def test_a_limit_of_the_whole_server_is_not_that_of_one_address() -> None:
    zone = "limit_conn_zone $server_name zone=all:1m;"
    assert findings("nginx_limit_conn", STREAM + "limit_conn all 3;", http=zone) == []


def test_a_refusal_that_becomes_another_answer_is_told_and_a_page_of_its_own_status_is_not() -> (
    None
):
    on = "proxy_intercept_errors on;"
    found = one("nginx_intercept_errors", server=f"{on} error_page 401 =200 /index.html;")
    assert "401" in found.depends
    assert findings("nginx_intercept_errors", server=f"{on} error_page 401 /401.html;") == []
    assert findings("nginx_intercept_errors", server="error_page 401 =200 /index.html;") == []


def test_an_auth_endpoint_that_redirects_by_itself_is_an_error() -> None:
    gate = "location = /gate { return 302 /login; }"
    found = one("nginx_auth_request", STREAM + "auth_request /gate;", server=gate)
    assert found.depends == ""


def test_an_auth_endpoint_that_is_not_told_the_query_depends_on_where_the_token_is() -> None:
    asks = STREAM + "auth_request /gate;"
    silent = "location = /gate { proxy_pass http://127.0.0.1:9000; }"
    assert "access_token" in one("nginx_auth_request", asks, server=silent).depends
    told = silent.replace("}", "proxy_set_header X-Original-URI $request_uri; }")
    assert findings("nginx_auth_request", asks, server=told) == []
    assert findings("nginx_auth_request", asks, server=silent, token_parameter="") == []


def test_a_url_that_nginx_answers_by_itself_can_be_no_stream() -> None:
    url = "http://web1/stream"
    assert one("nginx_html_fallback", url=url).depends == ""
    assert findings("nginx_html_fallback", "return 301 /events/;") == []
    assert one("nginx_html_fallback", 'return 200 "soon";')


@pytest.mark.parametrize(
    ("timeout", "keepalive", "depends"),
    [("20s", 30, ""), ("60s", None, "for 60 s"), ("60s", 60, "")],
)
def test_a_timeout_shorter_than_the_silence_is_told(
    timeout: str, keepalive: float | None, depends: str
) -> None:
    location = f"proxy_pass http://127.0.0.1:8000; proxy_read_timeout {timeout};"
    found = one("nginx_read_timeout_idle", location, keepalive_seconds=keepalive)
    assert found.depends.endswith(depends)
    assert bool(found.depends) is bool(depends)


@pytest.mark.parametrize(("timeout", "keepalive"), [("60s", 15), ("45s", 30), ("10m", None)])
def test_a_timeout_that_the_keepalive_meets_is_not(timeout: str, keepalive: float | None) -> None:
    location = f"proxy_pass http://127.0.0.1:8000; proxy_read_timeout {timeout};"
    assert findings("nginx_read_timeout_idle", location, keepalive_seconds=keepalive) == []


def test_the_timeout_of_the_family_in_use_counts() -> None:
    location = "fastcgi_pass 127.0.0.1:9000; proxy_read_timeout 1h; fastcgi_read_timeout 10s;"
    found = one("nginx_read_timeout_idle", location)
    assert found.observed.startswith("fastcgi_read_timeout is 10 s")


@pytest.mark.parametrize(("timeout", "told"), [("1s", True), ("30s", False), ("5m", False)])
def test_a_shutdown_timeout_of_seconds_drops_every_stream_at_a_reload(
    timeout: str, told: bool
) -> None:
    found = findings("nginx_reload_old_workers", main=f"worker_shutdown_timeout {timeout};")
    assert bool(found) is told
