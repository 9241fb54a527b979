"""An explanation as plain lines for a terminal, and the answer to a search."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ssemedic.explain.find import by_words
from ssemedic.explain.kinds import KINDS
from ssemedic.explain.parts import Explanation
from ssemedic.rules import Rule


def lines_of(told: Explanation) -> Iterator[str]:
    """Every part, the most needed first."""
    rule = told.rule
    yield f"{rule.id}  ({rule.layer}, {rule.severity})"
    yield ""
    yield rule.title
    yield ""
    yield from _paragraphs(rule.text)
    parts: tuple[tuple[str, Sequence[str]], ...] = (
        ("What the wire shows", told.wire),
        ("How it is detected", told.detected),
        ("What is changed", told.changed),
        ("By hand", told.by_hand),
        ("That it worked", told.worked),
        ("Sources", [url for _name, url in told.sources]),
    )
    for title, entries in parts:
        if entries:
            yield ""
            yield title
            yield from (f"  - {_plain(entry)}" for entry in entries)
    yield ""
    yield f"Explains: {', '.join(_sign(told.rule)) or 'nothing that the wire shows'}"
    yield f"Needs: {', '.join(rule.needs)}"


def _paragraphs(text: str) -> Iterator[str]:
    """The text as the terminal is to wrap it: a line for each paragraph, code as it stands."""
    for number, block in enumerate(text.split("\n\n")):
        if number:
            yield ""
        lines = block.splitlines()
        if any(line.startswith((" ", "-", "|")) for line in lines):
            yield from lines
        else:
            yield " ".join(lines)


def answer(text: str, rules: Sequence[Rule]) -> Iterator[str]:
    """Which symptoms and causes fit the words; nothing where none does."""
    fits, named = by_words(text, rules)
    told: set[str] = set()
    for fit in fits[:4]:
        yield f"{fit.kind}: {KINDS[fit.kind].seen}"
        for rule in fit.rules:
            yield f"  {rule.id:<38} {rule.title}"
            told.add(rule.id)
        yield ""
    more = [rule for rule in named if rule.id not in told]
    if more:
        yield "Causes that speak of it:"
        yield from (f"  {rule.id:<38} {rule.title}" for rule in more[:12])
        yield ""
    if fits or more:
        yield "`ssemedic explain RULE` explains one; `ssemedic diagnose` finds which it is."


def _sign(rule: Rule) -> list[str]:
    return [
        f"{s.kind} ({', '.join(map(str, s.statuses))})" if s.statuses else str(s.kind)
        for s in rule.explains
    ]


def _plain(text: str) -> str:
    """Markdown's code marks are noise on a terminal."""
    return re.sub(r"`([^`]+)`", r"\1", text)
