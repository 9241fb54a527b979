"""Cause: pipe_connection_per_client."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.broker_log import said_by_broker, said_by_service
from ssemedic.evidence import Broker
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_FULL = re.compile(r"(?i)max number of clients reached|maximum connections exceeded")
_MANY = 0.5  # of a broker's clients: the service is who fills it


@rule(
    layer=Layer.PIPELINE,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (500, 502, 503)), Kind.CLOSED_AT_ONCE, Kind.CANARY_LOST),
    needs=("brokers", "logs", "streams"),
)
def pipe_connection_per_client(case: Case) -> Iterator[Finding]:
    """Every stream opens a connection to the broker, and the broker is full.

    With as many tabs as `maxclients` allows (fewer, if others use it too) the next stream's
    subscription is refused: it answers 500 or opens and closes at once, while the streams that
    are open go on. Pub/sub connections cannot be shared by a pool, so each is one for good.

    One subscription per process, handed on in memory to its streams, needs one connection
    however many people there are.
    """
    symptom = case.symptom("app", Kind.WRONG_STATUS, Kind.CLOSED_AT_ONCE, Kind.CANARY_LOST)
    unit = case.topology.unit
    if symptom is None or unit is None:
        return
    told = said_by_service(case, _FULL)
    for broker in case.evidence.brokers or ():
        if broker.kind not in ("redis", "nats"):
            continue  # PostgreSQL's sessions are app_db_session_pinned's
        lines = said_by_broker(case, broker.kind, _FULL) + told
        if not lines:
            continue
        own, every, limit = len(broker.of(unit.name)), _clients(broker), _limit(broker)
        if broker.clients is not None and own < max(2, _MANY * len(broker.clients)):
            continue  # somebody else fills it
        full = f" of {limit}" if limit else ""
        yield Finding(
            hop="app",
            where=f"{broker.kind} {broker.address}",
            observed=f"{own} connections of {unit.name}; {every}{full} in all",
            expected="one subscriber per process, whatever the number of streams",
            evidence=(symptom.text, f"logged {len(lines)} times: {lines[-1]}"),
            certainty=3 if own else 2,
            out_of_reach="" if own else "whose the broker's connections are was not seen",
            advice=(
                Advice(
                    Audience.SERVER,
                    "Subscribe once when the service starts and hand each message on to the "
                    "streams' own queues (asyncio.Queue, a channel per stream), in place of a "
                    "subscription in the handler; close what the handler opened when the client "
                    "leaves. Raising maxclients only moves the limit, and each "
                    "connection costs memory and a file descriptor.",
                ),
            ),
        )
        return


def _clients(broker: Broker) -> int:
    told = str(broker.facts.get("connected_clients", ""))
    return int(told) if told.isdigit() else len(broker.clients or ())


def _limit(broker: Broker) -> str:
    return str(broker.facts.get("maxclients", ""))
