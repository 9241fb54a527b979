"""What was judged as SARIF 2.1.0, so that code review shows a finding at its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ssemedic.lint.judge import Judged, Problem
from ssemedic.lint.source import Configuration
from ssemedic.report.forms.sarif import Result, log, note
from ssemedic.rules import all_rules


def sarif(configuration: Configuration, judged: Sequence[Judged], version: str) -> str:
    """The log. A finding that several URLs share is told once; a URL that could not be judged
    is a notification, never a pass."""
    here = configuration.here
    notes = [note(f"{one.endpoint.url}: not judged: {here(one.unknown)}")
             for one in judged if one.unknown]  # fmt: skip
    notes += [note(here(text)) for text in configuration.tree.notes]
    if not judged:
        notes.append(note("no location looks like an event stream"))
    return log(
        list(_results(configuration, judged)),
        [rule.id for rule in all_rules() if rule.configured is not None],
        notes,
        successful=bool(judged) and not any(one.unknown for one in judged),
        properties={
            "configuration": configuration.name,
            "nginx_version": version,
            "urls": [one.endpoint.url for one in judged],
        },
    )


def _results(configuration: Configuration, judged: Sequence[Judged]) -> Iterator[Result]:
    told: set[tuple[str, str, int]] = set()
    times: Counter[tuple[str, str]] = Counter()
    for one in judged:
        for problem in one.problems:
            key = (problem.rule.id, problem.file, problem.line)
            if key in told:
                continue
            told.add(key)
            times[key[:2]] += 1
            yield _result(configuration, one.endpoint.url, problem, times[key[:2]])


def _result(configuration: Configuration, url: str, problem: Problem, number: int) -> Result:
    return Result(
        rule=problem.rule.id,
        level=problem.level.value,
        text="\n".join(configuration.here(line) for line in _lines(problem)),
        places=((configuration.path(problem.file), problem.line),),
        logical=(url, "url"),
        # No line number: what is above may grow. The count tells two in one file apart.
        same=(problem.rule.id, problem.file, str(number)),
    )


def _lines(problem: Problem) -> Iterator[str]:
    finding = problem.finding
    yield f"{finding.observed}; expected: {finding.expected}"
    yield problem.rule.title
    if finding.where.startswith("default of "):
        yield f"where: {finding.where}"
    yield from finding.evidence
    if finding.depends:
        yield f"depends: {finding.depends}"
    if problem.write:
        yield f"write: {problem.write}"
    yield from (f"{advice.audience}: {advice.text}" for advice in finding.advice)
