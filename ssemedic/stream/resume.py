"""What a stream gives a client that comes back with Last-Event-ID. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.stream.coding import parse_decoded
from ssemedic.stream.parser import Event
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom


def ids_of(stream: Stream) -> tuple[str, ...]:
    """The ids that the stream gave its events, in order, each once."""
    return tuple(dict.fromkeys(event.id for event in _events(stream) if event.id))


def resume_point(stream: Stream) -> str | None:
    """The id to come back with so that at least one known event must follow; None without ids."""
    ids = ids_of(stream)
    return ids[max(0, len(ids) - 3)] if len(ids) > 1 else None


def compare(first: Stream, resumed: Stream, last_id: str) -> tuple[Symptom, ...]:
    """What is lost, and what comes again, after ``last_id`` (WHATWG HTML, 9.2.4)."""
    return tuple(_compare(first, resumed, last_id))


def _compare(first: Stream, resumed: Stream, last_id: str) -> Iterator[Symptom]:
    ids = ids_of(first)
    if last_id not in ids or not resumed.is_event_stream:
        return
    at = ids.index(last_id)
    had, due = set(ids[: at + 1]), ids[at + 1 :]
    came = ids_of(resumed)
    anew = bool(came) and came[0] == ids[0]  # then what is due may come after our window
    lost = [] if anew else [name for name in due if name not in came]
    again = [name for name in came if name in had]
    if lost:
        text = (
            f"{resumed.hop}: of {len(due)} events after Last-Event-ID {last_id!r}"
            f" {len(lost)} did not come again"
        )
        numbers = {"due": len(due), "lost": len(lost)}
        yield Symptom(Kind.LOST_ON_RESUME, resumed.hop, text, numbers)
    if again:
        text = (
            f"{resumed.hop}: {len(again)} events came again that Last-Event-ID {last_id!r}"
            " said the client has"
        )
        if anew:
            text += f"; the stream began anew at id {ids[0]!r}"
        yield Symptom(Kind.REPLAYED, resumed.hop, text, {"again": len(again), "known": len(had)})


def _events(stream: Stream) -> tuple[Event, ...]:
    parsed = parse_decoded(stream)
    return parsed.events if parsed is not None else ()
