"""Cause: app_half_open_clients."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.clues.stuck_clients import stuck_clients
from ssemedic.evidence import Stuck
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(
        Kind.SILENT,
        Kind.NO_ANSWER,
        Kind.HEADERS_LATE,
        Kind.CANARY_LOST,
        Kind.BUFFERED,
        Kind.KEEPALIVE_SLOW,
    ),
    needs=("resources", "streams"),
)
def app_half_open_clients(case: Case) -> Iterator[Finding]:
    """One client that takes nothing holds up the events of all others.

    The service sends to its clients in turn and waits for each. A laptop that was closed, a
    phone without network, a tab that does not read: its socket's buffer fills, the send
    does not return, and nobody behind it in the row gets anything until the kernel gives the
    dead one up, which may take fifteen minutes. Streams open, and stay silent.
    """
    stuck = stuck_clients(case)
    if stuck is None or not stuck.blocked:
        return  # clients that take nothing are everywhere; they harm where somebody waits for them
    yield Finding(
        hop="app",
        where=case.topology.unit.name if case.topology.unit else f"process {stuck.pid}",
        observed=f"{stuck.blocked} of its threads wait to send to a client that takes nothing",
        expected="a send that ends after seconds, for each client by itself",
        evidence=_evidence(case, stuck),
        certainty=3,
        advice=(Advice(Audience.SERVER, _advice(case, stuck)),),
    )


def _evidence(case: Case, stuck: Stuck) -> tuple[str, ...]:
    seen = [
        f"{stuck.clients} clients took none of their {stuck.queued_bytes} bytes for "
        f"{stuck.seconds:g} s",
        f"{stuck.blocked} threads of process {stuck.pid} are in a send to one of them "
        "(/proc/PID/task/*/syscall)",
    ]
    if stuck.gone:
        seen.append(f"{stuck.gone} of them do not even acknowledge: they are gone")
    resources = case.evidence.resources
    retries = resources.kernel.get("net.ipv4.tcp_retries2") if resources else None
    if retries:
        seen.append(f"the kernel tries {retries} times before it gives such a client up")
    return tuple(seen)


def _advice(case: Case, stuck: Stuck) -> str:
    return (
        "Give each client a queue and a sender of its own, and every write a deadline (5 s), "
        "after which the client is closed; it comes back by itself. A comment every few seconds "
        f"notices a dead one: {framework_of(case).speech.comment}. On the socket: "
        "TCP_USER_TIMEOUT=20000 (ms). Until then, end the dead ones by hand: "
        f"ss -tnp | grep pid={stuck.pid}, and ss -K dst ADDRESS."
    )
