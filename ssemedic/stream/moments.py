"""When a record first showed life, in seconds since its start. Nothing of it is stored twice.

Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

from .coding import parse_decoded
from .record import Stream


def first_byte(stream: Stream) -> float | None:
    """When the first byte of the body came; None if none did."""
    return stream.reads[0].at if stream.reads else None


def first_comment(stream: Stream) -> float | None:
    """When the first comment was complete; None without one, or where it cannot be decoded."""
    parsed = parse_decoded(stream)
    return parsed.comments[0].at if parsed is not None and parsed.comments else None


def first_event(stream: Stream) -> float | None:
    """When a browser could dispatch the first event; None as for `first_comment`."""
    parsed = parse_decoded(stream)
    return parsed.events[0].at if parsed is not None and parsed.events else None
