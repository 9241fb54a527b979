"""One report, many forms: each a pure function from the report's plain data to text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ssemedic.report import html, terminal
from ssemedic.report.forms.junit import junit
from ssemedic.report.forms.markdown import markdown
from ssemedic.report.forms.nagios import nagios
from ssemedic.report.forms.prometheus import prometheus
from ssemedic.report.forms.sarif import sarif
from ssemedic.report.redact import redact_report

Form = Callable[[Mapping[str, Any]], str]


def as_json(report: Mapping[str, Any]) -> str:
    """The report itself, as docs/report.schema.json publishes it."""
    return json.dumps(redact_report(report), indent=2) + "\n"


def as_text(report: Mapping[str, Any]) -> str:
    """What a terminal shows, as plain lines."""
    return "\n".join(terminal.text(report)) + "\n"


#: Each form by its name: the file that `--report` writes, and the function.
FORMS: Mapping[str, tuple[str, Form]] = {
    "json": ("report.json", as_json),
    "text": ("report.txt", as_text),
    "markdown": ("report.md", markdown),
    "html": ("report.html", html.text),
    "sarif": ("report.sarif", sarif),
    "junit": ("report.junit.xml", junit),
    "prometheus": ("report.prom", prometheus),
    "nagios": ("report.nagios.txt", nagios),
}
