"""Cause: nginx_cache_sse."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import SIGNS, held, is_on
from ssemedic.clues.caching import Kept, kept
from ssemedic.clues.intent import family
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.rules import configured, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

_AT_ONCE = 1.0  # seconds in which a kept answer is over
_STATUS_HEADERS = ("x-cache-status", "x-cache", "x-proxy-cache", "cache-status")


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(*SIGNS, Kind.ENDED, Kind.REPLAYED),
    needs=("nginx", "streams"),
)
def nginx_cache_sse(case: Case) -> Iterator[Finding]:
    """nginx keeps the stream in its cache.

    The first client waits while the answer is collected for the cache: the headers
    come late or not at all. Once a stream has ended, the next client gets its old
    events from the cache, all at once, and is closed; EventSource comes back and gets
    them again. With `proxy_cache_lock` a second client waits for the first one.

    It takes a `proxy_cache` in scope and an answer that may be kept: no
    `Cache-Control: no-cache` from the app, or one that `proxy_ignore_headers` passes
    over. A stream is never worth keeping: `proxy_cache off` and `proxy_buffering off`
    in its location.
    """
    again = case.topology.stream("nginx", "again")
    for one in held(case, "nginx_cache_sse"):
        assert one.kept is not None
        evidence = (*one.evidence, *_second(again, None))
        yield _finding(one.route, one.hop, one.kept, evidence, 3)
        return
    plain, app = case.topology.stream("nginx"), case.topology.stream("app")
    stored = kept(case.route, app) if case.route.serves == "proxy" else None
    shown = case.symptom("nginx", Kind.REPLAYED, Kind.ENDED, Kind.CLOSED_AT_ONCE)
    if stored is None or shown is None or plain is None or app is None:
        return
    second = _second(again, plain)
    if _is_whole(plain) and (second or _is_hit(plain)):
        yield _finding(case.route, "nginx", stored, (shown.text, *second, *_hit(plain)), 3)


@configured(nginx_cache_sse)
def configured_cache(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """A cache that keeps whatever comes, whatever the app says of it."""
    stored = kept(route, None) if route.serves == "proxy" and is_on(route) else None
    if stored is not None:
        finding = _finding(route, "nginx", stored, (), 2)
        yield Finding(
            hop="nginx",
            where=finding.where,
            observed=f"{finding.observed}, for {endpoint.url}",
            expected=finding.expected,
            remedy=finding.remedy,
            depends="the app sends no X-Accel-Buffering: no",
        )


def _finding(
    route: Route, hop: str, stored: Kept, evidence: tuple[str, ...], certainty: int
) -> Finding:
    kind, name = family(route), stored.cache.name
    return Finding(
        hop=hop,
        where=stored.cache.where,
        observed=f"{name} is {stored.cache.first}, and the stream is kept in it ({stored.why})",
        expected=f"{name} off and {kind}_buffering off in the location of the stream",
        evidence=evidence,
        certainty=certainty,
        remedy=NginxRemedy({name: (("off",),), f"{kind}_buffering": (("off",),)}),
        advice=(
            Advice(
                Audience.SERVER,
                "Send Cache-Control: no-cache, no-transform with the stream: other caches on the "
                "way (a CDN) go by it. What nginx has kept already goes when it expires.",
            ),
        ),
    )


def _second(again: Stream | None, plain: Stream | None) -> tuple[str, ...]:
    """What the second client got, where it tells of a cache."""
    if again is None:
        return ()
    if again.status is None:
        waited = f"nothing within {again.end.at:.1f} s"
        return (f"counter-test, asked a second time: {waited}",) if plain is None else ()
    same = plain is not None and plain.body != b"" and again.body == plain.body
    if _is_hit(again) or (same and _is_whole(again)):
        what = "the same bytes" if same else "a kept answer"
        return (f"counter-test, asked a second time: {what} at once, then closed",)
    return ()


def _is_whole(stream: Stream) -> bool:
    """True for an answer that was complete at once and had something in it."""
    began = stream.phases.headers
    return (
        began is not None
        and stream.size > 0
        and not stream.open_at_end
        and stream.end.at - began <= _AT_ONCE + stream.stalled
    )


def _is_hit(stream: Stream) -> bool:
    return bool(_hit(stream))


def _hit(stream: Stream) -> tuple[str, ...]:
    """The header by which a cache says that it had the answer."""
    for name in _STATUS_HEADERS:
        said = stream.header(name) or ""
        if "hit" in said.lower():
            return (f"the answer says {name}: {said}",)
    return ()
