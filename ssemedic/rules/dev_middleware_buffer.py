"""Cause: dev_middleware_buffer."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.dev_server import HELD, HOP, coding_of_its_own, is_next, only_for_gzip
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule


@rule(layer=Layer.DEVPROXY, severity=Severity.BROKEN, explains=HELD, needs=("streams",))
def dev_middleware_buffer(case: Case) -> Iterator[Finding]:
    """The dev proxy collects the answer before it passes it on.

    Some dev adapters (express-http-proxy, vite-plugin-node, dev servers that turn
    an answer into a string first) read the whole body before they send it. A stream
    has no end, so nothing comes, or it comes in bursts. The built app is fine.

    Use a proxy that streams: Vite's own `server.proxy`, http-proxy-middleware, or a
    newer adapter.
    """
    symptom = case.symptom(HOP, *HELD)
    if symptom is None or is_next(case):
        return
    if only_for_gzip(symptom) or coding_of_its_own(case) is not None:
        return
    inner = next((s for s in reversed(case.topology.streams) if s.hop != HOP), None)
    if inner is None or not inner.is_event_stream or not inner.reads:
        return
    yield Finding(
        hop=HOP,
        where=case.endpoint.devproxy or HOP,
        observed=symptom.text,
        expected="each event passes as it comes",
        evidence=(
            symptom.text,
            f"{inner.hop}: {inner.size} bytes in {len(inner.reads)} reads in the same time",
        ),
        certainty=2,
        out_of_reach=_only_a_browser(case),
        advice=(
            Advice(
                Audience.FRONTEND,
                "Proxy the stream with something that does not collect answers: Vite "
                "`server: {proxy: {'/events': {target: 'http://...', changeOrigin: true}}}` or "
                "http-proxy-middleware without `selfHandleResponse` and without a response "
                "interceptor; replace express-http-proxy, and update vite-plugin-node or Hono's "
                "dev server.",
            ),
        ),
    )


def _only_a_browser(case: Case) -> str:
    """Why it could as well be compression: a browser always takes gzip, and was the only one."""
    seen = case.topology.stream(HOP)
    if seen is None or seen.vantage != "browser":
        return ""
    return "only a browser asked it, which takes gzip: a compressing middleware looks the same"
