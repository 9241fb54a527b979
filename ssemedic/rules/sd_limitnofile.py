"""Cause: sd_limitnofile."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case, UnseenError
from ssemedic.evidence import Process
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_TOO_MANY = re.compile(r"Too many open files|EMFILE|Errno 24\b|out of system resource")
_ENOUGH = 65536
_FULL = 0.9  # a service this full refuses somebody soon
_LEAK = 0.5  # more dead than living clients


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(
        Kind.NO_ANSWER,
        Kind.HEADERS_LATE,
        Kind.CLOSED_AT_ONCE,
        Kind.RESET,
        Sign(Kind.WRONG_STATUS, (500, 502, 503, 504)),
    ),
    needs=("processes", "streams"),
)
def sd_limitnofile(case: Case) -> Iterator[Finding]:
    """The service has no file descriptor left for another client.

    Every open stream holds one. At the limit `accept` fails, new connections wait
    in the backlog, and the browser gets not one byte. `limits.conf` does not apply
    to services: LimitNOFILE of the unit does, up to the hard limit of the machine.
    What counts is what /proc/PID/limits says, not what the unit says.
    """
    process, unit = case.topology.process, case.topology.unit
    if process is None or process.fds_used is None or process.fds_soft is None:
        missing = case.evidence.missing
        raise UnseenError(
            missing.get("processes.open_files")
            or missing.get("listeners.owners")
            or "the process behind the stream does not run or is not known"
        )
    used, limit = process.fds_used, process.fds_soft
    since = process.started or 0.0
    refused = [
        line.text
        for line in case.unit_log()
        if (line.at or 0) >= since and _TOO_MANY.search(line.text)
    ]
    if used < _FULL * limit:
        return
    evidence = [f"process {process.pid} ({process.name}) uses {used} of {limit} descriptors"]
    evidence += [f"it logged {len(refused)} times: {refused[-1]}"] if refused else []
    dead = process.sockets.get("CLOSE_WAIT", 0)
    leaking = dead > _LEAK * used
    if dead:
        evidence.append(f"{dead} of its connections are dead clients (CLOSE_WAIT)")
    advice = _advice(process, leaking, limit)
    can_raise = unit is not None and limit < _ENOUGH and process.pid == unit.main_pid
    yield Finding(
        hop="app",
        where=unit.name if unit else f"process {process.pid}",
        observed=f"{used} of {limit} file descriptors in use",
        expected=f"room for every stream (LimitNOFILE={_ENOUGH})",
        evidence=tuple(evidence),
        certainty=3,
        remedy=UnitRemedy(unit.name, {"Service": {"LimitNOFILE": str(_ENOUGH)}}, state="restarted")
        if unit is not None and can_raise
        else None,
        advice=advice,
    )


def _advice(process: Process, leaking: bool, limit: int) -> tuple[Advice, ...]:
    if leaking:
        return (
            Advice(
                Audience.SERVER,
                f"{process.name} keeps connections whose clients are gone: end the stream when "
                "the request is disconnected. A higher limit only puts it off.",
            ),
        )
    if limit >= _ENOUGH:
        return (
            Advice(
                Audience.SERVER,
                f"{limit} descriptors are in use: find out what holds them "
                f"(ls -l /proc/{process.pid}/fd) before raising the limit further.",
            ),
        )
    return ()
