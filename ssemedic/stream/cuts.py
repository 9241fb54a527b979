"""A limit on silence, or on the life of a stream: told apart by comparing records. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import combinations, pairwise

from ssemedic.stream.record import Stream
from ssemedic.stream.single import sent_at

#: Timers of proxies fire up to this many seconds late.
NEAR_SECONDS = 1.0

_CUTS = ("truncated", "reset", "h2_reset", "last_chunk", "eof")


class Cut(StrEnum):
    """What cuts a stream."""

    IDLE = "idle"  # so many seconds without a byte
    ABSOLUTE = "absolute"  # so many seconds after the start, whatever flows
    UNCLEAR = "unclear"  # the records do not tell


def judge_cut(records: Sequence[Stream]) -> tuple[Cut, float | None]:
    """What cuts these records of one hop, and after how many seconds (None where unclear).

    Two records cut after the same silence but different lives show a limit on silence;
    the same life after different silences, one on life. A record that is busy and outlives
    a cut of a silent one shows a limit on silence too.
    """
    cut = [record for record in records if record.end.kind in _CUTS]
    for one, other in combinations(cut, 2):
        same_idle = abs(_idle(one) - _idle(other)) <= NEAR_SECONDS
        same_life = abs(_life(one) - _life(other)) <= NEAR_SECONDS
        if same_idle != same_life:
            return (Cut.IDLE, _idle(one)) if same_idle else (Cut.ABSOLUTE, _life(one))
    for one in cut:
        for other in records:
            if other.open_at_end and _life(other) > _life(one) + NEAR_SECONDS:
                quieter = _longest_silence(other) < _idle(one) - NEAR_SECONDS
                return (Cut.IDLE, _idle(one)) if quieter else (Cut.UNCLEAR, None)
    return Cut.UNCLEAR, None


def _life(stream: Stream) -> float:
    return stream.end.at - sent_at(stream)


def _idle(stream: Stream) -> float:
    return stream.end.at - _times(stream)[-1]


def _longest_silence(stream: Stream) -> float:
    times = [*_times(stream), stream.end.at]
    return max(later - earlier for earlier, later in pairwise(times))


def _times(stream: Stream) -> list[float]:
    headers = stream.phases.headers
    return [sent_at(stream) if headers is None else headers, *(read.at for read in stream.reads)]
