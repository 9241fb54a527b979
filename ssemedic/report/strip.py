"""One record as a line of characters: when bytes came, how many, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A column is never tallest below this: the buffer that nginx fills before it hands on (bytes).
_TALL = 4096
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
    arrow="─────▶",
    broken="──✗──▶",
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
    arrow="----->",
    broken="--X-->",
    bullet="*",
    rule="-",
    to="->",
)

_CLEAN_ENDS = ("last_chunk", "eof")
_OPEN_ENDS = ("limit_time", "limit_bytes", "limit_event")


@dataclass(frozen=True)
class Scale:
    """What strips that are shown together share: seconds, columns, bytes of the tallest column."""

    span: float
    width: int
    peak: int


def scale(streams: Sequence[Mapping[str, Any]], width: int) -> Scale:
    """The scale on which all of these records fit into ``width`` columns."""
    ends = [max(stream["window"], stream["end"]["at"]) for stream in streams]
    span = max(ends, default=1.0) or 1.0
    sizes = [size for stream in streams for size in _columns(stream, span, width).values()]
    return Scale(span, width, max([_TALL, *sizes]))


def draw(stream: Mapping[str, Any], scale: Scale, signs: Signs) -> str:
    """One character per column of time up to the end, then how it ended.

    A column is as tall as the bytes that came in it, on a logarithmic scale, so that a
    burst stands out beside single events.
    """
    columns = _columns(stream, scale.span, scale.width)
    headers = stream["headers_at"]
    opened = scale.width if headers is None else _column(headers, scale.span, scale.width)
    last = _column(stream["end"]["at"], scale.span, scale.width)
    out = []
    for column in range(last + 1):
        if columns.get(column):
            out.append(_sign(columns[column], scale.peak, signs))
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
