"""Cause: nginx_auth_request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.logged import lines_of_workers
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Route, Setting
from ssemedic.nginx.subrequest import auth_route
from ssemedic.rules import Sign, configured, rule
from ssemedic.stream.record import Stream
from ssemedic.stream.single import HEADERS_LATE_SECONDS, sent_at
from ssemedic.symptoms import Kind, Symptom

_REFUSALS = (301, 302, 303, 307, 308, 400, 401, 403, 404, 500, 502, 503, 504)
_SIGNS = (
    Sign(Kind.WRONG_STATUS, _REFUSALS),
    Sign(Kind.HTML_INSTEAD),
    Sign(Kind.HEADERS_LATE),
    Sign(Kind.NO_ANSWER),
    Sign(Kind.BUFFERED),  # as late headers look beside an app that is on time
)
_LATE = (Kind.HEADERS_LATE, Kind.NO_ANSWER, Kind.BUFFERED)
_UNEXPECTED = re.compile(r"auth request unexpected status: (\d+)")
#: Variables that are empty in a subrequest, which has no query of its own.
_EMPTY = re.compile(r"\$(?:\{?(?:args|query_string|arg_\w+)\b)")


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=_SIGNS,
    needs=("nginx", "streams"),
)
def nginx_auth_request(case: Case) -> Iterator[Finding]:
    """nginx asks another endpoint whether the stream is allowed, and that says no or takes long.

    `auth_request` understands 2xx, 401 and 403. A login page's redirect (302) becomes 500;
    a slow answer keeps the browser CONNECTING. The subrequest has no query: a token in the
    URL, the only place EventSource has for one, does not reach the endpoint unless
    X-Original-URI carries it. The app itself is never asked.

    Who may read the stream is for a person to say, so nothing is changed.
    """
    route = case.route
    led = auth_route(route) if route.serves == "proxy" else None
    symptom = _symptom(case)
    if led is None or symptom is None:
        return
    setting = route.setting("auth_request")
    asked = case.topology.stream("app", "auth")
    line = _line(case)
    seen = _seen(asked, symptom, line, led)
    if seen is None:
        return
    sentence, certainty = seen
    lost = symptom.kind not in _LATE and _token_is_lost(case, led)
    evidence = [symptom.text]
    evidence += [f"counter-test, asked as nginx asks it: {_words(asked)}"] if asked else []
    evidence += [f"nginx logged: {line}"] if line else []
    evidence += (
        ["the subrequest has no query, so the token of the URL is not in it"] if lost else []
    )
    yield Finding(
        hop="nginx",
        where=setting.where,
        observed=f"auth_request {setting.values[0][0]}: {sentence}",
        expected="an endpoint that answers 2xx, 401 or 403 at once, and knows the client",
        evidence=tuple(evidence),
        certainty=certainty,
        advice=_advice(route, led, setting, symptom, lost),
        also_at=("public",),
        out_of_reach=_why_unsure(asked, symptom),
    )


@configured(nginx_auth_request)
def redirects_or_hides_the_query(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """An auth endpoint that redirects by itself, or that is not told the query of the URL."""
    led = auth_route(route) if route.serves == "proxy" else None
    if led is None:
        return
    setting = route.setting("auth_request")
    uri = setting.values[0][0]
    if led.serves == "return" and led.status not in (200, 201, 202, 204, 401, 403):
        yield Finding(
            hop="nginx",
            where=led.handler.where if led.handler else setting.where,
            observed=f"auth_request {uri} is answered with {led.status}, which becomes 500",
            expected="2xx, 401 or 403",
            advice=(_plain_refusal(led),),
        )
    elif led.serves == "proxy" and endpoint.token_parameter and not _query_goes_along(led):
        yield Finding(
            hop="nginx",
            where=led.location.where if led.location else setting.where,
            observed=f"auth_request {uri} is asked without the query of the stream's URL",
            expected="proxy_set_header X-Original-URI $request_uri in the location of the endpoint",
            advice=(_original_uri(led),),
            depends=f"the stream's token is in its URL ({endpoint.token_parameter}=...), and "
            "nothing else, such as a cookie, tells the endpoint who asks",
        )


def _symptom(case: Case) -> Symptom | None:
    """The refusal or delay at nginx; where it also hides a refusal of the app, it is not ours."""
    fitting = (s for s in case.symptoms if s.hop == "nginx" and any(x.fits(s) for x in _SIGNS))
    return next((s for s in fitting if s.source == "stream"), None)


def _line(case: Case) -> str:
    """What nginx logged of our own request, else ""."""
    stream = case.topology.stream("nginx")
    if stream is None:
        return ""
    until = stream.started + stream.end.at + 2.0
    lines = (
        line.text
        for line in lines_of_workers(case.evidence, _UNEXPECTED)
        if line.at is not None and stream.started - 2.0 <= line.at <= until
    )
    return next(lines, "")


def _seen(asked: Stream | None, symptom: Symptom, line: str, led: Route) -> tuple[str, int] | None:
    """What the endpoint does, and how sure that is; None where it is not what stops the stream."""
    if symptom.kind in _LATE:
        if asked is None or (late := _seconds(asked)) <= HEADERS_LATE_SECONDS:
            return None
        return (f"the endpoint takes {late:.1f} s to answer", 3)
    if line:
        status = _UNEXPECTED.search(line)
        return (f"the endpoint answers {status[1] if status else 'neither yes nor no'}", 3)
    if led.serves == "return":
        allows = led.status is not None and 200 <= led.status < 300
        return None if allows else (f"it is answered with {led.status}", 3)
    if asked is not None:
        if asked.status is None or 200 <= asked.status < 300:
            return None if asked.status else ("the endpoint does not answer", 3)
        return (f"the endpoint answers {asked.status}", 3)
    status = symptom.measured.get("status")
    return (f"nginx answers {status} and the app streams", 2) if status in (401, 403) else None


def _why_unsure(asked: Stream | None, symptom: Symptom) -> str:
    """Why a refusal of ours may be none of the users'; "" for what hits everybody."""
    refused = symptom.measured.get("status") in (401, 403) or (
        asked is not None and asked.status in (401, 403)
    )
    if not refused or symptom.kind in _LATE:
        return ""
    wants = (asked.header("www-authenticate") or "").lower() if asked is not None else ""
    if wants.startswith("bearer"):
        return ""  # it wants the token, and a browser's cookies are nothing to it
    return "a browser may carry a cookie for the endpoint that our request does not"


