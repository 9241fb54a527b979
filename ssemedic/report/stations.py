"""Every hop of a report as it was seen last, in the numbers that monitoring asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.finding import Severity
from ssemedic.report.present import kept, present
from ssemedic.report.strip import KEPT_READS
from ssemedic.report.words import is_grave
from ssemedic.stream.bursts import APART_SECONDS, MIN_BURSTS
from ssemedic.symptoms import cost

Data = Mapping[str, Any]

#: What did not come for so long (seconds) after the app had sent it is held, not on its way.
_SURE = 1.0
_OURS = ("limit_time", "limit_bytes", "limit_event")  # the stream was still open


@dataclass(frozen=True)
class Station:
    """One hop with its last record; times are seconds, None where nothing was to be measured.

    ``gap`` is the longest time without a byte. ``buffered`` is the share of arrivals, 0 to 1,
    that came together with another one, or not at all, though the app sent them apart.
    ``disconnect`` is when somebody else ended the stream.
    """

    name: str
    verdict: Verdict
    symptoms: tuple[str, ...]
    first_event: float | None
    gap: float | None
    buffered: float | None
    disconnect: float | None
    seen: bool


def verdict(report: Data) -> Verdict:
    """The verdict after the change, or the first one where nothing was changed and kept."""
    return Verdict(report["verdict"]["after"] or report["verdict"]["before"])


def causes(report: Data) -> tuple[Data, ...]:
    """The causes that are left."""
    return tuple(report["causes"][place] for place in present(report).causes)


def unexplained(report: Data) -> tuple[Data, ...]:
    """The symptoms that no cause explains, as far as they are still there."""
    there = present(report).symptoms
    return tuple(symptom for symptom in report["unexplained"] if symptom["id"] in there)


def stations(report: Data) -> tuple[Station, ...]:
    """Every hop as it was seen last, from the app outwards."""
    now = present(report)
    kinds = {hop["name"]: tuple(hop["symptoms"]) for hop in report["hops"]}
    if kept(report):
        found = [name.partition("@") for name in now.symptoms]
        kinds = {name: tuple(k for k, _, hop in found if hop == name) for name in now.streams}
    app = now.streams.get("app")
    return tuple(
        _station(name, stream, kinds.get(name, ()), app) for name, stream in now.streams.items()
    )


def _station(name: str, stream: Data | None, kinds: tuple[str, ...], app: Data | None) -> Station:
    ended = stream is not None and stream["end"]["kind"] not in _OURS
    return Station(
        name=name,
        verdict=_verdict(stream, kinds),
        symptoms=kinds,
        first_event=stream.get("first_event_at") if stream else None,
        gap=_gap(stream) if stream else None,
        buffered=_buffered(stream, app) if stream and app and name != "app" else None,
        disconnect=stream["end"]["at"] if stream and ended else None,
        seen=stream is not None,
    )


def _verdict(stream: Data | None, kinds: tuple[str, ...]) -> Verdict:
    grave = [cost(kind) for kind in kinds if is_grave(kind)]
    if Severity.BROKEN in grave:
        return Verdict.BROKEN
    if stream is None:
        return Verdict.UNKNOWN
    if not stream["is_event_stream"]:
        return Verdict.BROKEN
    return Verdict.DEGRADED if grave else Verdict.HEALTHY


def _gap(stream: Data) -> float | None:
    if stream["headers_at"] is None or not stream["is_event_stream"]:
        return None
    reads = [at for at, _ in stream["reads"]]
    # Later reads were not kept: the time from the last kept one to the end is no silence.
    end = [] if len(reads) >= KEPT_READS else [stream["end"]["at"]]
    times = sorted([stream["headers_at"], *reads, *end])
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


def _buffered(stream: Data, app: Data) -> float | None:
    waiting = stream["status"] is None and stream["end"]["kind"] == "limit_time"
    if not app["is_event_stream"] or not (stream["is_event_stream"] or waiting):
        return None
    until = min(_watched(stream), _watched(app))
    sent, came = _arrivals(app, until), _arrivals(stream, until)
    if not came and sent and until - float(app["reads"][0][0]) > _SURE:
        return 1.0
    return max(0.0, 1.0 - came / sent) if sent >= MIN_BURSTS else None


def _watched(stream: Data) -> float:
    reads = stream["reads"]
    return float(reads[-1][0] if len(reads) >= KEPT_READS else stream["end"]["at"])


def _arrivals(stream: Data, until: float) -> int:
    """How often bytes came after a pause; what comes at once counts once."""
    times = [float(at) for at, _ in stream["reads"] if at <= until]
    apart = sum(later - earlier >= APART_SECONDS for earlier, later in pairwise(times))
    return apart + 1 if times else 0
