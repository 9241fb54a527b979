"""Cause: sd_unit_dead_or_disabled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.unit_journal import lines_of, reason
from ssemedic.endpoint import Service
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.rules.sd_port_conflict import conflict_of, holds_what_is_anothers
from ssemedic.rules.sd_start_limit import ended_for_a_known_cause, start_limit_hit
from ssemedic.symptoms import Kind

_ENDED = re.compile(r"Main process exited|Failed with result|Failed at step")
_SKIPPED = re.compile(r"was skipped because of (?:an unmet condition check|.*?) \(([^)]+)\)")
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
        down = proxy is not None and proxy.active_state in ("inactive", "failed")
        if down and proxy is not None and not conflict_of(case, proxy):
            yield _dead(
                case, proxy, "nginx", _last_words(case, proxy), startable=nginx.test_ok is True
            )
            if case.topology.unit is None:
                return
    unit = case.unit
    if holds_what_is_anothers(case):
        return
    if start_limit_hit(case) or ended_for_a_known_cause(case, unit):
        return  # that cause is known better
    if unit.active_state in ("inactive", "failed"):
        yield _dead(case, unit, "app", _last_words(case, unit))
    elif ends := _ends_again_and_again(case, unit):
        yield _looping(case, unit, ends)
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


def _looping(case: Case, unit: Unit, ends: tuple[str, ...]) -> Finding:
    why = reason(case, unit)
    return Finding(
        hop="app",
        where=unit.name,
        observed=f"ends soon after each start, restarted {unit.restarts} times",
        expected="active, and listening",
        evidence=(
            f"ActiveState={unit.active_state} ({unit.sub_state}), NRestarts={unit.restarts}",
            f"journal of {unit.name}: {ends[-1]}",
            *((f"the service's own last words: {why}",) if why else ()),
        ),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"{unit.name} does not stay up, and systemd starts it again in vain. "
                f"{f'Mend what it says: {why}. ' if why else ''}"
                f"All of it: journalctl -u {unit.name} -n 50",
            ),
        ),
    )


def _last_words(case: Case, unit: Unit) -> tuple[str, ...]:
    """Why the service itself says it ended, else what systemd said last."""
    lines = lines_of(case, unit)
    failed = unit.active_state == "failed"
    words = (reason(case, unit) if failed else "") or (lines[-1].text if lines else "")
    return (f"last words: {words}",) if words else ()


def _dead(
    case: Case, unit: Unit, hop: str, words: tuple[str, ...], startable: bool = True
) -> Finding:
    """A finding for a unit that does not run; a remedy where starting it can help."""
    if unit.load_state == "not-found" and case.endpoint.service is not None:
        return _missing(unit, hop, case.endpoint.service)
    masked = unit.load_state == "masked" or unit.unit_file_state.startswith("masked")
    failing = unit.active_state == "failed" and _by_itself(unit)
    state = unit.unit_file_state or unit.load_state
    unmet = "" if masked else _unmet(case, unit)
    by_hand = masked or failing or bool(unmet) or unit.load_state != "loaded" or not startable
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
        advice=(Advice(Audience.SERVER, _by_hand(unit, masked, unmet)),) if by_hand else (),
        remedy=None
        if by_hand
        else UnitRemedy(
            unit.name,
            enabled=True if unit.unit_file_state == "disabled" else None,
            state="started",
            reset_failed=unit.active_state == "failed",
        ),
    )


def _missing(unit: Unit, hop: str, service: Service) -> Finding:
    """There is no unit, and the inventory tells how the service is run: one is written."""
    lines = {
        "ExecStart": service.command,
        "User": service.user,
        "WorkingDirectory": service.directory,
        "EnvironmentFile": service.environment_file,
    }
    return Finding(
        hop=hop,
        where=unit.name,
        observed="there is no such unit: nothing starts the service",
        expected=f"a unit that runs {service.command}",
        evidence=(f"LoadState={unit.load_state}",),
        certainty=3,
        remedy=UnitRemedy(
            unit.name,
            {"Service": {key: value for key, value in lines.items() if value}},
            enabled=True,
            state="started",
            whole=True,
        ),
    )


def _by_itself(unit: Unit) -> bool:
    """True if the service failed of its own, so that it would fail again."""
    if unit.result in ("resources", "protocol"):
        return True
    return unit.exit_code == "exited" and unit.exit_status not in _TOLD_TO_END


def _unmet(case: Case, unit: Unit) -> str:
    """The condition for which systemd left out the last start; starting it would do nothing."""
    if unit.prop("ConditionResult") != "no":
        return ""
    skipped = (_SKIPPED.search(line.text) for line in reversed(lines_of(case, unit)))
    return next((match[1] for match in skipped if match), "")


def _by_hand(unit: Unit, masked: bool, unmet: str) -> str:
    if unmet:
        return (
            f"systemd leaves out {unit.name}, because {unmet} is not met: make it so, or take the "
            f"condition out of the unit, then: systemctl start {unit.name}"
        )
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
