"""The diagnosis page as one file: its parts joined, its policy computed, nothing else to load."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ssemedic import __version__

NAME = "sse-server-diagnosis.html"

_FOLDER = Path(__file__).parent

#: The four tests: id, title, and what the test does.
TESTS = (
    (
        "endpoint",
        "Server endpoint",
        "What the server answers: status, type, headers, CORS, and when the bytes come.",
    ),
    (
        "source",
        "Direct EventSource",
        "A plain EventSource, held: readyState, events, reconnects.",
    ),
    (
        "proxy",
        "Via the dev proxy",
        "The same stream through Vite or another proxy, beside the direct one.",
    ),
    (
        "full",
        "Full diagnostic",
        "All of it, and the token, seven streams at once, names, reconnect, a test message.",
    ),
)


def text(settings: Mapping[str, object] | None = None) -> str:
    """The whole page, UTF-8 when encoded.

    ``settings`` fill in its form: url, proxy, origin, window, keepalive, names, transport,
    message_path, message_body; ``twin`` says that the prober serves it, ``start`` runs the
    full diagnostic at once. A token is none of them.
    """
    style, script = _style(), _script()
    # The page asks whatever URL it is told; nothing else may be loaded, framed or submitted.
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "connect-src http: https:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    filled = {"version": __version__, **(settings or {})}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            policy=policy,
            style=Markup(style),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704
            settings=Markup(_inert(json.dumps(filled))),  # noqa: S704 - no character of markup in it
            version=__version__,
            tests=TESTS,
        )
    )


def _inert(data: str) -> str:
    """JSON that no parser of HTML could take for markup."""
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return data


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode("ascii")


@cache
def _style() -> str:
    return (_FOLDER / "page.css").read_text("utf-8")


@cache
def _script() -> str:
    """The modules in the order of their names, in one scope of their own."""
    parts = [path.read_text("utf-8") for path in sorted((_FOLDER / "js").glob("*.js"))]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
