"""A small, strict reader of HTTP/1.x answers (RFC 9112): the head and the framing of the body.

Written out because the time of every read must be exact and no library of the
standard distribution gives the bytes of a chunk before the chunk is complete.
Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .request import Limits
from .tape import Stop

_STATUS_LINE = re.compile(rb"HTTP/([0-9]\.[0-9]) ([0-9]{3})(?: ([^\x00\r\n\x0b\x0c]*))?")
_FIELD = re.compile(
    rb"([-!#$%&'*+.^_`|~0-9a-zA-Z]+):[ \t]*([^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?[ \t]*"
)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;[^\n]*)?[ \t]*")


@dataclass(frozen=True)
class Answer:
    """A response head; names and values as they came."""

    version: str
    status: int
    reason: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    def values(self, name: bytes) -> list[bytes]:
        """The comma-separated members of every header of that name, in lower case."""
        lines = [value for key, value in self.headers if key.lower() == name]
        return [part.strip().lower() for line in lines for part in line.split(b",")]


class HeadReader:
    """Collects a response head; says at once what is not HTTP or goes past a limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._data = bytearray()
        self._lines = 0
        self._line_start = 0

    @property
    def started(self) -> bool:
        """True once a byte of the head has arrived."""
        return bool(self._data)

    def feed(self, data: bytes) -> tuple[Answer, bytes] | None:
        """The answer and the bytes after it, or None while the head is incomplete.

        Raises `Stop` with protocol_error, limit_line or limit_headers.
        """
        position = len(self._data)
        self._data += data
        _check_is_http(self._data)
        while True:
            newline = self._data.find(b"\n", position)
            length = (len(self._data) if newline < 0 else newline) - self._line_start
            if self._lines == 0 and length > self._limits.line_bytes:
                raise Stop("limit_line", f"status line longer than {self._limits.line_bytes} bytes")
            reached = len(self._data) if newline < 0 else newline
            if reached > self._limits.header_bytes:
                raise Stop("limit_headers", f"more than {self._limits.header_bytes} header bytes")
            if newline < 0:
                return None
            line = bytes(self._data[self._line_start : newline])
            self._lines += 1
            self._line_start = position = newline + 1
            if line in (b"", b"\r"):
                head, rest = bytes(self._data[:newline]), bytes(self._data[newline + 1 :])
                return parse_head(head), rest
            if self._lines > self._limits.header_count + 1:
                raise Stop("limit_headers", f"more than {self._limits.header_count} headers")


def parse_head(head: bytes) -> Answer:
    """The answer from its lines; raises `Stop` with protocol_error."""
    lines = [line[:-1] if line.endswith(b"\r") else line for line in head.split(b"\n")]
    found = _STATUS_LINE.fullmatch(lines[0])
    if found is None:
        raise Stop("protocol_error", "malformed status line")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        if not line:
            continue
        if line[:1] in (b" ", b"\t") and headers:  # obsolete line folding (RFC 9112, 5.2)
            name, value = headers[-1]
            headers[-1] = (name, (value + b" " + line.strip()).strip())
            continue
        field = _FIELD.fullmatch(line)
        if field is None:
            raise Stop("protocol_error", "malformed header line")
        headers.append((field.group(1), field.group(2) or b""))
    version, status, reason = found.groups()
    return Answer(version.decode("ascii"), int(status), reason or b"", tuple(headers))


def is_interim(answer: Answer) -> bool:
    """True for a 1xx head, which another head follows (RFC 9110, 15.2).

    Raises `Stop` with protocol_error for 101, which nobody asked for.
    """
    if answer.status == 101:
        raise Stop("protocol_error", "the server switches protocols unasked")
    return answer.status < 200


def framing(answer: Answer, method: str) -> tuple[str, int]:
    """How the body ends (RFC 9112, 6.3): ("none"|"chunked"|"length"|"close", length).

    Raises `Stop` with protocol_error for framing that cannot be trusted.
    """
    if method == "HEAD" or answer.status in (204, 304):
        return "none", 0
    codings = answer.values(b"transfer-encoding")
    if codings:
        if codings != [b"chunked"]:
            raise Stop("protocol_error", "unsupported Transfer-Encoding")
        return "chunked", 0
    lengths = set(answer.values(b"content-length"))
    if lengths:
        length = lengths.pop()
        if lengths or not length.isdigit() or len(length) > 20:
            raise Stop("protocol_error", "malformed Content-Length")
        return "length", int(length)
    return "close", 0


class BodyReader:
    """Takes the transfer framing off; gives body bytes as soon as they are there."""

    def __init__(self, kind: str, length: int, limits: Limits) -> None:
        self.kind = kind
        self.done = kind == "none" or (kind == "length" and length == 0)
        self._left = length
        self._limits = limits
        self._state = "size"
        self._line = bytearray()
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Body bytes in ``data``; raises `Stop` with protocol_error or a limit."""
        if self.kind == "chunked":
            return self._chunked(data)
        if self.kind == "length":
            data = data[: self._left]
            self._left -= len(data)
            self.done = self._left == 0
        return data

    def _chunked(self, data: bytes) -> bytes:
        out: list[bytes] = []
        position = 0
        while position < len(data) and not self.done:
            if self._state == "data":
                piece = data[position : position + self._left]
                out.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if self._left == 0:
                    self._state = "after"
                continue
            newline = data.find(b"\n", position)
            end = len(data) if newline < 0 else newline + 1
            self._line += data[position:end]
            position = end
            self._check_line(newline >= 0)
            if newline >= 0:
                line, self._line = bytes(self._line), bytearray()
                self._chunk_line(line)
        return b"".join(out)

    def _check_line(self, complete: bool) -> None:
        if self._state == "after" and not b"\r\n".startswith(self._line):
            raise Stop("protocol_error", "chunk does not end with its line break")
        if len(self._line) > self._limits.line_bytes:
            raise Stop("limit_line", f"chunk line longer than {self._limits.line_bytes} bytes")
        if complete and self._state == "size" and not self._line.endswith(b"\r\n"):
            raise Stop("protocol_error", "malformed chunk size")

    def _chunk_line(self, line: bytes) -> None:
        if self._state == "after":
            self._state = "size"
        elif self._state == "size":
            found = _CHUNK_SIZE.fullmatch(line[:-2])
            if found is None:
                raise Stop("protocol_error", "malformed chunk size")
            self._left = int(found.group(1), 16)
            self._state = "data" if self._left else "trailer"
        elif line in (b"\r\n", b"\n"):
            self.done = True
        else:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > self._limits.line_bytes:
                raise Stop("limit_line", f"trailers over {self._limits.line_bytes} bytes")


def request_head(method: str, target: str, version: str, lines: Sequence[tuple[str, str]]) -> bytes:
    """The request line and headers as sent."""
    head = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in lines)]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


def _check_is_http(data: bytearray) -> None:
    start = bytes(data[:5])
    if not b"HTTP/".startswith(start):
        shown = start.decode("latin-1")
        raise Stop("protocol_error", f"the answer begins with {shown!r}, must be 'HTTP/'")
