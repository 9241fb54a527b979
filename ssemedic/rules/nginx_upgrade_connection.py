"""Cause: nginx_upgrade_connection."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.nginx.asked import asked
from ssemedic.rules import Sign, configured, rule
from ssemedic.symptoms import Kind

_KINDS = (
    Kind.WRONG_STATUS,
    Kind.CLOSED_AT_ONCE,
    Kind.ENDED,
    Kind.RESET,
    Kind.NO_ANSWER,
    Kind.WRONG_TYPE,
    Kind.HTML_INSTEAD,
)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (101, 400, 403, 426, 500, 501, 502)), *_KINDS[1:]),
    needs=("nginx", "streams"),
)
def nginx_upgrade_connection(case: Case) -> Iterator[Finding]:
    """nginx asks for a WebSocket upgrade on a plain event stream, and the app refuses.

    `proxy_set_header Connection "upgrade"`, pasted from a WebSocket recipe, goes out
    with every request. Most apps overlook it and stream; a strict one answers 400 or
    426 within milliseconds, and EventSource gives up for good (readyState 2).

    It is a cause only where the app refuses the very request of nginx, and streams once
    that line is left out.
    """
    hop, asking = case.asking
    if asking.serves != "proxy":
        return
    refused = case.topology.stream("app", "as-nginx")
    without = case.topology.stream("app", "connection")
    symptom = case.symptom(hop, *_KINDS)
    if refused is None or without is None or refused.is_event_stream:
        return
    if not without.is_event_stream or not _pasted(asking):
        return
    less = (case.topology.stream("app", variant) for variant in ("args", "host"))
    if any(stream is not None and stream.is_event_stream for stream in less):
        return  # the query or the host name alone makes it a stream, whatever the upgrade
    answer = refused.status or refused.end.detail or refused.end.kind
    yield _finding(
        asking,
        hop=hop,
        evidence=(
            *([symptom.text] if symptom else []),
            f"counter-test, the app asked as nginx asks it: {answer}",
            "the same without that Connection line: 200 text/event-stream",
        ),
    )


@configured(nginx_upgrade_connection)
def _configured(found: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    if _pasted(found):
        yield _finding(found, depends="the app takes a request with Connection: upgrade amiss")


def _pasted(found: Route) -> bool:
    sent = asked(found)
    return sent is not None and "upgrade" in (sent.header("Connection") or "").lower()


def _finding(
    found: Route, evidence: tuple[str, ...] = (), depends: str = "", hop: str = "nginx"
) -> Finding:
    sent = asked(found)
    lines = [("Connection", "")]
    if sent is not None and sent.header("Upgrade"):
        lines.append(("Upgrade", ""))
    headers = found.setting("proxy_set_header")
    where = next(
        (line.where for line in headers.lines if line.args[0].lower() == "connection"),
        headers.where,
    )
    return Finding(
        hop=hop,
        where=where,
        observed='proxy_set_header Connection "upgrade" goes out with a plain event stream',
        expected='proxy_set_header Connection "" in the location of the stream',
        evidence=evidence,
        remedy=NginxRemedy({"proxy_set_header": tuple(lines)}),
        certainty=3,
        depends=depends,
    )
