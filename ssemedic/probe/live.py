"""A stream while it comes: phases, events, comments, silences, and a strip that grows.

The recorder only puts what it sees into a queue, so that showing it delays no reading.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from ssemedic.probe.request import Request, mask
from ssemedic.report import strip, words
from ssemedic.report.page import GOOD, MARK, QUIET, STRONG, WARN, Page
from ssemedic.stream.coding import MAX_DECODED
from ssemedic.stream.inflate import InflateError, inflate
from ssemedic.stream.parser import Comment, Event, Parser

if TYPE_CHECKING:
    from ssemedic.stream.inflate import Inflate

#: A silence of this many seconds is worth a line of its own.
SILENCE_SECONDS = 2.0
#: More lines in one second than these would be read by nobody.
LINES_PER_SECOND = 20

_PREVIEW = 300  # characters of an event's data
_REFRESH = 0.2  # seconds between two pictures of the strip
_STRIP_WIDTH = 60


@dataclass(frozen=True)
class Line:
    """One thing that happened: the second, what it was, and its text, not yet cleaned."""

    at: float
    what: str
    text: str
    style: str = ""


@dataclass
class Follower:
    """Turns what a recorder tells into lines; any split of the reads gives the same events."""

    secrets: Sequence[bytes] = ()
    window: float = 10.0
    status: int | None = None
    headers_at: float | None = None
    reads: list[tuple[float, int]] = field(default_factory=list)
    events: int = 0
    comments: int = 0
    size: int = 0
    last_at: float = 0.0
    _phase: str = ""
    _parser: Parser | None = None
    _take: Inflate | None = None
    _decoded: int = 0

    def take(self, what: str, at: float, data: bytes) -> Iterator[Line]:
        """The lines for one thing that a recorder told."""
        if what == "read":
            yield from self._read(at, data)
        elif what == "headers":
            yield from self._head(at, data)
        elif what != self._phase:  # a request goes out in several writes
            yield Line(at, what, "", QUIET)
        self._phase = what

    def _head(self, at: float, data: bytes) -> Iterator[Line]:
        first, *lines = self._text(data).split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _colon, value in pairs}
        words_of_line = first.split(" ")
        code = words_of_line[1] if len(words_of_line) > 1 else ""
        self.status = int(code) if code.isdigit() else None
        self.headers_at = self.last_at = at
        self.reads, self.size = [], 0
        kind = headers.get("content-type", "")
        coding = headers.get("content-encoding", "identity").lower()
        is_stream = self.status == 200 and kind.split(";")[0].strip().lower() == "text/event-stream"
        self._take = None if coding == "identity" else inflate(coding)
        readable = coding == "identity" or self._take is not None
        self._parser = Parser() if is_stream and readable else None
        self._decoded = 0
        also = f", Content-Encoding {coding}" if coding != "identity" else ""
        moved = f" to {headers['location']}" if "location" in headers else ""
        answer = " ".join(filter(None, [*words_of_line[1:], kind]))
        text = f"{answer}{also}{moved}".strip()
        yield Line(at, "headers", text, GOOD if is_stream else WARN)

    def _read(self, at: float, data: bytes) -> Iterator[Line]:
        silence = at - self.last_at
        if silence >= SILENCE_SECONDS:
            yield Line(at, "silence", f"{silence:.1f} s without a byte", WARN)
        is_first = not self.size
        self.last_at = at
        self.size += len(data)
        self._note(at, len(data))
        if self._parser is None:
            if is_first:
                yield Line(at, "body", self._text(data)[:_PREVIEW])
            return
        self._parser.feed(self._plain(data), at)
        events, comments = self._parser.drain()
        self.events += len(events)
        self.comments += len(comments)
        if is_first and not events and not comments:
            yield Line(at, "first byte", "", QUIET)
        found: list[Event | Comment] = sorted([*events, *comments], key=lambda one: one.offset)
        for one in found:
            yield self._line(one, at)

    def _line(self, one: Event | Comment, at: float) -> Line:
        if isinstance(one, Comment):
            return Line(at, "comment", self._shown(one.text), QUIET)
        named = ([one.type] if one.type != "message" else []) + ([f"id={one.id}"] if one.id else [])
        return Line(at, "event", self._shown("  ".join([*named, one.data])), MARK)

    def _plain(self, data: bytes) -> bytes:
        """The bytes without their content coding, as far as they can be decoded by now."""
        if self._take is None:
            return data
        found: list[bytes] = []
        try:
            for piece in self._take(data) if self._decoded < MAX_DECODED else ():
                found.append(piece)
                self._decoded += len(piece)
                if self._decoded >= MAX_DECODED:
                    break
        except InflateError:
            self._decoded = MAX_DECODED  # the verdict says what is wrong with it
        return b"".join(found)

    def _note(self, at: float, size: int) -> None:
        """Reads closer than the strip can show are one, so that a long look stays small."""
        last = self.reads[-1] if self.reads else None
        if last is not None and at - last[0] < self.window / 500:
            self.reads[-1] = (last[0], last[1] + size)
        else:
            self.reads.append((at, size))

    def _shown(self, text: str) -> str:
        hidden = mask(text.encode("utf-8", "replace"), list(self.secrets)).decode("utf-8")
        return hidden if len(hidden) <= _PREVIEW else f"{hidden[:_PREVIEW]}..."

    def _text(self, data: bytes) -> str:
        return mask(data, list(self.secrets)).decode("utf-8", "replace")


class LiveView:
    """Shows what the recorder of the URL tells; hops beside it only grow in the strip.

    Use it as a context; what went wrong while showing is raised when the context ends.
    """

    def __init__(self, page: Page, requests: Sequence[Request]) -> None:
        self._page = page
        self._main = requests[-1].hop
        self._window = requests[-1].window
        self._followers = {r.hop: Follower(r.secrets(), r.window) for r in requests}
        self._queue: queue.SimpleQueue[tuple[str, str, float, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None
        self._began = time.monotonic()
        self._second = -1
        self._lines = 0
        console = page.console
        self._moving = console.is_terminal and not console.is_dumb_terminal and not page.plain
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def watch(self, hop: str) -> Any:
        """What the recorder of a hop calls."""

        def told(what: str, at: float, data: bytes) -> None:
            self._queue.put((hop, what, at, data))

        return told

    def __enter__(self) -> LiveView:
        """Begin to show."""
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show what is still waiting, and end."""
        self._queue.put(None)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            if self._moving:
                with self._live:
                    self._follow()
            else:
                self._follow()
        except BaseException as error:
            self._failure = error  # raised where the context ends

    def _follow(self) -> None:
        drawn = 0.0
        while True:
            try:
                told = self._queue.get(timeout=_REFRESH)
            except queue.Empty:
                told = ("", "", 0.0, b"")
            if told is None:
                self._say_skipped()
                return
            hop, what, at, data = told
            if hop:
                for line in self._followers[hop].take(what, at, data):
                    if hop == self._main:
                        self._say(line)
            now = time.monotonic()
            if self._moving and now - drawn >= _REFRESH:
                drawn = now
                self._live.update(self._picture(), refresh=True)

    def _say(self, line: Line) -> None:
        """Print a line, unless this second has had its share."""
        second = int(line.at)
        if second != self._second:
            self._say_skipped()
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > LINES_PER_SECOND:
            return
        page = self._page
        what = f"{line.what:<10} " if line.text else line.what
        head = page.text(f"{line.at:9.3f} s  {what}", QUIET)
        page.raw(page.join(head, page.host(line.text, line.style)))

    def _say_skipped(self) -> None:
        skipped = self._lines - LINES_PER_SECOND
        if skipped > 0:
            self._page.raw(self._page.text(f"{'':11}  ... {skipped} lines more", QUIET))
        self._lines = 0

    def _picture(self) -> Group:
        page = self._page
        label = max(map(len, self._followers)) + 2
        width = max(20, min(_STRIP_WIDTH, page.console.width - label - 6))
        now = time.monotonic() - self._began
        records = {hop: _record(one, now, self._window) for hop, one in self._followers.items()}
        scale = strip.scale(list(records.values()), width)
        rows: list[Text] = [page.text("")]
        for hop, record in records.items():
            row = strip.draw(record, scale, page.signs)
            rows.append(page.join(page.host(f"  {hop:<{label}}", STRONG), page.text(row, MARK)))
        main = self._followers[self._main]
        quiet = max(0.0, now - main.last_at)
        rows.append(page.text(f"  {'':<{label}}{strip.axis(scale.span, width)}", QUIET))
        told = f"{main.events} events, {main.comments} comments, {words.size(main.size)}"
        rows.append(page.text(f"  {'':<{label}}{told}; quiet for {quiet:.1f} s", QUIET))
        return Group(*rows)


def _record(one: Follower, now: float, window: float) -> dict[str, Any]:
    return {
        "reads": one.reads,
        "headers_at": one.headers_at,
        "end": {"at": min(now, window), "kind": "limit_time"},
        "window": window,
        "status": one.status,
    }
