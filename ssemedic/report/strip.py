"""One record as a line of characters: when bytes came, how many, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The model keeps this many reads of a stream.
KEPT_READS = 500


@dataclass(frozen=True)
class Signs:
    """The characters of a strip, and of the row of hops."""

    sizes: str  # few bytes to many
    waiting: str
    quiet: str
    headers: str
    open: str
    ended: str
    cut: str
    good: str
    bad: str
    unseen: str
    arrow: str
    broken: str
    bullet: str
    rule: str
    to: str


UNICODE = Signs(
    sizes="▁▂▃▄▅▆▇█",
    waiting="·",
    quiet="─",
    headers="┬",
    open="▶",
    ended="■",
    cut="✗",
    good="✓",
    bad="✗",
    unseen="?",
    arrow="───▶",
    broken="─ ✗ ▶",
    bullet="•",
    rule="╌",
    to="→",
)
ASCII = Signs(
    sizes=".:|#",
    waiting=" ",
    quiet="-",
    headers="h",
    open=">",
    ended="]",
    cut="X",
    good="+",
    bad="X",
    unseen="?",
    arrow="--->",
    broken="- X >",
    bullet="*",
    rule="-",
    to="->",
)

_CLEAN_ENDS = ("last_chunk", "eof")
_OPEN_ENDS = ("limit_time", "limit_bytes")


def draw(stream: Mapping[str, Any], span: float, width: int, peak: int, signs: Signs) -> str:
    """``width`` characters for ``span`` seconds, then the end at its time.

    A column is as tall as the bytes that came in it, against ``peak`` (see `peak`) on a
    logarithmic scale, so that a burst stands out beside single events.
    """
    columns = _columns(stream, span, width)
    headers = stream["headers_at"]
    opened = _column(headers, span, width) if headers is not None else width
    last = _column(stream["end"]["at"], span, width)
    out = []
    for column in range(last + 1):
        if columns.get(column):
            out.append(_sign(columns[column], peak, signs))
        elif column == opened:
            out.append(signs.headers)
        else:
            out.append(signs.quiet if column > opened else signs.waiting)
    return "".join(out) + end_sign(stream, signs)


def end_sign(stream: Mapping[str, Any], signs: Signs) -> str:
    """The character that says how a record ended."""
    kind = stream["end"]["kind"]
    if kind in _OPEN_ENDS:
        return signs.open if stream["status"] is not None else signs.unseen
    return signs.ended if kind in _CLEAN_ENDS else signs.cut


def peak(streams: list[Mapping[str, Any]], span: float, width: int) -> int:
    """The most bytes in one column of any of the strips that are shown together."""
    return max((n for s in streams for n in _columns(s, span, width).values()), default=1)


def span(streams: list[Mapping[str, Any]]) -> float:
    """The seconds that strips shown together cover."""
    return max((max(s["window"], s["end"]["at"]) for s in streams), default=1.0) or 1.0


def axis(seconds: float, width: int) -> str:
    """The line under the strips: 0 s on the left, the end of the window on the right."""
    right = f"{seconds:.0f} s"
    return f"0 s{right.rjust(width - 2)}"


def _columns(stream: Mapping[str, Any], span: float, width: int) -> dict[int, int]:
    columns: dict[int, int] = {}
    for at, count in stream["reads"]:
        column = _column(at, span, width)
        columns[column] = columns.get(column, 0) + count
    return columns


def _column(at: float, span: float, width: int) -> int:
    return min(width - 1, max(0, int(at / span * width)))


def _sign(count: int, peak: int, signs: Signs) -> str:
    share = math.log2(count + 1) / math.log2(max(peak, count, 1) + 1)
    return signs.sizes[min(len(signs.sizes) - 1, int(share * len(signs.sizes)))]
