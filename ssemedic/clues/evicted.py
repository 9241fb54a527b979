"""Streams that end because another one of the same client opens: seen from our own records."""

from __future__ import annotations

from ssemedic.case import Case
from ssemedic.stream.record import Stream
from ssemedic.stream.single import sent_at

#: So near to another one's request (seconds) a stream must end.
_NEAR = 0.35


def evicted(case: Case) -> tuple[tuple[Stream, Stream], ...]:
    """Each of our streams that ended, with the one whose request ended it.

    Empty unless every one that ended did so as another one asked, and the newest lives on:
    only then is it the newcomer that ends the older ones.
    """
    records = [s for s in (*case.topology.streams, *case.topology.counter) if s.is_event_stream]
    ended = [stream for stream in records if not stream.open_at_end]
    living = [stream for stream in records if stream.open_at_end]
    if not ended or not living:
        return ()
    newest = max(_asked(stream) for stream in living)
    pairs = []
    for stream in ended:
        by = next((s for s in records if s is not stream and _ends(stream, s)), None)
        if by is None or _asked(stream) > newest:
            return ()
        pairs.append((stream, by))
    return tuple(pairs)


def _ends(stream: Stream, newcomer: Stream) -> bool:
    end = stream.started + stream.end.at
    later = _asked(newcomer) > _asked(stream)
    return later and abs(end - _asked(newcomer)) <= _NEAR + stream.stalled + newcomer.stalled


def _asked(stream: Stream) -> float:
    return stream.started + sent_at(stream)
