"""A report made fit to be shown: no secret in it, and no character that could steer anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssemedic.report.clean import clean
from ssemedic.report.redact import redact_report

#: The longest single text on a page; the JSON holds all of it.
LONGEST = 4000

#: Texts of several lines: contents of files, and advice. Newlines of all others become visible.
_LINES = frozenset({"before", "after", "saw", "now", "wanted"})


def tidied(report: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the report, redacted and cleaned; markup in it is still to be escaped."""
    result = _walk(redact_report(report))
    assert isinstance(result, dict)
    return result


def _is_advice(value: Mapping[str, Any], key: str) -> bool:
    return key == "text" and "audience" in value


def _walk(value: Any, *, lines: bool = False) -> Any:
    if isinstance(value, str):
        return clean(value, lines=lines, limit=0 if lines else LONGEST)
    if isinstance(value, Mapping):
        return {
            clean(key, limit=LONGEST): _walk(item, lines=key in _LINES or _is_advice(value, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_walk(item) for item in value]
    return value
