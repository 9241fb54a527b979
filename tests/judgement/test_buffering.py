"""What is said of buffering where something was not seen, and that one rule alone says it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ssemedic.diagnosis import diagnose
from ssemedic.finding import Status
from ssemedic.symptoms import Kind
from tests.rules.cases import CaseFile, case_files

OURS = (
    "nginx_cache_sse",
    "nginx_gzip_event_stream",
    "nginx_internal_redirect_loses_settings",
    "nginx_location_not_matched",
    "nginx_proxy_buffering",
    "nginx_xaccel_consumed",
    "nginx_xaccel_ignored",
)
CASES = {case.name: case for case in case_files()}
HELD = [name for name, case in CASES.items() if case.rule in OURS and case.broken]


def named(name: str) -> CaseFile:
    return CASES[name]


@pytest.mark.parametrize("name", HELD)
def test_one_rule_alone_names_what_holds_a_stream_back(name: str) -> None:
    judgement = CASES[name].judged()
    causes = [c for c in judgement.diagnosis.causes if c.status is not Status.LATENT]
    held = {s.id for s in judgement.case.symptoms if s.kind is Kind.BUFFERED}
    explained = Counter(i for cause in causes for i in cause.explains)
    assert all(explained[symptom] == 1 for symptom in held)
    assert [c.rule.id for c in causes if c.rule.id in OURS] == [CASES[name].rule]


@pytest.mark.parametrize("rule", OURS)
def test_without_a_readable_configuration_no_rule_of_buffering_is_clear(rule: str) -> None:
    case = named("nginx_proxy_buffering/broken_default_buffering_close_delimited").judged().case
    unread = replace(case, topology=replace(case.topology, tree=None, route=None, inner=None))
    diagnosis = diagnose(unread)
    assert rule in diagnosis.skipped
    assert rule not in diagnosis.cleared


def test_the_evidence_tells_what_was_written_in_vain() -> None:
    for name, told in (
        ("broken_xaccel_added_towards_the_client", "goes to the client and has no effect here"),
        ("broken_off_above_and_on_in_the_location", "is overruled by"),
        ("broken_off_in_another_location", "which does not serve this URL"),
    ):
        causes = named(f"nginx_proxy_buffering/{name}").judged().diagnosis.causes
        assert any(told in line for line in causes[0].finding.evidence), name


def test_the_mechanism_is_told_by_how_the_app_ends_its_answers() -> None:
    for name, told in (
        ("broken_default_buffering_close_delimited", "nginx asks with HTTP/1.0"),
        ("broken_close_delimited_even_over_http11", "even over HTTP/1.1"),
    ):
        causes = named(f"nginx_proxy_buffering/{name}").judged().diagnosis.causes
        assert any(told in line for line in causes[0].finding.evidence), name


def test_cases_are_found() -> None:
    assert len(HELD) > 20
    assert all(Path(CASES[name].path).exists() for name in HELD)
