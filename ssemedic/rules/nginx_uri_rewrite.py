"""Cause: nginx_uri_rewrite."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.nginx.request import normal
from ssemedic.nginx.upstream import take_apart
from ssemedic.rules import Sign, configured, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

_STATUSES = (301, 302, 307, 308, 400, 404, 405, 501)
_KINDS = (Kind.WRONG_STATUS, Kind.HTML_INSTEAD, Kind.WRONG_TYPE, Kind.REDIRECT_LOOP)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, _STATUSES), *_KINDS[1:]),
    needs=("nginx", "streams"),
)
def nginx_uri_rewrite(case: Case) -> Iterator[Finding]:
    """nginx asks the app for another path than the one at which it streams.

    Where the location and proxy_pass disagree on their last slash, or a rewrite cuts
    the path, the app is asked for `//events`, or with a prefix that it does not know,
    or without one that it wants. It answers 404, or redirects to a path that the
    outside does not have; EventSource gives up for good (readyState 2).

    It is a cause only where the app, asked for the other path, streams.
    """
    hop, found = case.asking
    if found.serves != "proxy" or found.handler is None or case.topology.app_found_elsewhere:
        return
    works = [
        s for s in case.topology.counter if s.variant.startswith("path-") and s.is_event_stream
    ]
    if not works:
        return
    through = case.topology.stream(hop)
    if through is not None and through.is_event_stream:
        return
    symptom = case.symptom(hop, *_KINDS)
    passed = (found.uri_passed or "").partition("?")[0]
    refused = case.topology.stream("app", "target") or case.topology.stream("app")
    paths = [_path(stream) for stream in works]
    only = paths[0] if len(paths) == 1 else None
    remedy = _remedy(found, only) if only else None
    yield Finding(
        hop=hop,
        where=found.handler.where,
        observed=f"the app is asked for {passed}, which it does not have ({_answer(refused)})",
        expected=f"the app is asked for {' or '.join(paths)}, where it streams",
        evidence=(
            *([symptom.text] if symptom else []),
            f"counter-test, the app asked for {passed}: {_answer(refused)}",
            *(f"the app asked for {path}: 200 text/event-stream" for path in paths),
        ),
        certainty=3,
        remedy=remedy,
        advice=() if remedy else (_by_hand(found, paths),),
    )


@configured(nginx_uri_rewrite)
def _configured(found: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Two slashes, or two parts of the path glued together, are hardly ever meant."""
    handler, location = found.handler, found.location
    if found.serves != "proxy" or handler is None or location is None or not found.resolved:
        return
    asked, passed = urlsplit(endpoint.url).path, (found.uri_passed or "").partition("?")[0]
    part = found.pass_uri or ""
    glued = (
        location.modifier in ("", "^~")
        and location.name.endswith("/")
        and len(location.name) > 1
        and part != ""
        and not part.endswith(("/", "=", "-", "_"))
        and "$" not in part
        and "?" not in part
        and normal(asked) != location.name
    )
    doubled = "//" in passed and "//" not in asked
    if not glued and not doubled:
        return
    yield Finding(
        hop="nginx",
        where=handler.where,
        observed=f"{location.label} and proxy_pass {handler.args[0]} disagree on the last slash: "
        f"the app is asked for {passed}",
        expected="both end in a slash, or neither does",
        depends="the app has no such path",
        advice=(
            Advice(
                Audience.SERVER,
                f"Let {location.label} and proxy_pass {handler.args[0]} both end in a slash, or "
                "give proxy_pass no path at all if the app knows the whole path.",
            ),
        ),
    )


def _remedy(found: Route, path: str) -> NginxRemedy | None:
    """A proxy_pass for this one path; no other URL of the location is touched."""
    handler, location = found.handler, found.location
    if handler is None or handler.name != "proxy_pass" or "$" in handler.args[0]:
        return None
    written = take_apart(handler.name, handler.args[0])
    colon = ":" if written.authority.startswith("unix:") else ""
    line = {"proxy_pass": ((f"{written.scheme}://{written.authority}{colon}{path}",),)}
    asked = normal(urlsplit(found.url).path or "/")
    own = location is not None and location.modifier in ("", "=", "^~") and location.name == asked
    return NginxRemedy(line) if own else NginxRemedy(line, location=f"= {asked}")


def _by_hand(found: Route, paths: list[str]) -> Advice:
    assert found.handler is not None
    shown = " or ".join(paths)
    which = "the one that is meant" if len(paths) > 1 else "that"
    return Advice(
        Audience.SERVER,
        f"The app streams at {shown}: let {found.handler.where} ({found.handler.name} "
        f"{' '.join(found.handler.args)}) ask for {which}.",
    )


def _path(stream: Stream) -> str:
    return urlsplit(stream.url).path or "/"


def _answer(stream: Stream | None) -> str:
    if stream is None:
        return "no answer"
    moved = stream.header("location")
    to = f" to {urlsplit(moved).path}" if moved and stream.status in (301, 302, 307, 308) else ""
    return f"{stream.status or stream.end.kind}{to}"
