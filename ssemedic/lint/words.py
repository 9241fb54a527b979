"""Findings as a compiler prints them: one line each, with its place first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ssemedic.lint.change import diff
from ssemedic.lint.explain import explained
from ssemedic.lint.judge import Judged, Level, Problem
from ssemedic.lint.source import Configuration
from ssemedic.nginx import Refusal
from ssemedic.report.clean import clean

_INDENT = "    "


def page(
    configuration: Configuration, judged: Sequence[Judged], *, brief: bool, explain: bool
) -> Iterator[str]:
    """Every line, safe for a terminal. A finding that several URLs share is told once."""
    told: set[tuple[str, str, int]] = set()
    for one in judged:
        yield from (clean(configuration.here(line)) for line in _head(one, explain))
        for problem in one.problems:
            key = (problem.rule.id, problem.file, problem.line)
            if key in told:
                continue
            told.add(key)
            yield clean(compact(configuration, problem))
            if not brief:
                lines = (configuration.here(line) for line in _more(problem))
                yield from (_INDENT + clean(line) for line in lines)
        if not brief:
            yield from _edit(configuration, one)
        if explain or (one.problems and not brief):
            yield ""
    for note in configuration.tree.notes:
        yield clean(configuration.here(f"note: {note}"))


def compact(configuration: Configuration, problem: Problem) -> str:
    """ "file:line: level: what was seen; expected: what must be [rule]"."""
    finding = problem.finding
    place = f"{configuration.path(problem.file)}:{problem.line}"
    default = f" ({finding.where})" if finding.where.startswith("default of ") else ""
    said = configuration.here(f"{finding.observed}{default}; expected: {finding.expected}")
    return f"{place}: {problem.level}: {said} [{problem.rule.id}]"


def counted(judged: Sequence[Judged]) -> str:
    """ "2 errors, 1 warning in 3 URLs"."""
    found = {(p.rule.id, p.file, p.line): p.level for one in judged for p in one.problems}.values()
    parts = [
        f"{number} {level}{'s' if number > 1 else ''}"
        for level in Level
        if (number := sum(1 for x in found if x is level))
    ]
    urls = f"{len(judged)} URL{'s' if len(judged) != 1 else ''}"
    unknown = sum(1 for one in judged if one.unknown)
    left = f", {unknown} could not be judged" if unknown else ""
    return f"{', '.join(parts) or 'nothing found'} in {urls}{left}"


def _head(one: Judged, explain: bool) -> Iterator[str]:
    if explain:
        yield one.endpoint.url
        yield from (f"{_INDENT}taken for a stream: {why}" for why in one.why)
        facts = explained(one.route)
        width = max((len(fact.name) for fact in facts), default=0)
        value = min(48, max((len(fact.value) for fact in facts), default=0))
        for fact in facts:
            yield f"{_INDENT}{fact.name:<{width}}  {fact.value:<{value}}  {fact.where}"
        yield from (f"{_INDENT}note: {note}" for note in one.route.notes)
    if one.unknown:
        yield f"{one.endpoint.url}: not judged: {one.unknown}"


def _more(problem: Problem) -> Iterator[str]:
    finding = problem.finding
    yield problem.rule.title
    yield from finding.evidence
    if finding.depends:
        yield f"depends: {finding.depends}"
    if problem.write:
        yield f"write: {problem.write}"
    for advice in finding.advice:
        yield f"{advice.audience}: {advice.text}"


def _edit(configuration: Configuration, one: Judged) -> Iterator[str]:
    if isinstance(one.edit, Refusal):
        place = f" at {one.edit.where}" if one.edit.where else ""
        told = f"remediate would not change it: {one.edit.reason}; by hand{place}:"
        yield _INDENT + clean(configuration.here(told))
        yield from (_INDENT + clean(line) for line in one.edit.advice)
    elif one.edit is not None:
        lines = diff(configuration, one.edit)
        if lines:
            yield _INDENT + clean(f"remediate would change, for {one.endpoint.url}:")
            yield from (_INDENT + clean(line) for line in lines)
