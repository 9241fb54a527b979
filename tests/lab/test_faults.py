"""Every fault shows on the wire, its healthy twin does not, and a mended host is healthy again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import faults, fleet
from lab.errors import UsageError
from lab.layout import Host
from tests.lab.conftest import Seen, watch

Claim = Callable[[Seen], bool]


def status(code: int) -> Claim:
    return lambda seen: seen.status == code


def no_byte(seen: Seen) -> bool:
    return seen.status is None and not seen.ended


def opens_and_ends_empty(seen: Seen) -> bool:
    return (seen.status, seen.content_type, seen.body, seen.ended) == (
        *(200, "text/event-stream", b""),
        True,
    )


def html(seen: Seen) -> bool:
    return seen.status == 200 and seen.content_type == "text/html"


def cut(seen: Seen) -> bool:
    return seen.healthy and seen.ended


# What a browser sees of some of them in one request, and for how many seconds one has to look.
# All others are tried by the tests of whole repairs (tests/e2e).
SHOWS: dict[str, tuple[Claim, float]] = {
    "app_headers_not_flushed": (no_byte, 1.5),
    "app_raise_after_200": (opens_and_ends_empty, 5),
    "auth_clock_skew": (status(401), 1),
    "auth_token_expired_url": (status(401), 1),
    "nginx_auth_request": (status(500), 1),
    "nginx_html_fallback": (html, 1),
    "nginx_http10_upstream": (opens_and_ends_empty, 5),
    "nginx_intercept_errors": (html, 1),
    "nginx_proxy_buffering": (no_byte, 1.5),
    "nginx_read_timeout_idle": (cut, 8),
    "nginx_reload_old_workers": (cut, 8),
    "nginx_upstream_wrong_target": (status(502), 1),
    "sd_limitnofile": (no_byte, 1.5),
    "sd_start_limit": (status(502), 1),
    "sd_unit_dead_or_disabled": (status(502), 1),
}


@pytest.mark.parametrize("name", faults.names())
def test_a_fault_file_is_complete(name: str) -> None:
    fault = faults.read(name)
    assert fault.summary.endswith(".")
    assert fault.twin_summary.endswith(".")
    assert fault.steps
    assert fault.twin_steps
    assert bool(fault.expected.cause) is (fault.expected.outcome in ("beside", "red_herring"))
    assert bool(fault.expected.hop) is (fault.expected.outcome in ("repaired", "advised"))


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(UsageError, match="`python -m lab faults` lists them"):
        faults.read("../service")


@pytest.mark.lab
@pytest.mark.parametrize("name", sorted(SHOWS))
def test_a_fault_shows_its_twin_does_not_and_mending_restores(hosts: list[Host], name: str) -> None:
    broken, twin = hosts
    claim, seconds = SHOWS[name]
    assert watch(broken, 5, until_first_byte=True).healthy
    faults.inject(broken, faults.read(name))
    faults.inject(twin, faults.read(name), twin=True)
    seen = watch(broken, seconds, until_first_byte=False)
    assert claim(seen), seen
    assert watch(twin, 5, until_first_byte=True).healthy
    fleet.mend(hosts)
    assert watch(broken, 5, until_first_byte=True).healthy
