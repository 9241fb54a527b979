"""What is said of an endpoint as a whole, and what the notes add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
