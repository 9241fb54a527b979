"""Cause: sd_unit_dead_or_disabled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.rules.sd_start_limit import start_limit_hit
from ssemedic.symptoms import Kind

_ENDED = re.compile(r"Main process exited|Failed with result|Failed at step")
_TOLD_TO_END = (130, 143)  # 128 + SIGINT, SIGTERM: how some runtimes end when they are stopped
_LATELY = 180.0  # seconds; a restart limit of systemd is rarely longer


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(Kind.REFUSED, Sign(Kind.WRONG_STATUS, (502, 503, 504))),
    needs=("units", "streams"),
)
def sd_unit_dead_or_disabled(case: Case) -> Iterator[Finding]:
    """The service behind the stream is not running, or will not be after a reboot.

    Nobody listens on the app's port, so the proxy answers 502 within milliseconds
    and EventSource gives up for good (readyState 2). Stopped by hand, never
    enabled, masked, or failed before it could listen.
    """
    nginx = case.evidence.nginx
    if nginx is not None and nginx.unit and not nginx.running:
        proxy = case.evidence.unit(nginx.unit)
        if proxy is not None and proxy.active_state in ("inactive", "failed"):
            yield _dead(proxy, "nginx", _last_words(case, proxy), startable=nginx.test_ok is True)
            if case.topology.unit is None:
                return
    unit = case.unit
    if start_limit_hit(case):
        return
    if unit.active_state in ("inactive", "failed"):
        yield _dead(unit, "app", _last_words(case, unit))
    elif ends := _ends_again_and_again(case, unit):
        yield _looping(unit, ends)
    elif unit.unit_file_state == "disabled" and unit.active_state == "active" and _orphan(unit):
        yield Finding(
            hop="app",
            where=unit.name,
            observed="active but disabled: nothing starts it at the next boot",
            expected="enabled",
            evidence=(f"UnitFileState={unit.unit_file_state}",),
            remedy=UnitRemedy(unit.name, enabled=True),
            certainty=2,
        )


def _ends_again_and_again(case: Case, unit: Unit) -> tuple[str, ...]:
    """What systemd said of its last ends, where it restarts a service that nobody reaches."""
    stream = case.topology.stream("app")
    waits = unit.sub_state == "auto-restart"
    if stream is None or stream.end.kind != "refused" or not (unit.restarts or waits):
        return ()
    return tuple(
        line.text
        for line in case.unit_log()
        if _ENDED.search(line.text) and line.at and stream.started - line.at < _LATELY
    )


def _looping(unit: Unit, ends: tuple[str, ...]) -> Finding:
    return Finding(
        hop="app",
        where=unit.name,
        observed=f"ends soon after each start, restarted {unit.restarts} times",
        expected="active, and listening",
        evidence=(
            f"ActiveState={unit.active_state} ({unit.sub_state}), NRestarts={unit.restarts}",
            f"journal of {unit.name}: {ends[-1]}",
        ),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"{unit.name} does not stay up, and systemd starts it again in vain. Its reason: "
                f"journalctl -u {unit.name} -n 50",
            ),
        ),
    )


def _last_words(case: Case, unit: Unit) -> tuple[str, ...]:
    log = case.evidence.log(f"journal:{unit.name}")
    return (f"last words: {log.lines[-1].text}",) if log and log.lines else ()


def _dead(unit: Unit, hop: str, words: tuple[str, ...], startable: bool = True) -> Finding:
    """A finding for a unit that does not run; a remedy where starting it can help."""
    masked = unit.load_state == "masked" or unit.unit_file_state.startswith("masked")
    failing = unit.active_state == "failed" and _by_itself(unit)
    state = unit.unit_file_state or unit.load_state
    by_hand = masked or failing or unit.load_state != "loaded" or not startable
    return Finding(
        hop=hop,
        where=unit.name,
        observed=f"{unit.active_state} ({unit.result}), {state}",
        expected="active and enabled",
        evidence=(
            f"ActiveState={unit.active_state} ({unit.sub_state}), Result={unit.result}, "
            f"UnitFileState={state}",
            *words,
        ),
        certainty=3,
        advice=(Advice(Audience.SERVER, _by_hand(unit, masked)),) if by_hand else (),
        remedy=None
        if by_hand
        else UnitRemedy(
            unit.name,
            enabled=True if unit.unit_file_state == "disabled" else None,
            state="started",
            reset_failed=unit.active_state == "failed",
        ),
    )


def _by_itself(unit: Unit) -> bool:
    """True if the service failed of its own, so that it would fail again."""
    if unit.result in ("resources", "protocol"):
        return True
    return unit.exit_code == "exited" and unit.exit_status not in _TOLD_TO_END


def _by_hand(unit: Unit, masked: bool) -> str:
    if masked:
        return (
            f"{unit.name} is masked: somebody forbade it on purpose. If it should run: "
            f"systemctl unmask {unit.name} && systemctl enable --now {unit.name}"
        )
    if unit.load_state != "loaded":
        return f"{unit.name} cannot be loaded ({unit.load_state}): systemctl status {unit.name}"
    if unit.active_state != "failed":
        return f"{unit.name} would not start as it is: nginx -t says why, mend that, then start it"
    return (
        f"{unit.name} fails by itself (Result={unit.result}, exit status {unit.exit_status}); "
        f"starting it again would fail again. Its reason: journalctl -u {unit.name} -n 50"
    )


def _orphan(unit: Unit) -> bool:
    """True if nothing else pulls the unit in."""
    pulls = ("TriggeredBy", "WantedBy", "RequiredBy")
    return all(name in unit.properties and not unit.prop(name) for name in pulls)
