"""The way of a message: sent, published, delivered at each hop, and where it is lost. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ssemedic.evidence import Broker, Canary, Evidence, Published
from ssemedic.finding import Severity
from ssemedic.probe.sending import arrival
from ssemedic.stream.coding import as_decoded
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom, cost
from ssemedic.topology import Topology

#: A stream must have been open for so long after the message was sent (seconds).
PATIENCE = 1.0
#: Streams of one hop that are told apart by what they got.
CROWD = "crowd-"
#: So many streams must have been watched before some can be said to get less than others.
FEWEST = 3
#: What a hop shows because no event comes, or beside it: no other reason for a lost message.
_BESIDE = (Kind.SILENT, Kind.KEEPALIVE_SLOW, Kind.SIX_CONNECTIONS, Kind.FEW_STREAMS)


@dataclass(frozen=True)
class Leg:
    """What one hop showed of the message: seconds from sending to arrival, None where it never
    came within ``waited`` seconds."""

    hop: str
    seconds: float | None
    waited: float


@dataclass(frozen=True)
class Flow:
    """The way of one canary. ``published`` is None where no broker was seen to get it; ``watched``
    are the brokers at which it would have been seen. ``reached`` of ``streams`` streams that were
    open at the app got it."""

    canary: Canary
    watched: tuple[Broker, ...]
    broker: Broker | None
    published: Published | None
    legs: tuple[Leg, ...]
    streams: int
    reached: int

    @property
    def subject(self) -> str:
        """Where it was published; "" where that was not seen."""
        return self.published.subject if self.published else ""

    def leg(self, hop: str) -> Leg | None:
        """What that hop showed, None where it could not be watched."""
        return next((leg for leg in self.legs if leg.hop == hop), None)

    @property
    def lost_at_app(self) -> bool:
        """True if the service took the message and no stream of it got it, through no hop."""
        return bool(self.streams) and not self.reached and not self._reached_outside

    @property
    def is_partial(self) -> bool:
        """True if some streams of the app got it and others did not.

        A stream through an outer hop is a stream of the app, too: it counts where it got it.
        """
        return self.reached < self.streams and bool(self.reached or self._reached_outside)

    @property
    def _reached_outside(self) -> int:
        return sum(leg.seconds is not None for leg in self.legs if leg.hop != "app")


def flow_of(evidence: Evidence, topology: Topology) -> Flow | None:
    """The way of the canary; None where none was sent, or nothing tells it from other messages."""
    canary = evidence.canary
    if canary is None or not canary.accepted or not canary.needle:
        return None
    watched = tuple(b for b in evidence.brokers or () if b.published is not None)
    broker = next((b for b in watched if any(p.canary for p in b.published or ())), None)
    published = next((p for p in broker.published or () if p.canary), None) if broker else None
    ahead = (evidence.clock.ahead if evidence.clock else None) or 0.0
    legs: list[Leg] = []
    for hop in topology.order:
        stream = topology.stream(hop)
        leg = _leg(stream, canary, ahead) if stream is not None else None
        if leg is not None and leg.seconds is not None:
            # Two clocks never agree to the millisecond: an outer hop is not before an inner one.
            before = [other.seconds for other in legs if other.seconds is not None]
            leg = replace(leg, seconds=max([leg.seconds, *before]))
        legs += [leg] if leg is not None else []
    crowd = [s for s in topology.counter if s.hop == "app" and s.variant.startswith(CROWD)]
    own = topology.stream("app")
    at_app = [
        leg
        for stream in [*([own] if own else []), *crowd]
        for leg in [_leg(stream, canary, ahead)]
        if leg is not None
    ]
    reached = sum(leg.seconds is not None for leg in at_app)
    return Flow(canary, watched, broker, published, tuple(legs), len(at_app), reached)


def _leg(stream: Stream, canary: Canary, ahead: float) -> Leg | None:
    """What a record shows of it; None where it was not open for long enough to tell."""
    if not stream.is_event_stream or stream.phases.headers is None:
        return None
    offset = ahead if stream.vantage == "outside" else 0.0
    began = stream.started + offset
    decoded = as_decoded(stream)
    at = arrival(stream if canary.event else decoded, canary.needle, canary.event)
    if at is not None:
        return Leg(stream.hop, round(max(0.0, began + at - canary.at), 3), 0.0)
    opened, ended = began + stream.phases.headers, began + stream.end.at
    waited = ended - canary.at - stream.stalled
    if opened > canary.at or waited < PATIENCE or decoded.size > len(decoded.body):
        return None
    return Leg(stream.hop, None, round(waited, 1))


def flow_symptoms(
    evidence: Evidence, topology: Topology, others: Sequence[Symptom]
) -> tuple[Symptom, ...]:
    """A message that the service took and a hop did not bring, where nothing else holds it back.

    ``others`` are the symptoms of the streams themselves: a hop that holds back everything holds
    back the message, too, and that has a name of its own.
    """
    flow = flow_of(evidence, topology)
    if flow is None:
        return ()
    if flow.is_partial and flow.streams >= FEWEST:
        text = (
            f"app: a message ({flow.canary.how}) reached {flow.reached} of {flow.streams} streams"
            " of one client"
        )
        if not flow.reached:
            text += ", and others that came through an outer hop"
        numbers = {"reached": flow.reached, "streams": flow.streams}
        return (Symptom(Kind.FANOUT_PARTIAL, "app", text, numbers),)
    busy = {s.hop for s in others if s.kind not in _BESIDE and cost(s.kind) is not Severity.HYGIENE}
    lost = [leg for leg in flow.legs if leg.seconds is None and leg.hop not in busy]
    return tuple(_lost(flow, leg) for leg in lost)


def _lost(flow: Flow, leg: Leg) -> Symptom:
    canary = flow.canary
    passed = ""
    if flow.published is not None:
        passed = f", was published on {flow.subject}"
    elif flow.watched:
        passed = f", was not seen at {', '.join(b.kind for b in flow.watched)}"
    text = (
        f"{leg.hop}: {canary.how} was taken ({canary.answer}){passed}"
        f" and did not arrive within {leg.waited:.1f} s"
    )
    measured: dict[str, Any] = {"waited_seconds": leg.waited, "subject": flow.subject}
    if leg.hop == "app":
        measured.update(reached=flow.reached, streams=flow.streams)
    return Symptom(Kind.CANARY_LOST, leg.hop, text, measured)


def told(evidence: Evidence, topology: Topology) -> dict[str, Any] | None:
    """The way of the canary as plain data for a report; None where none was sent."""
    canary = evidence.canary
    if canary is None:
        return None
    flow = flow_of(evidence, topology)
    published = flow.published if flow else None
    return {
        "how": canary.how,
        "accepted": canary.accepted,
        "answer": canary.answer,
        "answered": canary.answered,
        "watched": [f"{b.kind} {b.address}" for b in flow.watched] if flow else [],
        "subject": published.subject if published else None,
        "published": round(max(0.0, published.canary_at - canary.at), 3)
        if published and published.canary_at is not None
        else None,
        "hops": [{"hop": leg.hop, "seconds": leg.seconds} for leg in flow.legs] if flow else [],
        "streams": flow.streams if flow else 0,
        "reached": flow.reached if flow else 0,
    }


def note(evidence: Evidence) -> str:
    """Why a canary that was asked for tells nothing; "" where it does."""
    canary = evidence.canary
    if canary is None:
        return ""
    if not canary.accepted:
        return (
            f"the canary ({canary.how}) was not taken: {canary.answer};"
            " nothing can be said of messages"
        )
    if not canary.needle:
        return f"the canary ({canary.how}) was answered {canary.answer}, so it cannot be followed"
    return ""
