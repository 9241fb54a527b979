"""Cause: app_sync_worker."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import Framework, framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

#: So few streams at once are used up by a handful of tabs.
_FEW = 8
_KILLED = "WORKER TIMEOUT"


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(
        *(Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.BUFFERED, Kind.FEW_STREAMS),
        *(Kind.CUT_AFTER, Kind.RESET),
        Sign(Kind.WRONG_STATUS, (502, 503, 504)),
    ),
    needs=("streams", "processes"),
)
def app_sync_worker(case: Case) -> Iterator[Finding]:
    """Each open stream holds a whole worker of the server, and there is none left.

    A synchronous server answers one request per worker (or thread) at a time, and a stream is
    a request that never ends. After as many tabs as there are workers the next request, to
    whatever path, waits for ever: the whole site stands still. gunicorn also kills a sync
    worker after 30 s, and the stream with it.

    Serve the streams by an asynchronous worker, or with more threads than there are streams;
    a longer timeout only puts it off.
    """
    framework = framework_of(case)
    if not framework.one_request_per_worker:
        return
    waiting = [s for s in _records(case) if s.status is None and s.end.kind == "limit_time"]
    streaming = [s for s in _records(case) if s.is_event_stream]
    room = framework.streams_at_once
    killed = [line.text for line in case.unit_log() if _KILLED in line.text]
    if waiting and streaming:
        yield _finding(case, framework, room, waiting, streaming, killed)
    elif not waiting and room is not None and room <= _FEW:
        yield _latent(case, framework, room)


def _finding(
    case: Case,
    framework: Framework,
    room: int | None,
    waiting: list[Stream],
    streaming: list[Stream],
    killed: list[str],
) -> Finding:
    alive = any(stream.variant == "alive" for stream in waiting)
    evidence = [
        f"{len(streaming)} streams of ours were open ({_names(streaming)}); asked at the same "
        f"time, {_names(waiting)} got no answer",
        *framework.seen[:2],
    ]
    if alive:
        evidence.append("another path of the service, which is no stream, waited as well")
    if killed:
        evidence.append(f"it logged {len(killed)} times: {killed[-1]}")
    return Finding(
        hop="app",
        where=_where(case),
        observed=f"{framework.label}: a request at a time for each"
        + (f", room for {room}" if room is not None else ""),
        expected="room for every open stream, and for the rest of the site beside them",
        evidence=tuple(evidence),
        certainty=3 if alive or room == len(streaming) else 2,
        advice=_advice(framework),
        also_at=("nginx", "public"),
    )


def _latent(case: Case, framework: Framework, room: int) -> Finding:
    return Finding(
        hop="app",
        where=_where(case),
        observed=f"{framework.label}: {room} requests at once, and each open stream is one",
        expected="room for every open stream, and for the rest of the site beside them",
        evidence=framework.seen[:2],
        depends=f"more than {room - 1} tabs are open at once",
        advice=_advice(framework),
    )


def _advice(framework: Framework) -> tuple[Advice, ...]:
    return (Advice(Audience.SERVER, f"Make room for the streams: {framework.speech.many}."),)


def _records(case: Case) -> list[Stream]:
    """What was asked of the app by itself or through nginx, at about the same time."""
    counter = [s for s in case.topology.counter if s.variant in ("alive", "gzip", "http10")]
    return [*case.topology.streams, *counter]


def _names(streams: list[Stream]) -> str:
    return ", ".join(f"{s.hop} ({s.variant})" if s.variant else s.hop for s in streams)


def _where(case: Case) -> str:
    return case.topology.unit.name if case.topology.unit else "the app"
