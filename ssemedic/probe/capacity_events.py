"""Counting the events of very many streams at once: next to nothing is kept of each.

A stream keeps the start of its unfinished line and a checksum of its unfinished event,
whatever the server sends: an endless line costs no more memory than a short one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from zlib import crc32

#: Told of each event: the checksum of its bytes, and the bytes where one read held them all.
Seen = Callable[[int, bytes], None]

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"
_ENOUGH = 8  # bytes of a line that tell data from a comment, even after a BOM


class EventCounter:
    """Finds where events end (WHATWG HTML, 9.2.6) in bytes that come in any pieces.

    ``blocks`` counts blank lines that ended something other than an event: comments,
    or fields without data.
    """

    __slots__ = ("_after_cr", "_at_start", "_checksum", "_data", "_inside", "_line", "blocks")

    def __init__(self) -> None:
        self.blocks = 0
        self._line = b""  # the first bytes of the line that has not ended
        self._after_cr = False
        self._at_start = True
        self._inside = False  # a line came since the last blank one
        self._data = False  # and one of them was data
        self._checksum = 0

    def feed(self, data: bytes, seen: Seen) -> None:
        """Take the next bytes of the body; ``seen`` is called for each event they end."""
        start = 1 if self._after_cr and data.startswith(b"\n") else 0
        self._after_cr = data.endswith(b"\r")
        block, whole = start, not (self._inside or self._line)
        for found in _LINE_END.finditer(data, start):
            end = found.start()
            line = self._line + data[start : min(end, start + _ENOUGH)]
            self._line = b""
            start = found.end()
            if self._at_start:
                self._at_start = False
                line = line.removeprefix(_BOM)
            if line:
                self._inside = True
                self._data = self._data or line.startswith(b"data:") or line == b"data"
                continue
            piece = data[block:end]
            if self._data:
                seen(crc32(piece, self._checksum), piece if whole else b"")
            elif self._inside:
                self.blocks += 1
            self._inside = self._data = False
            self._checksum = 0
            block, whole = start, True
        if start < len(data):
            self._line = (self._line + data[start : start + _ENOUGH])[:_ENOUGH]
        if block < len(data):
            self._checksum = crc32(data[block:], self._checksum)


class Uncounted(EventCounter):
    """For a stream with a content coding: a decoder for each would cost more than the stream."""

    __slots__ = ()

    def feed(self, data: bytes, seen: Seen) -> None:
        """Count nothing."""
