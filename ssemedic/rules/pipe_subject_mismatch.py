"""Cause: pipe_subject_mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.flow import Flow
from ssemedic.clues.heard import (
    Heard,
    flow_or_unseen,
    generalised,
    heard_of,
    restarted_after_the_service,
)
from ssemedic.clues.subjects import difference, nearest
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_SHOWN = 6  # subscriptions that are named


@rule(
    layer=Layer.PIPELINE,
    severity=Severity.BROKEN,
    explains=(Kind.CANARY_LOST,),
    needs=("brokers", "streams"),
)
def pipe_subject_mismatch(case: Case) -> Iterator[Finding]:
    """Messages are published on a subject that the stream's service does not subscribe.

    Publisher and service are both connected to the broker and both healthy; the names do not
    meet. A broker gives what nobody subscribes to nobody, and says nothing. The stream opens,
    keeps alive, and never brings an event. A prefix, a plural, `:` for `.`, another case, or a
    wildcard that does not reach (`a.*` is one part, `a.>` one or more) is enough.

    Only a message shows it: with `--canary` one is sent, its subject is read at the broker, and
    it is compared with what the service's own connections subscribe to.
    """
    flow = flow_or_unseen(case)
    if not flow.lost_at_app or flow.broker is None:
        return
    heard = heard_of(case, flow.broker)
    if heard is None:
        yield _finding(flow, None, case)
        return
    if heard.broker.kind == "redis":
        if _heard_at_redis(flow, heard) is not False:
            return
    elif not heard.subjects or heard.hears(flow.subject):
        return
    elif restarted_after_the_service(case, heard.broker) and heard.is_of_a_sibling(flow.subject):
        return  # what would hear it was lost with the broker: pipe_listener_died
    yield _finding(flow, heard, case)


def _heard_at_redis(flow: Flow, heard: Heard) -> bool | None:
    """Whether a channel is subscribed to; None where a pattern may hear it, or nobody listens."""
    if not heard.subscriptions:
        return None
    channels = heard.broker.facts.get("channels")
    patterns = heard.broker.facts.get("patterns")
    if not isinstance(channels, dict) or not isinstance(patterns, int) or patterns > 1:
        return None  # one pattern is our own, by which we watched
    return bool(channels.get(flow.subject))


def _names(heard: Heard) -> list[str]:
    if heard.broker.kind != "redis":
        return list(heard.subjects)
    channels = heard.broker.facts.get("channels") or {}
    return [str(name) for name, count in channels.items() if count]


def _finding(flow: Flow, heard: Heard | None, case: Case) -> Finding:
    unit = case.topology.unit
    who = unit.name if unit else "the service"
    subject, kind = flow.subject, flow.broker.kind if flow.broker else "the broker"
    names = _names(heard) if heard else []
    shown = ", ".join(names[:_SHOWN]) + (
        f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    )
    evidence = [
        f"{flow.canary.how} was answered {flow.canary.answer}; {kind} got the message on {subject}"
    ]
    out_of_reach = ""
    observed = f"published on {subject}"
    if heard is None:
        reason = case.evidence.missing.get(f"brokers.{kind}", "whose connections they are")
        out_of_reach = f"what {who} subscribes to was not seen: {reason}"
    else:
        near = nearest(subject, names)
        observed += f"; {who} subscribes {shown}"
        why = difference(near, subject) if kind == "nats" else "no channel of that name is heard"
        evidence.append(f"{who} hears {len(names)}, none of which is it ({near}: {why})")
        evidence.append(f"none of {flow.streams} streams that were open at the app got it")
    wanted = generalised(subject) if kind == "nats" else subject
    return Finding(
        hop="app",
        where=f"{kind} {flow.broker.address if flow.broker else ''}".strip(),
        observed=observed,
        expected=f"publisher and service use one name: {wanted}",
        evidence=tuple(evidence),
        certainty=3 if heard else 1,
        out_of_reach=out_of_reach,
        advice=(
            Advice(
                Audience.SERVER,
                f"Make the names meet: let {who} subscribe to {wanted}, or let the publisher send "
                f"to what {who} hears{f' ({shown})' if shown else ''}. Keep the name in one place "
                "that both read, and let a test publish one message and wait for it on the stream. "
                "A wildcard: in NATS * is one part and > one or more at the end; in Redis only "
                "PSUBSCRIBE takes patterns. Prefixes that a library adds count, too.",
            ),
        ),
    )
