"""JUnit XML of a report: one case for each rule."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from ssemedic.report.forms.junit import junit
from tests.report.forms_hostile import JWT, PASSWORD, hostile

Report = dict[str, Any]
REPORTS = "healthy broken buffered advised stopped unseen puzzling repaired undone"


def suite(report: Report) -> ElementTree.Element:
    found = ElementTree.fromstring(junit(report)).find("testsuite")
    assert found is not None
    return found


def names(report: Report, tag: str) -> list[str | None]:
    return [case.get("name") for case in suite(report) if case.find(tag) is not None]


@pytest.mark.parametrize("name", REPORTS.split())
def test_every_rule_has_one_case_and_the_counts_are_true(
    name: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    found = suite(report)
    rules = [c.get("name") for c in found if c.get("classname") == "ssemedic.rule"]
    wanted = {*report["cleared"], *report["skipped"], *(c["rule"] for c in report["causes"])}
    assert sorted(map(str, rules)) == sorted(wanted)
    assert found.get("tests") == str(len(found))
    assert found.get("failures") == str(len(found.findall("testcase/failure")))
    assert found.get("skipped") == str(len(found.findall("testcase/skipped")))


def test_a_cause_fails_the_case_of_its_rule_with_all_that_is_known(broken: Report) -> None:
    assert names(broken, "failure") == ["nginx_http10_upstream"]
    failure = suite(broken).find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "broken.confirmed"
    cause = broken["causes"][0]
    for said in (cause["observed"], cause["expected"], *cause["evidence"]):
        assert said in str(failure.text)


def test_a_rule_that_was_cleared_passes(healthy: Report) -> None:
    found = {case.get("name"): list(case) for case in suite(healthy)}
    assert found["nginx_proxy_buffering"] == []


def test_what_could_not_be_checked_is_skipped_with_its_reason(unseen: Report) -> None:
    assert set(names(unseen, "skipped")) == set(unseen["skipped"])
    skipped = suite(unseen).find("testcase/skipped")
    assert skipped is not None and skipped.get("message")
    assert names(unseen, "error") == ["verdict"]


def test_an_unexplained_symptom_fails(puzzling: Report) -> None:
    assert [s["id"] for s in puzzling["unexplained"]] == names(puzzling, "failure")


def test_a_cause_that_was_cured_passes(repaired: Report) -> None:
    assert names(repaired, "failure") == []


@pytest.mark.parametrize("name", REPORTS.split())
def test_a_hostile_host_adds_no_case_and_no_secret(
    name: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    bad = hostile(report)
    text = junit(bad)
    assert JWT not in text and PASSWORD not in text
    rules = [c.get("name") for c in suite(bad) if c.get("classname") == "ssemedic.rule"]
    known = {*report["cleared"], *(c["rule"] for c in report["causes"]), "nginx_cache_sse"}
    assert set(rules) == known
    assert "\x1b" not in text
