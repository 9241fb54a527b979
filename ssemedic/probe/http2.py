"""A small, strict HTTP/2 client (RFC 9113): one request on one connection, without a socket.

Written out because the recorders need the time of every read, the part of a frame that has
arrived, and the error code of a reset, and the host has nothing but the standard library.
Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import NoReturn

from . import hpack, wire
from .http1 import Answer, is_interim
from .request import Request
from .tape import Stop, Tape

#: What the server may send before it waits for us, in bytes: as much as a browser allows.
WINDOW_BYTES = 6 << 20

#: The largest frame that either side may send, unless it says otherwise (RFC 9113, 4.2).
FRAME_BYTES = 16384

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FIRST_WINDOW = 65535
_MAX_WINDOW = 2**31 - 1
_STREAM = 1  # the only stream there is

_DATA, _HEADERS, _PRIORITY, _RST_STREAM, _SETTINGS = range(5)
_PUSH_PROMISE, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = range(5, 10)
_NAMES = (
    *("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS"),
    *("PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"),
)
# On which streams a type may come; 0 is the connection.
_STREAMS = {
    **dict.fromkeys((_SETTINGS, _PING, _GOAWAY), (0,)),
    **dict.fromkeys((_DATA, _HEADERS, _RST_STREAM, _CONTINUATION), (_STREAM,)),
    _WINDOW_UPDATE: (0, _STREAM),
}
_FIXED = {_PRIORITY: 5, _RST_STREAM: 4, _PING: 8, _WINDOW_UPDATE: 4}

_ACK = _END_STREAM = 0x1
_END_HEADERS, _PADDED, _WITH_PRIORITY = 0x4, 0x8, 0x20

_ENABLE_PUSH, _INITIAL_WINDOW, _MAX_FRAME = 2, 4, 5

#: RFC 9113, 7.
_ERRORS = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT"),
    *("STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR"),
    *("CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)

#: Of one hop in HTTP/1; browsers refuse them over HTTP/2 (RFC 9113, 8.2.2).
_HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"(?:[^\x00\r\n\t ](?:[^\x00\r\n]*[^\x00\r\n\t ])?)?")


class Exchange:
    """The request as bytes to send; the answer and its body from the bytes that come.

    After each `feed`, `to_send` gives what the server is owed. ``done`` is true once the
    body has ended.
    """

    def __init__(self, request: Request) -> None:
        self._limits = request.limits
        self._bodiless = request.method == "HEAD"
        self._decoder = hpack.Decoder(self._limits.header_bytes, self._limits.header_count)
        self._in = bytearray()
        self._out = bytearray(_opening(request))
        self._bytes_before = 0  # the answer
        self._settled = False
        self._answer: Answer | None = None
        self._block: bytearray | None = None  # of headers that go on
        self._block_ends = False  # the stream ends with it
        self._bytes_of_heads = 0
        self._data_left = 0  # of a DATA frame, padding not counted
        self._padding_left = 0
        self._data_ends = False
        self._in_data = False
        self._unread: int | None = None  # of the announced Content-Length
        self._consumed = 0  # of the server's window, not yet given back
        self._allowed = {0: _FIRST_WINDOW, _STREAM: _FIRST_WINDOW}  # what we may send
        self._first_window = _FIRST_WINDOW
        self._frame_bytes = FRAME_BYTES
        self._body = request.body or b""
        self._send_body()
        self.done = False

    @property
    def started(self) -> bool:
        """True once a part of the answer's headers has arrived."""
        return self._block is not None or self._answer is not None

    @property
    def answered(self) -> bool:
        """True once the headers of the answer are complete."""
        return self._answer is not None

    @property
    def sent(self) -> bool:
        """True once the whole request has been given out, or waits to be."""
        return not self._body

    def to_send(self) -> bytes:
        """What is to be written now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def feed(self, data: bytes) -> Iterator[Answer | bytes]:
        """The answer, then pieces of its body, as they come.

        Raises `Stop`: protocol_error, limit_headers, or h2_reset with the server's error code.
        """
        self._in += data
        if not self._settled:
            self._check_start()
        while not self.done:
            if self._in_data:
                yield from self._piece()
                if self._in_data:
                    return
                continue
            frame = self._next()
            if frame is None:
                return
            yield from self._take(*frame)

    # --- frames ---------------------------------------------------------------------

    def _check_start(self) -> None:
        if self._in.startswith(b"HTTP/1"):
            raise Stop("protocol_error", "answers HTTP/1 to a request in HTTP/2")
        if self._in[3:4] not in (b"", bytes([_SETTINGS])):
            begin = bytes(self._in[:5]).decode("latin-1")
            raise Stop("protocol_error", f"the answer begins with {begin!r}, must be SETTINGS")

    def _next(self) -> tuple[int, int, int, bytes] | None:
        """The next frame, (type, flags, stream, payload); of DATA the payload stays."""
        if len(self._in) < 9:
            return None
        length = int.from_bytes(self._in[:3], "big")
        kind, flags = self._in[3], self._in[4]
        stream = int.from_bytes(self._in[5:9], "big") & _MAX_WINDOW
        if length > FRAME_BYTES:
            text = f"a frame of {length} bytes, must be {FRAME_BYTES} or less"
            raise Stop("protocol_error", text)
        self._check_frame(kind, flags, stream, length)
        if kind == _DATA:
            padded = bool(flags & _PADDED)
            if len(self._in) < 9 + padded:
                return None
            padding = self._in[9] if padded else 0
            del self._in[: 9 + padded]
            self._begin_data(length, padding, padded, bool(flags & _END_STREAM))
            return kind, flags, stream, b""
        if len(self._in) < 9 + length:
            return None
        payload = bytes(self._in[9 : 9 + length])
        del self._in[: 9 + length]
        return kind, flags, stream, payload

    def _check_frame(self, kind: int, flags: int, stream: int, length: int) -> None:
        name = _NAMES[kind] if kind < len(_NAMES) else "a frame of an unknown type"
        if not self._settled and (kind != _SETTINGS or flags & _ACK):
            raise Stop("protocol_error", f"{name} in place of the first SETTINGS")
        if self._block is not None and kind != _CONTINUATION:
            raise Stop("protocol_error", f"{name} in place of CONTINUATION")
        if self._block is None and kind in (_CONTINUATION, _PUSH_PROMISE):
            raise Stop("protocol_error", f"{name}, which nothing calls for")
        if kind in _STREAMS and stream not in _STREAMS[kind]:
            raise Stop("protocol_error", f"{name} on stream {stream}")
        if length != _FIXED.get(kind, length):
            raise Stop("protocol_error", f"{name} of {length} bytes")

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> Iterator[Answer | bytes]:
        if not self.answered:
            self._bytes_before += 9 + len(payload)
            if self._bytes_before > 2 * self._limits.header_bytes:
                text = f"{self._bytes_before} bytes and no complete headers"
                raise Stop("limit_headers", text)
        if kind == _HEADERS:
            self._block = bytearray(_without_padding(flags, payload))
            self._block_ends = bool(flags & _END_STREAM)
            self._bytes_of_heads = 0
        if kind in (_HEADERS, _CONTINUATION):
            yield from self._headers(payload, kind, bool(flags & _END_HEADERS))
        elif kind == _SETTINGS:
            self._settings(flags, payload)
        elif kind == _PING and not flags & _ACK:
            self._out += _frame(_PING, _ACK, 0, payload)
        elif kind == _WINDOW_UPDATE:
            self._allow(stream, int.from_bytes(payload, "big") & _MAX_WINDOW)
        elif kind == _RST_STREAM:
            raise Stop("h2_reset", f"RST_STREAM {_error(payload)}")
        elif kind == _GOAWAY:
            self._goaway(payload)

    # --- the answer -----------------------------------------------------------------

    def _headers(self, payload: bytes, kind: int, complete: bool) -> Iterator[Answer | bytes]:
        assert self._block is not None
        if kind == _CONTINUATION:
            self._block += payload
        self._bytes_of_heads += 9 + len(payload)
        if self._bytes_of_heads > self._limits.header_bytes:
            text = f"more than {self._limits.header_bytes} header bytes"
            raise Stop("limit_headers", text)
        if not complete:
            return
        block, self._block = bytes(self._block), None
        try:
            fields = self._decoder.decode(block)
        except hpack.TooLargeError as error:
            raise Stop("limit_headers", str(error)) from error
        except hpack.HpackError as error:
            raise Stop("protocol_error", f"headers that cannot be decoded: {error}") from error
        if self._answer is not None:
            self._trailers(fields)
            return
        answer = _answer(fields)
        if is_interim(answer):
            if self._block_ends:
                raise Stop("protocol_error", f"the stream ends with status {answer.status}")
            return
        self._answer = answer
        yield answer
        _check_fields(answer.headers)
        self._unread = None if self._bodiless else _length(answer)
        if self._block_ends:
            self._end()

    def _trailers(self, fields: Sequence[hpack.Field]) -> None:
        if not self._block_ends:
            raise Stop("protocol_error", "headers inside the body")
        if any(name.startswith(b":") for name, _value in fields):
            raise Stop("protocol_error", "a pseudo-header after the body")
        self._end()

    def _begin_data(self, length: int, padding: int, padded: bool, ends: bool) -> None:
        if self._answer is None:
            raise Stop("protocol_error", "DATA before the headers")
        if padding + padded > length:
            raise Stop("protocol_error", "more padding than frame")
        self._consumed += length
        if self._consumed >= WINDOW_BYTES // 2:
            more = struct.pack("!L", self._consumed)
            self._out += _frame(_WINDOW_UPDATE, 0, 0, more)
            self._out += _frame(_WINDOW_UPDATE, 0, _STREAM, more)
            self._consumed = 0
        self._in_data, self._data_ends = True, ends
        self._data_left, self._padding_left = length - padding - padded, padding

    def _piece(self) -> Iterator[Answer | bytes]:
        """What has arrived of a DATA frame; a browser, too, takes it at once."""
        piece = bytes(self._in[: self._data_left])
        self._data_left -= len(piece)
        del self._in[: len(piece)]
        if piece:
            if self._unread is not None:
                self._unread -= len(piece)
                if self._unread < 0:
                    raise Stop("protocol_error", "more DATA than Content-Length announces")
            yield piece
        if not self._data_left:
            skipped = min(self._padding_left, len(self._in))
            self._padding_left -= skipped
            del self._in[:skipped]
            if not self._padding_left:
                self._in_data = False
                if self._data_ends:
                    self._end()

    def _end(self) -> None:
        if self._unread:
            raise Stop("truncated", f"the stream ends {self._unread} bytes before Content-Length")
        self.done = True

    # --- the connection -------------------------------------------------------------

    def _settings(self, flags: int, payload: bytes) -> None:
        if flags & _ACK:
            if payload:
                raise Stop("protocol_error", f"SETTINGS acknowledged with {len(payload)} bytes")
            return
        if len(payload) % 6:
            raise Stop("protocol_error", f"SETTINGS of {len(payload)} bytes")
        for name, value in struct.iter_unpack("!HL", payload):
            if name == _INITIAL_WINDOW:
                self._allowed[_STREAM] += value - self._first_window
                self._first_window = value
                if max(value, self._allowed[_STREAM]) > _MAX_WINDOW:
                    raise Stop("protocol_error", f"SETTINGS with a window of {value} bytes")
            elif name == _MAX_FRAME:
                if not FRAME_BYTES <= value < 1 << 24:
                    raise Stop("protocol_error", f"SETTINGS with frames of {value} bytes")
                self._frame_bytes = value
            elif name == _ENABLE_PUSH and value:
                raise Stop("protocol_error", f"SETTINGS with ENABLE_PUSH {value} from a server")
        self._settled = True
        self._out += _frame(_SETTINGS, _ACK, 0, b"")
        self._send_body()

    def _allow(self, stream: int, more: int) -> None:
        self._allowed[stream] += more
        if not more or self._allowed[stream] > _MAX_WINDOW:
            raise Stop("protocol_error", f"WINDOW_UPDATE by {more} bytes")
        self._send_body()

    def _goaway(self, payload: bytes) -> None:
        """A server that means to close says so; what it has begun it still ends."""
        if len(payload) < 8:
            raise Stop("protocol_error", f"GOAWAY of {len(payload)} bytes")
        last = int.from_bytes(payload[:4], "big") & _MAX_WINDOW
        name = _error(payload[4:8])
        if name != "NO_ERROR":
            raise Stop("h2_reset", f"GOAWAY {name}")
        if last < _STREAM:
            raise Stop("h2_reset", "GOAWAY before the request was taken")

    def _send_body(self) -> None:
        while self._body:
            room = min(*self._allowed.values(), self._frame_bytes)
            if room <= 0:
                return
            piece, self._body = self._body[:room], self._body[room:]
            for stream in self._allowed:
                self._allowed[stream] -= len(piece)
            ends = 0 if self._body else _END_STREAM
            self._out += _frame(_DATA, ends, _STREAM, piece)


def converse(request: Request, line: wire.Wire, tape: Tape) -> NoReturn:
    """Ask on a fresh connection and record the answer; ends with `Stop`, as every record does."""
    exchange = Exchange(request)
    _write(exchange, line)
    tape.mark("sent")
    while True:
        data = line.read()
        if not data and exchange.answered:
            raise Stop("truncated")
        if not data:
            seen = "after part of the headers" if exchange.started else "without an answer"
            raise Stop("truncated", f"closed {seen}")
        for item in exchange.feed(data):
            if isinstance(item, bytes):
                tape.take(item, line.read_at)
            else:
                tape.answer(item.version, item.status, item.reason, item.headers, line.read_at)
        if exchange.done:
            raise Stop("last_chunk")
        sending = not (exchange.sent or exchange.answered)
        _write(exchange, line)
        if sending:
            tape.mark("sent")


def _write(exchange: Exchange, line: wire.Wire) -> None:
    try:
        line.write(exchange.to_send())
    except Stop as stop:
        # A server may answer and close before it has read everything: hear the answer.
        if stop.kind != "reset":
            raise


def _opening(request: Request) -> bytes:
    settings = ((_ENABLE_PUSH, 0), (_INITIAL_WINDOW, WINDOW_BYTES))
    payload = b"".join(struct.pack("!HL", name, value) for name, value in settings)
    more = struct.pack("!L", WINDOW_BYTES - _FIRST_WINDOW)
    out = _PREFACE + _frame(_SETTINGS, 0, 0, payload) + _frame(_WINDOW_UPDATE, 0, 0, more)
    block = hpack.encode(_request_fields(request))
    ends = 0 if request.body else _END_STREAM
    first, rest = block[:FRAME_BYTES], block[FRAME_BYTES:]
    out += _frame(_HEADERS, ends | (0 if rest else _END_HEADERS), _STREAM, first)
    while rest:
        piece, rest = rest[:FRAME_BYTES], rest[FRAME_BYTES:]
        out += _frame(_CONTINUATION, 0 if rest else _END_HEADERS, _STREAM, piece)
    return out


def _request_fields(request: Request) -> list[hpack.Field]:
    lines = [(n.lower().encode("ascii"), v.encode("latin-1")) for n, v in request.wire_headers()]
    host = [(b":authority", value) for name, value in lines if name == b"host"]
    return [
        (b":method", request.method.encode("ascii")),
        (b":scheme", b"https" if request.secure else b"http"),
        *host[:1],
        (b":path", request.target.encode("ascii")),
        *((n, v.strip()) for n, v in lines if n != b"host" and n not in _HOP_BY_HOP),
    ]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!L", len(payload))[1:] + struct.pack("!BBL", kind, flags, stream) + payload


def _without_padding(flags: int, payload: bytes) -> bytes:
    start, end = 0, len(payload)
    if flags & _PADDED and payload:
        start, end = 1, end - payload[0]
    if flags & _WITH_PRIORITY:
        start += 5
    if start > end or (flags & _PADDED and not payload):
        raise Stop("protocol_error", "more padding than frame")
    return payload[start:end]


def _answer(fields: Sequence[hpack.Field]) -> Answer:
    if not fields or fields[0][0] != b":status" or not re.fullmatch(rb"[0-9]{3}", fields[0][1]):
        raise Stop("protocol_error", "headers without :status")
    return Answer("2", int(fields[0][1]), b"", tuple(fields[1:]))


def _check_fields(fields: Sequence[hpack.Field]) -> None:
    """What a browser refuses as malformed (RFC 9113, 8.2)."""
    for name, value in fields:
        shown = name.decode("latin-1")
        if name in _HOP_BY_HOP:
            raise Stop("protocol_error", f"header {shown} over HTTP/2")
        if not _NAME.fullmatch(name):
            raise Stop("protocol_error", f"header name {shown!r} over HTTP/2")
        if not _VALUE.fullmatch(value):
            raise Stop("protocol_error", f"malformed value of header {shown} over HTTP/2")


def _length(answer: Answer) -> int | None:
    found = set(answer.values(b"content-length"))
    if not found or answer.status == 304:
        return None
    length = found.pop()
    if found or not length.isdigit() or len(length) > 20:
        raise Stop("protocol_error", "malformed Content-Length")
    return int(length)


def _error(code: bytes) -> str:
    number = int.from_bytes(code, "big")
    return _ERRORS[number] if number < len(_ERRORS) else str(number)
