"""Cause: nginx_upstream_wrong_target."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind
from ssemedic.topology import target_address


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (502, 504)), Kind.HTML_INSTEAD, Kind.NO_ANSWER),
    needs=("nginx", "listeners", "streams"),
)
def nginx_upstream_wrong_target(case: Case) -> Iterator[Finding]:
    """nginx sends the stream to a place where the app does not listen.

    The app runs and answers on another port, so nginx is refused and answers 502
    within milliseconds. The app's own log shows nothing: it was never asked.
    """
    topology = case.topology
    target = topology.target
    refused = topology.stream("app", "target")
    if case.route.serves != "proxy" or target is None or not topology.app_found_elsewhere:
        return
    if topology.target_listens is not False or (refused and refused.end.kind != "refused"):
        return
    found = topology.app_found_elsewhere
    symptom = case.symptom("nginx", Kind.WRONG_STATUS, Kind.HTML_INSTEAD, Kind.NO_ANSWER)
    places = ", ".join(stream.address for stream in found)
    only = found[0] if len(found) == 1 else None
    yield Finding(
        hop="nginx",
        where=target.where,
        observed=f"proxied to {target_address(target)}, where nobody listens",
        expected=f"proxied to {places}, where the event stream answers",
        evidence=tuple(
            filter(
                None,
                (
                    symptom.text if symptom else "",
                    f"{target_address(target)}: connection refused" if refused else "",
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
                f"The stream answers at several places ({places}): point proxy_pass of "
                f"{target.where} at the right one.",
            ),
        ),
    )
