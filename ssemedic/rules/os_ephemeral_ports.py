"""Cause: os_ephemeral_ports."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.unit_journal import shortened
from ssemedic.clues.upstream_log import upstream_errors
from ssemedic.evidence import Peer, Resources
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_NO_PORT = re.compile(r"Cannot assign requested address|EADDRNOTAVAIL|Errno 99\b", re.IGNORECASE)
_FULL = 0.9
_WIDE = "10240 65000"


@rule(
    layer=Layer.OS,
    severity=Severity.BROKEN,
    explains=(
        Kind.UNREACHABLE,
        Kind.REFUSED,
        Kind.NO_ANSWER,
        Kind.NO_ROOM,
        Sign(Kind.WRONG_STATUS, (500, 502, 503, 504)),
    ),
    needs=("resources", "nginx", "streams"),
)
def os_ephemeral_ports(case: Case) -> Iterator[Finding]:
    """The host has no local port left for another connection to the app.

    Each connection of nginx to one address and port of the app takes a local port of
    its own, and each that is closed keeps it for a minute (TIME_WAIT). A storm of
    reconnects, or as many streams as there are ports, uses up the range; from then on
    nginx answers 502 within milliseconds with "(99: Cannot assign requested address)"
    in its log, now and then at first, then always.
    """
    resources = case.evidence.resources
    assert resources is not None  # named in needs
    hop, found = case.asking
    logged = [x for x in upstream_errors(case.evidence, found.url) if _NO_PORT.search(x.message)]
    own = next(
        (s for s in case.topology.streams if s.hop == "app" and _NO_PORT.search(s.end.detail)), None
    )
    ports = _range(resources)
    peer = _busiest(case, resources)
    full = peer is not None and ports and peer.connections >= _FULL * ports
    if not (logged or own) or not full or peer is None:
        return
    waiting = peer.states.get("TIME_WAIT", 0)
    hops = [name for name in ("app", hop) if case.symptom(name, *_kinds())]
    evidence = [
        f"{peer.connections} connections to {peer.address}:{peer.port}, {waiting} of them "
        f"in TIME_WAIT; ip_local_port_range has {ports} ports",
    ]
    evidence += [f"nginx's error log: {shortened(logged[-1].message)}"] if logged else []
    evidence += [f"our own connection: {own.end.detail}"] if own is not None else []
    yield Finding(
        hop=hops[0] if hops else hop,
        also_at=tuple(hops[1:]),
        where="net.ipv4.ip_local_port_range",
        observed=f"{resources.kernel.get('net.ipv4.ip_local_port_range', '?')}: {ports} ports, "
        f"{peer.connections} of them in use towards {peer.address}:{peer.port}",
        expected="a free local port for every stream",
        evidence=tuple(evidence),
        certainty=3,
        advice=(Advice(Audience.SERVER, _advice(peer, waiting)),),
    )


def _kinds() -> tuple[Kind, ...]:
    return (Kind.UNREACHABLE, Kind.REFUSED, Kind.NO_ANSWER, Kind.NO_ROOM, Kind.WRONG_STATUS)


def _range(resources: Resources) -> int:
    """How many local ports there are; 0 where that is not known."""
    words = resources.kernel.get("net.ipv4.ip_local_port_range", "").split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return 0
    return int(words[1]) - int(words[0]) + 1


def _busiest(case: Case, resources: Resources) -> Peer | None:
    """The app as a place to which this host holds connections."""
    listener, target = case.topology.listener, case.topology.target
    port = listener.port if listener is not None else target.port if target is not None else 0
    return next((peer for peer in resources.peers if port and peer.port == port), None)


def _advice(peer: Peer, waiting: int) -> str:
    storm = (
        "Most are dead already: find who reconnects so fast (the page's console, `retry:` in the "
        "stream) and stop that first. "
        if waiting > peer.connections // 2
        else ""
    )
    return (
        f"{storm}A unix socket between nginx and the app needs no port at all (proxy_pass "
        "http://unix:/run/app.sock:). Until then: sysctl -w "
        f'net.ipv4.ip_local_port_range="{_WIDE}" net.ipv4.tcp_tw_reuse=1 (and in /etc/sysctl.d), '
        "or let the app listen on several addresses (127.0.0.1, 127.0.0.2, ...) in one upstream "
        "block. Keep-alive to the app does not help: each stream holds its connection."
    )
