"""What was judged, as plain data: docs/analyze.schema.json describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssemedic.lint.change import diff
from ssemedic.lint.explain import explained
from ssemedic.lint.judge import Judged, Problem
from ssemedic.lint.source import Configuration
from ssemedic.nginx import Edit, Refusal

SCHEMA = 1


def data(
    configuration: Configuration, judged: Sequence[Judged], version: str, assumed: bool, code: int
) -> dict[str, Any]:
    """Everything. Bytes that were no UTF-8 stay escaped, as \\udcXX."""
    return {
        "schema": SCHEMA,
        "configuration": configuration.name,
        "files": [configuration.path(path) for path in configuration.tree.sources],
        "nginx_version": version,
        "nginx_version_assumed": assumed,
        "notes": [configuration.here(note) for note in configuration.tree.notes],
        "urls": [_url(configuration, one) for one in judged],
        "exit_code": code,
    }


def _url(configuration: Configuration, one: Judged) -> dict[str, Any]:
    here = configuration.here
    return {
        "url": one.endpoint.url,
        "taken_for_a_stream": [here(why) for why in one.why],
        "unknown": here(one.unknown),
        "serves": one.route.serves,
        "resolved": one.route.resolved,
        "notes": [here(note) for note in one.route.notes],
        "explained": [
            {"name": fact.name, "value": fact.value, "where": here(fact.where)}
            for fact in explained(one.route)
        ],
        "findings": [_finding(configuration, problem) for problem in one.problems],
        "change": _change(configuration, one.edit),
    }


def _finding(configuration: Configuration, problem: Problem) -> dict[str, Any]:
    finding, here = problem.finding, configuration.here
    return {
        "rule": problem.rule.id,
        "level": problem.level.value,
        "severity": problem.rule.severity.value,
        "title": problem.rule.title,
        "file": configuration.path(problem.file),
        "line": problem.line,
        "where": here(finding.where),
        "observed": here(finding.observed),
        "expected": here(finding.expected),
        "evidence": [here(line) for line in finding.evidence],
        "depends": here(finding.depends),
        "write": here(problem.write),
        "advice": [
            {"audience": advice.audience.value, "text": here(advice.text)}
            for advice in finding.advice
        ],
    }


def _change(configuration: Configuration, edit: Edit | Refusal | None) -> dict[str, Any] | None:
    if edit is None:
        return None
    if isinstance(edit, Refusal):
        refused, where = configuration.here(edit.reason), configuration.here(edit.where)
        return {"diff": "", "refused": refused, "where": where, "lines": list(edit.advice)}
    lines = diff(configuration, edit)
    return {"diff": "".join(f"{line}\n" for line in lines), "refused": "", "where": "", "lines": []}
