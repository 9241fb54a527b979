"""Causes that a change brings to light: what counts as one, and that it can be planned for."""

from __future__ import annotations

import json

from ssemedic.judge import judge
from ssemedic.report.model import report_of, revealed_by, revealed_cause
from tests.rules.cases import CaseFile, case_files


def case(name: str) -> CaseFile:
    return next(case for case in case_files() if case.name == name)


UNREMEDIED = case("nginx_html_fallback/broken_nobody_answers_as_the_app")
REMEDIED = case("nginx_html_fallback/broken_single_page_fallback")
OTHER = case("nginx_read_timeout_idle/broken_cut_at_the_timeout")


def test_a_cause_that_was_not_there_before_is_revealed() -> None:
    (cause,) = revealed_by(report_of(REMEDIED.judged()), report_of(OTHER.judged()))
    assert cause["rule"] == "nginx_read_timeout_idle"


def test_a_cause_that_stays_is_not_revealed() -> None:
    assert revealed_by(report_of(OTHER.judged()), report_of(OTHER.judged())) == []


def test_a_known_cause_that_can_be_remedied_now_is_revealed() -> None:
    before, after = report_of(UNREMEDIED.judged()), report_of(REMEDIED.judged())
    assert [cause["rule"] for cause in revealed_by(before, after)] == ["nginx_html_fallback"]


def test_a_revealed_cause_is_planned_for_together_with_what_is_seen() -> None:
    (data,) = revealed_by(report_of(REMEDIED.judged()), report_of(OTHER.judged()))
    cause = revealed_cause(json.loads(json.dumps(data)))
    assert cause is not None
    seen = case("nginx_proxy_buffering/broken_default_buffering_close_delimited")
    judgement = judge(seen.evidence(), seen.endpoint(), None, [cause])
    assert judgement.plan is not None and judgement.plan.nginx is not None
    wished = {line.name for line in judgement.plan.nginx.directives}
    assert {"proxy_buffering", "proxy_read_timeout"} <= wished
    assert "nginx_read_timeout_idle" not in judgement.diagnosis.cleared


def test_an_advice_alone_is_nothing_to_plan_for() -> None:
    (data,) = report_of(UNREMEDIED.judged())["causes"]
    assert revealed_cause(data) is None


def test_a_known_cause_that_shows_a_symptom_only_now_is_revealed() -> None:
    before = case("nginx_stale_upstream_dns/broken_service_is_down_too")
    after = case("nginx_stale_upstream_dns/broken_app_moved_since_nginx_started")
    (cause,) = revealed_by(report_of(before.judged()), report_of(after.judged()))
    assert cause["rule"] == "nginx_stale_upstream_dns"
    planned = revealed_cause(json.loads(json.dumps(cause)))
    assert planned is not None
    both = judge(before.evidence(), before.endpoint(), None, [planned]).plan
    assert both is not None
    assert both.nginx_reload and [unit.unit for unit in both.units] == ["notify.service"]
