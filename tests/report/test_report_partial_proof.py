"""A change is proven by what it was made for; what needs a person may stay, nothing else."""

from __future__ import annotations

from typing import Any

import yaml

from ssemedic.report.model import Report, proof_of, report_of
from ssemedic.report.words import verdict_parts
from tests.rules.cases import HERE, CaseFile

PATH = HERE / "nginx_intercept_errors" / "broken_401_becomes_a_page.yml"
REFUSED = {"status": 401, "headers": {"Content-Type": "application/json"}, "body": "{}"}


def report(*streams: dict[str, Any]) -> Report:
    data = yaml.safe_load(PATH.read_text("utf-8"))
    if streams:
        data["streams"] = list(streams)
    return report_of(CaseFile(PATH, data).judged())


def hop(name: str, **changes: Any) -> dict[str, Any]:
    return {"hop": name, "end": "last_chunk", "at": 0.02, **REFUSED, **changes}


def test_the_page_is_gone_and_the_refusal_is_for_a_person() -> None:
    proof = proof_of(report(), report(hop("app"), hop("nginx"), hop("public")))
    assert proof["proven"]
    assert proof["gone"] == ["html_instead@nginx"]
    assert proof["stayed"] == ["wrong_status@app"]


def test_nothing_is_proven_while_the_page_is_still_there() -> None:
    assert not proof_of(report(), report())["proven"]


def test_nothing_is_proven_when_something_new_came() -> None:
    worse = report(hop("app"), hop("nginx", status=502), hop("public", status=502))
    assert not proof_of(report(), worse)["proven"]


def test_nothing_is_proven_where_a_hop_was_not_seen_again() -> None:
    assert not proof_of(report(), report(hop("app"), hop("public")))["proven"]


def test_what_no_cause_explains_may_not_stay() -> None:
    before = report()
    for cause in before["causes"]:
        if cause["rule"] == "auth_token_expired_url":
            cause["explains"] = []
    assert not proof_of(before, report(hop("app"), hop("nginx"), hop("public")))["proven"]


def test_what_the_change_was_made_for_may_not_stay() -> None:
    before = report()
    for cause in before["causes"]:
        cause["remedy"] = {"role": "sse_nginx"}
    assert not proof_of(before, report(hop("app"), hop("nginx"), hop("public")))["proven"]


def test_the_last_sentence_names_what_is_left_and_not_what_was_repaired() -> None:
    before, after = report(), report(hop("app"), hop("nginx"), hop("public"))
    done = {
        **before,
        "changes": {"outcome": "committed"},
        "proof": proof_of(before, after),
        "verdict": {"before": "broken", "after": "broken"},
    }
    verdict, why = verdict_parts(done)
    assert verdict == "web1: the change is proven; broken still, and that needs a person."
    assert "token" in why
    assert "page" not in why
