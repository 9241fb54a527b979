"""Latencies of very many streams, in a fixed amount of memory."""

from __future__ import annotations

import math
import re
import time
from array import array
from dataclasses import dataclass

_SHORTEST = 1e-5  # seconds; anything shorter counts as this
_PER_OCTAVE = 32  # buckets per doubling: a percentile errs by 1.1 % at most
_OCTAVES = 27  # up to 1,300 s

#: An event whose own time is further from ours (seconds) was stored, not just sent.
_FRESH = 60.0
#: A clock of the sender this far ahead (seconds) still makes a latency of 0.
_AHEAD = 1.0
#: Events that are remembered to find them again on other streams.
_REMEMBERED = 256
#: Events in a row without a time after which none is looked for any more.
_LOOK = 200

_TIME = re.compile(
    rb'"(?:sent_at|sentAt|sent|timestamp|time|ts|at|t)"\s*:\s*"?([0-9]{10}\.[0-9]+|[0-9]{13})\b'
)


@dataclass(frozen=True)
class Quantiles:
    """Seconds; the percentiles err by 1.1 % at most, the longest is exact."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float


class Spread:
    """A histogram of seconds with buckets that grow with the value."""

    __slots__ = ("_buckets", "count", "longest")

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        self._buckets = array("Q", bytes(8 * _PER_OCTAVE * _OCTAVES))

    def add(self, seconds: float) -> None:
        """Take one value; a negative one counts as nothing."""
        self.count += 1
        self.longest = max(self.longest, seconds)
        octaves = math.log2(max(seconds, _SHORTEST) / _SHORTEST)
        self._buckets[min(int(octaves * _PER_OCTAVE), len(self._buckets) - 1)] += 1

    def at(self, share: float) -> float:
        """The value that the given share (0 to 1) of all values does not exceed, in seconds."""
        wanted = max(1, math.ceil(share * self.count))
        passed = 0
        for number, count in enumerate(self._buckets):
            passed += count
            if passed >= wanted:
                middle = _SHORTEST * math.pow(2.0, (number + 0.5) / _PER_OCTAVE)
                return min(middle, self.longest)
        return self.longest

    def quantiles(self) -> Quantiles | None:
        """None where nothing was measured."""
        if not self.count:
            return None
        return Quantiles(self.count, self.at(0.5), self.at(0.95), self.at(0.99), self.longest)


class _Sighting:
    """One event, where and when it was seen first, and the streams that have had it."""

    __slots__ = ("at", "had", "opened", "stream")

    def __init__(self, stream: int, opened: float, at: float) -> None:
        self.stream, self.opened, self.at = stream, opened, at
        self.had: bytearray | None = None


class Latencies:
    """How late events come: by the time they carry, or behind the first stream that had them.

    Bytes that come back are an event of their own once a stream that has had them gets
    them again. Where streams count for themselves ("data: 1", "data: 2" from their own
    start), equal bytes are no broadcast: the distance between two streams is then the
    distance between their openings, which `best` recognises.
    """

    def __init__(self, streams: int) -> None:
        self._bitmap = (streams + 7) // 8
        self._events = 0
        self._untimed = 0
        self._by_time = Spread()
        self._behind = Spread()
        self._apart_from_opening = Spread()
        self._sightings: dict[int, _Sighting] = {}

    def event(self, stream: int, opened: float, checksum: int, piece: bytes, now: float) -> None:
        """Take one event of a stream that was opened at a second of the clock of ``now``."""
        self._events += 1
        if piece and self._untimed < _LOOK:
            self._own_time(piece)
        first = self._sightings.get(checksum)
        if first is None or first.stream == stream or self._again(first, stream):
            if first is None and len(self._sightings) >= _REMEMBERED:
                del self._sightings[next(iter(self._sightings))]
            self._sightings[checksum] = _Sighting(stream, opened, now)
        elif first.at >= opened:  # or it is a replay of what came before this stream opened
            behind = now - first.at
            self._behind.add(behind)
            self._apart_from_opening.add(abs(behind - (opened - first.opened)))

    def best(self) -> tuple[Quantiles | None, str]:
        """The surest latency, and the words for what it is."""
        if self._by_time.count and 2 * self._by_time.count >= self._events:
            words = "from the time that each event carries; its clock and ours must agree"
            return self._by_time.quantiles(), words
        if self._behind.count:
            if self._apart_from_opening.at(0.5) < 0.25 * self._behind.at(0.5):
                return None, "not measurable: every stream counts from its own start"
            words = "behind the first stream that had the same event"
            return self._behind.quantiles(), words
        return None, "not measurable: no event carries a time or came on two streams"

    def _own_time(self, piece: bytes) -> None:
        found = _TIME.search(piece)
        if found is None:
            self._untimed += 1
            return
        self._untimed = 0
        text = found.group(1)
        latency = time.time() - (float(text) if b"." in text else int(text) / 1000)
        if -_AHEAD <= latency <= _FRESH:
            self._by_time.add(max(0.0, latency))

    def _again(self, first: _Sighting, stream: int) -> bool:
        if first.had is None:
            first.had = bytearray(self._bitmap)
        byte, bit = divmod(stream, 8)
        if first.had[byte] & (1 << bit):
            return True
        first.had[byte] |= 1 << bit
        return False
