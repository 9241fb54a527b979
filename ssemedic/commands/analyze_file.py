"""`ssemedic analyze FILE`: the same rules over what somebody sent, with no host."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ssemedic.candidates import candidates
from ssemedic.commands import form
from ssemedic.commands.analyze_arguments import TEXT
from ssemedic.commands.form_arguments import TERMINAL
from ssemedic.commands.output import UsageError
from ssemedic.endpoint import Endpoint, EndpointError, endpoint_of
from ssemedic.evidence import encode
from ssemedic.nginx import ConfigError
from ssemedic.offline.found import Found, OfflineError
from ssemedic.offline.judged import judged
from ssemedic.offline.source import read_source
from ssemedic.report import terminal
from ssemedic.report.model import exit_code, report_of
from ssemedic.report.redact import redact_report


def run(arguments: argparse.Namespace, console: Console) -> int | None:
    """Judge the file, and say so; None where it is nginx's configuration. Raises `UsageError`."""
    url = arguments.url[0] if arguments.url else None
    found = read_kind(arguments.file, url)
    if found is None:
        return None
    if len(arguments.url) > 1:
        raise UsageError("--url: may be given once for such a file")
    if arguments.format == TEXT:  # what a person reads, as `diagnose` shows it
        arguments.format = TERMINAL
    endpoint = _endpoint(arguments, found, url)
    made = report_of(judged(found, endpoint))
    notes = [f"judged from {found.what}, with no host", *found.notes, *made["notes"]]
    report = redact_report({**made, "notes": notes}, found.secrets)
    console = form.console_for(arguments, console)
    terminal.render_verdict(report, console)
    terminal.render_diagnosis(report, console, verbose=arguments.explain)
    form.write_files(arguments, report)
    form.write_stdout(arguments, report)
    return exit_code(report)


def read_kind(path: Path, url: str | None) -> Found | None:
    """What the file holds. Raises `UsageError`."""
    try:
        return read_source(path, url)
    except OfflineError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _endpoint(arguments: argparse.Namespace, found: Found, url: str | None) -> Endpoint:
    """What the file says of the endpoint, and what the operator says of it."""
    said = {"url": url, "keepalive_seconds": arguments.keepalive, "origin": arguments.origin}
    given = {key: value for key, value in said.items() if value is not None}
    try:
        if found.endpoint is not None:
            known = {k: v for k, v in encode(found.endpoint).items() if v not in (None, [])}
            known.pop("message", None)  # none is sent
            return endpoint_of({**known, **given})[0]
        if url is None:
            raise UsageError(f"{arguments.file}: names no URL, so --url must{_likely(found)}")
        return endpoint_of(given)[0]
    except EndpointError as error:
        raise UsageError(str(error)) from error


def _likely(found: Found) -> str:
    try:
        urls = [candidate["url"] for candidate in candidates(found.evidence)]
    except ConfigError:
        return ""
    return f"; likely {', '.join(urls[:3])}" if urls else ""
