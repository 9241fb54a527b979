"""Log lines of host text: decoded, masked, cut, chosen by age; never interpreted."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from .limits import Limits
from .masking import mask
from .times import stamp


def of_bytes(content: bytes, whole: bool) -> list[str]:
    """The lines of the end of a file. Bytes that are not UTF-8 are replaced.

    Without ``whole`` the first line is dropped: it began before what was read.
    """
    lines = content.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines if whole else lines[1:]


def newest(
    lines: Sequence[tuple[float | None, str]], limits: Limits
) -> tuple[list[tuple[float | None, str]], bool]:
    """The newest lines within the limits, and whether older ones were left out.

    A few are kept whatever their age: the last words of a service that died long ago.
    """
    # Lines without a time follow one that has it, as a traceback follows its message.
    old = (i for i in range(len(lines) - 1, -1, -1) if (lines[i][0] or limits.since) < limits.since)
    fresh = next(old, -1) + 1
    first = max(0, len(lines) - limits.lines, min(fresh, len(lines) - limits.old_lines))
    return list(lines[first:]), first > 0


def stamped(lines: Sequence[str], now: float) -> list[tuple[float | None, str]]:
    """Each line with the time that it carries."""
    return [(stamp(line, now), line) for line in lines]


def log(
    source: str,
    lines: Sequence[tuple[float | None, str]],
    truncated: bool,
    limits: Limits,
    secrets: Sequence[str],
) -> dict[str, Any]:
    """`Log` data. Masking comes before cutting, so that no half of a token is left."""
    return {
        "source": source,
        "lines": [
            {"at": at, "text": _shown(text, limits.line_chars, secrets)} for at, text in lines
        ],
        "truncated": truncated,
    }


def keeping(wanted: Callable[[str], bool], lines: Sequence[str]) -> list[str]:
    """The lines that are wanted."""
    return [line for line in lines if wanted(line)]


def _shown(text: str, most: int, secrets: Sequence[str]) -> str:
    shown = mask(text[: 4 * most], secrets)
    return shown if len(shown) <= most else shown[:most] + " ... (cut)"
