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


# What a browser sees of each, and for how many seconds one has to look.
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


# Seen only by the tests of whole repairs (tests/e2e): these take HTTP/2, an origin, or several
# clients, ...
NOT_IN_ONE_REQUEST = {
    "cl_six_connections",
    "h2_hop_header",
    "nginx_duplicate_cors",
    "nginx_gzip_event_stream",
    "nginx_header_inheritance",
    "nginx_limit_conn",
    "nginx_token_in_access_log",
    "nginx_worker_connections",
    "server_scope_buffering_off",
}
# ... and these show what another one in SHOWS does, for another reason.
ALIKE = {
    "nginx_args_dropped",
    "nginx_cache_sse",
    "nginx_host_header_rejected",
    "nginx_internal_redirect_loses_settings",
    "nginx_location_not_matched",
    "nginx_stale_upstream_dns",
    "nginx_upgrade_connection",
    "nginx_upstream_bad_framing",
    "nginx_upstream_ipv6_localhost",
    "nginx_uri_rewrite",
    "nginx_xaccel_consumed",
    "nginx_xaccel_ignored",
    "nginx_xaccel_wrong_hop",
    "red_herring_directives",
}


def test_every_fault_is_claimed_here() -> None:
    assert faults.names() == sorted({*SHOWS, *NOT_IN_ONE_REQUEST, *ALIKE})


@pytest.mark.parametrize("name", sorted({*SHOWS, *NOT_IN_ONE_REQUEST, *ALIKE}))
def test_a_fault_file_is_complete(name: str) -> None:
    fault = faults.read(name)
    assert fault.summary.endswith(".")
    assert fault.twin_summary.endswith(".")
    assert fault.steps
    assert fault.twin_steps


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
