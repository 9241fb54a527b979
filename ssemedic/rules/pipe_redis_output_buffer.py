"""Cause: pipe_redis_output_buffer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.broker_log import said_by_broker
from ssemedic.clues.flow import flow_of
from ssemedic.clues.heard import heard_of
from ssemedic.evidence import Broker
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_CUT = re.compile(r"(?i)overcoming of output buffer limits")
#: redis.conf: client-output-buffer-limit pubsub 32mb 8mb 60.
_DEFAULT = "pubsub 33554432 8388608 60"
_COUNTER = "client_output_buffer_limit_disconnections"  # in INFO of newer versions


@rule(
    layer=Layer.PIPELINE,
    severity=Severity.BROKEN,
    explains=(Kind.CANARY_LOST,),
    needs=("brokers", "units", "streams"),
)
def pipe_redis_output_buffer(case: Case) -> Iterator[Finding]:
    """Redis cut the service's subscriber off because it did not read fast enough.

    What waits for a subscriber is bounded (`client-output-buffer-limit pubsub`). A burst, large
    messages or a subscriber that is busy with something else goes past it, and Redis closes the
    connection. A listener that does not subscribe again stays deaf: events stop after a burst
    and come back only with a restart, while pings go on.

    The restart subscribes again. That it does not come back takes a reader that only queues,
    a loop that subscribes again, and room for the largest burst.
    """
    flow = flow_of(case.evidence, case.topology)
    symptom = case.symptom("app", Kind.CANARY_LOST)
    if symptom is None or flow is None or not flow.lost_at_app:
        return
    for broker in case.evidence.brokers or ():
        if broker.kind != "redis":
            continue
        if not was_cut_off(case, broker):
            continue
        lines = said_by_broker(case, "redis", _CUT)
        count = broker.facts.get(_COUNTER, "0")
        heard = heard_of(case, broker)
        if heard is not None and heard.subscriptions:
            continue  # it subscribed again: what is lost now is lost elsewhere
        evidence = [symptom.text]
        evidence += [f"Redis logged {len(lines)} times: {lines[-1]}"] if lines else []
        if not lines:
            evidence.append(f"Redis cut {count} connections off at the output buffer limit")
        if heard is not None:
            evidence.append(f"none of {len(heard.clients)} connections of the service subscribes")
        limit = str(broker.facts.get("client-output-buffer-limit", ""))
        now = re.search(r"pubsub \d+ \d+ \d+", limit)
        said = now.group() if now else _DEFAULT
        yield Finding(
            hop="app",
            where=case.unit.name,
            observed=f"cut off by Redis at client-output-buffer-limit {said}; not subscribed since",
            expected="a subscriber that reads at once, and subscribes again when it is cut off",
            evidence=tuple(evidence),
            certainty=3,
            remedy=UnitRemedy(case.unit.name, state="restarted", always=True),
            advice=(
                Advice(
                    Audience.SERVER,
                    "Let the subscriber only move messages into a queue, in a task of its own; "
                    "when it loses its connection let it subscribe again. If bursts are larger "
                    'than the limit: redis-cli CONFIG SET client-output-buffer-limit "pubsub 64mb '
                    '32mb 120" and the same line in redis.conf (it costs that much memory for '
                    "each slow subscriber). Send ids, and let readers fetch what is large.",
                ),
            ),
        )
        return


def was_cut_off(case: Case, broker: Broker) -> bool:
    """True if this Redis closed connections because they did not take what waited for them."""
    count = str(broker.facts.get(_COUNTER, "0"))
    counted = count.isdigit() and int(count) > 0
    return broker.kind == "redis" and (counted or bool(said_by_broker(case, "redis", _CUT)))
