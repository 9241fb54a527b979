"""Cause: sd_memorymax_oom."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.stuck_clients import fills_memory, stuck_clients
from ssemedic.clues.unit_journal import lines_of, shortened
from ssemedic.clues.unit_settings import in_force
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_BY_OOM_KILLER = re.compile(
    r"has been killed by the OOM killer|Failed with result 'oom-kill'|status=9/KILL.*oom", re.I
)
_KILLED = re.compile(r"Main process exited, code=killed, status=9/KILL")
#: systemd and people use the same signal, and say so.
_ON_PURPOSE = re.compile(
    r"timed out\. Killing|Killing process|Sent signal SIGKILL|Watchdog timeout"
)
_CONSTRAINT = re.compile(r"oom-kill:constraint=\w+,.*?\btask_memcg=([^,]*)")
_ALL_MEMORY = re.compile(r"oom-kill:constraint=CONSTRAINT_(?:NONE|CPUSET|MEMORY_POLICY),")
_GROUP_OLD = re.compile(r"Task in (\S+) killed as a result of limit of (\S+)")
_LATELY = 3600.0  # seconds
_FEWEST = 2  # a single kill may be anybody's
_MIB = 1024 * 1024


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(
        Kind.REFUSED,
        Kind.RESET,
        Kind.CUT_AFTER,
        Kind.CUT_WHEN_IDLE,
        Kind.ENDED,
        Kind.CLOSED_AT_ONCE,
        Kind.NO_ANSWER,
        Sign(Kind.WRONG_STATUS, (502, 503, 504)),
    ),
    needs=("units", "streams"),
)
def sd_memorymax_oom(case: Case) -> Iterator[Finding]:
    """The kernel kills the service because it needs more memory than it may have.

    All streams end in the same moment, the proxy answers 502 until the service is up
    again, every browser reconnects at once, and memory fills anew. The service's own log
    just stops: SIGKILL leaves no last words. The limit is MemoryMax= of the unit or of a
    slice above it, or, where neither is set, the memory of the host.
    """
    unit = case.unit
    kill = oom_killed(case, unit)
    if not kill or fills_memory(stuck_clients(case)):
        return  # what fills the memory is named by app_unbounded_queue_oom
    limit, where = _limit(unit)
    whole = any(_ALL_MEMORY.search(text) for text in kill)
    down = unit.active_state == "failed"
    seen = f"{limit // _MIB} MiB" if limit and not whole else "the memory of the host"
    yield Finding(
        hop="app",
        where=where if not whole else unit.name,
        observed=f"killed for memory; it may have {seen}",
        expected="a limit above what the service needs with all its streams, and bounded queues",
        evidence=kill,
        certainty=3,
        remedy=UnitRemedy(unit.name, state="started", reset_failed=True)
        if down and not _loops(unit)
        else None,
        advice=(Advice(Audience.SERVER, _advice(case, unit, limit, where, whole)),),
    )


def oom_killed(case: Case, unit: Unit) -> tuple[str, ...]:
    """What says that the kernel killed the service for memory; () where nothing does."""
    now = case.evidence.collected_at
    journal = [x for x in lines_of(case, unit) if x.at is None or now - x.at < _LATELY]
    texts = [line.text for line in journal]
    named = [shortened(text) for text in texts if _BY_OOM_KILLER.search(text)]
    if unit.result == "oom-kill" or named:
        return (f"Result={unit.result}", *(f"journal of {unit.name}: {x}" for x in named[-1:]))
    kernel = _by_kernel(case, unit)
    if kernel:
        return kernel
    group = unit.cgroup
    if group is not None and group.oom_kills:
        return (f"memory.events of {group.path}: oom_kill {group.oom_kills}",)
    return _by_count(case, unit, [x for x in texts if _KILLED.search(x)], texts)


def _by_kernel(case: Case, unit: Unit) -> tuple[str, ...]:
    """The kernel's own lines, which name the control group."""
    log = case.evidence.log("kernel")
    end = f"/{unit.name}"
    found = []
    for line in log.lines if log else ():
        if line.at is not None and case.evidence.collected_at - line.at > _LATELY:
            continue
        match = _CONSTRAINT.search(line.text) or _GROUP_OLD.search(line.text)
        groups = match.groups() if match else ()
        if any(g.endswith(end) or f"{end}/" in g for g in groups):
            found.append(f"kernel: {shortened(line.text)}")
    return tuple(found[-1:])


def _by_count(case: Case, unit: Unit, killed: list[str], texts: list[str]) -> tuple[str, ...]:
    """Where the kernel's log cannot be read: it counts at least as many kills for memory as the
    service, which has a limit, was killed by a signal that nobody says to have sent."""
    limit, _where = _limit(unit)
    log = case.evidence.log("kernel")
    resources = case.evidence.resources
    if (log is not None and log.lines) or resources is None or not limit:
        return ()
    kills = resources.counters.get("oom_kill", 0)
    if not _FEWEST <= len(killed) <= kills or any(map(_ON_PURPOSE.search, texts)):
        return ()
    if not (unit.restarts or unit.result == "signal"):
        return ()
    return (
        f"journal of {unit.name}: {shortened(killed[-1])} ({len(killed)} times)",
        f"the kernel counts {kills} kills for memory since the host started (/proc/vmstat)",
        f"MemoryMax is {limit // _MIB} MiB",
    )


def _limit(unit: Unit) -> tuple[int, str]:
    """Bytes and where they are set; 0 where there is no limit."""
    group, written = unit.cgroup, unit.prop("MemoryMax")
    lines = in_force(unit, "MemoryMax") or in_force(unit, "MemoryLimit")
    where = lines[-1].where if lines else unit.name
    if group is not None and group.memory_max is not None:
        return group.memory_max, where if group.memory_max_of in ("", unit.name) else (
            f"MemoryMax of {group.memory_max_of}"
        )
    return (int(written) if written.isdigit() else 0), where


def _loops(unit: Unit) -> bool:
    return unit.restarts > 2  # it was started again, and did not get far


def _advice(case: Case, unit: Unit, limit: int, where: str, whole: bool) -> str:
    bounded = (
        "Bound what the service keeps for each client (a queue of fixed length; drop the oldest "
        "or close the stream of a client that does not read)."
    )
    if whole or not limit:
        return (
            f"The host itself ran out of memory and {unit.name} was the one to go. See who needs "
            f"how much (systemd-cgtop -m), give the host more, or limit who needs too much. "
            f"{bounded}"
        )
    peak = unit.cgroup.memory_peak_bytes if unit.cgroup else None
    used = f" (its peak since the last start was {peak // _MIB} MiB)" if peak else ""
    resources = case.evidence.resources
    free = resources.memory_available_bytes // _MIB if resources else None
    room = f"; the host has {free} MiB to spare" if free is not None else ""
    return (
        f"Measure what it needs with all its streams{used}, then raise the limit at {where}: "
        f"MemoryMax={max(2 * limit // _MIB, 256)}M, with MemoryHigh= a little below, so that it "
        f"slows down before it dies{room}. Restart=on-failure and RestartSec=2 bring it back. "
        f"{bounded}"
    )
