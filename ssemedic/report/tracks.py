"""The arrival strip as numbers for a picture of any width: percents of time, pixels of height."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ssemedic.report import words
from ssemedic.report.strip import UNICODE, end_sign

Data = Mapping[str, Any]

HEIGHT = 44  # pixels of a track
_TALLEST, _SHORTEST = 36.0, 8.0
_FULL_BUFFER = 4096  # bytes: the tallest mark is never less than a buffer of nginx
_STEPS = 400  # marks of one track at most: more cannot be told apart


@dataclass(frozen=True)
class Mark:
    """Bytes that came: where (percent of the width), how tall (pixels)."""

    x: float
    top: float
    height: float
    told: str


@dataclass(frozen=True)
class Track:
    """One record. ``opened`` and ``end`` are percents; ``ending`` is open, ended or cut."""

    label: str
    opened: float
    answered: bool
    end: float
    ending: str
    marks: tuple[Mark, ...]


def span_of(streams: Sequence[Data]) -> float:
    """The seconds on which all these records fit."""
    return max([0.001, *(float(max(s["window"], s["end"]["at"])) for s in streams)])


def peak_of(streams: Sequence[Data]) -> int:
    """The bytes of the tallest mark among these records."""
    return max([_FULL_BUFFER, *(int(count) for s in streams for _at, count in s["reads"])])


def track(name: str, stream: Data, span: float, peak: int) -> Track:
    """One record on a scale that it shares with others."""
    headers = stream["headers_at"]
    end = _percent(stream["end"]["at"], span)
    answer = words.shown(stream) or "no answer"
    return Track(
        label=f"{name}: {answer}; {words.end(stream)}",
        opened=end if headers is None else _percent(headers, span),
        answered=headers is not None,
        end=end,
        ending=_ending(stream),
        marks=tuple(_marks(stream["reads"], span, peak)),
    )


def _marks(reads: Sequence[Sequence[float]], span: float, peak: int) -> list[Mark]:
    bars: dict[int, list[float]] = {}
    for at, count in reads:
        bar = bars.setdefault(round(_percent(at, span) / 100 * _STEPS), [at, 0, 0])
        bar[1] += count
        bar[2] += 1
    marks = []
    for place, (at, count, times) in bars.items():
        share = math.log2(count + 1) / math.log2(max(peak, count) + 1)
        tall = _SHORTEST + (_TALLEST - _SHORTEST) * share
        told = f"{words.brief(at)}: {words.size(int(count))}"
        told += f" in {times:.0f} reads" if times > 1 else ""
        marks.append(
            Mark(
                round(100 * place / _STEPS, 2), round((HEIGHT - tall) / 2, 1), round(tall, 1), told
            )
        )
    return marks


def _ending(stream: Data) -> str:
    signs = {UNICODE.open: "open", UNICODE.ended: "ended", UNICODE.unseen: "unseen"}
    return signs.get(end_sign(stream, UNICODE), "cut")


def _percent(at: float, span: float) -> float:
    return round(100 * min(1.0, max(0.0, at / span)), 2)
