"""Cause: os_firewall."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case, UnseenError
from ssemedic.clues.firewall import Blocked, Connection, FirewallError, blocked
from ssemedic.evidence import Listener
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind, Symptom

_KINDS = (Kind.UNREACHABLE, Kind.REFUSED)


@rule(
    layer=Layer.OS,
    severity=Severity.BROKEN,
    explains=_KINDS,
    needs=("firewall", "listeners", "streams"),
)
def os_firewall(case: Case) -> Iterator[Finding]:
    """A packet filter on the host does not let the browser's connection in.

    On the host itself the stream comes: nginx listens, and loopback is rarely filtered.
    From outside the connection is dropped without a word, so the browser stays CONNECTING
    until it gives up after minutes, or it is rejected and fails at once. The same
    happens on loopback, where a rule keeps nginx from the service's port.

    Rules are read, never changed: who may reach a host is for a person to decide.
    """
    yield from _public(case)
    yield from _inside(case)


def _public(case: Case) -> Iterator[Finding]:
    symptom = case.symptom("public", *_KINDS)
    nginx = case.topology.stream("nginx")
    if symptom is None or nginx is None or nginx.never_connected:
        return  # what does not answer on the host itself is not kept out by a filter
    parts = urlsplit(case.endpoint.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    listener = _open_to_all(case, port)
    if listener is None:
        return
    stop = _stopped(case, Connection(port, loopback=False))
    if stop is not None and _fits(stop, symptom):
        yield _finding("public", port, stop, symptom, f"nginx listens on port {port}")
    elif stop is None and symptom.measured.get("end") == "timeout_connect":
        yield _outside(port, symptom)


def _inside(case: Case) -> Iterator[Finding]:
    symptom = case.symptom("app", *_KINDS)
    listener = case.topology.listener
    if symptom is None or listener is None or not listener.port:
        return
    stop = _stopped(case, Connection(listener.port, loopback=True))
    if stop is not None and _fits(stop, symptom):
        who = listener.unit or listener.process or "the service"
        yield _finding("app", listener.port, stop, symptom, f"{who} listens there")


def _stopped(case: Case, connection: Connection) -> Blocked | None:
    firewall = case.evidence.firewall
    assert firewall is not None  # named in needs
    try:
        return blocked(firewall, connection)
    except FirewallError as error:
        raise UnseenError(f"firewall: {error}") from error


def _fits(stop: Blocked, symptom: Symptom) -> bool:
    """A drop is silence, a rejection is an answer at once."""
    return stop.how == "reject" or symptom.measured.get("end") == "timeout_connect"


def _open_to_all(case: Case, port: int) -> Listener | None:
    for listener in case.evidence.listeners or ():
        if listener.port == port and not listener.address.startswith("127."):
            return listener
    return None


def _finding(hop: str, port: int, stop: Blocked, symptom: Symptom, listens: str) -> Finding:
    counted = f", {stop.packets} packets so far" if stop.packets else ""
    unsure = "" if stop.sure else " (as far as its other conditions fit)"
    verb = "drops" if stop.how == "drop" else "rejects"
    return Finding(
        hop=hop,
        where=f"chain {stop.chain}",
        observed=f"the filter {verb} connections to port {port}: {stop.rule}{unsure}",
        expected=f"a rule that lets them in: tcp dport {port} accept",
        evidence=(symptom.text, listens, f"chain {stop.chain}: {stop.rule}{counted}"),
        certainty=3 if stop.sure else 2,
        advice=(Advice(Audience.SERVER, _advice(port, stop)),),
    )


def _advice(port: int, stop: Blocked) -> str:
    if "ufw" in stop.chain.lower():
        return f"ufw allow {port}/tcp (ufw status numbered shows the rule that stops it)"
    if "firewalld" in stop.chain.lower():
        return f"firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload"
    if len(stop.chain.split()) == 3:
        let = f"nft insert rule {stop.chain} tcp dport {port} accept"
        keep = "Write it into /etc/nftables.conf too, or it is gone after the next boot"
    else:
        let = f"iptables -I {stop.chain.split()[-1]} -p tcp --dport {port} -j ACCEPT"
        keep = "Then netfilter-persistent save, or it is gone after the next boot"
    or_remove = f", or take the rule away: {stop.remove}" if stop.remove else ""
    return f"If browsers should reach it: {let}{or_remove}. {keep}."


def _outside(port: int, symptom: Symptom) -> Finding:
    return Finding(
        hop="public",
        where=f"port {port}",
        observed=f"nobody answers on port {port} from here, though nginx listens there",
        expected="the connection is let through",
        evidence=(symptom.text, "the host's own filter lets it in"),
        certainty=1,
        out_of_reach="filters before the host (a cloud's security group, a router) are not seen",
        advice=(
            Advice(
                Audience.SERVER,
                f"Open port {port} in what stands before the host: the security group or network "
                "policy of the cloud, the router, the provider's firewall. Is the name's "
                "address this host's?",
            ),
        ),
    )
