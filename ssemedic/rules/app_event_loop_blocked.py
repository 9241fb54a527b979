"""Cause: app_event_loop_blocked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from ssemedic.case import Case
from ssemedic.clues.framework import Server, framework_of
from ssemedic.clues.logged_class import lines_of_class
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.stream.record import Stream
from ssemedic.stream.single import sent_at
from ssemedic.symptoms import Kind

_BEFORE = 60.0
#: Two requests that stood still at the same time, by so much (seconds) at least.
_TOGETHER = 1.0
#: What a request to an idle service never takes (seconds).
_LATE = 1.0

_ADVICE: Mapping[Server, str] = {
    Server.NODE: (
        "Move what computes or waits synchronously (fs.*Sync, crypto.*Sync, a large JSON.parse, "
        "a regular expression that backtracks) to a worker thread or to its asynchronous form. "
        "node --cpu-prof, or perf_hooks.monitorEventLoopDelay(), shows where it stands."
    ),
    Server.JVM: (
        "Keep blocking calls off the event loop: executeBlocking in Vert.x, "
        "publishOn(Schedulers.boundedElastic()) in Reactor. BlockHound shows where it stands."
    ),
    Server.RUST: (
        "Wrap blocking calls in tokio::task::spawn_blocking, and hold no std::sync::Mutex across "
        "an await. tokio-console shows where it stands."
    ),
    Server.KESTREL: (
        "Await instead of .Result and .Wait(), which use up the thread pool. "
        "dotnet-counters shows threadpool-queue-length."
    ),
}
_PYTHON = (
    "Move the blocking call (time.sleep, requests, a synchronous database driver, a computation) "
    "out of the async handler: await asyncio.to_thread(...), an asynchronous client, or a plain "
    "def handler, which Starlette and FastAPI run in a thread. py-spy dump --pid PID shows where "
    "it stands; PYTHONASYNCIODEBUG=1 logs every step over 0.1 s."
)


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.HEADERS_LATE, Kind.NO_ANSWER, Kind.KEEPALIVE_SLOW),
    needs=("streams",),
)
def app_event_loop_blocked(case: Case) -> Iterator[Finding]:
    """One blocking call holds up the event loop, and every stream of the process with it.

    A server with an event loop serves all its streams in one thread. A synchronous query, a
    sleep or a long computation in any handler stops them all at the same moment: heartbeats
    are late for every client at once, and a new connection gets no status line meanwhile.

    Seen by a counter-test: another path of the service, asked at the same time, waits as well,
    and streams that were open stand still in the same seconds; or by the service's own log
    (asyncio's debug mode, Vert.x, Kestrel, gunicorn's WORKER TIMEOUT). More workers only lower
    the odds.
    """
    symptom = case.symptom("app", Kind.HEADERS_LATE, Kind.NO_ANSWER, Kind.KEEPALIVE_SLOW)
    if symptom is None:
        return
    framework = framework_of(case)
    if framework.one_request_per_worker:
        return  # such a server is busy with one stream, which is another cause
    logged = lines_of_class(case, "blocked", _BEFORE)
    stall = _stall(case)
    if not logged and not stall:
        return
    unit = case.topology.unit
    seen = [f"log of {unit.name if unit else 'the service'}: {line.text}" for line in logged[-2:]]
    yield Finding(
        hop="app",
        where=unit.name if unit else "the app",
        observed=f"{framework.label} stands still as a whole: " + (stall or logged[-1].text),
        expected="an event loop in which no call blocks",
        evidence=tuple(filter(None, (symptom.text, stall, *seen))),
        certainty=3 if stall else 2,
        out_of_reach=""
        if logged or framework.known
        else "which server this is, and so whether one loop serves all its streams",
        advice=(Advice(Audience.SERVER, _ADVICE.get(framework.server, _PYTHON)),),
    )


def _stall(case: Case) -> str:
    """A path without a stream that waited in the same seconds; "" where it did not."""
    app, alive = case.topology.stream("app"), case.topology.stream("app", "alive")
    if app is None or alive is None or app.never_connected or alive.never_connected:
        return ""
    if app.status is None and alive.status is None:
        return ""  # it never went on, so it may not be an event loop that waits
    waited = _first_wait(alive)
    if waited is None or waited[1] - waited[0] < _LATE:
        return ""
    if _overlap(_silences(app), waited) < _TOGETHER:
        return ""
    return (
        f"another path of the service had no answer for {waited[1] - waited[0]:.1f} s, in the "
        "same seconds as the stream"
    )


def _first_wait(stream: Stream) -> tuple[float, float] | None:
    """From the request to the headers, in epoch seconds; to the end where none came."""
    sent = sent_at(stream)
    answered = stream.phases.headers
    if answered is None and stream.end.kind != "limit_time":
        return None
    until = answered if answered is not None else stream.end.at
    return stream.started + sent, stream.started + until


def _silences(stream: Stream) -> list[tuple[float, float]]:
    """The wait for the headers and every gap in the body, in epoch seconds."""
    first = _first_wait(stream)
    times = [stream.phases.headers or 0.0, *(read.at for read in stream.reads)]
    gaps = [(stream.started + a, stream.started + b) for a, b in pairwise(times)]
    return ([first] if first else []) + gaps


def _overlap(ours: list[tuple[float, float]], other: tuple[float, float]) -> float:
    """For how many seconds one of our silences and the other were at the same time."""
    return max((min(b, other[1]) - max(a, other[0]) for a, b in ours), default=0.0)
