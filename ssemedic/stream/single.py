"""What one record shows by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from ssemedic.stream.coding import Decoded, coding, decode
from ssemedic.stream.known_limits import known_limits
from ssemedic.stream.measured import said_goodbye
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

#: A line that comes in reads no larger than this on average (bytes) is dripping.
DRIP_BYTES = 16

#: A gap this many seconds longer than the last one shows that silence is not what cuts.
SURVIVED_SECONDS = 0.3

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
    "hidden": (Kind.BROWSER_REFUSED, "the browser refuses it and does not say why"),
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


def is_cross_origin(stream: Stream, expected: Expected) -> bool:
    """True if a page of another origin reads the stream, so that CORS decides.

    What a browser shows its page has passed, and of the headers it shows few.
    """
    if stream.vantage == "browser" or expected.origin is None:
        return False
    return expected.origin.lower() != _origin_of(stream.url)


def is_other_answer(stream: Stream, expected: Expected) -> bool:
    """True for what a POST takes in place of a stream: it has come whole, and is no symptom."""
    if (
        stream.method != "POST"
        or not expected.types
        or stream.end.kind not in ("last_chunk", "eof")
    ):
        return False
    if stream.status == 202:
        return not stream.size
    return stream.status == 200 and stream.content_type in expected.types


def _observe(stream: Stream, expected: Expected) -> Iterator[Symptom]:
    if stream.status is None:
        yield _without_status(stream)
        return
    if is_other_answer(stream, expected):
        return
    if stream.status != 200:
        yield _wrong_status(stream)  # how late a refusal came does not matter beside it
        return
    yield from _late_headers(stream)
    if not stream.is_event_stream:
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
        if stream.phases.sent is None and end.detail:
            text = f"{end.detail} within {waited:.1f} s"
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
    if stream.end.kind == "limit_redirects":
        count = len(stream.redirects)
        return _symptom(stream, Kind.REDIRECT_LOOP, stream.end.detail, redirects=count)
    measured: dict[str, Any] = {"status": stream.status, "content_type": stream.content_type}
    location = stream.header("location")
    if location is not None:
        measured["location"] = location
    reason = f" {stream.reason}" if stream.reason else ""
    text = f"answered {stream.status}{reason}, must be 200"
    if stream.status == 204:
        text += "; a browser takes it as the order not to come back"
    return _symptom(stream, Kind.WRONG_STATUS, text, **measured)


def _wrong_type(stream: Stream) -> Symptom:
    found = stream.content_type
    kind = Kind.HTML_INSTEAD if found in ("text/html", "application/xhtml+xml") else Kind.WRONG_TYPE
    text = f"Content-Type is {found or 'missing'}, must be text/event-stream"
    return _symptom(stream, kind, text, content_type=found, bytes=stream.size)


def _event_stream(stream: Stream, expected: Expected) -> Iterator[Symptom]:
    decoded = decode(stream)
    parsed = decoded.parsed
    yield from _contents(stream, decoded)
    if stream.open_at_end:
        yield from _silence(stream, expected)
    elif not _nothing_to_say_of_its_end(stream, decoded):
        yield from _ending(stream, parsed)
    yield from _caching(stream)
    yield from _cors(stream, expected)


def _nothing_to_say_of_its_end(stream: Stream, decoded: Decoded) -> bool:
    """True for a clean end of what was not read to its end, so that it says nothing."""
    unread = decoded.parsed is None or (decoded.cut and not decoded.parsed.signs_of_life)
    return unread and stream.end.kind in ("last_chunk", "eof")


def _contents(stream: Stream, decoded: Decoded) -> Iterator[Symptom]:
    named, parsed = coding(stream), decoded.parsed
    if named:
        if stream.size and (parsed is None or not parsed.signs_of_life):
            what = "no event in them"
            if decoded.cut:
                what = f"no event in the first {decoded.size} that they decode to"
            elif parsed is None:
                what = "they cannot be decoded here"
            text = f"{stream.size} bytes with Content-Encoding {named} and {what}"
            yield _symptom(stream, Kind.COMPRESSED, text, encoding=named, bytes=stream.size)
        return
    if stream.end.kind == "limit_event":
        text = f"{stream.end.detail} and no end of it"
        yield _symptom(stream, Kind.NOT_PARSABLE, text, bytes=stream.size)
        return
    if parsed is None or parsed.events or not stream.size:
        return
    whole = len(stream.body) == stream.size
    since = parsed.pending_since
    never = since is not None and stream.end.at - since > UNFINISHED_SECONDS + stream.stalled
    unfinished = whole and parsed.pending > 0 and (never or not stream.open_at_end)
    unfinished = unfinished or (parsed.lines == 0 and _drips(stream))
    if unfinished or parsed.ignored:
        text = f"{stream.size} bytes in {parsed.lines} lines and no event in them"
        lines = {"lines": parsed.lines, "ignored": parsed.ignored, "pending": parsed.pending}
        yield _symptom(stream, Kind.NOT_PARSABLE, text, bytes=stream.size, **lines)


def _drips(stream: Stream) -> bool:
    """True for bytes that come one by one, so slowly that no line will ever be complete."""
    lasted = stream.reads[-1].at - stream.reads[0].at
    small = stream.size <= DRIP_BYTES * len(stream.reads)
    return small and len(stream.reads) > 2 and lasted > UNFINISHED_SECONDS + stream.stalled


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
    if end.kind == "protocol_error" and stream.response_version == "2" and not stream.size:
        text = f"a browser refuses the answer: {end.detail}"
        yield _symptom(stream, Kind.NOT_HTTP, text, seconds=round(lived, 2), end=end.kind)
        return
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
        if (stream.method == "GET" and not said_goodbye(parsed)) or not events:
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
    if idle > IDLE_SECONDS + stream.stalled and _longest_gap(stream) <= idle + SURVIVED_SECONDS:
        kind, limits = Kind.CUT_WHEN_IDLE, known_limits(idle)
        text = f"broken off {idle:.1f} s after the last byte, {total:.1f} s after the start"
    elif end.kind in ("reset", "h2_reset"):
        kind, limits = Kind.RESET, known_limits(total)
        text = f"reset {total:.1f} s after the start ({end.detail or end.kind})"
    else:
        kind, limits = Kind.CUT_AFTER, known_limits(total)
        text = f"broken off {total:.1f} s after the start, while bytes were flowing"
        if idle > IDLE_SECONDS + stream.stalled:
            longest = _longest_gap(stream)
            text = (
                f"broken off {total:.1f} s after the start, {idle:.1f} s after the last byte,"
                f" though silence of {longest:.1f} s had been no harm"
            )
            measured["survived_seconds"] = round(longest, 2)
    if limits:
        measured["known_limits"] = list(limits)
        text += f"; a known limit is {limits[0]}"
    return _symptom(stream, kind, text, **measured)


def _longest_gap(stream: Stream) -> float:
    """The longest time without a byte that the stream outlived, in seconds."""
    times = [stream.phases.headers or 0.0, *(read.at for read in stream.reads)]
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


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
    if origin is None or not is_cross_origin(stream, expected):
        return
    lines = stream.header_values("access-control-allow-origin")
    values = [value.strip() for line in lines for value in line.split(",")]
    if len(values) > 1:
        text = f"{len(values)} values of Access-Control-Allow-Origin, must be one"
        yield _symptom(stream, Kind.DUPLICATE_CORS, text, values=values, origin=origin)
    elif expected.credentials and values and not _takes_credentials(stream, values[0]):
        allowed = stream.header("access-control-allow-credentials")
        text = (
            f"Access-Control-Allow-Origin is {values[0]} and -Credentials {allowed or 'missing'},"
            f" must be {origin} and true for a page that sends cookies"
        )
        seen_here = {"observed": values[0], "credentials": allowed}
        yield _symptom(stream, Kind.MISSING_CORS, text, origin=origin, **seen_here)
    elif not values or values[0] not in ("*", origin):
        seen = values[0] if values else "missing"
        text = f"Access-Control-Allow-Origin is {seen}, must be {origin}"
        observed = values[0] if values else None
        yield _symptom(stream, Kind.MISSING_CORS, text, observed=observed, origin=origin)


def _takes_credentials(stream: Stream, allowed_origin: str) -> bool:
    """True if a page with credentials may read the answer (Fetch, 4.10, CORS check)."""
    allowed = stream.header("access-control-allow-credentials")
    return allowed_origin != "*" and allowed == "true"


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
