"""Cause: app_evict_reconnect_cascade."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.evicted import evicted
from ssemedic.clues.framework import framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.APP,
    severity=Severity.DEGRADED,
    explains=(Kind.CLOSED_AT_ONCE, Kind.ENDED, Kind.RESET, Kind.CUT_AFTER, Kind.CUT_WHEN_IDLE),
    needs=("streams",),
)
def app_evict_reconnect_cascade(case: Case) -> Iterator[Finding]:
    """The service ends a client's older stream when a new one opens.

    With one tab nobody notices. With two, each reconnects a few seconds after the other has
    pushed it out, and pushes the other out in turn, for ever: both flap, connections pile up
    in TIME_WAIT, and every reconnect costs a subscription.

    Seen on our own streams: each ended as another one of ours was asked for. Let streams of
    one client live side by side, or refuse the newcomer.
    """
    pairs = evicted(case)
    if not pairs:
        return
    unit = case.topology.unit
    yield Finding(
        hop="app",
        where=unit.name if unit else "the app",
        observed=f"{framework_of(case).label} ends the older stream of a client for a newer one",
        expected="the tabs of one client do not end each other's streams",
        evidence=tuple(
            f"{_name(one)} ended after {one.end.at:.1f} s, as {_name(by)} was asked for"
            for one, by in pairs[:4]
        ),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "Keep several streams for each user (by a key per connection, not per user), or "
                "answer the newcomer 503 with Retry-After; send `retry: 5000` and more with some "
                "chance in it, so that clients do not come back together.",
            ),
            Advice(
                Audience.FRONTEND,
                "Share one stream between the tabs (BroadcastChannel, or a SharedWorker).",
            ),
        ),
        also_at=("nginx", "public"),
    )


def _name(stream: Stream) -> str:
    return f"{stream.hop} ({stream.variant})" if stream.variant else stream.hop
