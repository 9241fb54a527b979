"""Cause: app_go_write_timeout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ssemedic.case import Case
from ssemedic.clues.framework import Server, framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.stream.record import Stream
from ssemedic.stream.single import sent_at
from ssemedic.symptoms import Kind

_CUT = (Kind.CUT_AFTER, Kind.CUT_WHEN_IDLE, Kind.RESET, Kind.ENDED)
#: Lives that differ by less (seconds) are the same.
_SAME = 0.4
#: Records that ended so far apart (seconds) did not end because the service did.
_APART = 0.6
#: An end this soon after the headers is another matter.
_SHORTEST = 1.0

_GO = (
    "Set WriteTimeout of the http.Server to 0 for the streams, or lift it in the handler: "
    "http.NewResponseController(w).SetWriteDeadline(time.Time{}) (Go 1.20 or later); guard the "
    "other routes with http.TimeoutHandler."
)


@rule(
    layer=Layer.APP,
    severity=Severity.DEGRADED,
    explains=_CUT,
    needs=("streams",),
)
def app_go_write_timeout(case: Case) -> Iterator[Finding]:
    """The service breaks off every stream at a fixed age, busy or not.

    A write timeout for whole answers (Go's `http.Server.WriteTimeout`, and its like in other
    servers) counts from the request, and an event does not start it anew. Each tab loses its
    stream after the same number of seconds and opens another one; a heartbeat changes nothing.
    A limit on silence looks alike on a quiet stream: streams that began at different moments
    and reached the same age tell it from a restart, which ends all of them at once.

    Take the stream out of the timeout.
    """
    symptom = case.symptom("app", *_CUT)
    if symptom is None:
        return
    lives = _lives(case)
    if not lives:
        return
    framework, unit = framework_of(case), case.topology.unit
    age = sum(life for _hop, life, _end in lives) / len(lives)
    busy = any(len(stream.reads) > 2 for stream in _records(case))
    unsure = ""
    if symptom.kind is Kind.ENDED:
        unsure = "whether the app ends the stream on purpose: each end was a clean one"
    elif not busy:
        unsure = "whether it is the age or the silence that ends the stream: hardly a byte came"
    where = unit.name if unit else "the app"
    yield Finding(
        hop="app",
        where=where,
        observed=f"{framework.label} ends each stream {age:.1f} s after the request",
        expected="a stream lives as long as its client wants it",
        evidence=(
            symptom.text,
            ", ".join(f"{hop}: {life:.1f} s" for hop, life, _end in lives)
            + " after each one's own request, and not at the same moment",
        ),
        certainty=3 if not unsure else 1,
        out_of_reach=unsure,
        advice=(
            Advice(
                Audience.SERVER,
                _GO
                if framework.server is Server.GO
                else f"Take the stream out of what limits an answer: {framework.speech.lifetime}.",
            ),
        ),
    )


def _records(case: Case) -> Sequence[Stream]:
    """What the app sent, seen at every hop; the hops outside pass its end on."""
    every = (*case.topology.streams, *case.topology.counter)
    return [s for s in every if s.is_event_stream and s.variant in ("", "gzip", "http10")]


def _lives(case: Case) -> list[tuple[str, float, float]]:
    """(hop, age at the end, time of the end) where all reached one age at different moments."""
    records = _records(case)
    if any(stream.open_at_end for stream in records):
        return []
    lives = [
        (
            f"{s.hop} ({s.variant})" if s.variant else s.hop,
            s.end.at - sent_at(s),
            s.started + s.end.at,
        )
        for s in records
    ]
    if len(lives) < 2 or min(life for _h, life, _e in lives) < _SHORTEST:
        return []
    ages = [life for _hop, life, _end in lives]
    ends = [end for _hop, _life, end in lives]
    return lives if max(ages) - min(ages) <= _SAME and max(ends) - min(ends) >= _APART else []
