"""Cause: nginx_130_default_change."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

_KINDS = (
    Kind.WRONG_STATUS,
    Kind.CLOSED_AT_ONCE,
    Kind.ENDED,
    Kind.RESET,
    Kind.NO_ANSWER,
    Kind.NOT_HTTP,
    Kind.CUT_AFTER,
    Kind.WRONG_TYPE,
)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (400, 426, 500, 501, 502, 505)), *_KINDS[1:]),
    needs=("nginx", "streams"),
)
def nginx_130_default_change(case: Case) -> Iterator[Finding]:
    """nginx speaks HTTP/1.1 to the app since its upgrade, and the app answers that badly.

    From 1.29.7 on (stable: 1.30) nginx asks its upstream with HTTP/1.1 and keeps the
    connection, where it spoke HTTP/1.0 and closed it before. An app that frames its
    answer wrongly in chunks, or cannot keep a connection, streamed until the upgrade
    and is 502 since, though no line of the configuration has changed.

    It is a cause only where the app streams over HTTP/1.0 and fails as nginx asks it now.
    """
    hop, asking = case.asking
    version = asking.setting("proxy_http_version")
    if asking.serves != "proxy" or not version.is_default or version.values[0][0] != "1.1":
        return
    before = case.topology.stream("app", "http10")
    now = case.topology.stream("app", "as-nginx")
    through = case.topology.stream(hop)
    if before is None or now is None or not before.is_event_stream or not before.reads:
        return
    if through is not None and through.is_event_stream and through.open_at_end:
        return
    if _streams(now):
        return
    symptom = case.symptom("app", *_KINDS) or case.symptom(hop, *_KINDS)
    handler = asking.handler
    yield Finding(
        hop=symptom.hop if symptom else hop,
        where=handler.where if handler else version.where,
        observed=f"proxy_http_version is 1.1 ({version.where}), and the app fails over HTTP/1.1",
        expected="an app that answers HTTP/1.1 correctly",
        evidence=(
            *([symptom.text] if symptom else []),
            f"counter-test, the app asked as nginx {asking.version} asks it: {_answer(now)}",
            "the app asked with HTTP/1.0, as nginx did before 1.29.7: 200 text/event-stream",
        ),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "Mend the app's answer over HTTP/1.1: one framing, set by the server it runs on, "
                "and no bytes after the end. Until then, in the location of the stream only: "
                "proxy_http_version 1.0; proxy_set_header Connection close;",
            ),
        ),
    )


def _streams(stream: Stream) -> bool:
    return stream.is_event_stream and bool(stream.reads) and stream.open_at_end


def _answer(stream: Stream) -> str:
    if stream.status is None:
        return stream.end.detail or stream.end.kind
    return f"{stream.status} {stream.content_type}, then {stream.end.kind}"
