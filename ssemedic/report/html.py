"""The report as one HTML file: no script, nothing requested from anywhere, host text inert.

Three walls against host text: it is redacted and cleaned before the template sees it, the
template escapes every value, and the page's policy allows nothing but its own style sheet.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ssemedic import __version__
from ssemedic.report.html_view import view
from ssemedic.report.tidy import tidied

_FOLDER = Path(__file__).parents[2] / "templates" / "report"


def text(report: Mapping[str, Any]) -> str:
    """The whole page, UTF-8 when encoded, for a report of docs/report.schema.json.

    Raises KeyError or TypeError for what is no report, jinja2.TemplateNotFound where the
    project's templates are not beside the library.
    """
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return _template().render(
        view=view(tidied(report)),
        style=Markup(style),  # noqa: S704 (our own file; no host text is in it)
        style_hash=f"sha256-{digest}",
        version=__version__,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


@cache
def _style() -> str:
    return (_FOLDER / "report.css").read_text("utf-8")
