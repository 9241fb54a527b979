"""What is said of an endpoint as a whole, and what the notes add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssemedic.diagnosis import Diagnosis, Verdict
from tests.rules.cases import CaseFile

GOOD = {"hop": "app"}, {"hop": "nginx"}, {"hop": "public"}


def judged(streams: tuple[dict[str, Any], ...], **data: Any) -> Diagnosis:
    server = (
        "location /events { proxy_pass http://127.0.0.1:8000; proxy_buffering off;\n"
        "proxy_http_version 1.1; proxy_read_timeout 1h; }"
    )
    case = {"server": server, "streams": [dict(stream) for stream in streams], **data}
    return CaseFile(Path("case.yml"), case).judged().diagnosis


def test_a_public_url_that_nobody_asked_is_not_called_healthy() -> None:
    assert judged(GOOD).verdict is Verdict.HEALTHY
    assert judged(GOOD[:2]).verdict is Verdict.UNKNOWN


def test_a_url_that_nginx_sends_on_elsewhere_is_named_in_a_note() -> None:
    moved = {"status": 301, "headers": {"Content-Type": "text/html"}, "body": "x", "end": "eof"}
    found = judged(
        ({"hop": "nginx", **moved}, {"hop": "public", **moved}),
        server="return 301 https://$host$request_uri;",
        endpoint={"url": "http://web1:8080/events?room=1"},
    )
    assert not found.causes
    assert found.verdict is Verdict.UNKNOWN  # a browser follows it; what is there was not seen
    assert not found.unexplained
    assert found.notes == (
        "nginx sends the URL on to https://web1/events, as a browser follows it: diagnose that URL",
    )


def test_a_redirect_that_the_app_makes_is_not_taken_for_one_of_nginx() -> None:
    moved = {"status": 301, "headers": {"Content-Type": "text/html"}, "body": "x", "end": "eof"}
    found = judged(tuple({"hop": hop, **moved} for hop in ("app", "nginx", "public")))
    assert found.verdict is Verdict.BROKEN


def test_what_nginx_says_of_a_broken_configuration_is_told_once() -> None:
    said = 'nginx: [emerg] unknown directive "foo" in /etc/nginx/nginx.conf:3'
    (note,) = judged(GOOD, nginx={"test_ok": False, "test_output": said}).notes
    assert note.startswith(f"{said}; nginx would not load this")


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 403},
        {"status": 401},
        {"status": 302, "headers": {"Location": "https://web1/events"}},
        {"headers": {"Content-Type": "text/html"}, "body": "<html>"},
    ],
    ids=["403", "401", "302", "a page"],
)
@pytest.mark.parametrize("hop", ["app", "nginx"])
def test_what_a_hop_refuses_to_us_alone_is_a_note_and_no_symptom(
    hop: str, refusal: dict[str, Any]
) -> None:
    refused = {"hop": hop, "body": "no", "end": "last_chunk", "at": 0.02, **refusal}
    streams = tuple(refused if stream["hop"] == hop else stream for stream in GOOD)
    found = judged(streams)
    assert found.verdict is Verdict.HEALTHY
    assert not found.causes and not found.unexplained
    assert found.notes[0].startswith(f"{hop}: asked by itself it answers ")


@pytest.mark.parametrize("passing", [500, 502, 503, 429, 408])
def test_a_failure_that_comes_and_goes_counts_though_the_stream_came_through(passing: int) -> None:
    failed = {"hop": "app", "status": passing, "body": "no", "end": "last_chunk", "at": 0.02}
    found = judged((failed, *GOOD[1:]))
    assert found.verdict is Verdict.BROKEN


def test_a_dev_proxy_that_streams_proves_nothing_for_the_public_url() -> None:
    refused = {"hop": "public", "status": 403, "body": "no", "end": "last_chunk", "at": 0.02}
    found = judged((*GOOD[:2], refused, {"hop": "devproxy"}))
    assert found.verdict is Verdict.BROKEN


def test_a_backend_that_is_down_beside_one_that_streams_is_a_note() -> None:
    down = {"hop": "app", "status": None, "end": "refused", "at": 0.001}
    found = judged((down, *GOOD[1:]))
    assert found.verdict is Verdict.HEALTHY
    assert found.notes == (
        "app: nobody listens at 127.0.0.1:8000; nginx gets the stream all the same, "
        "from another address",
    )


def test_an_app_that_is_down_for_a_stream_that_ended_outside_counts() -> None:
    down = {"hop": "app", "status": None, "end": "refused", "at": 0.001}
    found = judged((down, *({**hop, "end": "truncated", "at": 2.0} for hop in GOOD[1:])))
    assert found.verdict is Verdict.BROKEN
