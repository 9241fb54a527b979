"""What one record shows by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ssemedic.stream.coding import coding, parse_decoded
from ssemedic.stream.known_limits import known_limits
from ssemedic.stream.parser import Parsed
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Expected, Kind, Symptom

#: Headers later than this many seconds after the request leave a browser CONNECTING.
HEADERS_LATE_SECONDS = 2.0

#: A stream that ends this soon after its headers was closed at once.
AT_ONCE_SECONDS = 1.0

#: A break this long after the last byte is a limit on idleness.
IDLE_SECONDS = 1.0

#: An event whose blank line is this late never comes.
UNFINISHED_SECONDS = 3.0

_WITHOUT_STATUS = {
    "refused": (Kind.REFUSED, "nobody listens"),
    "unreachable": (Kind.UNREACHABLE, "cannot be reached"),
    "timeout_connect": (Kind.UNREACHABLE, "does not accept the connection"),
    "tls_error": (Kind.TLS_ERROR, "TLS fails"),
    "protocol_error": (Kind.NOT_HTTP, "what answers is not HTTP"),
    "limit_headers": (Kind.NOT_HTTP, "the headers have no end"),
    "limit_line": (Kind.NOT_HTTP, "a line of the answer has no end"),
    "reset": (Kind.RESET, "resets the connection before it answers"),
    "h2_reset": (Kind.RESET, "resets the stream before it answers"),
}


def observe_one(stream: Stream, expected: Expected | None = None) -> tuple[Symptom, ...]:
    """The symptoms of one record, whatever its variant; none for what was not recorded."""
    if stream.end.kind == "not_recorded":
        return ()
    return tuple(_observe(stream, expected or Expected()))


def sent_at(stream: Stream) -> float:
    """The second at which the hop had the request, as near as the record tells."""
    phases = stream.phases
    known = (phases.sent, phases.tls, phases.connected)
    return next((at for at in known if at is not None), 0.0)


def _observe(stream: Stream, expected: Expected) -> Iterator[Symptom]:
    if stream.status is None:
        yield _without_status(stream)
        return
    yield from _late_headers(stream)
    if stream.status != 200:
        yield _wrong_status(stream)
    elif not stream.is_event_stream:
        yield _wrong_type(stream)
    else:
        yield from _event_stream(stream, expected)


def _symptom(stream: Stream, kind: Kind, text: str, **measured: Any) -> Symptom:
    return Symptom(kind, stream.hop, f"{stream.hop}: {text}", measured)


def _without_status(stream: Stream) -> Symptom:
    end = stream.end
    seconds = round(end.at, 2)
    if end.kind in _WITHOUT_STATUS:
        kind, text = _WITHOUT_STATUS[end.kind]
        detail = f" ({end.detail})" if end.detail else ""
        return _symptom(
            stream, kind, text + detail, seconds=seconds, end=end.kind, before_headers=True
        )
    if end.kind == "limit_time":
        waited = round(end.at - sent_at(stream), 2)
        text = f"no status line within {waited:.1f} s of the request"
        return _symptom(stream, Kind.NO_ANSWER, text, seconds=waited, end=end.kind)
    text = f"connection closed after {seconds:.2f} s, before the headers were complete"
    return _symptom(stream, Kind.NO_ANSWER, text, seconds=seconds, end=end.kind)


def _late_headers(stream: Stream) -> Iterator[Symptom]:
    if stream.phases.headers is None:
        return
    late = stream.phases.headers - sent_at(stream)
    if late > HEADERS_LATE_SECONDS + stream.stalled:
        text = f"headers arrived {late:.1f} s after the request"
        yield _symptom(stream, Kind.HEADERS_LATE, text, seconds=round(late, 2))


def _wrong_status(stream: Stream) -> Symptom:
    measured: dict[str, Any] = {"status": stream.status, "content_type": stream.content_type}
    location = stream.header("location")
    if location is not None:
        measured["location"] = location
    reason = f" {stream.reason}" if stream.reason else ""
    text = f"answered {stream.status}{reason}, must be 200"
    return _symptom(stream, Kind.WRONG_STATUS, text, **measured)


def _wrong_type(stream: Stream) -> Symptom:
    found = stream.content_type
    kind = Kind.HTML_INSTEAD if found in ("text/html", "application/xhtml+xml") else Kind.WRONG_TYPE
    text = f"Content-Type is {found or 'missing'}, must be text/event-stream"
    return _symptom(stream, kind, text, content_type=found, bytes=stream.size)


def _event_stream(stream: Stream, expected: Expected) -> Iterator[Symptom]:
    parsed = parse_decoded(stream)
    yield from _contents(stream, parsed)
    if stream.open_at_end:
        yield from _silence(stream, expected)
    else:
        yield from _ending(stream, parsed)
    yield from _caching(stream)
    yield from _cors(stream, expected)


def _contents(stream: Stream, parsed: Parsed | None) -> Iterator[Symptom]:
    named = coding(stream)
    if named:
        if stream.size and (parsed is None or not parsed.signs_of_life):
            text = f"{stream.size} bytes with Content-Encoding {named} and no event in them"
            yield _symptom(stream, Kind.COMPRESSED, text, encoding=named, bytes=stream.size)
        return
    if parsed is None or parsed.events or not stream.size:
        return
    whole = len(stream.body) == stream.size
    since = parsed.pending_since
    never = since is not None and stream.end.at - since > UNFINISHED_SECONDS + stream.stalled
    unfinished = whole and parsed.pending > 0 and (never or not stream.open_at_end)
    if unfinished or parsed.ignored:
        text = f"{stream.size} bytes in {parsed.lines} lines and no event in them"
        lines = {"lines": parsed.lines, "ignored": parsed.ignored, "pending": parsed.pending}
        yield _symptom(stream, Kind.NOT_PARSABLE, text, bytes=stream.size, **lines)


def _silence(stream: Stream, expected: Expected) -> Iterator[Symptom]:
    keepalive = expected.keepalive_seconds
    if stream.size or keepalive is None or keepalive >= expected.window:
        return
    open_for = stream.end.at - (stream.phases.headers or 0.0)
    if keepalive + 0.5 + stream.stalled < open_for:
        text = f"open for {open_for:.1f} s without a byte, must send one every {keepalive:g} s"
        yield _symptom(stream, Kind.SILENT, text, seconds=round(open_for, 2), expected=keepalive)


def _ending(stream: Stream, parsed: Parsed | None) -> Iterator[Symptom]:
    end = stream.end
    headers = stream.phases.headers or 0.0
    lived = end.at - headers
    last = stream.reads[-1].at if stream.reads else headers
    idle = end.at - last
    events = len(parsed.events) if parsed is not None else 0
    if end.kind in ("protocol_error", "limit_line", "limit_headers"):
        text = f"the body stops being HTTP {lived:.1f} s after the headers ({end.detail})"
        yield _symptom(stream, Kind.NOT_HTTP, text, seconds=round(lived, 2), end=end.kind)
        return
    if end.kind == "tls_error":
        text = f"TLS fails {lived:.1f} s after the headers ({end.detail})"
        yield _symptom(stream, Kind.TLS_ERROR, text, seconds=round(lived, 2), end=end.kind)
        return
    nothing_else = parsed is not None and not (parsed.ignored or parsed.pending)
    if not events and nothing_else and lived <= AT_ONCE_SECONDS + stream.stalled:
        text = f"closed {1000 * lived:.0f} ms after the headers without an event"
        yield _symptom(
            stream,
            Kind.CLOSED_AT_ONCE,
            text,
            seconds=round(lived, 3),
            bytes=stream.size,
            end=end.kind,
        )
        return
    if end.kind in ("last_chunk", "eof"):
        # The answer to a POST is over when it is over; an EventSource's never is.
        if stream.method == "GET" or not events:
            text = f"ended {lived:.1f} s after the headers, after {events} events"
            yield _symptom(
                stream,
                Kind.ENDED,
                text,
                total_seconds=round(end.at, 2),
                idle_seconds=round(idle, 2),
                events=events,
                end=end.kind,
            )
        return
    yield _broken(stream, idle, events)


def _broken(stream: Stream, idle: float, events: int) -> Symptom:
    end = stream.end
    total = end.at - sent_at(stream)
    measured: dict[str, Any] = {
        "idle_seconds": round(idle, 2),
        "total_seconds": round(total, 2),
        "events": events,
        "end": end.kind,
    }
    if idle > IDLE_SECONDS + stream.stalled:
        kind, limits = Kind.CUT_WHEN_IDLE, known_limits(idle)
        text = f"broken off {idle:.1f} s after the last byte, {total:.1f} s after the start"
    elif end.kind in ("reset", "h2_reset"):
        kind, limits = Kind.RESET, known_limits(total)
        text = f"reset {total:.1f} s after the start ({end.detail or end.kind})"
    else:
        kind, limits = Kind.CUT_AFTER, known_limits(total)
        text = f"broken off {total:.1f} s after the start, while bytes were flowing"
    if limits:
        measured["known_limits"] = list(limits)
        text += f"; a known limit is {limits[0]}"
    return _symptom(stream, kind, text, **measured)


def _caching(stream: Stream) -> Iterator[Symptom]:
    # Only the answer to a GET may be kept by a cache without being told (RFC 9111, 3).
    if stream.method != "GET":
        return
    found = ", ".join(stream.header_values("cache-control"))
    directives = {part.strip().split("=")[0].lower() for part in found.split(",")}
    if not directives & {"no-cache", "no-store"}:
        text = f"Cache-Control is {found or 'missing'}, must be no-cache"
        yield _symptom(
            stream, Kind.MISSING_HEADER, text, header="Cache-Control", observed=found or None
        )


def _cors(stream: Stream, expected: Expected) -> Iterator[Symptom]:
    origin = expected.origin
    if origin is None or origin.lower() == _origin_of(stream.url):
        return
    lines = stream.header_values("access-control-allow-origin")
    values = [value.strip() for line in lines for value in line.split(",")]
    if len(values) > 1:
        text = f"{len(values)} values of Access-Control-Allow-Origin, must be one"
        yield _symptom(stream, Kind.DUPLICATE_CORS, text, values=values, origin=origin)
    elif not values or values[0] not in ("*", origin):
        seen = values[0] if values else "missing"
        text = f"Access-Control-Allow-Origin is {seen}, must be {origin}"
        observed = values[0] if values else None
        yield _symptom(stream, Kind.MISSING_CORS, text, observed=observed, origin=origin)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
