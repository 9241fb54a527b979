"""What a request sends, what it refuses to send, and what it keeps to itself."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ssemedic.probe.request import Request, RequestError, address_of, mask
from ssemedic.probe.tape import StallWatch

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


def request(url: str = "http://chat.example.org/events", **changes: Any) -> Request:
    return Request("app", url, **changes)


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://a.example", "a.example", "/"),
        ("http://a.example:80/e", "a.example", "/e"),
        ("https://a.example:443/e?x=1&y", "a.example", "/e?x=1&y"),
        ("https://a.example:8443/e#top", "a.example:8443", "/e"),
        ("http://[::1]:8000/e", "[::1]:8000", "/e"),
        ("http://anna:secret@a.example/e", "a.example", "/e"),
        ("http://b\u00fccher.example/\u00fc?q=\u00fc", "xn--bcher-kva.example", "/%C3%BC?q=%C3%BC"),
        ("http://a.example/a%20b/%2F", "a.example", "/a%20b/%2F"),
    ],
)
def test_a_url_becomes_host_and_target(url: str, authority: str, target: str) -> None:
    assert (request(url).authority, request(url).target) == (authority, target)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://a.example/\r\nX: 1"},
        {"url": "http://a.example/a b"},
        {"url": "ftp://a.example/"},
        {"url": "http:///events"},
        {"url": "http://a.example:99999/"},
        {"url": "http://[::1/"},
        {"method": "GET /"},
        {"token": "a\nb"},
        {"token": ""},
        {"headers": (("X Y", "1"),)},
        {"headers": (("X", "1\r\nY: 2"),)},
        {"headers": (("X", "\u20ac"),)},
        {"version": "3"},
        {"window": 0.0},
        {"window": float("nan")},
        {"connect": "nowhere"},
    ],
)
def test_what_could_smuggle_a_line_or_cannot_be_sent_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        request(**changes)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("[::1]:80", ("::1", 80)),
        ("web1:80", ("web1", 80)),
        ("unix:/run/a.sock", ("/run/a.sock", 0)),
    ],
)
def test_an_address_to_connect_to(text: str, wanted: tuple[str, int]) -> None:
    assert address_of(text) == wanted


@pytest.mark.parametrize("text", ["::1:80", "host", "host:0", "host:99999", ":80", "unix:run/a"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        address_of(text)


def test_a_header_of_ours_is_replaced_by_one_of_the_caller() -> None:
    lines = request(headers=(("accept-encoding", "gzip"),)).wire_headers()
    assert ("accept-encoding", "gzip") in lines
    assert [name.lower() for name, _value in lines].count("accept-encoding") == 1


def test_a_user_in_the_url_is_sent_as_basic_and_is_not_in_the_record() -> None:
    asked = request("http://anna:s%40crt@a.example/e")
    assert ("Authorization", "Basic YW5uYTpzQGNydA==") in asked.wire_headers()
    assert asked.public_url == "http://a.example/e"
    assert mask(b"hello s@crt", asked.secrets()) == b"hello *****"


def test_a_token_written_into_the_url_is_sent_and_is_not_in_the_record() -> None:
    asked = request(f"http://a.example/e?access_token={JWT}&x=1&ticket={JWT}")
    assert JWT in asked.target
    assert asked.public_url == "http://a.example/e?x=1"
    assert JWT.encode() in asked.secrets()


def test_the_repr_of_a_request_holds_no_secret() -> None:
    asked = request(
        f"http://a.example/e?access_token={JWT}",
        token="tok-1",
        headers=(("Cookie", "session=abc"),),
        body=b"pass=word",
    )
    shown = repr(asked)
    assert not any(secret in shown for secret in (JWT, "tok-1", "abc", "word"))


def test_an_error_about_a_secret_does_not_show_it() -> None:
    with pytest.raises(RequestError) as caught:
        request(token="tok en")
    assert "tok en" not in str(caught.value)


def test_a_stall_of_the_recorder_is_measured() -> None:
    watch = StallWatch()
    watch._slept_at -= 1.0  # as if the thread had last run a second ago
    assert watch.finish() == pytest.approx(1.0, abs=0.3)


def test_a_recorder_that_runs_freely_reports_no_long_stall() -> None:
    watch = StallWatch()
    time.sleep(0.2)
    assert watch.finish() < 3.0
