"""Cause: nginx_upstream_wrong_target."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route, route
from ssemedic.nginx.asked import asked, host_of
from ssemedic.rules import Sign, configured, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind
from ssemedic.topology import target_address

_ENDS = {"refused": "connection refused", "protocol_error": "it does not speak HTTP"}


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(
        Sign(Kind.WRONG_STATUS, (404, 405, 501, 502, 504)),
        Kind.HTML_INSTEAD,
        Kind.WRONG_TYPE,
        Kind.NOT_HTTP,
        Kind.NO_ANSWER,
        Kind.BUFFERED,  # as it looks beside the app that answers elsewhere
    ),
    needs=("nginx", "listeners", "streams"),
)
def nginx_upstream_wrong_target(case: Case) -> Iterator[Finding]:
    """nginx sends the stream to a place where the app does not listen.

    The app runs and answers on another port, so nginx is refused and answers 502
    within milliseconds; or some other service answers there, and has no such path.
    The app's own log shows nothing: it was never asked.
    """
    topology = case.topology
    target, found = topology.target, topology.app_found_elsewhere
    hop, asking = case.asking
    if asking.serves != "proxy" or target is None or not found:
        return
    through = topology.stream(hop)
    if through is not None and through.is_event_stream:
        return  # nginx finds the app all the same: another server of its upstream block answers
    there = topology.stream("app", "target")
    if there is not None and there.is_of_another_service:
        occupied = f"where something else answers ({_answer(there)})"
    elif topology.target_listens or (there is not None and not there.never_connected):
        return
    else:
        occupied = "where nobody listens"
    symptom = next((s for s in case.symptoms if s.hop == hop), None)
    places = ", ".join(stream.address for stream in found)
    # Another host may only be down for now; whether this one may stand in is for a person to say.
    here = topology.target_listens is not None
    only = found[0] if here and len(found) == 1 else None
    yield Finding(
        hop=hop,
        where=target.where,
        observed=f"proxied to {target_address(target)}, {occupied}",
        expected=f"proxied to {places}, where the event stream answers",
        evidence=tuple(
            filter(
                None,
                (
                    symptom.text if symptom else "",
                    f"{target_address(target)}: {_answer(there)}" if there else "",
                    f"{places} answers 200 text/event-stream"
                    + (f" ({topology.unit.name})" if topology.unit else ""),
                ),
            )
        ),
        certainty=3,
        remedy=NginxRemedy({"proxy_pass": ((f"http://{only.address}",),)}) if only else None,
        advice=()
        if only
        else (
            Advice(
                Audience.SERVER,
                f"The stream answers at {places}: point proxy_pass of {target.where} there if that "
                "is the app that is meant.",
            ),
        ),
    )


@configured(nginx_upstream_wrong_target)
def _configured(found: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    """A target that leads back to the same location goes round until nginx gives up."""
    target, sent = next(iter(found.targets), None), asked(found)
    if target is None or sent is None or not _loopback(target.host):
        return
    host = host_of(sent.header("Host") or "")
    name = f"[{host}]" if ":" in host else host
    url = f"{target.scheme}://{name or 'localhost'}:{target.port}{sent.target}"
    address = "127.0.0.1" if target.host == "localhost" else target.host
    again = route(found.tree, url, found.version, address)
    if again.server is None or again.handler is not found.handler or not again.resolved:
        return
    yield Finding(
        hop="nginx",
        where=target.where,
        observed=f"proxied to {target_address(target)}, which is this location of nginx again",
        expected="proxied to the app",
        advice=(
            Advice(
                Audience.SERVER,
                f"Point proxy_pass of {target.where} to the address at which the app listens.",
            ),
        ),
    )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _answer(stream: Stream) -> str:
    if stream.status is None:
        return stream.end.detail or _ENDS.get(stream.end.kind, "no answer")
    return f"{stream.status} {stream.content_type}".strip()
