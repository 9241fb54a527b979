"""Every fault on a real host: named first, at the right hop, repaired and proven, or left alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PROJECT, LabHost

pytestmark = pytest.mark.lab

FAULTS = sorted(path.stem for path in (PROJECT / "lab" / "faults").glob("*.yml"))

#: Where each cause is, and whether it is repaired on the host or is for a person to mend.
REPAIRED = {
    "h2_hop_header": "nginx",
    "nginx_args_dropped": "nginx",
    "nginx_cache_sse": "nginx",
    "nginx_duplicate_cors": "nginx",
    "nginx_gzip_event_stream": "nginx",
    "nginx_header_inheritance": "nginx",
    "nginx_html_fallback": "nginx",
    "nginx_http10_upstream": "nginx",
    "nginx_internal_redirect_loses_settings": "nginx",
    "nginx_location_not_matched": "nginx",
    "nginx_proxy_buffering": "nginx",
    "nginx_read_timeout_idle": "nginx",
    "nginx_reload_old_workers": "nginx",
    "nginx_stale_upstream_dns": "nginx",
    "nginx_upgrade_connection": "nginx",
    "nginx_upstream_bad_framing": "nginx",
    "nginx_upstream_ipv6_localhost": "nginx",
    "nginx_upstream_wrong_target": "nginx",
    "nginx_uri_rewrite": "nginx",
    "nginx_worker_connections": "nginx",
    "nginx_xaccel_consumed": "nginx",
    "nginx_xaccel_ignored": "nginx",
    "sd_limitnofile": "app",
    "sd_start_limit": "app",
    "sd_unit_dead_or_disabled": "app",
}
#: Those that leave a stream to most people, or for most of the time.
DEGRADED = ("nginx_read_timeout_idle", "nginx_reload_old_workers", "nginx_worker_connections")
ADVISED = {
    "app_headers_not_flushed": "app",
    "app_raise_after_200": "app",
    "auth_clock_skew": "app",
    "auth_token_expired_url": "app",
    "cl_six_connections": "nginx",
    "nginx_auth_request": "nginx",
    "nginx_host_header_rejected": "app",
    "nginx_limit_conn": "nginx",
}

#: What is repaired beside a cause that only a person can mend, and that cause.
BESIDE = {"nginx_intercept_errors": "auth_token_expired_url"}

#: What is told and never blamed, and the cause that is there in its place.
RED_HERRINGS = {
    "nginx_xaccel_wrong_hop": "nginx_proxy_buffering",
    "red_herring_directives": "nginx_proxy_buffering",
}
#: What harms something else while the stream is fine: told with advice, nothing is changed.
TOLD = ("nginx_token_in_access_log", "server_scope_buffering_off")


#: One for each way in which a host is changed or left alone: what every `make test` tries.
#: The others run with `make faults`.
SPREAD = {
    "app_raise_after_200",
    "auth_clock_skew",
    "h2_hop_header",
    "nginx_args_dropped",
    "nginx_auth_request",
    "nginx_html_fallback",
    "nginx_http10_upstream",
    "nginx_intercept_errors",
    "nginx_location_not_matched",
    "nginx_read_timeout_idle",
    "nginx_stale_upstream_dns",
    "nginx_token_in_access_log",
    "nginx_worker_connections",
    "nginx_xaccel_consumed",
    "red_herring_directives",
    "sd_limitnofile",
    "sd_start_limit",
}


def tried(faults: Iterable[str]) -> list[Any]:
    return [
        pytest.param(fault, marks=() if fault in SPREAD else pytest.mark.exam)
        for fault in sorted(faults)
    ]


def test_every_fault_of_the_lab_is_tried() -> None:
    assert set(FAULTS) >= SPREAD
    assert set(FAULTS) == set(REPAIRED) | set(ADVISED) | set(RED_HERRINGS) | set(TOLD) | set(BESIDE)


@pytest.mark.parametrize("fault", tried(REPAIRED))
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
        fault in DEGRADED and run.report["verdict"] == {"before": "degraded", "after": "healthy"}
    )
    assert run.code == 0

    again = host.ssemedic("remediate", "--yes")
    assert again.code == 0, again.output
    assert again.report is not None
    assert again.report["causes"] == []
    assert again.report["changes"] is None


@pytest.mark.parametrize("fault", tried(ADVISED))
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


@pytest.mark.parametrize("fault", tried(BESIDE))
def test_what_can_be_repaired_is_proven_though_the_rest_needs_a_person(
    host: LabHost, fault: str
) -> None:
    host.lab("break", host.name, fault)
    run = host.ssemedic("remediate", "--yes")
    assert run.report is not None, run.output
    assert [(c["rule"], c["status"]) for c in run.report["causes"]] == [
        (BESIDE[fault], "confirmed"),
        (fault, "confirmed"),
    ]
    assert run.report["unexplained"] == []
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    assert run.report["proof"]["stayed"]
    assert run.code == 1

    again = host.ssemedic("remediate", "--yes")
    assert again.report is not None
    assert [cause["rule"] for cause in again.report["causes"]] == [BESIDE[fault]]
    assert again.report["changes"] is None
    assert again.code == 1


@pytest.mark.parametrize("fault", tried(RED_HERRINGS))
def test_a_red_herring_is_told_beside_the_cause_and_never_blamed(host: LabHost, fault: str) -> None:
    host.lab("break", host.name, fault)
    run = host.ssemedic("remediate", "--yes")
    assert run.report is not None, run.output
    first, *others = run.report["causes"]
    assert (first["rule"], first["status"]) == (RED_HERRINGS[fault], "confirmed")
    told = [cause for cause in others if cause["rule"] == fault]
    assert told
    assert {(c["status"], c["severity"], *c["explains"]) for c in told} == {("latent", "hygiene")}
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    assert run.code == 0


@pytest.mark.parametrize("fault", tried(TOLD))
def test_what_harms_something_else_is_told_and_left_alone(host: LabHost, fault: str) -> None:
    host.lab("break", host.name, fault)
    run = host.ssemedic("remediate", "--yes")
    assert run.report is not None, run.output
    (cause,) = run.report["causes"]
    assert (cause["rule"], cause["status"], cause["severity"]) == (fault, "latent", "hygiene")
    assert cause["advice"]
    assert run.report["plan"]["empty"]
    assert run.report["changes"] is None
    assert run.report["verdict"]["before"] == "healthy"
    assert run.code == 0


@pytest.mark.parametrize("fault", tried(FAULTS))
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
