"""Cause: sd_start_limit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.unit_journal import reason
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.rules.sd_exec_failed import exec_failure
from ssemedic.rules.sd_memorymax_oom import oom_killed
from ssemedic.rules.sd_port_conflict import conflict_of
from ssemedic.symptoms import Kind

_EXIT = re.compile(r"Main process exited, code=(\w+), status=(\S+)")
_STARTS = re.compile(r"\bStarted |Start request repeated too quickly")

#: Gentle enough to outlive a burst, quick enough for a person who waits.
_PATIENCE = {
    "Unit": {"StartLimitIntervalSec": "300", "StartLimitBurst": "20"},
    "Service": {"RestartSec": "3"},
}


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(Kind.REFUSED, Sign(Kind.WRONG_STATUS, (502, 503, 504))),
    needs=("units", "streams"),
)
def sd_start_limit(case: Case) -> Iterator[Finding]:
    """systemd stopped restarting the service after a burst of crashes.

    Too many starts in too short a time, and the unit stays `failed` with
    `start-limit-hit` for ever, even when what killed it is long gone. The proxy
    answers 502 until somebody resets it.
    """
    unit = case.unit
    if not start_limit_hit(case) or ended_for_a_known_cause(case, unit):
        return  # systemd gave up, but what ends the service each time is known
    exits = [match.groups() for line in case.unit_log() if (match := _EXIT.search(line.text))]
    code, status = exits[-1] if exits else (unit.exit_code, str(unit.exit_status))
    killed = code in ("killed", "dumped")
    ended = f"with status {status}" if exits or unit.exit_status is not None else "before it begins"
    evidence = (
        f"systemd refused another start after {unit.restarts} restarts: "
        f"burst {unit.prop('StartLimitBurst') or '?'} "
        f"in {unit.prop('StartLimitIntervalUSec') or '?'}",
        f"the last run ended with code={code}, status={status}"
        if exits or unit.exit_status is not None
        else f"the service could not even be started (Result={unit.result})",
    )
    said = reason(case, unit)
    by_itself = Advice(
        Audience.SERVER,
        f"{unit.name} ends by itself {ended}; a restart would run into the limit "
        f"again. {f'Its last words: {said}. ' if said else ''}"
        f"Mend what it says in: journalctl -u {unit.name} -n 50, then: "
        f"systemctl reset-failed {unit.name} && systemctl start {unit.name}",
    )
    yield Finding(
        hop="app",
        where=unit.name,
        observed="failed (start-limit-hit)",
        expected="active; a burst of crashes must not be the end",
        evidence=evidence,
        certainty=3,
        remedy=UnitRemedy(
            unit.name,
            _PATIENCE,
            enabled=True if unit.unit_file_state == "disabled" else None,
            state="started",
            reset_failed=True,
        )
        if killed
        else None,
        advice=() if killed else (by_itself,),
    )


def ended_for_a_known_cause(case: Case, unit: Unit) -> bool:
    """True if another rule names what ends the service; how systemd takes it is no cause then."""
    return bool(exec_failure(case, unit) or conflict_of(case, unit) or oom_killed(case, unit))


def start_limit_hit(case: Case) -> bool:
    """True if systemd gave up on the service behind the stream.

    `Result` keeps what ended the last run where that came first, so the journal counts too:
    systemd said so after it last started the service.
    """
    unit = case.unit
    if unit.active_state != "failed":
        return False
    if unit.result == "start-limit-hit":
        return True
    said = [text for line in case.unit_log() for text in [line.text] if _STARTS.search(text)]
    return bool(said) and "repeated too quickly" in said[-1]
