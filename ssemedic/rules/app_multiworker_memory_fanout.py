"""Cause: app_multiworker_memory_fanout."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.flow import flow_of
from ssemedic.evidence import Process
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.FANOUT_PARTIAL, Kind.CANARY_LOST),
    needs=("streams", "processes"),
)
def app_multiworker_memory_fanout(case: Case) -> Iterator[Finding]:
    """Events reach only the streams of the worker process that took the message.

    The service runs in several processes and hands events on in memory, each to its own
    streams. Who is connected to another worker gets nothing: with four workers three tabs of
    four are silent, and a reload may change which. With one worker it all works, so nobody sees
    it on a laptop. A load balancer that keeps a client at one worker does not help: publisher and
    reader are two clients.

    What is published must go through something that all workers hear: NATS, Redis or PostgreSQL
    NOTIFY, with one subscription per worker. Until then, one worker.
    """
    symptom = case.symptom("app", Kind.FANOUT_PARTIAL, Kind.CANARY_LOST)
    flow = flow_of(case.evidence, case.topology)
    if symptom is None or flow is None:
        return
    workers = _workers(case)
    unit = case.topology.unit
    who = unit.name if unit else "the service"
    evidence = [symptom.text]
    if len(workers) > 1:
        pids = ", ".join(str(p.pid) for p in workers[:8])
        evidence.append(f"{who}: {len(workers)} processes serve the socket ({pids})")
    if flow.published is not None:
        evidence.append(f"the message did pass through the broker, on {flow.subject}")
    elif flow.watched:
        evidence.append(f"nothing of it passed through {', '.join(b.kind for b in flow.watched)}")
    elif not case.evidence.brokers:
        evidence.append("no broker was found on the host or in the service's settings")
    if flow.published is not None:
        return  # every worker could have heard it: the reason is another one
    missing = "" if len(workers) > 1 else f"that {who} has several processes was not seen"
    if symptom.kind is Kind.CANARY_LOST:
        if len(workers) < 2 or not flow.watched:
            return
        missing = "no stream was at the worker that took the message, so none got it"
    yield Finding(
        hop="app",
        where=who,
        observed=(
            f"{len(workers)} workers; a message reached {flow.reached} of {flow.streams} streams"
        ),
        expected="every stream gets it, whichever worker holds it",
        evidence=tuple(evidence),
        certainty=1 if missing else 3,
        out_of_reach=missing,
        advice=(
            Advice(
                Audience.SERVER,
                "Publish through a broker that every worker subscribes to (Redis PUBLISH, NATS, "
                "PostgreSQL NOTIFY), and let each worker hand on to its own streams. Until that "
                "is there run one worker: uvicorn --workers 1, gunicorn -w 1 with an async worker "
                "class, pm2 instances: 1. Sticky sessions do not help, the publisher is another "
                "client. In Django: channels_redis in place of InMemoryChannelLayer, and for "
                "django-eventstream EVENTSTREAM_REDIS.",
            ),
        ),
    )


def _workers(case: Case) -> list[Process]:
    """The processes of the service that can hold streams: all of one program's, but for a parent
    that only keeps the others (it has no stream and no connection of its own)."""
    unit = case.topology.unit
    if unit is None:
        return []
    own = [p for p in case.evidence.processes or () if p.unit == unit.name]
    main = case.topology.process
    same = [p for p in own if main is None or p.name == main.name]
    holding = [p for p in same if p.sockets.get("ESTABLISHED")]
    return holding if len(holding) > 1 else same
