"""A symptom that settings elsewhere would have prevented: which, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ssemedic.case import Case
from ssemedic.clues.buffering import SIGNS, held, nginx_hops
from ssemedic.clues.intent import Meant, family, meant
from ssemedic.nginx import Route, seconds
from ssemedic.rules import Sign
from ssemedic.stream.detect import observe_one
from ssemedic.symptoms import Kind, Symptom

#: What missing settings of a stream's location show; html and 404 where even the way is missed.
EXPLAINS: tuple[Sign | Kind, ...] = (
    *SIGNS,
    Kind.CUT_WHEN_IDLE,
    Kind.CUT_AFTER,
    Kind.ENDED,
    Kind.RESET,
    Kind.HTML_INSTEAD,
    Sign(Kind.WRONG_STATUS, (400, 404, 405, 426, 502, 504, 505)),
)
_TOLERANCE = 1.5  # seconds a measured cut may be from the timeout in force


@dataclass(frozen=True)
class Missed:
    """Settings that would have helped at an nginx, where they stand, and what shows it."""

    hop: str
    route: Route
    meant: Meant
    evidence: tuple[str, ...]


def missed(case: Case, handed_over: bool) -> Iterator[Missed]:
    """The location whose settings would have prevented a symptom, for each nginx on the way."""
    for hop, route in nginx_hops(case):
        there = meant(route)
        if there is None or there.handed_over is not handed_over:
            continue
        shown = tuple(_evidence(case, hop, route, there))
        if shown:
            force = f"in force at {_where(route)}: {_in_force(route, there)}"
            yield Missed(hop, route, there, (*shown, force))


def _evidence(case: Case, hop: str, route: Route, there: Meant) -> Iterator[str]:
    for rule in ("nginx_location_not_matched", "nginx_internal_redirect_loses_settings"):
        for one in held(case, rule):
            if one.hop == hop:
                yield from one.evidence
    cut = case.symptom(hop, Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER)
    if cut is not None and _is_of_the_timeout(route, there, cut):
        yield cut.text
    if "proxy_http_version" in there.settings:
        yield from _ended_by_http10(case, hop)
    page = case.symptom(hop, Kind.HTML_INSTEAD, Kind.WRONG_STATUS)
    if there.passes and page is not None and page.measured.get("status") in (None, 404, 405):
        yield page.text


def _is_of_the_timeout(route: Route, there: Meant, cut: Symptom) -> bool:
    name = f"{family(route)}_read_timeout"
    if name not in there.settings:
        return False
    if cut.source != "stream":
        return True
    now = seconds(route.setting(name).first or "60s") or 60.0
    idle = cut.measured.get("idle_seconds")
    return idle is not None and abs(float(idle) - now) <= _TOLERANCE + 0.05 * now


def _ended_by_http10(case: Case, hop: str) -> Iterator[str]:
    """The app streams over HTTP/1.1 and not over HTTP/1.0, which is spoken for want of a line."""
    kinds = (Kind.CLOSED_AT_ONCE, Kind.ENDED, Kind.RESET, Kind.WRONG_STATUS, Kind.WRONG_TYPE)
    shown = case.symptom(hop, *kinds)
    plain, counter = case.topology.stream("app"), case.topology.stream("app", "http10")
    if shown is None or plain is None or counter is None or not plain.is_event_stream:
        return
    there = [s for s in observe_one(counter) if s.kind in kinds]
    if there and not [s for s in observe_one(plain) if s.kind in kinds]:
        yield shown.text
        yield f"counter-test, the app asked with HTTP/1.0: {there[0].text}"


def _where(route: Route) -> str:
    location = route.location
    return f"{location.label} ({location.where})" if location is not None else "the server"


def _in_force(route: Route, there: Meant) -> str:
    if there.passes and route.serves != "proxy":
        return "no upstream"
    lines = []
    for name in there.settings:
        setting = route.setting(name)
        shown = " ".join(setting.values[0]) if setting.values else "nothing"
        lines.append(f"{name} {shown} ({setting.where})")
    return ", ".join(lines)
