"""`ssemedic diff BEFORE AFTER`: what became of an endpoint from one report to the next."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from rich.console import Console

from ssemedic.commands.output import UsageError
from ssemedic.report.compare import Comparison, Difference, as_data, compare
from ssemedic.report.page import BAD, GOOD, QUIET, WARN, Page, page_on
from ssemedic.report.redact import redact_report
from ssemedic.report.saved import ReportError, read_report

SAME_OR_BETTER, WORSE = 0, 1


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compare, and say so; returns the exit code. Raises `UsageError`."""
    try:
        before, after = read_report(arguments.before), read_report(arguments.after)
    except ReportError as error:
        raise UsageError(str(error)) from error
    found = compare(before, after)
    if arguments.format == "json":
        sys.stdout.write(json.dumps(redact_report(as_data(found)), indent=2) + "\n")
    else:
        _show(page_on(console), after["host"], found)
    return WORSE if found.is_worse else SAME_OR_BETTER


def _show(page: Page, host: str, found: Comparison) -> None:
    style = BAD if found.is_worse else GOOD if found.is_better else QUIET
    was = f"{found.before} before, {found.after} after"
    page.put(page.host(f"{host}: {found.word}: {was}.", style))
    for remark in found.remarks:
        page.put(page.host(f"note: {remark}", WARN))
    for title, part in (("Symptoms", found.symptoms), ("Causes", found.causes)):
        _part(page, title, part)


def _part(page: Page, title: str, part: Difference) -> None:
    page.head(title)
    groups: tuple[tuple[str, str, Mapping[str, str]], ...] = (
        ("gone", GOOD, part.gone),
        ("new", BAD, part.new),
        ("unchanged", QUIET, part.unchanged),
        ("not looked for", WARN, part.unseen),
    )
    rows = [
        (page.text(label, style), page.host(f"{name}: {text}"))
        for label, style, entries in groups
        for name, text in entries.items()
    ]
    if rows:
        page.rows(rows)
    else:
        page.put(page.text("none in either report", QUIET), 2)
