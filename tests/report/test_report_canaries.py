"""A secret planted in every field of evidence, in every disguise, never comes out."""

from __future__ import annotations

import dataclasses
import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssemedic.evidence import Evidence, Log, LogLine, TextFile
from ssemedic.report.forms import FORMS
from ssemedic.report.redact import redact_evidence, redact_report
from tests.report.canaries import ENCODINGS, filled, leaves

#: As random as a token is, with a letter, a digit and a capital in it.
CANARIES = st.text(string.ascii_letters + string.digits + "-_.~+/", min_size=14, max_size=48).map(
    lambda text: f"Zq7{text}x1"
)
BUSY = settings(deadline=None, max_examples=5, suppress_health_check=list(HealthCheck))


def leaked(shown: Any, canary: str, encoding: str) -> list[str]:
    read = ENCODINGS[encoding][1]
    return [
        text for text in leaves(json.loads(json.dumps(shown)))
        if canary in text or canary in read(text)
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
@BUSY
@given(canary=CANARIES)
def test_a_known_token_leaks_from_no_field_of_evidence(encoding: str, canary: str) -> None:
    text = ENCODINGS[encoding][0](canary)
    assert leaked({"text": text}, canary, encoding), "the reader must be able to read it"
    assert leaked(redact_evidence(filled(text), [canary]), canary, encoding) == []


@pytest.mark.parametrize("encoding", sorted(set(ENCODINGS) - {"split over lines", "hexadecimal"}))
@BUSY
@given(canary=CANARIES)
def test_a_token_that_only_its_place_betrays_leaks_from_no_field(
    encoding: str, canary: str
) -> None:
    text = ENCODINGS[encoding][0](f"GET /events?access_token={canary} HTTP/1.1")
    assert leaked(redact_evidence(filled(text)), canary, encoding) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
@BUSY
@given(canary=CANARIES)
def test_a_token_that_one_line_betrays_is_masked_in_every_disguise(
    encoding: str, canary: str
) -> None:
    seen = filled(ENCODINGS[encoding][0](canary))
    seen = dataclasses.replace(seen, missing={"logs": f"Authorization: Bearer {canary}"})
    assert leaked(redact_evidence(seen), canary, encoding) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
@BUSY
@given(canary=CANARIES)
def test_a_known_token_leaks_from_no_field_and_no_form_of_a_report(
    broken: dict[str, Any], encoding: str, canary: str
) -> None:
    text = ENCODINGS[encoding][0](canary)
    planted = _planted(broken, text)
    assert leaked(redact_report(planted, [canary]), canary, encoding) == []


def _planted(value: Any, text: str, name: str = "") -> Any:
    """The report with the text behind each of its own."""
    if isinstance(value, str):
        return value if name == "content_b64" else f"{value} {text}"
    if isinstance(value, dict):
        return {key: _planted(item, text, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_planted(item, text, name) for item in value]
    return value


def test_a_token_in_two_lines_of_a_log_is_masked_in_both() -> None:
    lines = (LogLine(1.0, "token Zq7abcdef"), LogLine(1.0, "123456789 was refused"))
    seen = Evidence(1, "web1", 1.0, 1.0, logs=(Log("journal:app", lines),))
    shown = redact_evidence(seen, ["Zq7abcdef123456789"])
    first, second = (line["text"] for line in shown["logs"][0]["lines"])
    assert "Zq7abc" not in first and "123456789" not in second
    assert first.split()[1] == second.split()[0], "the same secret has the same tag"


def test_masked_evidence_is_evidence_that_can_be_judged() -> None:
    line = b"proxy_set_header Authorization 'Bearer Zq7abcdef123456789';"
    stream = (filled("x").streams or ())[0]
    stream = dataclasses.replace(stream, body=b"data: Zq7abcdef123456789\n\n")
    seen = Evidence(1, "web1", 1.0, 1.0, streams=(stream,), missing={"nginx": line.decode()})
    again = Evidence.from_dict(json.loads(json.dumps(redact_evidence(seen))))
    assert again.streams
    assert len(again.streams[0].body) == len(stream.body), "no event moves in time"
    assert b"Zq7" not in again.streams[0].body


def test_a_file_without_secrets_keeps_its_hash() -> None:
    plain = TextFile("/etc/nginx/nginx.conf", b"events {}\n", "4bad", 0o644, "root", "root")
    seen = dataclasses.replace(filled("x"), units=None)
    assert seen.nginx
    seen = dataclasses.replace(seen, nginx=dataclasses.replace(seen.nginx, files=(plain,)))
    assert redact_evidence(seen)["nginx"]["files"][0]["sha256"] == "4bad"


def test_every_form_is_made_of_what_is_masked(broken: dict[str, Any]) -> None:
    broken["causes"][0]["evidence"].append("GET /events?access_token=Zq7abcdef123456789 HTTP/1.1")
    broken["notes"].append("Zq7abcdef123456789")
    for name, (_file, form) in FORMS.items():
        assert "Zq7abcdef" not in form(redact_report(broken)), name


def test_mail_and_other_hosts_addresses_are_masked_on_request_alone() -> None:
    report = {
        "notes": ["ann@example.org from 198.51.100.7 and 2001:db8::7 on 127.0.0.1:8000, 1.22.1"]
    }
    shown = redact_report(report, personal=True)["notes"][0]
    assert "ann" not in shown and "198.51" not in shown and "2001:db8" not in shown
    assert "127.0.0.1:8000, 1.22.1" in shown
    assert redact_report(report) == report
