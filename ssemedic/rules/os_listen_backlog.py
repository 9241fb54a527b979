"""Cause: os_listen_backlog."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.evidence import Listener
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_SMALL = 128


@rule(
    layer=Layer.OS,
    severity=Severity.DEGRADED,
    explains=(
        Kind.UNREACHABLE,
        Kind.NO_ANSWER,
        Kind.HEADERS_LATE,
        Kind.NO_ROOM,
        Sign(Kind.WRONG_STATUS, (502, 504)),
    ),
    needs=("resources", "listeners", "streams"),
)
def os_listen_backlog(case: Case) -> Iterator[Finding]:
    """More clients knock than the queue of the listening socket holds.

    The kernel takes connections in and keeps them in a queue until the service accepts
    them. A full queue drops the next ones without a word: the browser tries again after 1, 3
    and 7 seconds, so some streams open late and some never. It happens when thousands of
    browsers come back at once, after a restart, with a queue that is short; or because the
    service does not accept at all, and then that is what must be found.
    """
    resources = case.evidence.resources
    assert resources is not None  # named in needs
    listener = case.topology.listener
    overflown = resources.grown.get("ListenOverflows", 0)
    if listener is None or listener.queue is None or not listener.backlog:
        return
    full = listener.queue >= listener.backlog
    # The counter is the whole host's: it counts here only while this queue is full or short.
    if not full and not (overflown and listener.backlog <= _SMALL):
        return
    if full and not overflown and not case.symptoms:
        return
    evidence = [f"{listener.queue} connections wait, the queue holds {listener.backlog} (ss -ltn)"]
    if overflown:
        evidence.append(f"ListenOverflows grew by {overflown} while we looked")
    yield Finding(
        hop="app",
        where=f"port {listener.port}" if listener.port else listener.address,
        observed=f"the accept queue of {listener.unit or listener.process or 'the service'} is "
        f"{'full' if full else 'short, and overflows'}: {listener.backlog}",
        expected="a queue that holds all clients when they come back at once",
        evidence=tuple(evidence),
        certainty=2 if full else 1,
        advice=(Advice(Audience.SERVER, _advice(case, listener, full=full)),),
    )


def _advice(case: Case, listener: Listener, *, full: bool) -> str:
    resources = case.evidence.resources
    most = resources.kernel.get("net.core.somaxconn", "?") if resources else "?"
    raise_it = (
        "raise it to what comes back at once (uvicorn --backlog 2048, gunicorn --backlog 2048, "
        "server.listen(port, host, 2048) in Node, listen ... backlog=2048 in nginx), and "
        f"sysctl net.core.somaxconn (now {most}), which caps it"
    )
    if not full:
        return f"The queue holds {listener.backlog}: {raise_it}. Spread the reconnects by `retry:`."
    return (
        f"See first why {framework_of(case).label} does not accept: is its event loop blocked, "
        f"are all its workers taken by streams, is it stopped (ps -o stat)? If it does, {raise_it}."
    )
