"""Cause: app_unbounded_queue_oom."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.stuck_clients import fills_memory, stuck_clients
from ssemedic.evidence import Stuck
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.rules.sd_memorymax_oom import oom_killed
from ssemedic.symptoms import Kind

_MIB = 1024 * 1024
_CUTS = (
    Kind.REFUSED,
    Kind.RESET,
    Kind.CUT_AFTER,
    Kind.CUT_WHEN_IDLE,
    Kind.ENDED,
    Kind.CLOSED_AT_ONCE,
    Kind.NO_ANSWER,
)


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(
        *_CUTS,
        Sign(Kind.WRONG_STATUS, (502, 503, 504)),
    ),
    needs=("resources", "units", "streams"),
)
def app_unbounded_queue_oom(case: Case) -> Iterator[Finding]:
    """The service keeps events without limit for clients that do not read, until memory is full.

    What a slow or dead client does not take is kept for it, in a queue or in the write
    buffer of its connection, and nothing bounds it. Memory climbs until the kernel kills the
    service; all streams end at once, everybody reconnects, and it begins anew. More memory
    only makes the time between two deaths longer.
    """
    stuck = stuck_clients(case)
    if stuck is None or not fills_memory(stuck):
        return
    kill = oom_killed(case, case.unit)
    if not kill and case.symptom("app", *_CUTS):
        return  # memory that grows is by itself no reason for a stream that ends
    yield Finding(
        hop="app",
        where=case.unit.name,
        observed=_observed(stuck),
        expected="a bounded queue for each client; one that is too far behind is closed",
        evidence=_evidence(case, stuck, kill),
        certainty=3 if kill else 2,
        advice=(
            Advice(
                Audience.SERVER,
                "Bound what is kept for each client: asyncio.Queue(maxsize=1000) with put_nowait "
                "and closing on QueueFull, await writer.drain() with a timeout, a bounded channel "
                "in Go, Rust and Java, response.write() === false in Node. As a guard: MemoryMax= "
                "with Restart=on-failure, so that only this service goes, and comes back.",
            ),
        ),
    )


def _observed(stuck: Stuck) -> str:
    return (
        f"it grew by {stuck.grown_bytes // _MIB} MiB in {stuck.seconds:g} s, while "
        f"{stuck.clients} clients took nothing"
    )


def _evidence(case: Case, stuck: Stuck, kill: tuple[str, ...]) -> tuple[str, ...]:
    process = case.topology.process
    seen = [f"{stuck.clients} clients had {stuck.queued_bytes} unsent bytes, and took none of them"]
    size = f" from {process.rss_bytes // _MIB} MiB" if process and process.rss_bytes else ""
    seen.append(f"process {stuck.pid} grew by {stuck.grown_bytes // _MIB} MiB{size}")
    return (*seen, *kill)
