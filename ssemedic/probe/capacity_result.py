"""What came of holding many streams, as data and as lines for a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ssemedic.probe.capacity_tally import Quantiles
from ssemedic.report.clean import clean

SCHEMA = 1


@dataclass(frozen=True)
class Trouble:
    """One kind of failure: how often, when (seconds since the start), and what it looked like.

    ``held`` streams were open when it was seen first; ``detail`` is from then and may hold
    the server's words. ``youngest`` and ``oldest`` are the ages in seconds at which open
    streams were lost; 0 for attempts that never opened.
    """

    kind: str
    count: int
    first_at: float
    last_at: float
    held: int
    detail: str
    youngest: float = 0.0
    oldest: float = 0.0


@dataclass(frozen=True)
class Limit:
    """The first limit that was hit: a name, a sentence, and what speaks for it.

    ``held`` streams were open then; ``certain`` is false where the wire cannot tell.
    """

    name: str
    sentence: str
    held: int
    evidence: tuple[str, ...]
    certain: bool


@dataclass(frozen=True)
class OwnCost:
    """What holding the streams cost this process; None where /proc cannot be read.

    ``cpu_seconds`` is for the whole run, ``cpu_share`` the share of one core while
    streams were only held. ``bytes_per_stream`` is resident memory, without the kernel's
    socket buffers. ``stalled`` is the longest time in seconds it got no processor: no
    latency is surer than that.
    """

    cpu_seconds: float
    cpu_share: float | None
    bytes_per_stream: int | None
    stalled: float


@dataclass(frozen=True)
class CapacityResult:
    """One run. Times in seconds since its start, rates per second while streams were held.

    ``asked`` streams were wanted, ``attempted`` is how many were tried, ``opened`` how many
    answered 200 with an event stream, ``coded`` of them with a content coding (their events
    are not counted), ``most_held`` how many were open at once, ``held`` at
    the end. ``ramp`` is when the last one opened. ``stopped`` says why the run ended.
    """

    url: str
    address: str
    asked: int
    attempted: int
    opened: int
    coded: int
    most_held: int
    held: int
    ramp: float
    seconds: float
    stopped: str
    refused: tuple[Trouble, ...]
    dropped: tuple[Trouble, ...]
    head: Quantiles | None
    first_event: Quantiles | None
    event_latency: Quantiles | None
    latency_basis: str
    events: int
    bytes: int
    events_per_second: float
    bytes_per_second: float
    own: OwnCost
    limit: Limit | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with a schema number."""
        return {"schema": SCHEMA, **asdict(self)}


def render_lines(result: CapacityResult) -> list[str]:
    """The result for a terminal; what the server said is made harmless."""
    return [
        f"{result.opened:,} of {result.asked:,} streams opened at {clean(result.address)},"
        f" the last after {result.ramp:.1f} s; {result.held:,} open at the end"
        f" ({result.seconds:.1f} s, {result.stopped})",
        *_troubles("refused", result.refused),
        *_troubles("dropped", result.dropped),
        *_coded(result),
        f"headers: {_quantiles(result.head)}",
        f"first event: {_quantiles(result.first_event)}",
        f"event latency: {_quantiles(result.event_latency)} ({result.latency_basis})",
        f"traffic: {result.events_per_second:,.0f} events/s,"
        f" {_size(result.bytes_per_second)}/s ({result.events:,} events)",
        f"this process: {_own(result.own)}",
        *_limit(result),
    ]


def _coded(result: CapacityResult) -> list[str]:
    if not result.coded:
        return []
    return [f"compressed: {result.coded:,} streams; events in them are not counted"]


def _troubles(name: str, troubles: tuple[Trouble, ...]) -> list[str]:
    if not troubles:
        return [f"{name}: none"]
    lines = []
    for one in troubles:
        when = f"{one.first_at:.1f} s"
        if one.count > 1:
            when += f" to {one.last_at:.1f} s"
        detail = f": {clean(one.detail, limit=160)}" if one.detail else ""
        lines.append(
            f"{name}: {one.count:,} {one.kind} ({when}, first with {one.held:,} open){detail}"
        )
    return lines


def _limit(result: CapacityResult) -> list[str]:
    limit = result.limit
    if limit is None:
        return [f"first limit: none was reached with {result.most_held:,} streams"]
    sure = "" if limit.certain else " (not certain)"
    return [
        f"first limit: {limit.name}{sure} with {limit.held:,} open: {limit.sentence}",
        *(f"  - {clean(line, limit=300)}" for line in limit.evidence),
    ]


def _quantiles(found: Quantiles | None) -> str:
    if found is None:
        return "none"
    names = (("median", found.p50), ("95 %", found.p95), ("99 %", found.p99))
    parts = [f"{name} {_seconds(value)}" for name, value in (*names, ("longest", found.longest))]
    return ", ".join(parts)


def _own(own: OwnCost) -> str:
    parts = [f"{own.cpu_seconds:.2f} s of a core in all"]
    if own.cpu_share is not None:
        parts.append(f"{100 * own.cpu_share:.1f} % of a core while holding")
    if own.bytes_per_stream is not None:
        parts.append(f"{_size(own.bytes_per_stream)} per stream")
    if own.stalled >= 0.05:
        parts.append(f"held up for {_seconds(own.stalled)}: no latency is surer than that")
    return ", ".join(parts)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"


def _size(value: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
