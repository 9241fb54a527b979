"""Host text for a form that a program reads: without secrets, without what steers a terminal."""

from __future__ import annotations

import re

from ssemedic.report.clean import clean
from ssemedic.report.redact import redact

_TAG = re.compile("\u2039(token|key|password|cookie|secret):[0-9a-f]{4}\u203a")


def said(value: object, *, lines: bool = False) -> str:
    """``value`` as one line of visible characters, secrets masked; with ``lines``, as lines."""
    return clean(redact(str(value)), lines=lines)


def steady(value: object) -> str:
    """As `said`, with tags that are the same in every run: for what names a series over time."""
    return _TAG.sub("\u2039\\1\u203a", said(value))
