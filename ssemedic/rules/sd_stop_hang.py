"""Cause: sd_stop_hang."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.clues.unit_journal import shortened, since_start
from ssemedic.evidence import Process, Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

#: What servers log when they begin to stop and wait for what is open.
STOPPING = re.compile(
    r"Shutting down|Waiting for (?:connections to close|background tasks|application shutdown)|"
    r"Handling signal: (?:term|quit|int)|received SIGTERM|got SIGTERM|SIGTERM received|"
    r"signal: terminated|graceful(?:ly)? (?:shut|stop)|commencing graceful shutdown|"
    r"Gracefully stopping|Application is shutting down|stopping server|draining connections",
    re.IGNORECASE,
)
_STARTED = re.compile(
    r"Uvicorn running on|Listening at:|Application startup complete|Started server process|"
    r"listening on|Now listening|Started \S+ in [\d.]+ seconds",
    re.IGNORECASE,
)
#: Long enough to say good-bye to every stream, short enough for a person who waits.
PATIENCE = 15


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(Kind.REFUSED, Sign(Kind.WRONG_STATUS, (502, 503, 504))),
    needs=("units", "processes", "listeners", "streams"),
)
def sd_stop_hang(case: Case) -> Iterator[Finding]:
    """The service was told to stop, and hangs: systemd calls it active, and nobody listens.

    A signal reached the process directly (a deployment script, a log rotation, a file
    watcher), not by systemctl. The server closed its port and now waits for the open streams
    to end, which they never do. systemd was not asked to stop anything, so nothing
    escalates: the unit stays `active (running)`, and every new browser is refused. A restart
    by systemd ends it, after TimeoutStopSec at the latest.
    """
    unit = case.unit
    process = hanging(case, unit)
    if process is None or unit.active_state != "active":
        return
    said = [line.text for line in since_start(case, unit) if STOPPING.search(line.text)]
    open_ones = process.sockets.get("ESTABLISHED", 0)
    yield Finding(
        hop="app",
        where=unit.name,
        observed="active, and stopping by itself: the process runs and listens nowhere",
        expected="a process that listens, or one that ends when it is told to",
        evidence=(
            f"ActiveState=active, process {process.pid} runs without a listening socket",
            f"journal of {unit.name}: {shortened(said[-1])}",
            f"it still holds {open_ones} connections",
        ),
        certainty=3,
        remedy=UnitRemedy(
            unit.name,
            {"Service": {"TimeoutStopSec": str(PATIENCE)}},
            state="restarted",
        ),
        advice=(
            Advice(
                Audience.SERVER,
                f"Stop it by `systemctl stop {unit.name}`, never by a signal of your own, and "
                "bound its own wait for open streams below TimeoutStopSec: "
                f"{framework_of(case).speech.stop}.",
            ),
        ),
    )


def hanging(case: Case, unit: Unit) -> Process | None:
    """The main process, if it said that it stops, still runs and listens nowhere."""
    main = next((p for p in case.evidence.processes or () if p.pid == unit.main_pid), None)
    if main is None or not unit.main_pid or main.own_network is True:
        return None
    pids = {p.pid for p in case.evidence.processes or () if p.unit == unit.name}
    if any(x.unit == unit.name or x.pid in pids for x in case.evidence.listeners or ()):
        return None
    lines = list(since_start(case, unit))
    stops = [i for i, line in enumerate(lines) if STOPPING.search(line.text)]
    starts = [i for i, line in enumerate(lines) if _STARTED.search(line.text)]
    if not stops or (starts and starts[-1] > stops[-1]):
        return None
    return main
