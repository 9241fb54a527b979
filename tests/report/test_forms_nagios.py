"""The line that Nagios and Icinga read."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ssemedic.report.forms.nagios import State, nagios, state, without_report
from tests.report.forms_hostile import JWT, PASSWORD, hostile

Report = dict[str, Any]
REPORTS = "healthy broken buffered advised stopped unseen puzzling repaired undone"
#: Monitoring Plugins Development Guidelines, 2.6: label=value[UOM];[warn];[crit];[min];[max]
FIGURE = re.compile(r"[a-z]+_[a-z_]+=\d+\.\d{3}s?;;;0(;1)?")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("healthy", State.OK),
        ("repaired", State.OK),
        ("broken", State.CRITICAL),
        ("undone", State.CRITICAL),
        ("unseen", State.UNKNOWN),
    ],
)
def test_the_verdict_is_the_state(
    name: str, expected: State, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    assert state(report) is expected
    assert nagios(report).startswith(f"SSE {expected.name}: web1: ")


def test_degraded_is_a_warning(healthy: Report) -> None:
    healthy["verdict"]["before"] = "degraded"
    assert state(healthy) is State.WARNING


def test_a_failed_undo_is_critical_whatever_streams(repaired: Report) -> None:
    repaired["changes"]["outcome"] = "undo_failed"
    repaired["verdict"]["after"] = "healthy"
    assert state(repaired) is State.CRITICAL


def test_the_numbers_of_each_hop_are_performance_data(broken: Report) -> None:
    figures = nagios(broken).rstrip("\n").partition(" | ")[2].split(" ")
    assert "app_first_event=0.020s;;;0" in figures
    assert "nginx_disconnect=0.030s;;;0" in figures


def test_a_ratio_has_its_bounds(healthy: Report) -> None:
    assert "nginx_buffered=0.000;;;0;1" in nagios(healthy)


@pytest.mark.parametrize("name", REPORTS.split())
def test_it_is_one_line_with_one_pipe_whatever_the_host_says(
    name: str, request: pytest.FixtureRequest
) -> None:
    line = nagios(hostile(request.getfixturevalue(name)))
    assert line.endswith("\n") and line.count("\n") == 1
    assert line[:-1].isprintable()
    assert JWT not in line and PASSWORD not in line
    head, pipe, figures = line[:-1].partition("|")
    assert len(head) < 500
    assert not pipe or all(FIGURE.fullmatch(item) for item in figures.split())


def test_without_a_report_it_is_unknown_and_says_why() -> None:
    assert without_report("web1: cannot be reached: a|b\nc") == (
        "SSE UNKNOWN: web1: cannot be reached: a\u00a6b\\nc\n"
    )
