"""Cause: nginx_limit_conn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ssemedic.case import Case
from ssemedic.clues.logged import CONNECTIONS_LIMITED, REQUESTS_LIMITED, logged
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Directive, Route, statement
from ssemedic.rules import Sign, configured, rule
from ssemedic.symptoms import Kind, Symptom

_STATUSES = (403, 420, 429, 444, 500, 502, 503, 509, 529)
_SIGNS = (Sign(Kind.FEW_STREAMS), Sign(Kind.WRONG_STATUS, _STATUSES))
#: A browser opens this many connections to one origin over HTTP/1; a limit below shows.
_BROWSER = 6
_ZONE = re.compile(r"by zone \"([^\"]*)\"")


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=_SIGNS,
    needs=("nginx", "streams"),
)
def nginx_limit_conn(case: Case) -> Iterator[Finding]:
    """nginx refuses further streams by a limit of its own.

    `limit_conn` counts a stream for as long as it is open, so a few tabs, or a few people
    behind one NAT, use it up; `limit_req` refuses those who reconnect at once. The next
    one gets 503 or 429, which EventSource takes as final (readyState 2), while the older
    streams go on.

    How many streams one client may hold is for a person to say.
    """
    route = case.route
    symptom = _symptom(case)
    if symptom is None:
        return
    kinds = (("limit_conn", CONNECTIONS_LIMITED), ("limit_req", REQUESTS_LIMITED))
    lines = {name: route.setting(name).lines for name, _sign in kinds}
    named = {name: logged(case.evidence, sign, case.endpoint.url) for name, sign in kinds}
    for name, _sign in kinds:
        if not lines[name] or not _applies(case, symptom, name):
            continue
        if named[name]:
            zone = _ZONE.search(named[name][-1].text)
            limit = _of_zone(lines[name], zone[1] if zone else "")
            yield _finding(case, limit, symptom, f"nginx logged: {named[name][-1].text}")
            return
    for name, _sign in kinds:
        if not lines[name] or not _applies(case, symptom, name):
            continue
        if symptom.kind is Kind.FEW_STREAMS and symptom.source == "stream":
            yield _finding(case, lines[name][0], symptom, "")
            return
        if not _log_was_read(case):
            yield replace(
                _finding(case, lines[name][0], symptom, ""),
                out_of_reach="nginx's error log, which would name the limit, was not read",
            )
            return


@configured(nginx_limit_conn)
def few_per_address(route: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    """A limit for each address that the tabs of one browser reach."""
    for limit in route.setting("limit_conn").lines:
        count = _count(limit)
        if _key(route, limit) in _ADDRESS and count is not None and count < _BROWSER:
            yield Finding(
                hop="nginx",
                where=limit.where,
                observed=f"{statement(limit.name, limit.args)} lets one address hold {count} "
                f"stream{'s' if count > 1 else ''}",
                expected="room for several tabs, and for people behind one NAT",
                advice=(_advice(route, limit),),
                depends=f"one address opens more than {count} at once",
            )


def _symptom(case: Case) -> Symptom | None:
    fitting = (
        s
        for s in case.symptoms
        if s.hop in ("nginx", "public") and any(sign.fits(s) for sign in _SIGNS)
    )
    return next(fitting, None)


def _applies(case: Case, symptom: Symptom, name: str) -> bool:
    """True if the symptom is what this limit does: its own status, or what its log says."""
    if symptom.kind is Kind.FEW_STREAMS:
        statuses = symptom.measured.get("statuses", [])
        return not statuses or _status(case.route, name) in statuses
    return bool(symptom.measured.get("status") == _status(case.route, name))


def _log_was_read(case: Case) -> bool:
    nginx = case.evidence.nginx
    return nginx is not None and any(case.evidence.log(name) for name in nginx.error_logs)


def _status(route: Route, name: str) -> int:
    values = route.setting(f"{name}_status").values
    text = values[0][0] if values and values[0] else "503"
    return int(text) if text.isdigit() else 503


def _of_zone(lines: tuple[Directive, ...], zone: str) -> Directive:
    return next((x for x in lines if _zone(x) == zone), lines[0])


def _zone(limit: Directive) -> str:
    first = limit.args[0] if limit.args else ""
    return first.removeprefix("zone=")


def _count(limit: Directive) -> int | None:
    last = limit.args[-1] if len(limit.args) == 2 else ""
    return int(last) if last.isdigit() else None


_ADDRESS = frozenset({"$binary_remote_addr", "$remote_addr"})


def _key(route: Route, limit: Directive) -> str:
    """What a zone counts by, "" where its zone is not found."""
    http = next(route.tree.blocks("http"), None)
    for directive in route.tree.flat(http.block) if http else ():
        if directive.name != f"{limit.name}_zone" or len(directive.args) < 2:
            continue
        if any(arg.split(":")[0] == f"zone={_zone(limit)}" for arg in directive.args):
            return directive.args[0]
    return ""


def _finding(case: Case, limit: Directive, symptom: Symptom, line: str) -> Finding:
    route = case.route
    key = _key(route, limit)
    counted = f" for each {key}" if key else ""
    return Finding(
        hop="nginx",
        where=limit.where,
        observed=f"{statement(limit.name, limit.args)} refuses streams beyond it{counted}",
        expected="room for every tab of a browser, and for people behind one NAT",
        evidence=tuple(filter(None, (symptom.text, line))),
        certainty=3 if line else 2,
        advice=(_advice(route, limit),),
        also_at=("public",),
    )


def _advice(route: Route, limit: Directive) -> Advice:
    place = route.location.label if route.location else "the location of the stream"
    zone = _zone(limit)
    if limit.name == "limit_conn":
        wished = statement("limit_conn", (zone, "100"))
    else:
        wished = statement("limit_req", (f"zone={zone}", "burst=50", "nodelay"))
    return Advice(
        Audience.SERVER,
        f"In {place} write {wished} {limit.name}_status 429; (a line there takes the place of all "
        f"{limit.name} of outer levels), or whatever your policy allows: one stream for each open "
        "tab, six tabs for each browser without HTTP/2, several people behind one address. "
        "EventSource does not come back after 503 or 429 by itself: the page must.",
    )
