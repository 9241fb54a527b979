"""Waivers: an accepted cause is shown as accepted in every form, never hidden, until it ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from ssemedic.endpoint import EndpointError, endpoint_of
from ssemedic.evidence import Evidence
from ssemedic.report import html, terminal
from ssemedic.report.forms.junit import junit
from ssemedic.report.forms.markdown import markdown
from ssemedic.report.forms.nagios import nagios, state
from ssemedic.report.forms.sarif import sarif
from ssemedic.report.model import exit_code
from ssemedic.report.next_step import next_steps
from ssemedic.report.schema import validate
from tests.report.conftest import NOW, URL, all_streaming, closed, evidence, report_on, streaming
from tests.report.sarif_structure import run_of

TODAY = datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%d")  # 2023-11-14
REASON = "the vendor mends it in May"
RULE = "nginx_http10_upstream"


def broken() -> Evidence:
    """nginx asks with HTTP/1.0 and the app does not stream over it."""
    return evidence(
        streaming("app"),
        closed(streaming("app", variant="http10")),
        closed(streaming("nginx"), 0.03),
        closed(streaming("public", "outside"), 0.05),
    )


def degraded() -> Evidence:
    """Every stream is fine, and the keep-alive comes later than nginx's patience."""
    return evidence(*all_streaming())


def judged(seen: Evidence, rule: str = RULE, until: str = TODAY, **more: Any) -> dict[str, Any]:
    accepted = [{"cause": rule, "reason": REASON, "until": until}]
    endpoint, _token = endpoint_of({"url": URL, "accepted": accepted, **more})
    report: dict[str, Any] = json.loads(json.dumps(report_on(seen, endpoint)))
    validate(report)
    return report


def test_every_form_shows_that_it_is_accepted_why_and_until_when() -> None:
    report = judged(broken())
    said = f"accepted until {TODAY}: {REASON}"
    assert said in " ".join(" ".join(terminal.text(report)).split())
    assert said in markdown(report)
    assert said in html.text(report)
    (result,) = run_of(sarif(report))["results"]
    assert result["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": said}
    ]
    case = ElementTree.fromstring(junit(report)).find(f".//testcase[@name='{RULE}']")
    assert case is not None and case.find("failure") is None
    skipped = case.find("skipped")
    assert skipped is not None and skipped.get("message") == said


def test_no_repair_touches_what_is_accepted() -> None:
    report = judged(broken())
    assert report["plan"]["empty"]
    assert report["causes"][0]["remedy"] is None
    (step,) = [step for step in next_steps(report) if step.who == "server team"]
    assert "accepted in the inventory" in step.what
    assert not report_on(broken())["plan"]["empty"]


def test_a_broken_stream_stays_broken_whoever_accepts_it() -> None:
    report = judged(broken())
    assert report["verdict"]["before"] == "broken"
    assert report["causes"][0]["rule"] == RULE
    assert exit_code(report) == 1
    assert state(report).name == "CRITICAL"


def test_what_only_degrades_a_stream_does_not_fail_a_run_once_it_is_accepted() -> None:
    rule, slow = "nginx_read_timeout_idle", {"keepalive_seconds": 90}
    counted = judged(degraded(), "nginx_cache_sse", **slow)
    assert (counted["verdict"]["before"], exit_code(counted)) == ("degraded", 1)
    assert state(counted).name == "WARNING"
    report = judged(degraded(), rule, **slow)
    assert (report["verdict"]["before"], exit_code(report)) == ("degraded", 0)
    assert nagios(report).startswith("SSE OK: ")
    assert "accepted in the inventory" in nagios(report)


@pytest.mark.parametrize(("until", "counts"), [(TODAY, False), ("2023-11-13", True)])
def test_a_waiver_holds_through_its_last_day_and_says_when_it_is_over(
    until: str, counts: bool
) -> None:
    report = judged(broken(), until=until)
    over = f"{RULE}: was accepted until {until} ({REASON}); that is over, so it counts again"
    assert (over in report["notes"]) is counts
    assert (report["causes"][0]["accepted"] is None) is counts
    assert report["plan"]["empty"] is not counts


@pytest.mark.parametrize(
    ("waiver", "said"),
    [
        ({"cause": "nginx_nothing", "reason": "x", "until": TODAY}, "must be a rule"),
        ({"cause": RULE, "reason": " ", "until": TODAY}, "must say why"),
        ({"cause": RULE, "reason": "x", "until": "soon"}, "must be a day such as 2026-12-31"),
        ({"cause": RULE, "reason": "x", "until": "2026-02-30"}, "must be a day"),
        ({"cause": RULE, "reason": "x"}, "must be an object with cause, reason and until"),
        ({"cause": RULE, "reason": "x", "until": TODAY, "by": "me"}, "must be an object"),
        ("nginx", "must be an object"),
    ],
)
def test_a_waiver_that_cannot_be_used_is_told_in_one_sentence(waiver: object, said: str) -> None:
    with pytest.raises(EndpointError, match=said) as caught:
        endpoint_of({"url": URL, "accepted": [waiver]})
    assert str(caught.value).startswith("endpoint: accepted[0]")
    assert "\n" not in str(caught.value)


def test_a_waiver_names_a_cause_once_and_by_either_spelling() -> None:
    one = {"cause": RULE.replace("_", "-"), "reason": "x", "until": TODAY}
    endpoint, _token = endpoint_of({"url": URL, "accepted": [one]})
    assert endpoint.accepted[0].cause == RULE
    with pytest.raises(EndpointError, match="is there twice"):
        endpoint_of({"url": URL, "accepted": [one, one]})
    with pytest.raises(EndpointError, match="must be a list"):
        endpoint_of({"url": URL, "accepted": "all"})
