"""Whether nginx keeps an answer: the app's headers, what is ignored of them, and the lines."""

from __future__ import annotations

import pytest

from ssemedic.clues.caching import kept
from ssemedic.nginx import route, tree_of
from ssemedic.stream.record import End, Stream

VALID = "proxy_cache_valid 200 1m;"


def why(lines: str, **headers: str) -> str | None:
    """Why a stream with these headers would be kept; None where it would not."""
    text = (
        "events {} http { proxy_cache_path /c keys_zone=pages:1m; server { listen 80;"
        f" location / {{ proxy_pass http://127.0.0.1:8000; {lines} }} }} }}"
    )
    found = route(tree_of({"/n.conf": text.encode()}, "/n.conf"), "http://web1/events", "1.22.1")
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    end = End("limit_time", 8.0)
    answer = Stream("app", "inside", "", "", 0.0, 8.0, end, status=200, headers=sent)
    known = kept(found, answer)
    return known.why if known else None


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        (VALID, {}),
        ("proxy_cache_valid 5m;", {}),
        ("proxy_cache_valid any 10s;", {"Cache_Control": "no-transform"}),
        (f"{VALID} proxy_ignore_headers Cache-Control;", {"Cache_Control": "no-cache"}),
        ("", {"Cache_Control": "max-age=60"}),
        ("", {"Cache_Control": "public, s-maxage=60, max-age=0"}),
        ("", {"X_Accel_Expires": "60", "Cache_Control": "no-store"}),
        ("", {"Expires": "Thu, 01 Jan 2099 00:00:00 GMT"}),
        (f"{VALID} proxy_ignore_headers Set-Cookie;", {"Set_Cookie": "a=b"}),
    ],
)
def test_it_is_kept(lines: str, headers: dict[str, str]) -> None:
    assert why(f"proxy_cache pages; {lines}", **headers)


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        ("", {}),
        ("proxy_cache_valid 404 1m;", {}),
        ("proxy_cache_valid 200 0;", {}),
        (VALID, {"Cache_Control": "no-cache"}),
        (VALID, {"Cache_Control": "private, max-age=60"}),
        (VALID, {"Cache_Control": "max-age=0"}),
        (VALID, {"Set_Cookie": "a=b"}),
        (VALID, {"Vary": "*"}),
        (VALID, {"X_Accel_Expires": "0"}),
        (f"{VALID} proxy_no_cache 1;", {}),
        (f"{VALID} proxy_no_cache $arg_none $http_accept;", {}),
    ],
)
def test_it_is_not_kept(lines: str, headers: dict[str, str]) -> None:
    assert why(f"proxy_cache pages; {lines}", **headers) is None


def test_without_a_cache_nothing_is_kept() -> None:
    assert why(VALID) is None
    assert why(f"proxy_cache off; {VALID}") is None
