"""What a browser's own record adds to the symptoms of its streams. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ssemedic.evidence import Browser
from ssemedic.finding import Severity
from ssemedic.stream.record import Stream
from ssemedic.stream.single import AT_ONCE_SECONDS, observe_one
from ssemedic.symptoms import Expected, Kind, Symptom, cost

HOP = "browser"

_WAITING = (Kind.NO_ANSWER, Kind.BUFFERED)
_CORS = (Kind.MISSING_CORS, Kind.DUPLICATE_CORS)


def with_browser(
    symptoms: Sequence[Symptom],
    browser: Browser | None,
    streams: Sequence[Stream],
    expected: Expected,
) -> tuple[Symptom, ...]:
    """The symptoms, said more exactly where the browser's page knows more; as they are without."""
    if browser is None:
        return tuple(symptoms)
    by_hop = {stream.hop: stream for stream in streams if not stream.variant}
    told = tuple(_exactly(symptom, browser, by_hop) for symptom in symptoms)
    known = {(symptom.hop, symptom.kind) for symptom in told}
    added = (*_with_cookies(browser, by_hop, expected), *_of_event_source(browser, told))
    return (*told, *(s for s in added if (s.hop, s.kind) not in known))


def _exactly(symptom: Symptom, browser: Browser, by_hop: dict[str, Stream]) -> Symptom:
    if symptom.hop != HOP:
        return symptom
    if symptom.kind is Kind.BROWSER_REFUSED:
        return _refused(symptom, browser)
    inside, here = by_hop.get("public"), by_hop.get(HOP)
    waits = here is not None and here.status is None and here.end.kind == "limit_time"
    if symptom.kind in _WAITING and waits and inside is not None and inside.is_event_stream:
        text = (
            "browser: the request waits, while the same URL answers a prober beside it: the six "
            "connections of the browser to this host are taken"
        )
        return Symptom(Kind.SIX_CONNECTIONS, HOP, text, symptom.measured)
    return symptom


def _refused(symptom: Symptom, browser: Browser) -> Symptom:
    if browser.mixed:
        text = "browser: a page over https may not ask for a stream over http"
        return Symptom(Kind.BROWSER_REFUSED, HOP, text, {"mixed": True})
    if browser.policy:
        text = f"browser: {browser.policy} of the page's own policy forbids the request"
        return Symptom(Kind.BROWSER_REFUSED, HOP, text, {"policy": browser.policy})
    if browser.preflight_refused:
        text = "browser: with an Authorization header the request is refused, without it is not"
        return Symptom(Kind.PREFLIGHT_REFUSED, HOP, text, {"headers": ["authorization"]})
    if browser.opaque:
        text = f"browser: the server answers, and CORS keeps it from a page of {browser.origin}"
        return Symptom(Kind.BROWSER_REFUSED, HOP, text, {"opaque": True})
    return symptom


def _with_cookies(
    browser: Browser, by_hop: dict[str, Stream], expected: Expected
) -> Iterator[Symptom]:
    """What a page that sends cookies asks of the answer."""
    inside = by_hop.get("public")
    if not browser.credentials or inside is None or expected.origin is None:
        return
    asked = Expected(expected.origin, expected.keepalive_seconds, expected.window, credentials=True)
    yield from (s for s in observe_one(inside, asked) if s.kind in _CORS)


def _of_event_source(browser: Browser, told: Sequence[Symptom]) -> Iterator[Symptom]:
    """What EventSource itself did, where the stream's record does not show it."""
    grave = any(s.hop == HOP and cost(s.kind) is Severity.BROKEN for s in told)
    if browser.delivered is False:
        text = "browser: a test message was taken, and no event brought it"
        yield Symptom(Kind.CANARY_LOST, HOP, text)
    if grave or (browser.opaque and not browser.on_the_apps_origin):
        return
    opened = [c for c in browser.connections if c.opened is not None]
    failed = [c for c in opened if c.failed is not None and c.opened is not None]
    quick = [c for c in failed if (c.failed or 0.0) - (c.opened or 0.0) < AT_ONCE_SECONDS]
    if quick and not browser.events:
        lived = (quick[0].failed or 0.0) - (quick[0].opened or 0.0)
        text = f"browser: EventSource opened and failed {1000 * lived:.0f} ms later"
        measured = {"seconds": round(lived, 3), "attempts": len(browser.connections)}
        yield Symptom(Kind.CLOSED_AT_ONCE, HOP, text, measured)
    elif failed:
        lived = (failed[0].failed or 0.0) - (failed[0].opened or 0.0)
        text = f"browser: EventSource was cut {lived:.1f} s after it opened, and came back"
        yield Symptom(Kind.ENDED, HOP, text, {"total_seconds": round(lived, 2)})
    elif browser.connections and not opened and browser.connections[0].failed is not None:
        text = "browser: EventSource failed before it opened"
        yield Symptom(Kind.BROWSER_REFUSED, HOP, text, {"state": browser.connections[0].state})
