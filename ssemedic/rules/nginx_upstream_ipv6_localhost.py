"""Cause: nginx_upstream_ipv6_localhost."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.upstream_log import UpstreamError, upstream_errors
from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Listener
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route, Target
from ssemedic.rules import Sign, configured, rule
from ssemedic.symptoms import Kind

#: One refusal may be from the moment in which the app was restarted; two are a pattern.
_PATTERN = 2


@rule(
    layer=Layer.NGINX,
    severity=Severity.DEGRADED,
    explains=(Sign(Kind.WRONG_STATUS, (502, 504)), Kind.REFUSED, Kind.NO_ANSWER),
    needs=("nginx", "names", "listeners"),
)
def nginx_upstream_ipv6_localhost(case: Case) -> Iterator[Finding]:
    """nginx asks for the app at ::1, and the app listens on 127.0.0.1 alone.

    `localhost` is two addresses, and nginx uses all of them in turn. The one at which
    nobody listens refuses: now and then, or whenever the other one hiccups too, the
    stream is 502, and the error log fills with refusals of [::1]. Where the host maps
    the name to ::1 only, it is 502 always.
    """
    at, found = case.asking
    if found.serves != "proxy":
        return
    for target in found.targets:
        name = case.evidence.host_name(target.host)
        if name is None or not any(_is_six(address) for address in name.addresses):
            continue
        listener = _four_only(case.evidence.listeners or (), target.port)
        if listener is None:
            continue
        refused = [
            error
            for error in upstream_errors(case.evidence, found.url)
            if _is_six(error.host) and "refused" in error.message
        ]
        symptom = case.symptom(at, Kind.WRONG_STATUS, Kind.NO_ANSWER) or case.symptom(
            "app", Kind.REFUSED
        )
        always = all(_is_six(address) for address in name.addresses)
        if not refused and not (symptom and always):
            continue
        if symptom is None and len(refused) < _PATTERN:
            continue
        yield _finding(
            found,
            target,
            listener,
            hop=symptom.hop if symptom else at,
            always=always,
            # The other address takes over at once: nobody at a browser sees it.
            severity=None if symptom else Severity.HYGIENE,
            evidence=(
                *([symptom.text] if symptom else []),
                f"{target.host} is {', '.join(name.addresses)} on this host",
                f"port {target.port}: {listener.process or 'a process'} listens on "
                f"{listener.address} alone",
                *_logged(refused),
            ),
        )
        return


@configured(nginx_upstream_ipv6_localhost)
def _configured(found: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    target = next((t for t in found.targets if t.host.lower() == "localhost"), None)
    if target is not None:
        yield _finding(
            found,
            target,
            None,
            depends="localhost is ::1 too, and the app listens on 127.0.0.1 alone",
        )


def _finding(
    found: Route,
    target: Target,
    listener: Listener | None,
    hop: str = "nginx",
    evidence: tuple[str, ...] = (),
    depends: str = "",
    always: bool = False,
    severity: Severity | None = None,
) -> Finding:
    there = f"127.0.0.1:{target.port}"
    only = len(found.targets) == 1
    at = f", and the app listens on {listener.address} alone" if listener else ""
    too = "" if always else " too"
    return Finding(
        hop=hop,
        where=target.where,
        observed=f"proxied to {target.host}:{target.port}, which is [::1]:{target.port}{too}{at}",
        expected=f"proxied to {there}",
        evidence=evidence,
        certainty=3,
        remedy=NginxRemedy({"proxy_pass": ((f"{target.scheme}://{there}",),)}) if only else None,
        advice=()
        if only
        else (Advice(Audience.SERVER, f"At {target.where}, write: server {there};"),),
        depends=depends,
        severity=severity,
    )


def _four_only(listeners: tuple[Listener, ...], port: int) -> Listener | None:
    """The IPv4 listener of a port at which nobody listens by IPv6."""
    there = [x for x in listeners if x.port == port and x.family != "unix"]
    if any(x.family == "inet6" for x in there):
        return None
    local = [x for x in there if x.address in ("*", "0.0.0.0") or x.address.startswith("127.")]  # noqa: S104 - matched, not bound
    return next(iter(local), None)


def _is_six(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).version == 6
    except ValueError:
        return False


def _logged(refused: list[UpstreamError]) -> tuple[str, ...]:
    if not refused:
        return ()
    last = refused[-1]
    return (f"nginx's error log, {len(refused)} times: {last.message}, upstream {last.address}",)
