"""A report in the form that the operator chose: on standard output, in a file, in a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ssemedic.commands.form_arguments import NAGIOS, TERMINAL
from ssemedic.commands.output import UsageError, save


def is_check(arguments: argparse.Namespace) -> bool:
    """True where a monitoring system asks: its exit codes and its one line count."""
    return getattr(arguments, "format", "") == NAGIOS


def console_for(arguments: argparse.Namespace, console: Console) -> Console:
    """Where people read: standard error where standard output belongs to a program."""
    if arguments.format == TERMINAL:
        if arguments.output:
            raise UsageError("-o: needs --format with the form that is written")
        return console
    if is_check(arguments):
        return Console(quiet=True)
    return console if arguments.output else Console(stderr=True, highlight=False)


def write_files(arguments: argparse.Namespace, report: Mapping[str, Any]) -> None:
    """Write what `--json`, `--report` and `-o` ask for; raises `UsageError`."""
    if not (arguments.json or arguments.report or arguments.output):
        return
    from ssemedic.report.forms import FORMS, as_json

    if arguments.json:
        save(arguments.json, as_json(report))
    if arguments.report:
        _make(arguments.report)
        for name, form in FORMS.values():
            save(arguments.report / name, form(report))
    if arguments.output:
        save(arguments.output, FORMS[arguments.format][1](report))


def write_evidence(arguments: argparse.Namespace, seen: Path) -> None:
    """Put the evidence, masked, beside the report that was made of it; raises `UsageError`.

    ``seen`` is the private file in which the diagnosis left it whole.
    """
    from ssemedic.evidence import Evidence
    from ssemedic.report.redact import redact_evidence

    data = json.loads(seen.read_text("utf-8"))
    masked = redact_evidence(Evidence.from_dict(data["evidence"]), data["secrets"])
    _make(arguments.report)
    save(arguments.report / "evidence.json", json.dumps(masked, indent=1) + "\n")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror or error}") from error


def write_stdout(arguments: argparse.Namespace, report: Mapping[str, Any]) -> None:
    """Print the chosen form, once the report is whole."""
    if arguments.format == TERMINAL or arguments.output:
        return
    from ssemedic.report.forms import FORMS

    _print(FORMS[arguments.format][1](report))


def failed_check(sentence: str) -> int:
    """A check that could not be made: UNKNOWN, never OK."""
    from ssemedic.report.forms.nagios import State, without_report

    _print(without_report(sentence))
    return int(State.UNKNOWN)


def _print(text: str) -> None:
    """Programs read UTF-8, whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()
