"""Secrets never leave; what is no secret stays readable."""

from __future__ import annotations

import base64
import copy
import json
import re
import string
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssemedic.report.redact import redact, redact_report, withheld
from ssemedic.report.schema import validate

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MX0.c2lnbmF0dXJlLWJ5dGVz"
TAG = re.compile("\u2039[a-z]+:[0-9a-f]{4}\u203a")

SECRET_PLACES = [
    "GET /events?access_token={} HTTP/1.1",
    "GET /events?a=1&token={}&b=2",
    "https://h/events?api_key={}",
    "/login%3Faccess_token%3D{}%26x%3D1",
    "Authorization: Bearer {}",
    "authorization: '{}'",
    'proxy_set_header Authorization "Bearer {}";',
    "proxy_set_header X-Api-Key {};",
    "X-Auth-Token: {}",
    "nats://notify:{}@10.0.0.1:4222",
    "Cookie: session={}; theme=dark",
    "Set-Cookie: id={}; HttpOnly",
    "DB_PASSWORD={}",
    'JWT_SECRET="{}"',
    '{{"password": "{}"}}',
    "app --api-key {} --port 1",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n{} and the log ends here",
]
#: As random as a token is, with a letter, a digit and a capital in it.
CANARIES = st.text(string.ascii_letters + string.digits, min_size=12, max_size=60).map(
    lambda text: f"Zq7{text}"
)


@pytest.mark.parametrize("place", SECRET_PLACES)
@settings(deadline=None)  # the machine may stall
@given(canary=CANARIES)
def test_a_secret_never_survives(place: str, canary: str) -> None:
    shown = redact(place.format(canary))
    assert canary not in shown
    assert TAG.search(shown)


@settings(deadline=None)  # the machine may stall
@given(st.text(alphabet=string.printable + "\u2039\u203a*"))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("place", SECRET_PLACES)
def test_redacting_a_secret_twice_is_redacting_it_once(place: str) -> None:
    once = redact(place.format(JWT))
    assert redact(once) == once


def test_the_same_secret_has_the_same_tag_wherever_it_stands() -> None:
    shown = redact(f"Authorization: Bearer {JWT}\nGET /events?access_token={JWT}&x=1\n{JWT}")
    tags = TAG.findall(shown)
    assert len(tags) == 3
    assert len(set(tags)) == 1
    assert TAG.findall(redact(JWT + "x")) != tags[:1]


