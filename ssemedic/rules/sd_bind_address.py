"""Cause: sd_bind_address."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.upstream_log import upstream_errors
from ssemedic.evidence import Listener
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Target
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind
from ssemedic.topology import INFRASTRUCTURE

_FORBIDDEN = re.compile(r"\(13: Permission denied\) while connecting to upstream")
_ANY = ("*", "0.0.0.0", "::")  # noqa: S104 - matched, not bound
_GATEWAY = (502, 503, 504)


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(Kind.REFUSED, Kind.UNREACHABLE, Kind.NO_ANSWER, Sign(Kind.WRONG_STATUS, _GATEWAY)),
    needs=("nginx", "listeners", "streams"),
)
def sd_bind_address(case: Case) -> Iterator[Finding]:
    """The service listens, but not where nginx asks for it.

    Port and program are right, the address is not: the service is bound to one address
    of the host and nginx asks another, or nginx may not open the service's unix socket.
    On the host `curl` may well reach the service, which is why everybody looks
    elsewhere; nginx is refused and answers 502 within milliseconds. Every location that
    asks the service is broken, not the stream's alone: so the service's address is what
    must change, and that stands in its own settings.
    """
    yield from _other_address(case)
    yield from _closed_socket(case)


def _other_address(case: Case) -> Iterator[Finding]:
    target = case.topology.target
    if target is None or target.unix or not _is_own(case, target.host):
        return
    refused = case.topology.stream("app", "target") or case.topology.stream("app")
    if refused is None or refused.end.kind != "refused":
        return
    through = case.topology.stream(case.asking[0])
    if through is not None and through.is_event_stream:
        return  # another server of nginx's upstream block answers
    bound = [x for x in case.evidence.listeners or () if _is_beside(x, target)]
    if len({x.address for x in bound}) != 1:
        return  # nobody, or two of which we cannot say who is meant
    listener = bound[0]
    hop = case.asking[0] if case.topology.app_found_elsewhere else "app"
    place = f"{_spelled(listener.address)}:{listener.port}"
    found = case.topology.app_found_elsewhere
    only = found[0] if len(found) == 1 and found[0].address == place else None
    owner = listener.unit or listener.process or "the service"
    yield Finding(
        hop=hop,
        where=target.where,
        observed=f"{owner} listens on {place}, nginx asks {_spelled(target.host)}:{target.port}",
        expected="one address for both",
        evidence=(
            f"{_spelled(target.host)}:{target.port} refuses the connection",
            f"{owner} (process {listener.pid}) listens on {place} alone",
            *((f"asked there, it streams ({place})",) if only else ()),
        ),
        certainty=3,
        advice=(_advice(owner, place, target),),
    )


def _advice(owner: str, place: str, target: Target) -> Advice:
    return Advice(
        Audience.SERVER,
        f"Bind {owner} to {target.host} (uvicorn --host, gunicorn --bind, HOST= in its "
        f"environment file; for an address that nginx reaches from elsewhere 0.0.0.0 with a "
        f"firewall), or, if it shall stay where it is, have nginx ask it there: "
        f"proxy_pass {target.scheme}://{place}; ({target.where})",
    )


def _closed_socket(case: Case) -> Iterator[Finding]:
    hop, found = case.asking
    symptom = case.symptom(hop, Kind.WRONG_STATUS)
    if found.serves != "proxy" or symptom is None:
        return
    errors = upstream_errors(case.evidence, found.url)
    closed = [
        x
        for x in errors
        if x.address.startswith("unix:") and "(13: Permission denied)" in x.message
    ]
    if not closed or case.evidence.system is None or case.evidence.system.selinux == "enforcing":
        return
    path = closed[-1].address.removeprefix("unix:")
    workers = {p.user for p in case.evidence.processes or () if p.name.startswith("nginx")}
    users = ", ".join(sorted(workers - {"root"})) or "nginx's user"
    listens = next((x for x in case.evidence.listeners or () if x.address == path), None)
    owner = (listens.unit if listens else None) or "the service"
    yield Finding(
        hop=hop,
        where=path,
        observed=f"nginx's workers ({users}) may not open the socket of {owner}",
        expected="a socket that nginx's workers may read and write",
        evidence=(f"nginx's error log: {closed[-1].message}", symptom.text),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"ls -l {path} and of each folder above it: {users} needs read and write on the "
                f"socket and x on the folders. In {owner}: Group=www-data and UMask=0007 "
                "(gunicorn --umask 007; uvicorn sets 0666 itself, then it is a folder), or a "
                "systemd .socket unit with SocketUser=, SocketGroup= and SocketMode=0660.",
            ),
        ),
    )


def _is_own(case: Case, host: str) -> bool:
    """True for an address of this host; a name is nginx's business (localhost has two)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    system = case.evidence.system
    return address.is_loopback or (system is not None and host in system.addresses)


def _is_beside(listener: Listener, target: Target) -> bool:
    """True for a socket of the same port on another address that could be the app's."""
    return (
        listener.family != "unix"
        and listener.port == target.port
        and listener.address != target.host
        and not (listener.address in _ANY and _same_family(listener, target))
        and not INFRASTRUCTURE.match(listener.unit or "")
    )


def _same_family(listener: Listener, target: Target) -> bool:
    return (listener.family == "inet6") == (":" in target.host)


def _spelled(host: str) -> str:
    return f"[{host}]" if ":" in host else host
