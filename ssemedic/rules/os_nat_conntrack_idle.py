"""Cause: os_nat_conntrack_idle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.clues.unit_journal import shortened
from ssemedic.evidence import Resources
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_FULL_LINE = re.compile(r"nf_conntrack: table full, dropping packet|ip_conntrack: table full")
_FULL = 0.97
_LATELY = 3600.0  # seconds
_TYPICAL = 60.0  # seconds; without a keep-alive of the app a gap is at least as long as this


@rule(
    layer=Layer.OS,
    severity=Severity.DEGRADED,
    explains=(Kind.UNREACHABLE, Kind.NO_ROOM, Kind.SILENT, Kind.CUT_WHEN_IDLE, Kind.NO_ANSWER),
    needs=("resources", "streams"),
)
def os_nat_conntrack_idle(case: Case) -> Iterator[Finding]:
    """The kernel's table of connections forgets an idle stream, or has no room for another.

    A filter that follows connections drops what it does not know. A stream that is idle for
    longer than its timeout is forgotten without a word: neither side sees an end, the next
    event goes nowhere, and the browser waits on a dead connection (readyState 1) for ever. A
    table that is full drops new connections in the same silence. A comment every 30 seconds
    or less keeps a stream known, here and in every router on the way.
    """
    resources = case.evidence.resources
    assert resources is not None  # named in needs
    yield from _full(case, resources)
    yield from _short(case, resources)


def _full(case: Case, resources: Resources) -> Iterator[Finding]:
    count, most = _number(resources, "nf_conntrack_count"), _number(resources, "nf_conntrack_max")
    said = _dropped(case)
    if not most or count is None or (count < _FULL * most and not said):
        return
    yield Finding(
        hop="public",
        where="net.netfilter.nf_conntrack_max",
        observed=f"{count} of {most} connections are tracked"
        + (", and the table was full" if said else ""),
        expected="room for every connection",
        evidence=(
            f"nf_conntrack_count {count}, nf_conntrack_max {most}",
            *((f"kernel: {said}",) if said else ()),
        ),
        certainty=3 if said else 2,
        advice=(
            Advice(
                Audience.SERVER,
                f"sysctl -w net.netfilter.nf_conntrack_max={4 * most} (and in /etc/sysctl.d); see "
                "who fills it: conntrack -L | awk '{print $5}' | sort | uniq -c | sort -n | tail. "
                "A lower nf_conntrack_tcp_timeout_time_wait frees entries sooner.",
            ),
        ),
    )


def _short(case: Case, resources: Resources) -> Iterator[Finding]:
    limit = _number(resources, "nf_conntrack_tcp_timeout_established")
    count = _number(resources, "nf_conntrack_count")
    gap = _gap(case)
    if limit is None or not count or limit > gap:
        return  # a table that is empty follows no connection, whatever its timeouts are
    yield Finding(
        hop="public",
        where="net.netfilter.nf_conntrack_tcp_timeout_established",
        observed=f"an idle connection is forgotten after {limit} s; the stream is silent for "
        f"{gap:g} s",
        expected="a comment from the app more often than that",
        evidence=(
            f"nf_conntrack_tcp_timeout_established {limit}, {count} connections are tracked",
        ),
        certainty=2,
        advice=(
            Advice(
                Audience.SERVER,
                f"Send a comment at least every {max(5, min(30, limit // 2))} s: "
                f"{framework_of(case).speech.comment}. And sysctl -w "
                "net.netfilter.nf_conntrack_tcp_timeout_established=86400 (and in /etc/sysctl.d).",
            ),
            Advice(
                Audience.FRONTEND,
                "Let the page notice the silence: a timer that every event and comment-like "
                "heartbeat event resets, and that closes and reopens the EventSource.",
            ),
        ),
    )


def _gap(case: Case) -> float:
    """The longest silence that is to be expected of the app, in seconds."""
    promised = case.endpoint.keepalive_seconds
    if promised is not None:
        return promised
    stream = case.topology.stream("app")
    if stream is None or len(stream.reads) < 2:
        return _TYPICAL
    times = [read.at for read in stream.reads]
    return max(later - earlier for earlier, later in pairwise(times))


def _dropped(case: Case) -> str:
    now = case.evidence.collected_at
    log = case.evidence.log("kernel")
    for line in reversed(log.lines if log else ()):
        if _FULL_LINE.search(line.text) and (line.at is None or now - line.at < _LATELY):
            return shortened(line.text)
    return ""


def _number(resources: Resources, name: str) -> int | None:
    text = resources.kernel.get(f"net.netfilter.{name}", "")
    return int(text) if text.isdigit() else None
