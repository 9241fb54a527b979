"""Redirects are followed as a browser follows them, and no secret crosses an origin."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_server import Record, Script, Serve, Served, answering, send

from ssemedic.probe import inside, outside
from ssemedic.probe.redirects import record_following
from ssemedic.probe.request import Request
from ssemedic.stream.detect import observe_one
from ssemedic.stream.record import Stream

OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Content-Length: 9\r\n\r\ndata: x\n\n"
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


@pytest.fixture(params=[inside.record, outside.record], ids=["inside", "outside"])
def record(request: pytest.FixtureRequest) -> Record:
    """Each recorder in turn."""
    chosen: Record = request.param
    return chosen


def to(location: str, status: int = 302, *headers: bytes) -> Script:
    lines = b"".join(header + b"\r\n" for header in headers)
    head = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\n" % (status, location.encode())
    return send(head + lines + b"Content-Length: 0\r\n\r\n")


def paths(**scripts: Script) -> Script:
    """A server with one script for each path, "_" for any other."""

    def choose(head: bytes) -> Script:
        path = head.split(b" ")[1].split(b"?")[0].strip(b"/").decode()
        return scripts.get(path, scripts["_"])

    return answering(choose)


def ask(url: str, **changes: Any) -> Request:
    return Request("public", url, **{"window": 3.0, **changes})


def listening(serve: Serve, heard: list[bytes], script: Script | None = None) -> Served:
    def choose(head: bytes) -> Script:
        heard.append(head)
        return script or send(OK)

    return serve(answering(choose), read_request=False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_to_the_stream(record: Record, serve: Serve, status: int) -> None:
    script = paths(events=to("/stream?x=1", status), _=send(OK))
    served = serve(script, read_request=False)
    stream = record_following(ask(served.url), record)
    assert stream.is_event_stream
    assert stream.redirects == (served.url,)
    assert stream.url == f"http://{served.address}/stream?x=1"
    assert observe_one(stream)[0].kind == "ended"


def test_an_answer_that_does_not_redirect_is_recorded_once(record: Record, serve: Serve) -> None:
    heard: list[bytes] = []
    served = listening(serve, heard, send(b"HTTP/1.1 304 x\r\nLocation: /a\r\n\r\n"))
    stream = record_following(ask(served.url), record)
    assert (stream.status, stream.redirects, len(heard)) == (304, (), 1)


def test_a_circle_ends_at_once_with_one_symptom(record: Record, serve: Serve) -> None:
    heard: list[bytes] = []

    def choose(head: bytes) -> Script:
        heard.append(head)
        return to("/b" if b" /a" in head else "/a")

    served = serve(answering(choose), read_request=False)
    stream = record_following(ask(f"http://{served.address}/a"), record)
    assert stream.end.kind == "limit_redirects"
    assert len(heard) == 2
    (symptom,) = observe_one(stream)
    assert (symptom.kind, symptom.measured["redirects"]) == ("redirect_loop", 2)
    assert f"back at http://{served.address}/a" in symptom.text


def test_redirects_without_end_stop_after_twenty(record: Record, serve: Serve) -> None:
    heard: list[bytes] = []

    def choose(head: bytes) -> Script:
        heard.append(head)
        return to(f"/{len(heard)}")

    served = serve(answering(choose), read_request=False)
    stream = record_following(ask(served.url), record)
    assert (stream.end.kind, len(heard)) == ("limit_redirects", 21)
    assert [s.kind for s in observe_one(stream)] == ["redirect_loop"]


def test_redirects_share_one_window(record: Record, serve: Serve) -> None:
    numbers = iter(range(1000))

    def choose(head: bytes) -> Script:
        location = b"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: /%d\r\n\r\n"
        return send(0.25, location % next(numbers))

    served = serve(answering(choose), read_request=False)
    stream = record_following(ask(served.url, window=0.6), record)
    assert len(stream.redirects) <= 3
    assert stream.end.kind in ("limit_time", "last_chunk")


def test_a_cookie_set_on_the_way_is_sent_and_breaks_the_circle(
    record: Record, serve: Serve
) -> None:
    def choose(head: bytes) -> Script:
        if b"\r\nCookie: seen=1\r\n" in head:
            return send(OK)
        return to("/events", 302, b"Set-Cookie: seen=1; Path=/; HttpOnly")

    served = serve(answering(choose), read_request=False)
    assert record_following(ask(served.url), record).is_event_stream


def test_nothing_secret_crosses_an_origin(record: Record, serve: Serve) -> None:
    heard: list[bytes] = []
    other = listening(serve, heard)
    location = f"http://thief:pw@{other.address}/?access_token={JWT}&x=1"
    served = serve(to(location, 302, b"Set-Cookie: a=b"))
    request = ask(
        served.url,
        token=JWT,
        headers=(
            ("Cookie", "session=s3cr3t-value"),
            ("Authorization", "Basic abcdef"),
            ("X-Api-Key", "sk-123456"),
            ("X-Tenant", "t1"),
            ("Last-Event-ID", "7"),
        ),
    )
    stream = record_following(request, record)
    assert stream.is_event_stream
    (head,) = heard
    assert head.startswith(b"GET /?x=1 HTTP/1.1\r\n")
    for secret in (JWT.encode(), b"s3cr3t", b"abcdef", b"sk-1", b"a=b", b"thief", b"***"):
        assert secret not in head
    assert b"\r\nX-Tenant: t1\r\n" in head
    assert b"\r\nLast-Event-ID: 7\r\n" in head


def test_a_bearer_token_does_not_cross_an_origin(record: Record, serve: Serve) -> None:
    heard: list[bytes] = []
    other = listening(serve, heard)
    served = serve(to(f"http://{other.address}/events"))
    record_following(ask(served.url, token=JWT, token_parameter=""), record)
    assert JWT.encode() not in heard[0]
    assert b"Authorization" not in heard[0]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/other?access_token=" + JWT, f"/other?access_token={JWT}"),
        ("/other", "/other"),
    ],
    ids=["the redirect carries it", "the redirect drops it"],
)
def test_a_token_in_the_query_stays_only_if_the_redirect_carries_it(
    record: Record, serve: Serve, location: str, target: str
) -> None:
    heard: list[bytes] = []

    def choose(head: bytes) -> Script:
        heard.append(head)
        return to(location) if b" /events" in head else send(OK)

    served = serve(answering(choose), read_request=False)
    stream = record_following(ask(served.url, token=JWT), record)
    assert heard[1].startswith(f"GET {target} HTTP".encode())
    assert JWT not in repr(stream)


def test_the_page_of_another_origin_is_null_after_a_third_one(record: Record, serve: Serve) -> None:
    heard: list[bytes] = []
    other = listening(serve, heard)
    served = serve(to(f"http://{other.address}/"))
    page = (("Origin", "https://app.example.org"),)
    record_following(ask(served.url, headers=page), record)
    assert b"\r\nOrigin: null\r\n" in heard[0]


@pytest.mark.parametrize(("status", "method"), [(302, b"GET"), (303, b"GET"), (307, b"POST")])
def test_a_post_is_repeated_only_where_the_status_says_so(
    record: Record, serve: Serve, status: int, method: bytes
) -> None:
    heard: list[bytes] = []

    def choose(head: bytes) -> Script:
        heard.append(head)
        return to("/next", status) if b" /events" in head else send(OK)

    served = serve(answering(choose), read_request=False)
    kind = (("Content-Type", "application/json"),)
    record_following(ask(served.url, method="POST", body=b"{}", headers=kind), record)
    assert heard[1].startswith(method + b" /next ")
    assert heard[1].endswith(b"{}") == (method == b"POST")
    assert (b"Content-Type" in heard[1]) == (method == b"POST")


def test_a_redirect_away_from_an_address_that_was_given_is_not_followed(
    record: Record, serve: Serve
) -> None:
    served = serve(to("https://chat.example.org/events"))
    url = "http://chat.example.org/events"
    stream = record_following(ask(url, connect=served.address), record)
    assert (stream.status, stream.redirects) == (302, ())
    assert [s.kind for s in observe_one(stream)] == ["wrong_status"]


@pytest.mark.parametrize("location", ["ftp://x/", "https://", "http://[::1/", "http://x:99999/"])
def test_a_location_that_no_browser_opens_ends_there(
    record: Record, serve: Serve, location: str
) -> None:
    served = serve(to(location))
    stream: Stream = record_following(ask(served.url), record)
    assert (stream.status, stream.redirects) == (302, ())
