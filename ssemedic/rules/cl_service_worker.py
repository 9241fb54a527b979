"""Cause: cl_service_worker."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.page.seen import HOP
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_EXPLAINS = (
    *(Kind.BUFFERED, Kind.CUT_AFTER, Kind.CUT_WHEN_IDLE, Kind.ENDED, Kind.NO_ANSWER),
    *(Kind.CLOSED_AT_ONCE, Kind.BROWSER_REFUSED, Kind.HTML_INSTEAD, Kind.WRONG_STATUS),
)


@rule(
    layer=Layer.CLIENT,
    severity=Severity.DEGRADED,
    explains=_EXPLAINS,
    needs=("browser", "streams"),
)
def cl_service_worker(case: Case) -> Iterator[Finding]:
    """A service worker answers for the stream, and holds or ends it.

    A worker with a `fetch` handler gets every request of its pages, the stream's too.
    What it answers from a cache is no stream; what it passes on lives only as long as
    the browser lets the worker live (30 s without an event, in some). A hard reload
    goes past the worker, and all is well until the next visit.

    Let the handler return without `respondWith` for the stream's path.
    """
    browser, symptom = case.evidence.browser, case.symptom(HOP, *_EXPLAINS)
    if browser is None or symptom is None or not browser.service_worker:
        return
    inside = case.topology.stream("public")
    passes = inside is not None and inside.is_event_stream
    refused = browser.mixed or browser.policy or browser.opaque or browser.preflight_refused
    if refused or not (browser.worker_answered or passes):
        return
    sure = browser.worker_answered and passes
    evidence = [symptom.text, f"{browser.service_worker} controls the page"]
    if browser.worker_answered:
        evidence.append("the browser's timing says that the worker handled the request")
    if passes:
        evidence.append("the same URL streams to a prober beside the browser")
    yield Finding(
        hop=HOP,
        where=browser.service_worker,
        observed="the service worker handles the stream's request",
        expected="the stream goes past it",
        evidence=tuple(evidence),
        certainty=3 if sure else 1,
        out_of_reach=""
        if sure
        else "only one of both is known: that it handled the request, "
        "and that the stream is fine without it",
        advice=(
            Advice(
                Audience.FRONTEND,
                "First lines of the worker's fetch handler: "
                "if (event.request.headers.get('accept') === 'text/event-stream' || "
                f"new URL(event.request.url).pathname === '{_path(case)}') return; "
                "In Workbox: no route for this path, navigateFallback "
                "with a denylist.",
            ),
        ),
    )


def _path(case: Case) -> str:
    return urlsplit(case.endpoint.url).path or "/"
