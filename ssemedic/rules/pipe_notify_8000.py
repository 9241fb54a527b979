"""Cause: pipe_notify_8000."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.broker_log import said_by_broker, said_by_service
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_TOO_LONG = re.compile(r"(?i)payload string too long")


@rule(
    layer=Layer.PIPELINE,
    severity=Severity.DEGRADED,
    explains=(Kind.CANARY_LOST,),
    needs=("logs", "streams"),
)
def pipe_notify_8000(case: Case) -> Iterator[Finding]:
    """Large events fail because PostgreSQL's NOTIFY takes less than 8000 bytes.

    `NOTIFY` and `pg_notify()` refuse a payload of 8000 bytes or more ("payload string too
    long", 22023). The event never goes out, and where it is sent by a trigger the whole
    transaction is rolled back with it: the message is not even stored. Small events arrive,
    so a test with "hello" passes; multi-byte text reaches the limit earlier.

    Send the id alone and let the listener fetch the row.
    """
    logged = said_by_broker(case, "postgresql", _TOO_LONG)
    told = said_by_service(case, _TOO_LONG)
    if not logged and not told:
        return
    symptom = case.symptom("app", Kind.CANARY_LOST)
    unit = case.topology.unit
    evidence = [symptom.text] if symptom else []
    for where, found in (("PostgreSQL", logged), ("the service", told)):
        evidence += [f"{where} logged {len(found)} times: {found[-1]}"] if found else []
    yield Finding(
        hop="app",
        where=unit.name if unit else "PostgreSQL",
        observed="NOTIFY with a payload of 8000 bytes or more",
        expected="a payload below 8000 bytes",
        evidence=tuple(evidence),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "NOTIFY the id of the row alone (SELECT pg_notify('events', NEW.id::text)) and let "
                "the listener read the row; or write the event to an outbox table in the same "
                "transaction and notify that there is something new. octet_length() counts as "
                "PostgreSQL does; the limit cannot be raised without compiling it anew.",
            ),
        ),
    )
