"""Cause: auth_clock_skew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

from ssemedic.case import Case
from ssemedic.clues.refused import Refusal, refused
from ssemedic.clues.token_checks import Checks, checks_of
from ssemedic.duration import spell
from ssemedic.evidence import Clock
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

#: Less than this is within the leeway that token libraries are given (seconds).
_TOLERATED = 30.0


@rule(
    layer=Layer.AUTH,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (401, 403)),),
    needs=("clock", "streams"),
)
def auth_clock_skew(case: Case) -> Iterator[Finding]:
    """The service's clock is wrong, so that good tokens are not yet or no longer valid.

    A token issued now is "issued in the future" for a clock that is behind, and
    expired early for one that is ahead. The same token works on every other host.
    Where the service shows no clock, its own words count: it calls a token expired or not yet
    valid that is neither by our clock and by the host's.
    """
    clock = case.evidence.clock
    if clock is None:
        return
    host = clock.ahead if clock.ahead is not None else 0.0
    of_app = _app_ahead(case.topology.stream("app"), host)
    skew = of_app if of_app is not None and abs(of_app) > abs(host) else host
    said = _said(case, clock.now - host)
    if abs(skew) <= _TOLERATED + (clock.ahead_error or 0.0):
        if said is not None and of_app is None:
            yield _by_its_own_word(case, said)
        return
    token = case.token
    matters = False
    if token is not None:
        here = clock.now - host
        good_here = token.expired_for(here) is None and token.early_for(here) is None
        there = here + skew
        bad_there = token.expired_for(there) is not None or token.early_for(there) is not None
        matters = good_here and bad_there
    symptom = case.symptom("app", Kind.WRONG_STATUS)
    if symptom is not None and not matters:
        return
    only_app = abs(host) <= _TOLERATED
    word = "ahead" if skew > 0 else "behind"
    unit = case.topology.unit
    where = (unit.name if unit else "the app") if only_app else "system clock"
    yield Finding(
        hop="app",
        where=where,
        observed=f"its clock is {spell(abs(skew))} {word}",
        expected="within a few seconds of real time",
        evidence=tuple(
            filter(
                None,
                (
                    symptom.text if symptom else "",
                    f"the app's Date header is {spell(abs(skew))} {word} of our clock"
                    if of_app is not None
                    else "",
                    f"the host's clock is {spell(abs(host))} {'ahead' if host > 0 else 'behind'}"
                    if clock.ahead is not None
                    else "",
                    "the token is valid by our clock and not by the app's" if matters else "",
                    said.evidence if said else "",
                ),
            )
        ),
        certainty=3 if matters else 2,
        remedy=None if only_app else _start_sync(clock),
        advice=(_advice(only_app, where, checks_of(case, said)),),
    )


def _said(case: Case, now: float) -> Refusal | None:
    """What the service says of a token that is good by our clock: too early, or too late."""
    token, found = case.token, refused(case)
    if token is None or not token.is_jwt or found is None:
        return None
    if found[1].reason == "expired" and token.expires is not None:
        good = token.expires > now + _TOLERATED
    else:
        good = found[1].reason == "early" and token.early_for(now) is None
    return found[1] if good else None


def _by_its_own_word(case: Case, said: Refusal) -> Finding:
    """The app shows no clock of its own: its answers carry no Date header."""
    unit, symptom = case.topology.unit, case.symptom("app", Kind.WRONG_STATUS)
    where = unit.name if unit else "the app"
    word = "expired" if said.reason == "expired" else "not valid yet"
    return Finding(
        hop="app",
        where=where,
        observed=f"it takes a token for {word} that is valid by our clock and the host's",
        expected="within a few seconds of real time",
        evidence=(*((symptom.text,) if symptom else ()), said.evidence),
        certainty=3,
        advice=(_advice(True, where, checks_of(case, said)),),
    )


def _app_ahead(stream: Stream | None, host_ahead: float) -> float | None:
    """How far the app's clock is ahead of ours, by its Date header (RFC 9110, 6.6.1)."""
    date = stream.header("date") if stream else None
    if stream is None or not date:
        return None
    try:
        parsed = parsedate_to_datetime(date)
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    answered = stream.started + (stream.phases.headers or 0.0) - host_ahead
    return parsed.timestamp() - answered


def _start_sync(clock: Clock) -> UnitRemedy | None:
    if clock.service_installed and clock.service and not clock.service_active:
        return UnitRemedy(clock.service, enabled=True, state="started")
    return None


def _advice(only_app: bool, where: str, checks: Checks | None) -> Advice:
    leeway = f" ({checks.leeway} in {checks.library})" if checks else ""
    if only_app:
        return Advice(
            Audience.SERVER,
            f"The host's clock is right, but {where} sees another time: look for FAKETIME or "
            f"LD_PRELOAD in its environment (systemctl show -p Environment {where}) or a stale "
            "container or virtual machine clock. Give the token check 30 to 60 s of "
            f"leeway{leeway}.",
        )
    return Advice(
        Audience.SERVER,
        "Keep the clock with systemd-timesyncd or chrony (timedatectl set-ntp true), and give the "
        f"token check 30 to 60 s of leeway{leeway}.",
    )
