"""A log of any size through the classes, in constant memory."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .classify import LINE, classify, message
from .signature import KINDS, Signature
from .table import HINTS

BLOCK = 256 * 1024
SAMPLES = 3  # lines that are kept of each class
_KEPT = 1024  # bytes of each
_BEHIND = 16 * 1024  # bytes in which a traceback comes to its point

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[int], bytes]
    #: Epoch seconds of a line, None where it carries none.
    Stamp = Callable[[str], float | None]


@dataclass(frozen=True)
class Lines:
    """Which lines count: one that a hint fits, and that ``known`` gives a signature."""

    hints: tuple[re.Pattern[bytes], ...]
    known: Callable[[bytes], Signature | None]


ANY = Lines(HINTS, classify)


@dataclass
class Found:
    """One class in one log: how many lines, when, and the newest of each wording."""

    kind: str
    count: int = 0
    first: float | None = None
    last: float | None = None
    near: int = 0  # while our own streams were open
    wordings: dict[str, int] = field(default_factory=dict)
    samples: dict[str, tuple[float | None, str]] = field(default_factory=dict)

    def add(self, signature: Signature, at: float | None, line: bytes, near: bool) -> None:
        """Count one line."""
        self.count += 1
        self.near += near
        if at is not None:
            self.first = at if self.first is None else min(self.first, at)
            self.last = at if self.last is None else max(self.last, at)
        name = signature.id
        self.wordings[name] = self.wordings.get(name, 0) + 1
        kept = self.samples.get(name)
        if kept is None or (at or 0.0) >= (kept[0] or 0.0):
            self.samples[name] = (at, message(line)[:_KEPT].decode("utf-8", "replace"))

    def shown(self) -> list[tuple[float | None, str]]:
        """The newest line of each of the most frequent wordings."""
        often = sorted(self.samples, key=lambda name: -self.wordings[name])[:SAMPLES]
        return [self.samples[name] for name in often]


class Scan:
    """The classes of one log. Feed it what `read` gives, oldest first.

    ``since`` leaves out lines that are known to be older, and ``near`` is when our own streams
    were open, both in epoch seconds. ``lines`` says which lines count; None for those of the
    signatures.
    """

    def __init__(
        self,
        stamp: Stamp,
        since: float = 0.0,
        near: tuple[float, float] = (0.0, 0.0),
        lines: Lines | None = None,
    ) -> None:
        self.classes: dict[str, Found] = {}
        self.bytes = 0
        self.long_lines = 0
        self._stamp = stamp
        self._since = since
        self._near = near
        self._lines = lines or ANY

    def feed(self, read: Read, deadline: float | None = None) -> bool:
        """Read to the end; False if the ``deadline`` (time.monotonic()) came before it."""
        for block in _whole_lines(read, self):
            self._block(block)
            if deadline is not None and time.monotonic() > deadline:
                return not read(1)
        return True

    def line(self, at: float | None, line: bytes) -> None:
        """Count one line whose time is known."""
        signature = self._lines.known(line)
        if signature is not None:
            self._count(signature, at, line)

    def found(self) -> list[Found]:
        """The classes that have lines, in the order of reports."""
        return [self.classes[kind] for kind in KINDS if kind in self.classes]

    def _block(self, block: bytes) -> None:
        for start, end in _hinted(block, self._lines.hints):
            line = block[start : min(end, start + LINE)]
            signature = self._lines.known(line)
            if signature is None:
                continue
            at = self._at(block, start, line)
            if at is None or at >= self._since:
                shown = _point(block, end, line) if signature.kind == "exception" else line
                self._count(signature, at, shown)

    def _count(self, signature: Signature, at: float | None, line: bytes) -> None:
        near = at is not None and self._near[0] <= at <= self._near[1]
        found = self.classes.setdefault(signature.kind, Found(signature.kind))
        found.add(signature, at, line, near)

    def _at(self, block: bytes, start: int, line: bytes) -> float | None:
        """The line's own time, or that of the nearest line before it that has one."""
        at = self._stamp(line[:LINE].decode("utf-8", "replace"))
        for _ in range(40):
            if at is not None or start <= 0:
                break
            end, start = start - 1, block.rfind(b"\n", 0, start - 1) + 1
            at = self._stamp(block[start : min(end, start + 1000)].decode("utf-8", "replace"))
        return at


def _whole_lines(read: Read, scan: Scan) -> Iterator[bytes]:
    """Blocks that end with a line's end. Of a line longer than a block only its start is kept."""
    rest, skipping = b"", False
    while True:
        data = read(BLOCK)
        scan.bytes += len(data)
        if skipping:
            cut = data.find(b"\n")
            if cut < 0 and data:
                continue
            skipping, data_left = False, data[cut + 1 :] if cut >= 0 else b""
            rest += data_left
        else:
            rest += data
        if not data:
            if rest:
                yield rest
            return
        cut = rest.rfind(b"\n") + 1
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
        elif len(rest) > BLOCK:
            scan.long_lines += 1
            yield rest[:LINE] + b"\n"
            rest, skipping = b"", True


def _hinted(block: bytes, hints: tuple[re.Pattern[bytes], ...]) -> Iterator[tuple[int, int]]:
    """Start and end of each line that a hint fits, in order."""
    lines: dict[int, int] = {}
    size = len(block)
    for hint in hints:
        search = hint.search
        found = search(block)
        while found:
            at = found.start()
            start = block.rfind(b"\n", 0, at) + 1
            end = lines.get(start)
            if end is None:
                end = block.find(b"\n", at)
                lines[start] = end = end if end >= 0 else size
            found = search(block, end)
    return iter(sorted(lines.items()))


def _point(block: bytes, end: int, line: bytes) -> bytes:
    """A traceback's last line, which says what was wrong, behind its first one."""
    if b"Traceback (most" not in line:
        return line
    for later in block[end + 1 : end + 1 + _BEHIND].split(b"\n")[:200]:
        text = message(later)
        if text and not text[:1].isspace() and text[:1] not in b"|+":
            return line + b" ... " + text
    return line


def described(found: Found, shown: Callable[[str], str]) -> Mapping[str, object]:
    """`LogClass` data; ``shown`` masks what leaves the host."""
    return {
        "kind": found.kind,
        "count": found.count,
        "first": found.first,
        "last": found.last,
        "near": found.near,
        "wordings": dict(sorted(found.wordings.items(), key=lambda item: -item[1])[:8]),
        "samples": [{"at": at, "text": shown(text)} for at, text in found.shown()],
    }
