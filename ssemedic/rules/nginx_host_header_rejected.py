"""Cause: nginx_host_header_rejected."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.nginx.asked import Asked, asked, host_of
from ssemedic.rules import Sign, configured, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom

_STATUSES = (301, 302, 307, 308, 400, 403, 404, 421)
_KINDS = (Kind.WRONG_STATUS, Kind.HTML_INSTEAD, Kind.WRONG_TYPE, Kind.REDIRECT_LOOP, Kind.RESET)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(
        Sign(Kind.WRONG_STATUS, (*_STATUSES, 502)),
        *_KINDS[1:],
        Kind.TLS_ERROR,
    ),
    needs=("nginx", "streams"),
)
def nginx_host_header_rejected(case: Case) -> Iterator[Finding]:
    """The app refuses the host name under which nginx asks it.

    An app with a list of allowed hosts answers 421 "Invalid Host header", 400 or 403
    within milliseconds to any other name: to the public one that nginx passes on, or to
    the upstream's own, which nginx sends unless told otherwise. Over https to the app
    the name in the TLS handshake counts in the same way, and nginx sends none unless
    told to. EventSource gives up for good (readyState 2).

    It is a cause only where the very same request with another name streams.
    """
    sent = asked(case.asking[1])
    refused = case.topology.stream("app", "as-nginx")
    if sent is None or refused is None or refused.is_event_stream:
        return
    named = case.topology.stream("app", "sni")
    if named is not None and named.is_event_stream and sent.server_name is None:
        yield _without_name(case, refused)
        return
    other = case.topology.stream("app", "host")
    if other is None or not other.is_event_stream:
        return
    whole = case.topology.stream("app", "args")
    if whole is not None and whole.is_event_stream:
        return  # the query alone makes it a stream, whatever the name
    plain = case.topology.stream("app")
    if plain is not None and plain.is_event_stream:
        yield _other_name_sent(case, sent, refused)
    else:
        yield _public_name_refused(case, sent, refused)


@configured(nginx_host_header_rejected)
def _configured(found: Route, endpoint: Endpoint) -> Iterator[Finding]:
    sent = asked(found)
    host = sent.header("Host") if sent else None
    bad = host is not None and _not_a_host(host) and found.upstream is not None
    if sent is None or host is None or not bad:
        return
    yield Finding(
        hop="nginx",
        where=found.setting("proxy_set_header").where,
        observed=f"the app is asked under the name of the upstream block, {host}, which is no "
        "host name (it has an underscore)",
        expected="proxy_set_header Host $host",
        remedy=_host_line(endpoint),
        depends="the app checks host names",
    )


def _not_a_host(host: str) -> bool:
    return "_" in host


def _other_name_sent(case: Case, sent: Asked, refused: Stream) -> Finding:
    """The app knows the public name, and nginx sends another."""
    hop, asking = case.asking
    symptom = _symptom(case, hop)
    headers = asking.setting("proxy_set_header")
    line = next((x for x in headers.lines if x.args and x.args[0].lower() == "host"), None)
    handler = asking.handler
    where = line.where if line else handler.where if handler else headers.where
    name = sent.header("Host") or ""
    return Finding(
        hop=hop,
        where=where,
        observed=f"the app is asked with Host: {name}, and refuses it",
        expected=f"proxy_set_header Host {_public_variable(case.endpoint)}: the public name",
        evidence=(
            *([symptom.text] if symptom else []),
            f"counter-test, the app asked as nginx asks it: {_answer(refused)}",
            f"the same with Host: {_public(case.endpoint)}: 200 text/event-stream",
        ),
        certainty=3,
        remedy=_host_line(case.endpoint),
    )


def _public_name_refused(case: Case, sent: Asked, refused: Stream) -> Finding:
    """The app does not know its public name; letting it in is its own decision."""
    name = sent.header("Host") or _public(case.endpoint)
    symptom = _symptom(case, "app") or _symptom(case, case.asking[0])
    hop = symptom.hop if symptom else "app"
    unit = case.topology.unit
    return Finding(
        hop=hop,
        where=unit.name if unit else "the app",
        observed=f"refuses Host: {name} ({_answer(refused)}), but streams for localhost",
        expected=f"{name} among the hosts that the app allows",
        evidence=(
            *([symptom.text] if symptom else []),
            f"counter-test, Host: {name}: {_answer(refused)}",
            "the same with Host: localhost: 200 text/event-stream",
        ),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"Add {name} to the app's list of allowed hosts (ALLOWED_HOSTS, "
                "TrustedHostMiddleware, allowed_hosts or the like) and restart it. The list is a "
                "protection against DNS rebinding, so it is not passed by here; where the app "
                "cannot be changed, `proxy_set_header Host localhost;` in the location of the "
                "stream hides the public name from it.",
            ),
        ),
    )


def _without_name(case: Case, refused: Stream) -> Finding:
    """The TLS handshake with the app needs a name."""
    hop, asking = case.asking
    symptom = _symptom(case, hop)
    setting = asking.setting("proxy_ssl_server_name")
    handler = asking.handler
    sent = asked(asking)
    lines: dict[str, tuple[tuple[str, ...], ...]] = {"proxy_ssl_server_name": (("on",),)}
    if sent is not None and sent.tls_name is None:
        # An address is never sent as a name: the one that streamed is said outright.
        lines["proxy_ssl_name"] = ((host_of(sent.header("Host") or ""),),)
    return Finding(
        hop=hop,
        where=setting.where if setting.wheres else handler.where if handler else setting.where,
        observed="nginx names no host in the TLS handshake with the app, which refuses that",
        expected="proxy_ssl_server_name on",
        evidence=(
            *([symptom.text] if symptom else []),
            f"counter-test, the app asked without a name: {_answer(refused)}",
            "the same with a name in the handshake: 200 text/event-stream",
        ),
        certainty=3,
        remedy=NginxRemedy(lines),
    )


def _host_line(endpoint: Endpoint) -> NginxRemedy:
    return NginxRemedy({"proxy_set_header": (("Host", _public_variable(endpoint)),)})


def _public_variable(endpoint: Endpoint) -> str:
    """$host has no port; where the public name has one, the app may want to know."""
    usual = urlsplit(endpoint.url).port in (None, 80, 443)
    return "$host" if usual else "$http_host"


def _public(endpoint: Endpoint) -> str:
    return urlsplit(endpoint.url).netloc


def _symptom(case: Case, hop: str) -> Symptom | None:
    return case.symptom(hop, *_KINDS, Kind.TLS_ERROR)


def _answer(stream: Stream) -> str:
    if stream.status is None:
        return stream.end.detail or stream.end.kind
    return f"{stream.status} {stream.reason}".strip()
