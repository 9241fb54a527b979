"""Records for the detectors, in the words of a script: what came when, and how it ended."""

from __future__ import annotations

from typing import Any

from ssemedic.stream.record import End, Phases, Read, Stream

GOOD_HEADERS = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"))
EVENT = b"data: x\n\n"
PING = b": ping\n\n"


def stream(
    hop: str,
    *arrivals: tuple[float, bytes],
    end: str = "limit_time",
    at: float = 8.0,
    headers_at: float | None = 0.02,
    status: int | None = 200,
    headers: tuple[tuple[str, str], ...] = GOOD_HEADERS,
    **changes: Any,
) -> Stream:
    """A record of ``hop``: (second, bytes) arrivals, then the end."""
    if status is None:
        headers_at, headers = None, ()
    values: dict[str, Any] = {
        "hop": hop,
        "vantage": "inside",
        "address": "127.0.0.1:8000",
        "url": "http://chat.example.org/events",
        "started": 1000.0,
        "window": 8.0,
        "end": End(end, at),
        "response_version": "1.1",
        "phases": Phases(0.001, 0.002, None, 0.003, headers_at),
        "status": status,
        "headers": headers,
        "reads": tuple(Read(second, len(data)) for second, data in arrivals),
        "body": b"".join(data for _second, data in arrivals),
    }
    return Stream(**{**values, **changes})


def healthy(hop: str, **changes: Any) -> Stream:
    """Headers at once, a first event, then quiet for the rest of the window."""
    return stream(hop, (0.03, EVENT), **changes)


def every(gap: float, data: bytes = EVENT, start: float = 0.05, until: float = 8.0) -> Any:
    """Arrivals at a steady pace."""
    count = int((until - start) / gap)
    return tuple((start + gap * number, data) for number in range(count))
