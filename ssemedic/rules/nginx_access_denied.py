"""Cause: nginx_access_denied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.logged import lines_of_workers
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Route
from ssemedic.rules import Sign, configured, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom

_FORBIDDEN = re.compile(r"access forbidden by rule, client: (?P<client>[^,]+),")
_AROUND = 2.0  # seconds between our request and the line it left


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (401, 403)),),
    needs=("nginx", "streams"),
)
def nginx_access_denied(case: Case) -> Iterator[Finding]:
    """nginx itself refuses the client: by its address, or for want of a password.

    `deny` answers 403 before the app is asked; behind a load balancer every client has
    the balancer's address unless `set_real_ip_from` and `real_ip_header` say otherwise.
    `auth_basic` answers 401; a browser that has the password for the page sends it with
    EventSource too, and a script or another origin does not.

    Who may read the stream is for a person to say, so nothing is changed.
    """
    for hop in ("nginx", "public"):
        symptom = case.symptom(hop, Kind.WRONG_STATUS)
        stream = case.topology.stream(hop)
        if symptom is None or stream is None:
            continue
        if symptom.measured.get("status") == 403:
            yield from _by_address(case, symptom, stream)
        elif symptom.measured.get("status") == 401:
            yield from _by_password(case, symptom, stream)


@configured(nginx_access_denied)
def denied_to_all(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """A URL that nginx refuses to every client can be no stream."""
    if is_denied(route):
        yield _denied(route, "nginx", (), endpoint.url)


def is_denied(route: Route) -> bool:
    """True if the configuration alone says that nobody gets past the address list."""
    return route.handler is not None and route.handler.name == "deny"


def _denied(route: Route, hop: str, evidence: tuple[str, ...], url: str = "") -> Finding:
    line = route.handler
    assert line is not None  # is_denied() has looked
    text, where = " ".join((line.name, *line.args)), line.where
    location = route.location.label if route.location else "the server"
    return Finding(
        hop=hop,
        where=where,
        observed=f"{text} is in force for {location}: nginx answers every client 403",
        expected=f"clients may ask for {url}" if url else "clients may ask for the stream",
        evidence=evidence,
        certainty=3,
        also_at=("public",),
        advice=(
            Advice(
                Audience.SERVER,
                f"If browsers are to open it, `{text}` ({where}) must not be in force for it: "
                f"write `allow all;` in {location}, or `allow` the clients' network before it.",
            ),
        ),
    )


def _by_address(case: Case, symptom: Symptom, stream: Stream) -> Iterator[Finding]:
    if symptom.hop == "nginx" and is_denied(case.route):
        yield _denied(case.route, symptom.hop, (symptom.text,))
        return
    rules = case.route.access_rules
    denying = [line for line in rules if line.name == "deny"]
    if not denying:
        return
    line = _logged(case, stream)
    if not line and _log_was_read(case):
        return  # it would have been logged: somebody else says 403
    yield Finding(
        hop=symptom.hop,
        where=denying[-1].where,
        observed=f"{'; '.join(f'{x.name} {x.args[0]}' for x in rules)}: nginx answers 403",
        expected="the clients' addresses are allowed",
        evidence=(symptom.text, *([f"nginx logged: {line}"] if line else [])),
        certainty=3 if line else 1,
        out_of_reach="" if line else "nginx's error log, which names who was refused",
        also_at=("public",) if symptom.hop == "nginx" else (),
        advice=(_allow(case.route, line),),
    )


def _allow(route: Route, line: str) -> Advice:
    client = _FORBIDDEN.search(line)
    whom = client["client"] if client else "the clients' network"
    text = (
        f"nginx saw the client as {whom}. Where that is who may read the stream, write "
        f"`allow {whom};` before the deny, in {route.location.label if route.location else 'it'}."
    )
    if not route.setting("real_ip_header").wheres:
        text += (
            " Where it is a proxy in front of nginx: `set_real_ip_from` its address and "
            "`real_ip_header X-Forwarded-For;`, so that the rules see the clients."
        )
    return Advice(Audience.SERVER, text)


def _by_password(case: Case, symptom: Symptom, stream: Stream) -> Iterator[Finding]:
    setting = case.route.setting("auth_basic")
    asked = (stream.header("www-authenticate") or "").lower()
    if setting.is_default or setting.first in ("", "off") or not asked.startswith("basic"):
        return
    yield Finding(
        hop=symptom.hop,
        where=setting.where,
        observed=f"auth_basic {setting.first!r} is in force for the stream: nginx answers 401",
        expected="a password that the browser has, or a stream that needs none",
        evidence=(symptom.text, f"WWW-Authenticate: {stream.header('www-authenticate')}"),
        certainty=2,
        out_of_reach="whether the users' browsers send the password: we have none",
        also_at=("public",) if symptom.hop == "nginx" else (),
        advice=(
            Advice(
                Audience.SERVER,
                "Where the stream has a token of its own: `auth_basic off;` in its location, then "
                "nginx -t && systemctl reload nginx.",
            ),
            Advice(
                Audience.FRONTEND,
                "Where the password is meant: open the stream from a page of the same origin, "
                "after the browser has asked for it; to another origin EventSource needs "
                "`{withCredentials: true}` and the server's Access-Control-Allow-Credentials.",
            ),
        ),
    )


def _logged(case: Case, stream: Stream) -> str:
    """What nginx logged of our own request, "" where it did not."""
    until = stream.started + stream.end.at + _AROUND
    lines = (
        line.text
        for line in lines_of_workers(case.evidence, _FORBIDDEN)
        if line.at is not None and stream.started - _AROUND <= line.at <= until
    )
    return next(lines, "")


def _log_was_read(case: Case) -> bool:
    nginx = case.evidence.nginx
    return nginx is not None and any(case.evidence.log(source) for source in nginx.error_logs)
