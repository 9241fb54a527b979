"""Cause: pipe_pgbouncer_transaction."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.flow import flow_of
from ssemedic.evidence import Broker
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_POOLED = ("transaction", "statement")


@rule(
    layer=Layer.PIPELINE,
    severity=Severity.BROKEN,
    explains=(Kind.CANARY_LOST,),
    needs=("brokers", "streams"),
)
def pipe_pgbouncer_transaction(case: Case) -> Iterator[Finding]:
    """The service listens for NOTIFY through pgbouncer, which pools transactions.

    `LISTEN` belongs to a server session. With `pool_mode = transaction` the session goes back to
    the pool when the statement ends, and the next query runs in another one: `LISTEN` answers OK,
    and no notification ever finds its way to the service. Everything else works.

    The listener needs a connection of its own, straight to PostgreSQL or through a pool in session
    mode; queries may stay where they are.
    """
    flow = flow_of(case.evidence, case.topology)
    symptom = case.symptom("app", Kind.CANARY_LOST)
    unit = case.topology.unit
    if symptom is None or flow is None or not flow.lost_at_app or unit is None:
        return
    if flow.published is not None:
        return  # it goes through another broker, and was seen there
    for broker in case.evidence.brokers or ():
        port, modes = broker.facts.get("pgbouncer_port"), broker.facts.get("pool_modes")
        if not isinstance(port, int) or not isinstance(modes, dict):
            continue
        mode = next((str(m) for m in modes.values() if str(m) in _POOLED), "")
        if not mode or not _goes_there(case, port):
            continue
        direct = [c for c in broker.of(unit.name) if c.subjects]
        if direct:
            continue  # a session of the service's own listens
        lent = [c for c in broker.clients or () if c.process == "pgbouncer" and c.subjects]
        evidence = [
            symptom.text,
            f"the settings of {unit.name} lead to port {port}, where pgbouncer listens",
            f"pgbouncer.ini: pool_mode = {mode}",
        ]
        if lent:
            evidence.append(
                f"PostgreSQL: a session of pgbouncer was last used for: {lent[0].doing}"
            )
        yield Finding(
            hop="app",
            where=f"{unit.name}, port {port}",
            observed=f"LISTEN through pgbouncer with pool_mode = {mode}",
            expected="LISTEN on a session that stays the service's own",
            evidence=tuple(evidence),
            certainty=3 if lent else 2,
            advice=(
                Advice(
                    Audience.SERVER,
                    f"Give the listener of {unit.name} a connection string of its own: the port of "
                    f"PostgreSQL (5432) in place of {port}. Or a database with its own pool in "
                    "pgbouncer.ini: events = host=127.0.0.1 dbname=NAME pool_mode=session, then "
                    "RELOAD. NOTIFY and all other queries may go through the transaction pool.",
                ),
            ),
        )
        return


def _goes_there(case: Case, port: int) -> bool:
    """True if the service's own settings name the port as PostgreSQL's."""
    unit = case.topology.unit
    said = f"the settings of {unit.name} name it" if unit else ""
    return any(_is_there(b, port, said) for b in case.evidence.brokers or ())


def _is_there(broker: Broker, port: int, said: str) -> bool:
    named = broker.kind == "postgresql" and broker.address.endswith(f":{port}")
    return named and broker.facts.get("found") == said
