"""Cause: nginx_stale_upstream_dns."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from ssemedic.case import Case, UnseenError
from ssemedic.clues.upstream_log import UpstreamError, upstream_errors
from ssemedic.endpoint import Endpoint
from ssemedic.evidence import HostName
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route, Target
from ssemedic.rules import Sign, configured, rule
from ssemedic.symptoms import Kind, Symptom

_FAILED = re.compile(r"connect\(\) failed|upstream timed out .* while connecting")
_KINDS = (Kind.WRONG_STATUS, Kind.NO_ANSWER, Kind.HTML_INSTEAD, Kind.WRONG_TYPE)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(
        Sign(Kind.WRONG_STATUS, (400, 401, 403, 404, 405, 421, 500, 501, 502, 503, 504)),
        *_KINDS[1:],
    ),
    needs=("nginx", "names", "streams"),
)
def nginx_stale_upstream_dns(case: Case) -> Iterator[Finding]:
    """nginx still asks the address that the app's name had when nginx started.

    A host name in proxy_pass or in an upstream block is resolved once, when the
    configuration is read. The app has moved since (a container or machine made
    anew, a changed /etc/hosts); nginx goes on asking the old address and answers 502
    within milliseconds, or some other service answers in the app's place. Asked by its
    name, the app streams; a reload of nginx cures it until the next move.
    """
    hop, found = case.asking
    names = {
        name.name.lower(): name
        for target in _fixed(found)
        if (name := case.evidence.host_name(target.host)) is not None
    }
    if found.serves != "proxy" or not names:
        return
    symptom = case.symptom(hop, *_KINDS)
    stale = [
        error
        for error in upstream_errors(case.evidence, found.url)
        if _FAILED.search(error.message) and error.host and error.host not in _now(found, names)
    ]
    target = next(t for t in _fixed(found) if t.host.lower() in names)
    name = names[target.host.lower()]
    if stale:
        yield _finding(hop, target, name, stale[-1], symptom)
    elif symptom is not None and _moved_since(case, name):
        yield _finding(hop, target, name, None, symptom)


@configured(nginx_stale_upstream_dns)
def _configured(found: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    for target in _fixed(found)[:1]:
        if "." not in target.host:
            continue  # a name of this host or of a container network: told apart on the host only
        yield Finding(
            hop="nginx",
            where=target.where,
            observed=f"{target.host} is resolved once, when nginx reads its configuration",
            expected="a resolver and a variable, or a reload whenever the name moves",
            advice=(_for_good(target),),
            depends="the address of the name changes while nginx runs",
        )


def _fixed(found: Route) -> tuple[Target, ...]:
    """The targets whose name nginx resolves only when it starts."""
    written = found.handler.args[0] if found.handler and found.handler.args else ""
    if "$" in written and found.upstream is None:
        return ()  # resolved for each request, by the resolver
    resolving = {
        line.where
        for line in (found.tree.flat(found.upstream.block) if found.upstream else ())
        if "resolve" in line.args[1:]
    }
    return tuple(t for t in found.targets if _is_name(t.host) and t.where not in resolving)


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host not in ("", "localhost") and "$" not in host
    return False


def _now(found: Route, names: dict[str, HostName]) -> set[str]:
    """Every address that nginx would ask if it read its configuration now."""
    known = {address for name in names.values() for address in name.addresses}
    return known | {target.host for target in found.targets}


def _moved_since(case: Case, name: HostName) -> bool:
    """True if the name moved after nginx started, and only nginx does not find the app.

    Without a line in nginx's log this is told by the app, which streams when it is asked
    by its name exactly as nginx asks it.
    """
    nginx = case.evidence.nginx
    since = nginx.newest_worker_started if nginx else None
    exact = case.topology.stream("app", "as-nginx")
    if since is None:
        raise UnseenError("since when nginx runs is not known")
    if exact is None or not exact.is_event_stream or name.hosts_changed is None:
        return False
    return bool(name.hosts_file) and name.hosts_changed > since


def _finding(
    hop: str,
    target: Target,
    name: HostName,
    error: UpstreamError | None,
    symptom: Symptom | None,
) -> Finding:
    now = ", ".join(name.addresses) or "nothing"
    old = error.address if error else "an older address"
    evidence = [symptom.text] if symptom else []
    if error is not None:
        evidence.append(f"nginx's error log: {error.message}, upstream {error.address}")
    else:
        evidence.append("/etc/hosts was changed after nginx's workers started")
        evidence.append("asked by its name exactly as nginx asks, the app streams")
    evidence.append(f"{name.name} is {now} now" + (f" ({name.error})" if name.error else ""))
    return Finding(
        hop=hop,
        where=target.where,
        observed=f"nginx asks {old}, which {target.host} was when nginx started; it is {now} now",
        expected=f"nginx asks {now}",
        evidence=tuple(evidence),
        certainty=3 if error else 2,
        remedy=NginxRemedy(reload=True) if name.addresses else None,
        advice=(_for_good(target),),
    )


def _for_good(target: Target) -> Advice:
    return Advice(
        Audience.SERVER,
        f"So that nginx follows {target.host} by itself: `resolver ADDRESS_OF_YOUR_DNS valid=30s; "
        f"set $app {target.host}:{target.port}; {_pass(target)}` in the location "
        "(a name of /etc/hosts only is not seen by a resolver), or from 1.27.3 on `server "
        f"{target.host}:{target.port} resolve;` with a `zone` in the upstream block; else reload "
        "nginx whenever the app moves.",
    )


def _pass(target: Target) -> str:
    return f"proxy_pass {target.scheme}://$app;"
