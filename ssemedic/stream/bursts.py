"""The size of a buffer, from the sizes of the bursts that it lets go. Pure."""

from __future__ import annotations

import statistics
from itertools import pairwise

from ssemedic.stream.coding import coding, parse_decoded
from ssemedic.stream.record import Stream

#: Buffers are judged from this many bursts.
MIN_BURSTS = 3

#: Bursts that are nearer to each other than this (seconds) are one.
APART_SECONDS = 0.05

_BUFFERS = tuple(1 << power for power in range(9, 18))  # 512 bytes to 128 KiB


def burst_sizes(stream: Stream) -> tuple[int, ...]:
    """Bytes of each burst: reads that follow each other at once are one."""
    sizes: list[int] = []
    last = None
    for read in stream.reads:
        if last is not None and read.at - last < APART_SECONDS:
            sizes[-1] += read.size
        else:
            sizes.append(read.size)
        last = read.at
    return tuple(sizes)


def buffer_size(stream: Stream) -> int | None:
    """The size of the buffer that holds events back, in bytes; None where nothing shows one.

    A buffer lets go what fits it, wherever an event ends: so bursts are all of one size, a
    power of two, end inside an event and hold several. An app that writes in bursts
    ends each with an event.
    """
    parsed = parse_decoded(stream)
    sizes = burst_sizes(stream)[:-1]  # the last may be cut by our window
    if coding(stream) or parsed is None or len(sizes) < MIN_BURSTS:
        return None
    usual = int(statistics.median(sizes))
    size = next((size for size in _BUFFERS if abs(usual - size) <= size // 16), None)
    if size is None or any(abs(size - seen) > size // 8 for seen in sizes):
        return None
    ends = {event.end for event in parsed.events}
    position, inside = 0, 0
    for burst in sizes:
        position += burst
        if position < len(stream.body):
            inside += position not in ends
    longest = max(
        (later.end - earlier.end for earlier, later in pairwise(parsed.events)), default=0
    )
    return size if 2 * inside > len(sizes) and 2 * longest <= size else None
