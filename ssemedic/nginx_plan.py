"""From remedies for nginx to one edit: wishes merged, contradictions told, the rest as advice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.diagnosis import Cause
from ssemedic.finding import NginxRemedy
from ssemedic.nginx import Edit, Line, Refusal, Route, adopt, seconds, statement
from ssemedic.nginx.alike import equal, same, speaks_of
from ssemedic.rules import Rule

OURS = "/etc/nginx/ssemedic"


class PlanError(ValueError):
    """Two causes call for settings that contradict each other."""


@dataclass
class Wanted:
    """What the causes at one hop call for together."""

    lines: list[Line] = field(default_factory=list)
    without: list[Line] = field(default_factory=list)
    process: dict[str, str] = field(default_factory=dict)
    location: str | None = None
    rules: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)  # rules that ask for process limits


@dataclass(frozen=True)
class NginxChange:
    """The edit, whether nginx is to be reloaded without one, and what could not be edited:
    the rule and a text."""

    edit: Edit | None
    reload: bool
    by_hand: tuple[tuple[str, str], ...]


def nginx_change(case: Case, causes: Sequence[Cause]) -> NginxChange:
    """One edit for the innermost nginx server that needs one. Raises `PlanError`."""
    topology = case.topology
    remedies = [(c, r) for c in causes if isinstance(r := c.finding.remedy, NginxRemedy)]
    inner = [(c.rule, r) for c, r in remedies if c.finding.hop == "inner"]
    outer = [(c.rule, r) for c, r in remedies if c.finding.hop != "inner"]
    by_hand: list[tuple[str, str]] = []
    edit: Edit | None = None
    for group, found in ((inner, topology.inner), (outer, topology.route)):
        wanted = wanted_by(group)
        if topology.tree is None or found is None or not wanted.rules:
            continue
        if edit is not None and (wanted.lines or wanted.without):
            text = "Not changed at the same time: the server behind it first. Run this again then."
            by_hand += [(rule, text) for rule in wanted.rules]
            continue
        ours = f"{OURS}/{slug(case.endpoint.url)}{'-inner' if group is inner else ''}.conf"
        edit = _edit(found, wanted, ours, by_hand) or edit
    reload = any(
        isinstance(c.finding.remedy, NginxRemedy) and c.finding.remedy.reload for c in causes
    )
    return NginxChange(edit, reload, tuple(by_hand))


def edit_for(
    found: Route, url: str, remedies: Iterable[tuple[Rule, NginxRemedy]]
) -> Edit | Refusal:
    """The edit of a configuration alone, for an endpoint's URL. Raises `PlanError`.

    One that has neither files nor directives changes nothing.
    """
    return _adopted(found, wanted_by(remedies), f"{OURS}/{slug(url)}.conf")


def wanted_by(remedies: Iterable[tuple[Rule, NginxRemedy]]) -> Wanted:
    """The wishes of all rules, each once. Raises `PlanError` where two contradict."""
    wanted = Wanted()
    for asking, remedy in remedies:
        rule, title = asking.id, asking.title
        for name, values in remedy.settings.items():
            for args in values:
                _add(wanted.lines, Line(name, args, rule, title))
        for name, key in remedy.without:
            _drop(wanted.without, Line(name, (key,), rule, title))
        for name, value in remedy.process.items():
            _limit(wanted.process, name, value, rule)
            wanted.limits.append(rule)
        wanted.location = _location(wanted.location, remedy.location, rule)
        if remedy.settings or remedy.without or remedy.process:
            wanted.rules.append(rule)
    for gone in wanted.without:
        for line in wanted.lines:
            if line.name == gone.name and speaks_of(line.name, line.args, gone.args[0]):
                raise PlanError(
                    f"{line.name} {gone.args[0]}: {line.cause} asks for it, {gone.cause} for none"
                )
    return wanted


def in_good_time(remedy: NginxRemedy) -> str:
    """What a person may write for a cause that nothing is changed for yet."""
    lines = [statement(name, args) for name, values in remedy.settings.items() for args in values]
    parts = []
    if lines:
        parts.append(f"in the location of the stream: {' '.join(lines)}")
    if remedy.without:
        gone = ", ".join(f"{name} {key}" for name, key in remedy.without)
        parts.append(f"in the location of the stream, none of: {gone}")
    if remedy.process:
        limits = " ".join(statement(name, (value,)) for name, value in remedy.process.items())
        parts.append(f"in nginx.conf: {limits}")
    if remedy.reload:
        parts.append("systemctl reload nginx")
    return "; ".join(parts)


def slug(url: str) -> str:
    """A file name for an endpoint: host, a port that is not the usual one, and path."""
    parts = urlsplit(url)
    text = f"{parts.hostname or ''}{parts.path}".lower()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-") or "stream"


def _edit(found: Route, wanted: Wanted, ours: str, by_hand: list[tuple[str, str]]) -> Edit | None:
    """The edit for all wishes, or for those of location and process that can be had alone."""
    edit = _adopted(found, wanted, ours)
    if isinstance(edit, Edit):
        return _told(edit, wanted)
    parts = [replace(wanted, process={}), replace(wanted, lines=[], without=[], location=None)]
    kept: Edit | None = None
    for part in parts if wanted.process and (wanted.lines or wanted.without) else [wanted]:
        edit = _adopted(found, part, ours)
        if isinstance(edit, Edit):
            kept = _told(edit, part)
            continue
        at = "nginx.conf" if part.process and not part.lines else edit.where
        lines = "".join(f"\n    {line}" for line in edit.advice)
        text = f"Not changed by us: {edit.reason}. By hand{f', at {at}' if at else ''}:{lines}"
        by_hand.append((part.limits[0] if part.process else part.rules[0], text))
    return kept


def _adopted(found: Route, wanted: Wanted, ours: str) -> Edit | Refusal:
    return adopt(
        found.tree, found, wanted.lines, ours, wanted.location, wanted.without, wanted.process
    )


def _told(edit: Edit, wanted: Wanted) -> Edit | None:
    """The edit with a note on limits, which carry no comment in the admin's file; None where
    nothing is to be written."""
    if edit.is_empty:
        return None
    limits = " ".join(statement(name, (value,)) for name, value in wanted.process.items())
    if not limits:
        return edit
    return replace(
        edit, notes=(*edit.notes, f"{limits} for {', '.join(dict.fromkeys(wanted.limits))}")
    )


def _add(lines: list[Line], wish: Line) -> None:
    """Add a wish; one that is there already counts for both causes."""
    for at, line in enumerate(lines):
        if line.name != wish.name or not same(line.name, line.args, wish.args):
            continue
        if not equal(line.name, line.args, wish.args):
            raise PlanError(
                f"{wish.name}: {line.cause} asks for {' '.join(line.args)}, "
                f"{wish.cause} for {' '.join(wish.args)}"
            )
        lines[at] = replace(line, cause=_both(line.cause, wish.cause))
        return
    lines.append(wish)


def _drop(lines: list[Line], gone: Line) -> None:
    for at, line in enumerate(lines):
        if line.name == gone.name and speaks_of(line.name, line.args, gone.args[0]):
            lines[at] = replace(line, cause=_both(line.cause, gone.cause))
            return
    lines.append(gone)


def _both(first: str, second: str) -> str:
    return first if second in first.split(", ") else f"{first}, {second}"


def _limit(limits: dict[str, str], name: str, value: str, rule: str) -> None:
    """The higher of two numbers; two times that differ are a conflict."""
    present = limits.get(name)
    if present is not None and present.isdigit() and value.isdigit():
        value = str(max(int(present), int(value)))
    elif present is not None and seconds(present) != seconds(value):
        raise PlanError(f"{name}: {rule} asks for {value}, another cause for {present}")
    limits[name] = value


def _location(present: str | None, asked: str | None, rule: str) -> str | None:
    """One new location; of two for the same path the narrower."""
    if present is None or asked is None or present == asked:
        return present or asked
    if present.split()[-1] != asked.split()[-1]:
        raise PlanError(f"location: {rule} asks for {asked}, another cause for {present}")
    return min(present, asked, key=lambda name: not name.startswith("="))
