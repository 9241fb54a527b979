"""Cause: nginx_html_fallback."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.clues.intent import meant
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.nginx.upstream import PASSES
from ssemedic.rules import Sign, configured, rule
from ssemedic.rules.nginx_access_denied import is_denied
from ssemedic.symptoms import Kind

_SIGNS = (Sign(Kind.HTML_INSTEAD), Sign(Kind.WRONG_STATUS, (403, 404, 405)))


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=_SIGNS,
    needs=("nginx", "streams"),
)
def nginx_html_fallback(case: Case) -> Iterator[Finding]:
    """nginx answers the stream's URL with a page instead of passing it to the app.

    No location leads the path to the app, so the fallback of the single-page
    application (`try_files ... /index.html`) answers 200 text/html. EventSource
    refuses the MIME type for good (readyState 2); the app never sees a request. A location
    that is `internal`, or looks for files by `try_files ... =404` before its `proxy_pass`,
    answers 404 in the same way.
    """
    route = case.route
    symptom = case.symptom("nginx", Kind.HTML_INSTEAD, Kind.WRONG_STATUS)
    if route.serves not in ("static", "return") or symptom is None:
        return
    if not any(sign.fits(symptom) for sign in _SIGNS) or _meant_elsewhere(route):
        return
    found = case.topology.app_found_elsewhere
    path = urlsplit(case.endpoint.url).path or "/"
    refused = _refused(route, path, (symptom.text,))
    if refused is not None:
        yield refused
        return
    if symptom.measured.get("status") == 403:
        return  # a condition refuses this one request; who brings what it wants may come to the app
    only = found[0] if len(found) == 1 else None
    where = route.location.where if route.location else route.server.where if route.server else ""
    label = route.location.label if route.location else "the server block"
    places = ", ".join(stream.address for stream in found)
    yield Finding(
        hop="nginx",
        where=where,
        observed=f"{path} is served by {label}, which answers by itself and asks no app",
        expected=f"a location for {path} that passes to the app"
        + (f" at {places}" if places else ""),
        evidence=tuple(
            filter(
                None,
                (symptom.text, f"{places} answers 200 text/event-stream" if places else ""),
            )
        ),
        certainty=3,
        remedy=_new_location(path, only.address) if only else None,
        advice=() if only else (_by_hand(path, places),),
    )


@configured(nginx_html_fallback)
def answered_by_itself(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """A URL that nginx answers from its files, or by a `return`, can be no stream."""
    if route.serves not in ("static", "return") or not route.resolved or _meant_elsewhere(route):
        return
    if route.status is not None and 300 <= route.status < 400:
        return  # a redirect is no page
    if is_denied(route):
        return
    path = urlsplit(endpoint.url).path or "/"
    label = route.location.label if route.location else "the server block"
    refused = _refused(route, path, route.notes)
    if refused is not None:
        yield refused
        return
    yield Finding(
        hop="nginx",
        where=route.location.where
        if route.location
        else route.server.where
        if route.server
        else "",
        observed=f"{path} is served by {label}, which answers by itself and asks no app",
        expected=f"a location for {path} that passes to the app",
        evidence=route.notes,
        advice=(_by_hand(path, ""),),
    )


def _refused(route: Route, path: str, evidence: tuple[str, ...]) -> Finding | None:
    """A location that may well lead to the app, and lets no client that far; None where it does."""
    line = route.handler
    if line is None or route.location is None or line.name not in ("internal", "try_files"):
        return None
    own = route.tree.flat(route.location.directive.block)
    if line.name == "try_files" and not any(directive.name in PASSES for directive in own):
        return None
    text = " ".join((line.name, *line.args))
    return Finding(
        hop="nginx",
        where=line.where,
        observed=f"{text} is in force for {route.location.label}: nginx answers every client of "
        f"{path} with {route.status}",
        expected=f"a location for {path} that clients may ask",
        evidence=evidence,
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"If browsers are to open {path}, `{text}` ({line.where}) must not be in force for "
                "it; if they are not, another URL is the stream's.",
            ),
        ),
    )


def _meant_elsewhere(route: Route) -> bool:
    """True where a location that leads to an app was meant for the URL, and nginx misses it."""
    there = meant(route)
    return there is not None and there.passes


def _new_location(path: str, address: str) -> NginxRemedy:
    upstream = f"http://{address}"
    return NginxRemedy(
        {
            "proxy_pass": ((upstream,),),
            "proxy_http_version": (("1.1",),),
            "proxy_set_header": (
                ("Connection", ""),
                ("Host", "$host"),
                ("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
                ("X-Forwarded-Proto", "$scheme"),
            ),
            "proxy_buffering": (("off",),),
            "proxy_read_timeout": (("1h",),),
        },
        location=f"^~ {path}",
    )


def _by_hand(path: str, places: str) -> Advice:
    seen = f" (it answers at {places})" if places else ""
    return Advice(
        Audience.SERVER,
        f"Add `location ^~ {path} {{ proxy_pass http://ADDRESS; proxy_http_version 1.1; "
        'proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout 1h; }` beside the '
        f"fallback; which address is the app's could not be told{seen}.",
    )
