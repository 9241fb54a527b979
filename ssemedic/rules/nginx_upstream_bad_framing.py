"""Cause: nginx_upstream_bad_framing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.upstream_log import UpstreamError, upstream_errors
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.rules import Sign, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

_BAD = re.compile(
    r"upstream sent (?:too big header"
    r"|\"Content-Length\" and \"Transfer-Encoding\" headers at the same time"
    r"|duplicate header line|unknown \"Transfer-Encoding\"|invalid header"
    r"|invalid \"[\w-]+\" header|invalid chunked response|no valid HTTP/1\.[01] header"
    r"|more data than specified in \"Content-Length\" header)"
)
_TOO_BIG = "too big header"
_KINDS = (
    Kind.WRONG_STATUS,
    Kind.CLOSED_AT_ONCE,
    Kind.ENDED,
    Kind.RESET,
    Kind.CUT_AFTER,
    Kind.CUT_WHEN_IDLE,
    Kind.NO_ANSWER,
)
_KILO = 1024
_MOST_KILO = 64
_SIZE = re.compile(r"(\d+)([kKmM]?)")


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (502,)), *_KINDS[1:]),
    needs=("nginx", "logs", "streams"),
)
def nginx_upstream_bad_framing(case: Case) -> Iterator[Finding]:
    """nginx refuses the form of the app's answer, which browsers would put up with.

    The headers are larger than nginx's buffer for them, or they say the length of the
    body in two ways, twice, or wrongly: an event stream has no length, and the server
    under the app frames it. nginx answers 502 within milliseconds and names the reason
    in its error log; asked directly, the app streams. Versions differ: both
    Content-Length and Transfer-Encoding pass 1.22 and are 502 from 1.23 on.
    """
    hop, asking = case.asking
    if asking.serves != "proxy":
        return
    symptom = case.symptom(hop, *_KINDS)
    errors = [
        error for error in upstream_errors(case.evidence, asking.url) if _BAD.search(error.message)
    ]
    if symptom is None or not errors:
        return
    last = errors[-1]
    app = case.topology.stream("app")
    evidence = (
        symptom.text,
        f"nginx's error log: {last.message}",
        *(["asked directly, the app streams"] if app and app.is_event_stream else []),
    )
    if _TOO_BIG in last.message:
        yield _too_big(hop, asking, app, evidence)
    else:
        yield _not_framed(case, hop, last, evidence)


def _too_big(hop: str, found: Route, app: Stream | None, evidence: tuple[str, ...]) -> Finding:
    sent = sum(len(name) + len(value) + 4 for name, value in app.headers) if app else 0
    setting = found.setting("proxy_buffer_size")
    now = _kilo(setting.values[0][0])
    wanted = max(8, 2 * now)
    while wanted * _KILO < 2 * sent and wanted < _MOST_KILO:
        wanted *= 2
    fits = sent < wanted * _KILO
    size = f" ({sent} bytes)" if sent else ""
    return Finding(
        hop=hop,
        where=setting.where,
        observed=f"the headers of the app{size} do not fit into proxy_buffer_size "
        f"{setting.values[0][0]}, which holds them even with buffering off",
        expected=f"proxy_buffer_size {wanted}k",
        evidence=evidence,
        certainty=3,
        remedy=NginxRemedy(_buffers(found, wanted)) if fits else None,
        advice=(
            Advice(
                Audience.SERVER,
                "Send fewer or smaller response headers from the app: large cookies and policies "
                "have no use on an event stream.",
            ),
        ),
    )


def _buffers(found: Route, kilo: int) -> dict[str, tuple[tuple[str, ...], ...]]:
    """The size, and with it what nginx demands of the other buffers.

    proxy_busy_buffers_size must be at least proxy_buffer_size and less than all
    proxy_buffers but one; by default it is twice the largest of them.
    """
    lines: dict[str, tuple[tuple[str, ...], ...]] = {"proxy_buffer_size": ((f"{kilo}k",),)}
    count, each = found.setting("proxy_buffers").values[0][:2]
    busy = found.setting("proxy_busy_buffers_size")
    if not busy.is_default and _kilo(busy.values[0][0]) < kilo:
        lines["proxy_busy_buffers_size"] = ((f"{2 * kilo}k",),)
    if (int(count) - 1) * _kilo(each) < 2 * max(kilo, _kilo(each)):
        lines["proxy_buffers"] = (("8", f"{max(kilo, _kilo(each))}k"),)
    return lines


def _kilo(size: str) -> int:
    found = _SIZE.fullmatch(size)
    if found is None:
        return 4
    number, unit = int(found[1]), found[2].lower()
    return {"": number // _KILO, "k": number, "m": number * _KILO}[unit]


def _not_framed(case: Case, hop: str, last: UpstreamError, evidence: tuple[str, ...]) -> Finding:
    unit = case.topology.unit
    said = _BAD.search(last.message)
    return Finding(
        hop=hop,
        where=unit.name if unit else "the app",
        observed=said[0] if said else last.message,
        expected="one framing of the answer, by the server under the app",
        evidence=evidence,
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "In the app, set neither Content-Length nor Transfer-Encoding (nor any header "
                "twice) on the event stream: the server it runs on frames the answer. nginx has "
                "no setting that lets such an answer pass.",
            ),
        ),
    )
