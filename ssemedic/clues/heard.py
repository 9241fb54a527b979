"""What the service behind a stream hears of its brokers. Pure; for the rules of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ssemedic.case import Case, UnseenError
from ssemedic.clues.flow import Flow, flow_of
from ssemedic.clues.subjects import nats_matches, redis_matches
from ssemedic.evidence import Broker, BrokerClient

#: Subjects by which services look after themselves: nobody's messages.
_OWN = re.compile(r"(?i)(^|[._:/-])(health|ping|echo|heartbeat|alive)([._:/-]|$)")
#: Parts that name one of many: numbers, UUIDs, long hexadecimal ids.
_ONE_OF_MANY = re.compile(r"\d+|[0-9a-fA-F-]{32,36}|[0-9a-f]{12,}")
#: Clocks of two programs on one host, and a service that waits for its broker (seconds).
_SLACK = 5.0


@dataclass(frozen=True)
class Heard:
    """The service's connections to one broker and what they hear."""

    broker: Broker
    clients: tuple[BrokerClient, ...]
    subjects: tuple[str, ...]  # named ones, without those by which it looks after itself
    subscriptions: int | None  # None where the broker does not tell

    def hears(self, subject: str) -> bool:
        """True if a named subscription matches."""
        matches = nats_matches if self.broker.kind == "nats" else redis_matches
        return any(matches(pattern, subject) for pattern in self.subjects)

    def is_of_a_sibling(self, subject: str) -> bool:
        """True if a subscription differs from what would hear the subject in one part alone."""
        return any(_sibling(pattern, subject) for pattern in self.subjects)


def flow_or_unseen(case: Case) -> Flow:
    """The way of the canary; raises `UnseenError` where none tells anything."""
    flow = flow_of(case.evidence, case.topology)
    if flow is not None:
        return flow
    canary = case.evidence.canary
    if canary is None:
        raise UnseenError(
            case.evidence.missing.get("canary", "no message was sent; --canary allows one")
        )
    raise UnseenError(f"the canary ({canary.how}) was answered {canary.answer}")


def heard_of(case: Case, broker: Broker) -> Heard | None:
    """What the service hears of that broker; None where the broker does not tell who hears what."""
    unit = case.topology.unit
    if broker.clients is None or unit is None:
        return None
    clients = broker.of(unit.name)
    if not clients and not _owners_known(broker):
        return None
    subjects = [s for c in clients for s in c.subjects if not _OWN.search(s)]
    own = sum(bool(_OWN.search(s)) for c in clients for s in c.subjects)
    counts = [c.subscriptions for c in clients]
    total = sum(c for c in counts if c is not None) - own
    known = all(c is not None for c in counts)
    return Heard(broker, clients, tuple(dict.fromkeys(subjects)), total if known else None)


def _owners_known(broker: Broker) -> bool:
    """True if it was seen whose the connections are, so that none of the service means none."""
    return all(client.pid is not None for client in broker.clients or ())


def named_by_service(case: Case) -> tuple[Broker, ...]:
    """The brokers that the settings of the service behind the stream name."""
    unit = case.topology.unit
    said = f"the settings of {unit.name} name it" if unit else ""
    return tuple(b for b in case.evidence.brokers or () if unit and b.facts.get("found") == said)


def began(broker: Broker, now: float) -> float | None:
    """Since when the broker runs (epoch seconds), as it says itself."""
    start, uptime = broker.facts.get("start"), broker.facts.get("uptime_in_seconds")
    if isinstance(start, str):
        return _epoch(start)
    if uptime is not None and str(uptime).isdigit():
        return now - float(str(uptime))
    return None


def restarted_after_the_service(case: Case, broker: Broker) -> float | None:
    """How many seconds after the service the broker began anew; None where it did not."""
    since = case.unit.active_since
    start = began(broker, case.evidence.collected_at)
    if since is None or start is None or start <= since + _SLACK:
        return None
    return start - since


def _epoch(text: str) -> float | None:
    from datetime import datetime

    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()
    except ValueError:
        return None


def generalised(subject: str) -> str:
    """The subscription that hears a subject and its siblings: parts that are ids become ``*``."""
    return ".".join("*" if _ONE_OF_MANY.fullmatch(part) else part for part in subject.split("."))


def _sibling(pattern: str, subject: str) -> bool:
    parts = pattern.split(".")
    variants: Iterable[str] = (
        ".".join([*parts[:at], "*", *parts[at + 1 :]])
        for at, part in enumerate(parts)
        if part not in ("*", ">")
    )
    return any(nats_matches(variant, subject) for variant in variants)
