"""Cause: pipe_listener_died."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case, UnseenError
from ssemedic.clues.flow import flow_of
from ssemedic.clues.heard import Heard, heard_of, named_by_service, restarted_after_the_service
from ssemedic.evidence import Broker
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import rule
from ssemedic.rules.pipe_redis_output_buffer import was_cut_off
from ssemedic.symptoms import Kind

#: What services and their libraries log when the connection to the broker ends.
_LOST = re.compile(
    r"(?i)connection (?:was |is |has been )?(?:lost|closed|reset|refused)|disconnected"
    r"|lost connection|broker (?:connection lost|unavailable)"
    r"|ConnectionError|ConnectionClosedError|BrokenPipe"
    r"|server closed the connection|terminating connection|EOF from|Connection closed by server"
)
_STATES = ("active", "reloading")


@rule(
    layer=Layer.PIPELINE,
    severity=Severity.BROKEN,
    explains=(Kind.CANARY_LOST,),
    needs=("brokers", "units", "streams"),
)
def pipe_listener_died(case: Case) -> Iterator[Finding]:
    """The service lost its subscription at the broker and goes on as if nothing had happened.

    The broker was restarted, or the connection was cut. The task that listened ended or
    reconnected without subscribing again; the rest of the service lives. Streams open, pings
    come, `/health` is green, and no event ever arrives, until somebody restarts the service.

    A restart subscribes again; it is proven by a message that arrives. So that it does not
    come back: a loop that reconnects *and* subscribes, and a health check that fails when a
    message of its own does not come back.
    """
    unit = case.unit
    if unit.active_state not in _STATES:
        return
    flow = flow_of(case.evidence, case.topology)
    if flow is not None and flow.reached:
        return
    unseen = ""
    for broker in _brokers(case):
        heard = heard_of(case, broker)
        if heard is None:
            reason = case.evidence.missing.get(
                f"brokers.{broker.kind}", "whose connections are whose"
            )
            unseen = f"{broker.kind}: {reason}"
            continue
        lost = bool(flow and flow.lost_at_app)
        if not _is_deaf(case, heard, flow.subject if flow and flow.broker == broker else "", lost):
            continue
        finding = _finding(case, heard, lost)
        if finding is not None:
            yield finding
            return
    if unseen:
        raise UnseenError(unseen)


def _brokers(case: Case) -> list[Broker]:
    """Where the canary was seen, else those that the service's settings name."""
    flow = flow_of(case.evidence, case.topology)
    if flow is not None and flow.broker is not None:
        return [flow.broker]
    return [b for b in named_by_service(case) if b.reachable]


def _is_deaf(case: Case, heard: Heard, subject: str, lost: bool) -> bool:
    """True if no connection of the service hears what it should.

    A connection for a cache or for publishing hears nothing, and is fine: Redis and PostgreSQL
    are used for much else, so there only a lost message tells. A NOTIFY cannot be watched.
    """
    kind = heard.broker.kind
    if heard.subscriptions is None:
        return False
    if heard.subscriptions == 0:
        return kind == "nats" or (bool(subject) if kind == "redis" else lost)
    missed = bool(subject) and kind == "nats" and not heard.hears(subject)
    restarted = restarted_after_the_service(case, heard.broker) is not None
    return missed and restarted and heard.is_of_a_sibling(subject)


def _finding(case: Case, heard: Heard, lost: bool) -> Finding | None:
    unit, broker = case.unit, heard.broker
    later = restarted_after_the_service(case, broker)
    said = [line.text for line in case.unit_log() if _LOST.search(line.text)]
    if later is None and not said:
        return None
    if not lost and later is None:
        return None
    if later is None and was_cut_off(case, broker):
        return None  # why it went is known: pipe_redis_output_buffer
    count = len(heard.clients)
    what = f"{count} connection{'s' if count > 1 else ''}, none subscribed to events"
    if heard.subscriptions:
        what = f"it hears {', '.join(heard.subjects[:4])} alone"
    evidence = [
        f"{broker.kind} {broker.address}: of {unit.name} {what if count else 'no connection'}"
    ]
    if later is not None:
        evidence.append(f"{broker.kind} was started {_spell(later)} after {unit.name}")
    if said:
        evidence.append(f"journal of {unit.name}: {said[-1]}")
    if lost:
        evidence.append("a message that the service took reached none of its streams")
    return Finding(
        hop="app",
        where=unit.name,
        observed=f"{what if count else 'no connection'} at {broker.kind} while the service runs",
        expected="a subscription for the streams that are open",
        evidence=tuple(evidence),
        certainty=3,
        depends="" if lost else "if the events of the stream come through this broker",
        remedy=UnitRemedy(unit.name, state="restarted", always=True),
        advice=(
            Advice(
                Audience.SERVER,
                f"Subscribe again after every reconnect: {_again(broker.kind)}. Let /health "
                "publish a message to itself and fail when it does not come back, so that a "
                "monitor sees a deaf service. The restart only helps until the next time.",
            ),
        ),
    )


def _again(kind: str) -> str:
    if kind == "redis":
        return (
            "run pubsub.listen() in a loop that catches ConnectionError, reconnects and calls "
            "subscribe() anew, and set health_check_interval (redis-py) or socket.keepalive"
        )
    if kind == "postgresql":
        return "reconnect and send LISTEN again when the session ends, and set TCP keepalives"
    return (
        "leave allow_reconnect on with max_reconnect_attempts=-1 (nats-py), which subscribes "
        "again by itself, or subscribe again in the reconnected callback"
    )


def _spell(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