@pytest.mark.parametrize(
    "text",
    [
        "token expired 3 s ago",
        "the access token is missing",
        "no authorization header",
        "basic authentication is required",
        "access_token=***jwt(alg=EdDSA,exp=1700000000)",
        "proxy_set_header Authorization $http_authorization;",
        "proxy_pass http://app/?token=$arg_token;",
        "ssl_certificate_key /etc/ssl/private/site.pem;",
        "http://chat.example.org:8080/events?workspace=7",
        "a mail to root@web1, see http://web1:80/",
        "LimitNOFILE=65536",
        "auth_token_expired_url",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "piece", ["eyJ", "token ", "x-", "a.b-", "http://a:", "?token=", "cookie:"]
)
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    started = time.process_time()
    redact(piece * (60_000 // len(piece)))
    assert time.process_time() - started < 5


def test_what_a_cut_line_left_of_a_token_is_masked() -> None:
    assert "eyJ" not in redact(f"token {JWT[:30]}")


def _spellings(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        json.dumps(secret)[1:-1],
        *(base64.b64encode(b"x" * n + b":" + raw + b"\n").decode() for n in range(3)),
        *(base64.urlsafe_b64encode(b"y" * n + raw).decode() for n in range(3)),
    ]


@settings(deadline=None)  # the machine may stall
@given(secret=st.text(string.ascii_letters + string.digits + '+/=&"\\ä', min_size=8, max_size=80))
def test_a_known_secret_is_found_in_every_spelling(secret: str) -> None:
    report = {"notes": [f"<{spelling}>" for spelling in _spellings(secret)], "plan": None}
    shown = redact_report(report, [secret])
    for before, after in zip(report["notes"], shown["notes"], strict=True):
        assert before != after
        assert secret not in after
        assert secret.encode() not in b"|".join(_decoded(after))


def _decoded(text: str) -> list[bytes]:
    """All that stands in the text as base64, at any alignment."""
    pieces = re.findall(r"[A-Za-z0-9+/_-]{4,}", text)
    starts = [piece[start:] for piece in pieces for start in range(4)]
    return [base64.b64decode(start[: len(start) // 4 * 4], altchars=b"-_") for start in starts]


def test_headers_and_fields_are_masked_by_their_name(broken: dict[str, Any]) -> None:
    broken["hops"][0]["stream"]["headers"] += [["Set-Cookie", "sid=abc123"], ["X-Api-Key", "k1"]]
    broken["endpoint"]["message"] = {"path": "/m", "body": {"password": "pw"}, "id": "id"}
    text = json.dumps(redact_report(broken), ensure_ascii=False)
    assert "abc123" not in text
    assert '"k1"' not in text
    assert '"pw"' not in text
    assert '"text/event-stream"' in text


def test_a_report_keeps_its_form_and_the_original_is_not_touched(broken: dict[str, Any]) -> None:
    broken["causes"][0]["evidence"].append(f"GET /events?access_token={JWT} 200")
    before = copy.deepcopy(broken)
    shown = redact_report(broken, [JWT])
    assert broken == before
    assert JWT not in json.dumps(shown)
    validate(shown)


def test_a_report_without_secrets_is_unchanged(repaired: dict[str, Any]) -> None:
    assert redact_report(repaired, ["a-token-that-is-nowhere"]) == repaired


def test_a_plan_never_carries_a_tag_into_a_file(broken: dict[str, Any]) -> None:
    edit = broken["plan"]["nginx"]["edits"][0]
    content = (
        base64.b64decode(edit["content_b64"]) + b'# proxy_set_header X-Token "s3cr3t-value";\n'
    )
    edit["content_b64"] = base64.b64encode(content).decode()
    broken["plan"]["units"] = [
        {
            "unit": "notify.service",
            "drop_in": "/etc/systemd/system/notify.service.d/zz-ssemedic.conf",
            "expected_sha256": "",
            "settings": {"Service": {"Environment": "DB_PASSWORD=hunter2", "LimitNOFILE": "65536"}},
            "enabled": None,
            "state": "restarted",
            "reset_failed": False,
            "causes": ["sd_limitnofile"],
        }
    ]
    shown = redact_report(broken)
    assert shown["plan"]["nginx"]["edits"][0]["content_b64"] is None
    assert shown["plan"]["units"][0]["settings"] == {
        "Service": {"Environment": None, "LimitNOFILE": "65536"}
    }
    assert withheld(shown["plan"]) == (edit["path"], "notify.service: Environment")
    assert withheld(broken["plan"]) == ()
    validate(shown)


def test_a_repeated_line_that_holds_a_secret_is_left_out_of_the_plan(
    broken: dict[str, Any],
) -> None:
    lines = broken["plan"]["nginx"]["directives"]
    secret = {"name": "proxy_set_header", "args": ["Authorization", "Basic c3F1aXJyZWw6Nw=="]}
    lines.append({**secret, "cause": "copied", "why": "as before"})
    shown = redact_report(broken)
    assert "c3F1aXJyZWw6Nw" not in json.dumps(shown)
    assert shown["plan"]["nginx"]["directives"][0]["args"] == lines[0]["args"]
    assert shown["plan"]["nginx"]["directives"][-1]["args"] is None
    assert withheld(shown["plan"]) == (f"{broken['plan']['nginx']['ours']}: proxy_set_header",)
    assert redact_report(shown) == shown
    validate(shown)
