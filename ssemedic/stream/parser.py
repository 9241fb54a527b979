"""The event-stream parser, exactly as a browser does it (WHATWG HTML, 9.2.6).

Beside the events it keeps what a browser throws away and a diagnosis needs:
comments, the place of everything in the stream, and when it arrived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .record import Stream

#: Longest line that is kept, in bytes; the rest of a longer line is dropped and counted.
MAX_LINE = 64 << 10

#: A blank line that comes so many seconds after its event's last field was not sent with it.
LATE_SECONDS = 1.0

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True)
class Event:
    """One dispatched event.

    ``id`` is the last event id in force. ``offset`` and ``end`` are byte positions in
    the body: the first byte of its first field, and one past the byte that dispatched
    it. ``at`` is the second at which that byte arrived, None where no times are known.
    """

    type: str
    data: str
    id: str
    offset: int
    end: int
    at: float | None = None


@dataclass(frozen=True)
class Comment:
    """One comment line, without its colon; ``at`` is the second at which its end arrived."""

    text: str
    offset: int
    at: float | None = None


@dataclass(frozen=True)
class Fault:
    """What a server sends against the format and a browser passes over in silence.

    ``kind`` is one of not_utf8, nul_in_id, retry_not_digits, bom_inside, unknown_field,
    event_without_data, late_blank_line; ``offset`` is the first byte of the first line
    that shows it, ``count`` how many lines do.
    """

    kind: str
    offset: int
    count: int


@dataclass(frozen=True)
class Parsed:
    """What a stream holds. ``pending`` counts the bytes of an event that is not complete.

    ``pending_since`` is the second at which its first complete line arrived; ``ignored``
    counts lines that are neither comments nor known fields.
    """

    events: tuple[Event, ...]
    comments: tuple[Comment, ...]
    retry: int | None
    last_id: str
    lines: int
    pending: int
    pending_since: float | None
    ignored: int
    dropped: int  # bytes of lines longer than `MAX_LINE`
    faults: tuple[Fault, ...] = ()

    @property
    def signs_of_life(self) -> int:
        """Events and comments: what shows that the application speaks."""
        return len(self.events) + len(self.comments)


class Parser:
    """Feed it bytes as they come; any split gives the same result."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._comments: list[Comment] = []
        self._retry: int | None = None
        self._lines = 0
        self._dropped = 0
        self._position = 0  # bytes fed
        self._line = bytearray()  # the line that has not ended yet, and where it began
        self._line_start = 0
        self._after_cr = False
        self._block_start: int | None = None  # the fields since the last blank line
        self._block_at: float | None = None
        self._ignored = 0
        self._type = ""
        self._data: list[str] = []
        self._id = ""
        self._last_id = ""
        self._field_at: float | None = None  # of the last field
        self._faults: dict[str, tuple[int, int]] = {}

    @property
    def lines(self) -> int:
        """How many lines have ended so far."""
        return self._lines

    def feed(self, data: bytes, at: float | None = None) -> None:
        """Take the next bytes, which arrived at that second."""
        if not data:
            return
        start = 0
        if self._after_cr and data.startswith(b"\n"):  # a CRLF that was split
            start = 1
            self._line_start += 1
        self._after_cr = False
        while True:
            found = _LINE_END.search(data, start)
            self._keep(data[start : found.start()] if found else data[start:])
            if found is None:
                break
            start = found.end()
            self._after_cr = found.group() == b"\r" and start == len(data)
            self._line_ended(self._position + found.start() + 1, at)
            self._line_start = self._position + start
        self._position += len(data)

    def drain(self) -> tuple[list[Event], list[Comment]]:
        """What is complete since the last call, to be shown as it comes; it is not kept."""
        news = (self._events, self._comments)
        self._events, self._comments = [], []
        return news

    def finish(self) -> Parsed:
        """The result; an event without its blank line is dropped."""
        start = self._line_start if self._block_start is None else self._block_start
        return Parsed(
            events=tuple(self._events),
            comments=tuple(self._comments),
            retry=self._retry,
            last_id=self._last_id,
            lines=self._lines,
            pending=self._position - start,
            pending_since=None if self._block_start is None else self._block_at,
            ignored=self._ignored,
            dropped=self._dropped,
            faults=tuple(Fault(kind, *seen) for kind, seen in self._faults.items()),
        )

    def _keep(self, data: bytes) -> None:
        room = MAX_LINE - len(self._line)
        self._line += data[:room]
        self._dropped += max(0, len(data) - room)

    def _line_ended(self, end: int, at: float | None) -> None:
        line = bytes(self._line)
        self._line.clear()
        self._lines += 1
        if self._lines == 1 and line.startswith(_BOM):
            line = line[len(_BOM) :]
        if not line:
            self._dispatch(end, at)
            return
        text = self._text(line)
        if line.startswith(b":"):
            self._comments.append(Comment(_without_space(text[1:]), self._line_start, at))
            return
        if self._block_start is None:
            self._block_start = self._line_start
            self._block_at = at
        self._field_at = at
        name, _colon, value = text.partition(":")
        self._field(name, _without_space(value))

    def _text(self, line: bytes) -> str:
        if line.startswith(_BOM):
            self._fault("bom_inside")
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            if len(line) < MAX_LINE:  # else it is we who cut a character in two
                self._fault("not_utf8")
            return line.decode("utf-8", "replace")

    def _fault(self, kind: str, offset: int | None = None) -> None:
        first, count = self._faults.get(kind, (offset, 0))
        self._faults[kind] = (self._line_start if first is None else first, count + 1)

    def _field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id":
            if "\0" not in value:
                self._id = value
            else:
                self._fault("nul_in_id")
        elif name == "retry":
            if value.isascii() and value.isdigit() and len(value) < 19:
                self._retry = int(value)
            else:
                self._fault("retry_not_digits")
        else:
            self._ignored += 1
            self._fault("unknown_field")

    def _dispatch(self, end: int, at: float | None) -> None:
        self._last_id = self._id
        if self._data and self._block_start is not None:
            kind, data = self._type or "message", "\n".join(self._data)
            self._events.append(Event(kind, data, self._last_id, self._block_start, end, at))
            waited = 0.0 if at is None or self._field_at is None else at - self._field_at
            if waited > LATE_SECONDS:
                self._fault("late_blank_line", self._block_start)
        elif self._type:
            self._fault("event_without_data", self._block_start)
        self._data = []
        self._type = ""
        self._block_start = None


def parse(stream: Stream) -> Parsed:
    """The events of a record, as far as its body was kept, with their arrival times."""
    parser = Parser()
    position = 0
    for read in stream.reads:
        parser.feed(stream.body[position : position + read.size], read.at)
        position += read.size
    return parser.finish()


def _without_space(value: str) -> str:
    return value[1:] if value.startswith(" ") else value
