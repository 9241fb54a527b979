"""The arguments that choose the form of a report; apart, so that help needs no report."""

from __future__ import annotations

import argparse
from pathlib import Path

#: The form that is shown as the report becomes known, and not made of it.
TERMINAL = "terminal"
NAGIOS = "nagios"
#: The names of ssemedic.report.forms.FORMS, which takes its time to import.
NAMES = ("json", "text", "markdown", "html", "sarif", "junit", "prometheus", NAGIOS)


def add_arguments(parser: argparse.ArgumentParser, *, check: bool) -> None:
    """What becomes of the report; ``check`` where it may be the check of a monitoring system."""
    names = NAMES if check else tuple(name for name in NAMES if name != NAGIOS)
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write the report as JSON")
    add("--report", type=Path, metavar="DIR", help="write the report in every form")
    add(
        "--format",
        choices=(TERMINAL, *names),
        default=TERMINAL,
        metavar="FORM",
        help=f"what to print: {', '.join((TERMINAL, *names))} (default: %(default)s)",
    )
    add("-o", "--output", type=Path, metavar="FILE", help="write that form here, not to stdout")
