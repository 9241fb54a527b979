"""Cause: sd_tasksmax."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.unit_journal import lines_of, shortened
from ssemedic.clues.unit_settings import place
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_NO_THREAD = re.compile(
    r"can't start new thread|Resource temporarily unavailable|unable to create (?:new )?native "
    r"thread|pthread_create failed|failed to (?:create|spawn) (?:new )?(?:OS )?thread|"
    r"newosproc|\bEAGAIN\b.*(?:fork|spawn|thread)|fork: retry|Errno 11\].*fork",
    re.IGNORECASE,
)
_REJECTED = re.compile(r"cgroup: fork rejected by pids controller in (\S+)")
_ENOUGH = 4096
_LATELY = 3600.0  # seconds
_FULL = 0.95


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(
        Kind.REFUSED,
        Kind.NO_ANSWER,
        Kind.HEADERS_LATE,
        Kind.CLOSED_AT_ONCE,
        Kind.SILENT,
        Kind.RESET,
        Kind.CANARY_LOST,
        Sign(Kind.WRONG_STATUS, (500, 502, 503, 504)),
    ),
    needs=("units", "streams"),
)
def sd_tasksmax(case: Case) -> Iterator[Finding]:
    """The service may not start another thread or process: TasksMax of its unit is reached.

    A server with a thread for each stream needs as many tasks as it has streams; others
    need a few for names, files and databases. At the limit `clone` fails with EAGAIN:
    "can't start new thread", "Resource temporarily unavailable". The service answers 500,
    takes no more connections, or does not come up at all.
    """
    unit = case.unit
    said = _said(case, unit)
    limit, owner = _limit(unit)
    refused = unit.cgroup.tasks_refused if unit.cgroup else None
    used = unit.cgroup.tasks if unit.cgroup else None
    full = used is not None and limit is not None and used >= _FULL * limit
    rejected = _rejected(case, unit)
    if limit is None or not (rejected or (said and (full or refused or limit < 64))):
        return
    ours = owner in ("", unit.name)
    evidence = [f"{used} of {limit} tasks" if used is not None else f"TasksMax is {limit}"]
    evidence += [f"the kernel refused {refused} new tasks (pids.events)"] if refused else []
    evidence += [rejected] if rejected else []
    evidence += [f"journal of {unit.name}: {said[-1]}"] if said else []
    yield Finding(
        hop="app",
        where=place(unit, "TasksMax") if ours else f"TasksMax of {owner}",
        observed=f"TasksMax={limit} is reached",
        expected=f"room for every thread it needs (TasksMax={_ENOUGH})",
        evidence=tuple(evidence),
        certainty=3,
        remedy=UnitRemedy(
            unit.name,
            {"Service": {"TasksMax": str(_ENOUGH)}},
            state="restarted",
            reset_failed=unit.active_state == "failed",
        )
        if ours and limit < _ENOUGH
        else None,
        advice=()
        if ours and limit < _ENOUGH
        else (
            Advice(
                Audience.SERVER,
                f"systemctl set-property {owner} TasksMax=infinity"
                if not ours
                else f"{limit} tasks are in use: find out what makes so many "
                f"(ls /proc/{unit.main_pid}/task | wc -l) before raising the limit.",
            ),
        ),
    )


def _said(case: Case, unit: Unit) -> list[str]:
    now = case.evidence.collected_at
    return [
        shortened(line.text)
        for line in lines_of(case, unit)
        if _NO_THREAD.search(line.text) and (line.at is None or now - line.at < _LATELY)
    ]


def _rejected(case: Case, unit: Unit) -> str:
    log = case.evidence.log("kernel")
    for line in reversed(log.lines if log else ()):
        match = _REJECTED.search(line.text)
        if match and match[1].endswith(f"/{unit.name}"):
            return f"kernel: {shortened(line.text)}"
    return ""


def _limit(unit: Unit) -> tuple[int | None, str]:
    """The limit in force and whose it is; from the unit's settings where its group is gone."""
    if unit.cgroup is not None and unit.cgroup.tasks_max is not None:
        return unit.cgroup.tasks_max, unit.cgroup.tasks_max_of
    written = unit.prop("TasksMax")
    return (int(written), "") if written.isdigit() else (None, "")
