"""The forms for programs, read by programs of others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from junitparser import Failure, JUnitXml, Skipped
from sarif_pydantic import Level, Sarif

from ssemedic.report.forms.junit import junit
from ssemedic.report.forms.sarif import sarif
from tests.report.forms_hostile import hostile

Report = dict[str, Any]
REPORTS = [
    "healthy",
    "broken",
    "buffered",
    "advised",
    "stopped",
    "unseen",
    "puzzling",
    "repaired",
    "undone",
]


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("change", ["as it is", "hostile"])
def test_junitparser_reads_every_case_and_the_counts_that_it_makes_itself(
    name: str, change: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    report = hostile(report) if change == "hostile" else report
    xml = JUnitXml.fromstring(junit(report).encode())
    (suite,) = list(xml)
    said = (suite.tests, suite.failures, suite.skipped, suite.errors)
    suite.update_statistics()
    assert said == (suite.tests, suite.failures, suite.skipped, suite.errors)
    failed = [c.name for c in suite if any(isinstance(r, Failure) for r in c.result)]
    skipped = [c.name for c in suite if any(isinstance(r, Skipped) for r in c.result)]
    assert len(skipped) == len(report["skipped"])
    if change == "as it is" and name in ("broken", "buffered", "stopped", "advised"):
        assert {cause["rule"] for cause in report["causes"]} <= set(failed)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("change", ["as it is", "hostile"])
def test_sarif_pydantic_reads_every_result_and_rule(
    name: str, change: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    report = hostile(report) if change == "hostile" else report
    text = sarif(report)
    log = Sarif.model_validate_json(text)
    (run,) = log.runs
    plain = json.loads(text)["runs"][0]
    assert log.version == "2.1.0"
    assert [r.rule_id for r in run.results or ()] == [r["ruleId"] for r in plain["results"]]
    assert all(isinstance(result.level, Level) for result in run.results or ())
    rules = [rule.id for rule in run.tool.driver.rules or ()]
    for result in run.results or ():
        assert rules[result.rule_index] == result.rule_id
