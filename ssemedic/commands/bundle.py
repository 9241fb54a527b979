"""`ssemedic bundle`: everything about one diagnosis in one file that may be handed over."""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ssemedic.bundle import gate
from ssemedic.bundle.archive import packed
from ssemedic.bundle.contents import contents
from ssemedic.commands.output import RefusedError, UsageError, save_bytes
from ssemedic.evidence import Evidence, EvidenceError
from ssemedic.report.clean import clean
from ssemedic.report.model import Report
from ssemedic.report.redact import opened, redact_evidence, redact_report, secrets_in
from ssemedic.report.saved import ReportError, read_evidence, read_report
from ssemedic.token import TokenError, read_token

WRITTEN, REFUSED = 0, 4
#: Diagnoses a host: the report, or the exit code where nobody said of what.
Look = Callable[[argparse.Namespace, Console, dict[str, str]], Report | int]
#: A report, the evidence it was made of, and the secrets that are known.
Seen = tuple[Report, Evidence | None, tuple[str, ...]]


def run(arguments: argparse.Namespace, console: Console, look: Look) -> int:
    """Write the bundle; returns the exit code. Raises `UsageError` and `RefusedError`."""
    if (arguments.folder is None) is (arguments.host is None):
        raise UsageError("bundle: needs either REPORT_DIR or --host")
    if arguments.folder is not None:
        report, evidence, given = _saved(arguments)
    else:
        with tempfile.TemporaryDirectory(prefix="ssemedic-") as private:
            found = _looked(arguments, console, look, Path(private))
        if isinstance(found, int):
            return found
        report, evidence, given = found
    secrets = known_secrets(report, evidence, given)
    archive = bundled(report, evidence, secrets, personal=arguments.anonymous)
    try:
        searched = gate.check(archive, secrets)
    except gate.LeakError as error:
        raise RefusedError(str(error), REFUSED) from error
    save_bytes(arguments.output, archive)
    console.print(
        f"{clean(str(arguments.output))}: {len(archive) / 1024:.0f} KiB; "
        f"known secrets searched for: {searched}, found: none",
        markup=False,
        soft_wrap=True,
    )
    return WRITTEN


def known_secrets(
    report: Report, evidence: Evidence | None, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Those that were given, and all that the report or the evidence betrays."""
    found = (*given, *secrets_in(report), *secrets_in(opened(evidence)))
    return tuple(dict.fromkeys(found))


def bundled(
    report: Report, evidence: Evidence | None, secrets: tuple[str, ...], *, personal: bool = False
) -> bytes:
    """The bundle's bytes: the same report and evidence give the same, but for the tags."""
    masked = redact_report(report, secrets, personal=personal)
    seen = None if evidence is None else redact_evidence(evidence, secrets, personal=personal)
    at = float(report["collected_at"])
    when = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", masked["host"]).strip(".-") or "host"
    return packed(f"ssemedic-{host}-{when}", contents(masked, seen), at)


def _looked(
    arguments: argparse.Namespace, console: Console, look: Look, private: Path
) -> Seen | int:
    """Diagnose the host now. What is not masked yet is in a private folder, and goes with it."""
    whole, seen = private / "report.json", private / "evidence.json"
    files = {"sse_plan_file": str(whole), "sse_evidence_file": str(seen)}
    found = look(arguments, console, files)
    if isinstance(found, int):
        return found
    data = json.loads(seen.read_text("utf-8"))
    report: Report = json.loads(whole.read_text("utf-8"))
    return report, Evidence.from_dict(data["evidence"]), tuple(data["secrets"])


def _saved(arguments: argparse.Namespace) -> Seen:
    """What --report wrote, and the token that it must not hold."""
    folder: Path = arguments.folder
    try:
        report = read_report(folder / "report.json" if folder.is_dir() else folder)
        evidence = read_evidence(folder / "evidence.json")
        token = read_token(arguments.token_file.expanduser()) if arguments.token_file else None
    except (ReportError, EvidenceError, TokenError) as error:
        raise UsageError(str(error)) from error
    return report, evidence, (token,) if token else ()
