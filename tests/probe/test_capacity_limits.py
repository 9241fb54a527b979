"""Which limit the wire and this process speak for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssemedic.probe.capacity_limits import Seen, first_limit
from ssemedic.probe.capacity_own import OwnLimits
from ssemedic.probe.capacity_result import Trouble

HEALTHY = Seen(
    asked=1000,
    allowed=1000,
    opened=1000,
    refused=(),
    dropped=(),
    own=OwnLimits(20000, 20, 28232),
    cpu_share=0.05,
    overflows=0,
)


def trouble(kind: str, count: int = 50, at: float = 2.0, held: int = 500, **more: float) -> Trouble:
    return Trouble(kind, count, at, at + 1.0, held, "", **more)


def name_of(seen: Seen) -> tuple[str, bool]:
    limit = first_limit(seen)
    assert limit is not None
    return limit.name, limit.certain


def test_a_run_without_failures_has_no_limit() -> None:
    assert first_limit(HEALTHY) is None


def test_one_stray_failure_of_a_thousand_is_no_limit() -> None:
    assert first_limit(replace(HEALTHY, opened=999, refused=(trouble("reset", count=1),))) is None


@pytest.mark.parametrize(
    ("kind", "name", "certain"),
    [
        ("own_fds", "own_fds", True),
        ("own_ports", "own_ports", True),
        ("backlog_full", "backlog", True),
        ("connect_timeout", "backlog", False),
        ("connection_refused", "listener_gone", False),
        ("empty_reply", "worker_connections", False),
        ("no_answer", "server_fds", False),
        ("status_502", "upstream", True),
        ("status_504", "upstream", True),
        ("status_429", "app_cap", False),
        ("status_418", "unknown", False),
        ("unreachable", "unknown", False),
    ],
)
def test_a_refusal_names_its_limit(kind: str, name: str, certain: bool) -> None:
    seen = replace(HEALTHY, opened=500, refused=(trouble(kind),))
    assert name_of(seen) == (name, certain)


def test_the_earliest_failure_is_the_first_limit() -> None:
    late, early = trouble("status_503", at=3.0), trouble("empty_reply", at=2.9)
    assert name_of(replace(HEALTHY, refused=(late, early)))[0] == "worker_connections"


def test_no_answer_where_this_kernel_dropped_connections_is_the_backlog() -> None:
    seen = replace(HEALTHY, opened=500, refused=(trouble("no_answer"),), overflows=70)
    assert name_of(seen) == ("backlog", True)


def test_connections_that_only_came_late_still_name_the_backlog() -> None:
    assert name_of(replace(HEALTHY, overflows=70)) == ("backlog", False)


def test_streams_that_still_waited_are_not_passed_over() -> None:
    assert name_of(replace(HEALTHY, opened=600)) == ("unknown", False)
    assert first_limit(replace(HEALTHY, opened=600, interrupted=True)) is None


def test_a_number_that_is_well_known_is_said() -> None:
    seen = replace(HEALTHY, opened=1013, refused=(trouble("no_answer", held=1013),))
    limit = first_limit(seen)
    assert limit is not None
    assert any("1,024 file descriptors" in line for line in limit.evidence)
    limit = first_limit(replace(seen, refused=(trouble("no_answer", held=800),)))
    assert limit is not None
    assert not any("near" in line for line in limit.evidence)


def test_a_time_limit_names_whose_default_it_is() -> None:
    cut = trouble("truncated", youngest=60.0, oldest=60.4)
    limit = first_limit(replace(HEALTHY, dropped=(cut,)))
    assert limit is not None
    assert limit.name == "time_limit"
    assert any("nginx proxy_read_timeout" in line for line in limit.evidence)


def test_the_end_of_an_answer_to_a_post_is_no_limit() -> None:
    ended = trouble("ended", youngest=0.5, oldest=9.0)
    assert name_of(replace(HEALTHY, dropped=(ended,)))[0] == "ends"
    assert first_limit(replace(HEALTHY, dropped=(ended,), finite=True)) is None


def test_a_full_core_of_ours_is_our_limit() -> None:
    assert name_of(replace(HEALTHY, cpu_share=0.97)) == ("own_cpu", True)
