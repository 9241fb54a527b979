"""What is worth saying of one record and stops no stream by itself. Pure.

`observe_one` says what is broken; a healthy stream may still carry remarks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ssemedic.stream.cadence import Timeout, cadence, margin
from ssemedic.stream.coding import coding, parse_decoded
from ssemedic.stream.parser import Parsed
from ssemedic.stream.record import Stream
from ssemedic.stream.single import is_cross_origin
from ssemedic.symptoms import Expected, Kind, Symptom

_FAULTS = {
    "not_utf8": "is not UTF-8, so a browser shows U+FFFD",
    "nul_in_id": "has an id with NUL, which a browser ignores",
    "retry_not_digits": "has a retry that is not digits alone, which a browser ignores",
    "bom_inside": "begins with a byte order mark, which makes the field's name unknown",
    "unknown_field": "is no field of an event stream, so a browser ignores it",
    "event_without_data": "ends an event without data, which a browser never dispatches",
    "late_blank_line": "ends its event only when the next one comes, so each is one late",
}

#: One late blank line may be one slow write; a habit of them is a fault.
_NEEDED = {"late_blank_line": 2}


def remarks(
    stream: Stream, expected: Expected | None = None, timeouts: Sequence[Timeout] = ()
) -> tuple[Symptom, ...]:
    """Everything to say of one record; nothing of what was not recorded.

    ``timeouts`` are idle limits known to be on the way, (seconds, whose); without them
    the defaults of products that the headers name are taken.
    """
    expected = expected or Expected()
    if stream.status is None:
        return ()
    return tuple(_remarks(stream, expected, timeouts))


def _remarks(stream: Stream, expected: Expected, timeouts: Sequence[Timeout]) -> Iterator[Symptom]:
    if stream.is_event_stream:
        yield from _conformance(stream)
        yield from _keepalive(stream, expected, timeouts)
        yield from _wrong_hop(stream)
    elif stream.status != 200:
        yield from _hidden_error(stream, expected)


def _remark(stream: Stream, kind: Kind, text: str, **measured: Any) -> Symptom:
    return Symptom(kind, stream.hop, f"{stream.hop}: {text}", measured)


def _conformance(stream: Stream) -> Iterator[Symptom]:
    parsed = parse_decoded(stream)
    if parsed is None or not parsed.events:
        return  # a stream without a single event is more than a remark
    found = [fault for fault in parsed.faults if fault.count >= _NEEDED.get(fault.kind, 1)]
    said = [
        f"{_lines(fault.count)} {_FAULTS[fault.kind]} (first at byte {fault.offset})"
        for fault in found
    ]
    counts = {fault.kind: fault.count for fault in found}
    lost = _lost_at_the_end(stream, parsed)
    if lost:
        counts["no_blank_line"] = lost
        said.append(f"the last {lost} bytes have no blank line after them, so a browser drops them")
    charset = _charset(stream)
    if charset not in ("", "utf-8", "utf8"):
        counts["charset"] = 1
        said.append(f"Content-Type names {charset}, but a browser reads UTF-8")
    if said:
        yield _remark(stream, Kind.NOT_CONFORMING, "; ".join(said), faults=counts)


def _lines(count: int) -> str:
    return "a line" if count == 1 else f"each of {count} lines"


def _lost_at_the_end(stream: Stream, parsed: Parsed) -> int:
    clean = stream.end.kind in ("last_chunk", "eof")
    whole = not coding(stream) and len(stream.body) == stream.size
    return parsed.pending if clean and whole else 0


def _charset(stream: Stream) -> str:
    for part in (stream.header("content-type") or "").split(";")[1:]:
        name, _equals, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def _keepalive(
    stream: Stream, expected: Expected, timeouts: Sequence[Timeout]
) -> Iterator[Symptom]:
    found = margin(stream, timeouts, expected.keepalive_seconds)
    if found is None or not found.is_small:
        return
    seen = cadence(stream)
    by = "a keep-alive is promised" if seen is None else f"a keep-alive ({seen.by}) comes"
    text = (
        f"{by} every {found.silence:.1f} s, and {found.limit:g} s without a byte is the limit of"
        f" {found.whose}: must be {found.limit / 2:g} s or less"
    )
    yield _remark(
        stream,
        Kind.KEEPALIVE_SLOW,
        text,
        seconds=round(found.silence, 2),
        by=seen.by if seen is not None else None,
        limit=found.limit,
        whose=found.whose,
        margin=round(found.seconds, 2),
    )


def _wrong_hop(stream: Stream) -> Iterator[Symptom]:
    value = stream.header("x-accel-buffering")
    server = (stream.header("server") or "").lower()
    if value is not None and ("nginx" in server or "openresty" in server):
        text = (
            f"X-Accel-Buffering: {value} reaches the client: nginx keeps the one that the app sends"
            " to itself, so this one was added on the way out, where it does nothing"
        )
        yield _remark(stream, Kind.WRONG_HOP_HEADER, text, header="X-Accel-Buffering", value=value)


def _hidden_error(stream: Stream, expected: Expected) -> Iterator[Symptom]:
    origin = expected.origin
    if origin is None or not is_cross_origin(stream, expected):
        return
    allowed = stream.header("access-control-allow-origin")
    if allowed not in ("*", origin):
        text = (
            f"status {stream.status} comes without Access-Control-Allow-Origin,"
            " so the page sees a CORS error in its place"
        )
        yield _remark(stream, Kind.ERROR_WITHOUT_CORS, text, status=stream.status, origin=origin)
