"""Every rule's view of a configuration alone, for one URL after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, NginxRemedy, Severity
from ssemedic.nginx import Edit, Refusal, Route, Tree, endpoints, route
from ssemedic.nginx_plan import PlanError, edit_for, in_good_time
from ssemedic.rules import Rule, all_rules

_PLACE = re.compile(r"(.+):(\d+)")


class Level(StrEnum):
    """How sure it is that a finding hurts."""

    ERROR = "error"  # whatever the app and the clients do
    WARNING = "warning"  # if what it depends on is so
    NOTE = "note"  # worth tidying, no stream suffers


@dataclass(frozen=True)
class Problem:
    """A finding of one rule. ``file`` and ``line`` are where to act: where the setting is
    written, or the location that lacks it."""

    rule: Rule
    level: Level
    finding: Finding
    file: str
    line: int

    @property
    def write(self) -> str:
        """The exact lines of the remedy, "" where there is only advice."""
        remedy = self.finding.remedy
        return in_good_time(remedy) if isinstance(remedy, NginxRemedy) else ""


@dataclass(frozen=True)
class Judged:
    """What a configuration does with one URL, and what is wrong with it.

    ``why`` says why a URL that nobody named is taken for an event stream. ``unknown`` says why
    nothing could be judged, "" where it could. ``edit`` is what a repair would change, or why
    it would not.
    """

    endpoint: Endpoint
    route: Route = field(repr=False)
    problems: tuple[Problem, ...] = ()
    why: tuple[str, ...] = ()
    unknown: str = ""
    edit: Edit | Refusal | None = None


def judge(
    tree: Tree,
    asked: Sequence[Endpoint],
    version: str,
    build: str = "",
    like: Endpoint | None = None,
) -> tuple[Judged, ...]:
    """Judge the URLs asked for; without any, every location that looks like an event stream,
    with what ``like`` says of its app and pages."""
    if asked:
        return tuple(_judged(tree, endpoint, version, build) for endpoint in asked)
    like = like or Endpoint("")
    return tuple(
        _judged(
            tree,
            Endpoint(found.url, keepalive_seconds=like.keepalive_seconds, origin=like.origin),
            version,
            build,
            found.reasons,
        )
        for found in endpoints(tree, version)
    )


def _judged(
    tree: Tree, endpoint: Endpoint, version: str, build: str, why: tuple[str, ...] = ()
) -> Judged:
    found = route(tree, endpoint.url, version, build=build)
    if found.server is None:
        return Judged(endpoint, found, (), why, "; ".join(found.notes))
    if (mismatch := _mismatch(found)) is not None:
        return Judged(endpoint, found, (), why, mismatch)
    problems = tuple(sorted(_problems(found, endpoint), key=_order))
    unknown = "" if problems else _unknown(found)
    return Judged(endpoint, found, problems, why, unknown, _edit(found, endpoint, problems))


def _problems(found: Route, endpoint: Endpoint) -> Iterator[Problem]:
    for rule in all_rules():
        if rule.configured is None:
            continue
        for finding in rule.configured(found, endpoint):
            file, line = _place(found, finding.where)
            yield Problem(rule, _level(rule, finding), finding, file, line)


def _order(problem: Problem) -> tuple[int, str, int]:
    return list(Level).index(problem.level), problem.file, problem.line


def _level(rule: Rule, finding: Finding) -> Level:
    if rule.severity is Severity.HYGIENE:
        return Level.NOTE
    return Level.WARNING if finding.depends else Level.ERROR


def _place(found: Route, where: str) -> tuple[str, int]:
    """Where a setting is written; for a default, the location that would have to say otherwise."""
    written = _PLACE.fullmatch(where)
    if written and written[1] in found.tree.sources:
        return written[1], int(written[2])
    block = found.location.directive if found.location else found.server
    assert block is not None  # without a server nothing is judged
    return block.file, block.line


def _mismatch(found: Route) -> str | None:
    """Why no request of the URL comes further than the listener: TLS where there is none, or the
    reverse. Perhaps somebody in front of nginx speaks it, or the URL is wrong."""
    scheme, listen = urlsplit(found.url).scheme, found.listen
    if listen is None or listen.quic or (scheme == "https") == listen.tls:
        return None
    speaks = "with" if listen.tls else "without"
    return f"{listen.where} listens {speaks} TLS, and the URL is {scheme}: name the URL it serves"


def _unknown(found: Route) -> str:
    """Why a route with no finding is no healthy one."""
    if found.serves == "proxy":
        return ""
    place = found.location.label if found.location else "the server block"
    if found.redirect:
        return f"{place} redirects to {found.redirect}: name that URL"
    status = f" with {found.status}" if found.status else ""
    return "; ".join((f"{place} answers by itself{status}, no app is asked", *found.notes))


def _edit(found: Route, endpoint: Endpoint, problems: Sequence[Problem]) -> Edit | Refusal | None:
    """What `ssemedic remediate` would write for all of it together."""
    remedies = [
        (problem.rule, problem.finding.remedy)
        for problem in problems
        if isinstance(problem.finding.remedy, NginxRemedy)
    ]
    try:
        edit = edit_for(found, endpoint.url, remedies)
    except PlanError as error:
        return Refusal(str(error))
    return None if isinstance(edit, Edit) and edit.is_empty else edit
