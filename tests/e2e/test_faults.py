"""Every fault on a real host: named first, at the right hop, repaired and proven, or left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import PROJECT, LabHost

pytestmark = pytest.mark.lab

FAULTS = sorted(path.stem for path in (PROJECT / "lab" / "faults").glob("*.yml"))

#: Where each cause is, and whether it is repaired on the host or is for a person to mend.
REPAIRED = {
    "nginx_html_fallback": "nginx",
    "nginx_http10_upstream": "nginx",
    "nginx_proxy_buffering": "nginx",
    "nginx_read_timeout_idle": "nginx",
    "nginx_upstream_wrong_target": "nginx",
    "sd_limitnofile": "app",
    "sd_start_limit": "app",
    "sd_unit_dead_or_disabled": "app",
}
ADVISED = {
    "app_headers_not_flushed": "app",
    "app_raise_after_200": "app",
    "auth_clock_skew": "app",
    "auth_token_expired_url": "app",
}


def test_every_fault_of_the_lab_is_tried() -> None:
    assert set(FAULTS) == set(REPAIRED) | set(ADVISED)


@pytest.mark.parametrize("fault", sorted(REPAIRED))
def test_a_fault_is_found_repaired_and_proven(host: LabHost, fault: str) -> None:
    host.lab("break", host.name, fault)
    run = host.ssemedic("remediate", "--yes")
    assert run.report is not None, run.output
    first = run.report["causes"][0]
    assert (first["rule"], first["hop"]) == (fault, REPAIRED[fault])
    assert first["status"] == "confirmed"
    assert run.report["unexplained"] == []
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    assert run.report["proof"]["message"]["delivered"]
    assert run.report["verdict"] == {"before": "broken", "after": "healthy"} or (
        fault == "nginx_read_timeout_idle"
        and run.report["verdict"] == {"before": "degraded", "after": "healthy"}
    )
    assert run.code == 0

    again = host.ssemedic("remediate", "--yes")
    assert again.code == 0, again.output
    assert again.report is not None
    assert again.report["causes"] == []
    assert again.report["changes"] is None


@pytest.mark.parametrize("fault", sorted(ADVISED))
def test_what_is_not_ours_to_mend_is_left_untouched_with_advice(host: LabHost, fault: str) -> None:
    host.lab("break", host.name, fault)
    before = host.lab("changed", host.name)
    run = host.ssemedic("remediate", "--yes")
    assert run.report is not None, run.output
    first = run.report["causes"][0]
    assert (first["rule"], first["hop"]) == (fault, ADVISED[fault])
    assert first["status"] == "confirmed"
    assert first["advice"]
    assert run.report["unexplained"] == []
    assert run.report["plan"]["empty"]
    assert run.report["changes"] is None
    assert run.code == 1
    assert _settings(host.lab("changed", host.name)) == _settings(before)


@pytest.mark.parametrize("fault", FAULTS)
def test_its_healthy_twin_gets_no_finding(host: LabHost, fault: str) -> None:
    host.lab("break", host.name, fault, "--healthy-twin")
    run = host.ssemedic("diagnose")
    assert run.report is not None, run.output
    assert run.report["causes"] == []
    assert run.report["unexplained"] == []
    assert run.report["verdict"]["before"] == "healthy"
    assert run.code == 0


def _settings(changed: str) -> list[str]:
    """What was changed below /etc, the place where settings live."""
    return [line for line in changed.splitlines() if "/etc/" in str(Path(line.strip()))]
