"""Every fault on a real host: named first, at the right hop, repaired and proven, or left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lab import faults
from tests.e2e import sheet
from tests.e2e.conftest import LabHost, Run

Record = Callable[[str, object], None]

pytestmark = pytest.mark.lab

FAULTS = {name: faults.read(name).expected for name in faults.names()}


def tried(*outcomes: str) -> list[Any]:
    """The faults of these outcomes: those in the spread, and with `make faults` the others."""
    return [
        pytest.param(name, marks=() if expected.spread else pytest.mark.exam)
        for name, expected in FAULTS.items()
        if expected.outcome in outcomes
    ]


def repair(host: LabHost, fault: str, record: Record) -> Run:
    """Have a broken host repaired, and leave what came of it for the sheet."""
    run = host.ssemedic("remediate", "--yes")
    record(
        sheet.KEY,
        asdict(
            sheet.line_of(fault, FAULTS[fault], run.report, run.diagnosed, run.took)
            if run.report
            else sheet.no_report(fault, FAULTS[fault])
        ),
    )
    assert run.report is not None, run.output
    return run


@pytest.mark.parametrize("fault", tried("repaired"))
def test_a_fault_is_found_repaired_and_proven(
    host: LabHost, fault: str, record_property: Record
) -> None:
    host.lab("break", host.name, fault)
    run = repair(host, fault, record_property)
    assert run.report is not None
    first = run.report["causes"][0]
    assert (first["rule"], first["hop"]) == (fault, FAULTS[fault].hop)
    assert first["status"] == "confirmed"
    assert run.report["unexplained"] == []
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    if FAULTS[fault].message:
        assert run.report["proof"]["message"]["delivered"]
    expected, verdict = FAULTS[fault].verdict, run.report["verdict"]
    assert verdict["before"] in (("broken", "degraded") if expected == "any" else (expected,))
    assert verdict["after"] == "healthy"
    assert run.code == 0

    again = host.ssemedic("remediate", "--yes")
    assert again.code == 0, again.output
    assert again.report is not None
    assert again.report["causes"] == []
    assert again.report["changes"] is None


@pytest.mark.parametrize("fault", tried("advised"))
def test_what_is_not_ours_to_mend_is_left_untouched_with_advice(
    host: LabHost, fault: str, record_property: Record
) -> None:
    host.lab("break", host.name, fault)
    before = host.lab("changed", host.name)
    run = repair(host, fault, record_property)
    assert run.report is not None
    first = run.report["causes"][0]
    assert (first["rule"], first["hop"]) == (fault, FAULTS[fault].hop)
    assert first["status"] == "confirmed"
    assert first["advice"]
    assert run.report["unexplained"] == []
    assert run.report["plan"]["empty"]
    assert run.report["changes"] is None
    assert run.code == 1
    assert _settings(host.lab("changed", host.name)) == _settings(before)


@pytest.mark.parametrize("fault", tried("beside"))
def test_what_can_be_repaired_is_proven_though_the_rest_needs_a_person(
    host: LabHost, fault: str, record_property: Record
) -> None:
    host.lab("break", host.name, fault)
    run = repair(host, fault, record_property)
    assert run.report is not None
    assert [(c["rule"], c["status"]) for c in run.report["causes"]] == [
        (FAULTS[fault].cause, "confirmed"),
        (fault, "confirmed"),
    ]
    assert run.report["unexplained"] == []
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    assert run.report["proof"]["stayed"]
    assert run.code == 1

    again = host.ssemedic("remediate", "--yes")
    assert again.report is not None
    assert [cause["rule"] for cause in again.report["causes"]] == [FAULTS[fault].cause]
    assert again.report["changes"] is None
    assert again.code == 1


@pytest.mark.parametrize("fault", tried("red_herring"))
def test_a_red_herring_is_told_beside_the_cause_and_never_blamed(
    host: LabHost, fault: str, record_property: Record
) -> None:
    host.lab("break", host.name, fault)
    run = repair(host, fault, record_property)
    assert run.report is not None
    first, *others = run.report["causes"]
    assert (first["rule"], first["status"]) == (FAULTS[fault].cause, "confirmed")
    told = [cause for cause in others if cause["rule"] == fault]
    assert told
    assert {(c["status"], c["severity"], *c["explains"]) for c in told} == {("latent", "hygiene")}
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    assert run.code == 0


@pytest.mark.parametrize("fault", tried("told"))
def test_what_harms_something_else_is_told_and_left_alone(
    host: LabHost, fault: str, record_property: Record
) -> None:
    host.lab("break", host.name, fault)
    run = repair(host, fault, record_property)
    assert run.report is not None
    (cause,) = run.report["causes"]
    assert (cause["rule"], cause["status"], cause["severity"]) == (fault, "latent", "hygiene")
    assert cause["advice"]
    assert run.report["plan"]["empty"]
    assert run.report["changes"] is None
    assert run.report["verdict"]["before"] == "healthy"
    assert run.code == 0


@pytest.mark.parametrize("fault", tried(*faults.OUTCOMES))
def test_its_healthy_twin_gets_no_finding(
    host: LabHost, fault: str, record_property: Record
) -> None:
    host.lab("break", host.name, fault, "--healthy-twin")
    run = host.ssemedic("diagnose")
    assert run.report is not None, run.output
    record_property(sheet.KEY, asdict(sheet.twin_of(fault, FAULTS[fault], run.report)))
    assert run.report["causes"] == []
    assert run.report["unexplained"] == []
    assert run.report["verdict"]["before"] == "healthy"
    assert run.code == 0


def _settings(changed: str) -> list[str]:
    """What was changed below /etc, the place where settings live."""
    return [line for line in changed.splitlines() if "/etc/" in str(Path(line.strip()))]
