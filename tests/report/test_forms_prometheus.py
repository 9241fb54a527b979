"""Prometheus text, read by the parser of the Prometheus client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ssemedic.report.forms.prometheus import prometheus
from ssemedic.stream.record import End, Read
from tests.report.conftest import (
    EVENT,
    URL,
    closed,
    evidence,
    report_on,
    streaming,
    unanswered,
)
from tests.report.forms_hostile import JWT, PASSWORD, hostile

Report = dict[str, Any]
REPORTS = "healthy broken buffered advised stopped unseen puzzling repaired undone"


def samples(report: Report, metric: str) -> dict[str, float]:
    """The samples of a metric by hop."""
    return {
        sample.labels["hop"]: sample.value
        for family in text_string_to_metric_families(prometheus(report))
        for sample in family.samples
        if sample.name == metric
    }


def verdicts(report: Report) -> dict[str, str]:
    found = {}
    for family in text_string_to_metric_families(prometheus(report)):
        for sample in family.samples:
            if sample.name == "ssemedic_verdict" and sample.value == 1:
                assert sample.labels["hop"] not in found
                found[sample.labels["hop"]] = sample.labels["verdict"]
    return found


@pytest.mark.parametrize("name", REPORTS.split())
def test_every_metric_has_its_help_its_type_and_no_series_twice(
    name: str, request: pytest.FixtureRequest
) -> None:
    families = list(text_string_to_metric_families(prometheus(request.getfixturevalue(name))))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.type == "gauge"
        assert family.documentation
        series = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len(set(series)) == len(series) > 0


def test_a_healthy_stream_in_numbers(healthy: Report) -> None:
    assert verdicts(healthy) == dict.fromkeys(("all", "app", "nginx", "public"), "healthy")
    assert samples(healthy, "ssemedic_first_event_seconds")["app"] == pytest.approx(0.02)
    assert samples(healthy, "ssemedic_keepalive_gap_seconds")["app"] == pytest.approx(0.5)
    assert samples(healthy, "ssemedic_buffered_ratio") == {"nginx": 0.0, "public": 0.0}
    assert samples(healthy, "ssemedic_disconnect_after_seconds") == {}


def test_a_stream_that_is_ended_says_when(broken: Report) -> None:
    assert verdicts(broken)["nginx"] == "broken"
    assert verdicts(broken)["app"] == "healthy"
    assert samples(broken, "ssemedic_disconnect_after_seconds") == {"nginx": 0.03, "public": 0.05}


def test_a_hop_that_hands_on_nothing_holds_all_of_it(buffered: Report) -> None:
    assert samples(buffered, "ssemedic_buffered_ratio") == {"nginx": 1.0, "public": 1.0}


def test_one_event_that_never_came_is_held_and_one_that_is_on_its_way_is_not() -> None:
    seldom = replace(streaming("app"), reads=(Read(0.06, len(EVENT)),), body=EVENT)
    held = report_on(evidence(seldom, unanswered(streaming("nginx"))))
    assert samples(held, "ssemedic_buffered_ratio") == {"nginx": 1.0}
    late = replace(seldom, reads=(Read(7.9, len(EVENT)),))
    waiting = report_on(evidence(late, unanswered(streaming("nginx"))))
    assert samples(waiting, "ssemedic_buffered_ratio") == {}


def test_a_burst_at_the_end_holds_nearly_all_of_it() -> None:
    late = replace(streaming("nginx"), reads=(Read(7.4, len(EVENT) * 15),), body=EVENT * 15)
    report = report_on(evidence(streaming("app"), late))
    assert samples(report, "ssemedic_buffered_ratio")["nginx"] == pytest.approx(1 - 1 / 16)
    assert samples(report, "ssemedic_first_event_seconds")["nginx"] == pytest.approx(7.4)


def test_a_stream_that_was_cut_is_not_called_buffered() -> None:
    cut = replace(closed(streaming("nginx"), 0.6), end=End("eof", 0.6))
    report = report_on(evidence(streaming("app"), cut))
    assert samples(report, "ssemedic_buffered_ratio") == {}


def test_what_was_not_measured_has_no_sample(unseen: Report) -> None:
    assert verdicts(unseen)["all"] == "unknown"
    assert samples(unseen, "ssemedic_first_event_seconds") == {}
    waiting = report_on(evidence(unanswered(streaming("app"))))
    assert samples(waiting, "ssemedic_keepalive_gap_seconds") == {}


def test_after_a_repair_the_numbers_are_those_of_the_proof(repaired: Report) -> None:
    assert verdicts(repaired) == dict.fromkeys(("all", "app", "nginx", "public"), "healthy")
    assert samples(repaired, "ssemedic_disconnect_after_seconds") == {}
    assert samples(repaired, "ssemedic_cause") == {}


def test_after_an_undo_they_are_those_of_the_diagnosis(undone: Report, broken: Report) -> None:
    assert verdicts(undone) == verdicts(broken)
    assert samples(undone, "ssemedic_cause") == samples(broken, "ssemedic_cause")


@pytest.mark.parametrize("name", REPORTS.split())
def test_a_hostile_host_adds_no_line_and_no_series(
    name: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    text, plain = prometheus(hostile(report)), prometheus(report)
    assert JWT not in text and PASSWORD not in text
    assert len(text.splitlines()) == len(plain.splitlines())
    assert [f.name for f in text_string_to_metric_families(text)] == [
        f.name for f in text_string_to_metric_families(plain)
    ]


def test_quotes_and_backslashes_come_back_as_they_were(healthy: Report) -> None:
    healthy["endpoint"]["url"] = URL + '?room="a\\b"'
    family = next(iter(text_string_to_metric_families(prometheus(healthy))))
    assert family.samples[0].labels["url"] == URL + '?room="a\\b"'


def test_a_masked_secret_does_not_make_a_new_series_each_run(healthy: Report) -> None:
    healthy["endpoint"]["url"] = f"{URL}?access_token={JWT}"
    family = next(iter(text_string_to_metric_families(prometheus(healthy))))
    assert family.samples[0].labels["url"] == f"{URL}?access_token=\u2039token\u203a"