def _seconds(stream: Stream) -> float:
    until = stream.phases.headers if stream.phases.headers is not None else stream.end.at
    return until - sent_at(stream)


def _words(asked: Stream) -> str:
    if asked.status is None:
        return asked.end.detail or f"no answer ({asked.end.kind})"
    moved = asked.header("location")
    return f"{asked.status} after {_seconds(asked):.1f} s" + (f", to {moved}" if moved else "")


def _token_is_lost(case: Case, led: Route) -> bool:
    in_query = case.token is not None and bool(case.endpoint.token_parameter)
    return in_query and led.serves == "proxy" and not _query_goes_along(led)


def _query_goes_along(led: Route) -> bool:
    """True unless the endpoint surely gets nothing of the client's query."""
    written = [args[-1] for args in led.setting("proxy_set_header").values if args]
    written += list(led.handler.args) if led.handler else []
    return any("$" in text and _may_hold_query(text) for text in written)


def _may_hold_query(text: str) -> bool:
    names = re.findall(r"\$\{?(\w+)", _EMPTY.sub("", text))
    known = {"host", "http_host", "proxy_host", "remote_addr", "scheme", "uri", "document_uri"}
    known |= {"proxy_add_x_forwarded_for", "request_method", "server_port", "server_name"}
    known |= {"http_cookie", "http_authorization", "http_upgrade", "content_length", "request_id"}
    return any(name not in known for name in names)


def _advice(
    route: Route, led: Route, setting: Setting, symptom: Symptom, lost: bool
) -> tuple[Advice, ...]:
    place = route.location.label if route.location else "the location of the stream"
    if symptom.kind in _LATE:
        text = (
            "Make the endpoint answer at once, or keep its answers for some seconds (proxy_cache "
            f"in {led.location.label if led.location else 'its location'}). If the app checks the "
            f"token by itself, `auth_request off;` in {place} leaves it to the app."
        )
        return (Advice(Audience.SERVER, text),)
    found = [_original_uri(led)] if lost else []
    if symptom.measured.get("status") not in (401, 403):
        found.append(_plain_refusal(led))
    text = (
        f"If the app checks the token by itself, `auth_request off;` in {place} "
        f"({setting.where}) leaves it to the app."
    )
    return (*found, Advice(Audience.SERVER, text))


def _original_uri(led: Route) -> Advice:
    place = led.location.label if led.location else "the location of the endpoint"
    where = f" ({led.location.where})" if led.location else ""
    return Advice(
        Audience.SERVER,
        f"In {place}{where} write `proxy_set_header X-Original-URI $request_uri;` and let the "
        "endpoint read the token from there.",
    )


def _plain_refusal(led: Route) -> Advice:
    place = led.location.label if led.location else "the endpoint of auth_request"
    return Advice(
        Audience.SERVER,
        f"Let {place} answer 2xx, 401 or 403 and never redirect. A login page belongs to "
        "documents alone: `error_page 401 = @login;` in their location, a plain 401 for streams.",
    )
