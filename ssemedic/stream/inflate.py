"""Content codings taken off piece by piece: gzip, deflate, br, zstd (RFC 1952, 1950, 7932, 8878).

No piece that comes out is large, whatever goes in: a few bytes may stand for gigabytes.
br and zstd need a library each, which the inspected host need not have: it is loaded only
where a stream has that coding, and without it the stream is not decoded.
Runs on the inspected host too (Python 3.8).
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    #: Takes what arrived, gives what it decodes to; raises `InflateError`.
    Inflate = Callable[[bytes], Iterator[bytes]]

#: No piece is much larger, in bytes.
STEP = 64 << 10

#: A zstd stream may refer back so far; browsers allow no more (RFC 9659).
_ZSTD_WINDOW = 8 << 20
# A block of zstd takes four bytes at least and is at most 128 KiB.
_ZSTD_BYTES = 32

_GZIP, _ZLIB, _RAW = 31, 15, -15


class InflateError(ValueError):
    """The bytes are not of that coding."""


def inflate(coding: str) -> Inflate | None:
    """A decoder for one stream of that coding; None where there is none here."""
    if coding in ("gzip", "x-gzip"):
        return _zlib(lambda _first: _GZIP)
    if coding == "deflate":  # some servers send it without its header, and browsers take it
        return _zlib(lambda first: _ZLIB if first & 0x0F == 8 else _RAW)
    try:
        if coding == "br":
            return _brotli(importlib.import_module("brotli"))
        if coding == "zstd":
            return _zstd(importlib.import_module("zstandard"))
    except ImportError:
        return None
    return None


def _zlib(bits: Callable[[int], int]) -> Inflate:
    decoder: Any = None

    def take(part: bytes) -> Iterator[bytes]:
        nonlocal decoder
        if decoder is None and part:
            decoder = zlib.decompressobj(bits(part[0]))
        try:
            while part and not decoder.eof:
                yield decoder.decompress(part, STEP)
                part = decoder.unconsumed_tail
        except zlib.error as error:
            raise InflateError(str(error)) from error

    return take


def _brotli(library: Any) -> Inflate:
    decoder = library.Decompressor()

    def take(part: bytes) -> Iterator[bytes]:
        if decoder.is_finished():
            return
        try:
            yield decoder.process(part, output_buffer_limit=STEP)
            while not decoder.can_accept_more_data():
                yield decoder.process(b"", output_buffer_limit=STEP)
        except library.error as error:
            raise InflateError(str(error)) from error

    return take


def _zstd(library: Any) -> Inflate:
    context = library.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    # A server may end a frame with each event and begin another.
    decoder = context.decompressobj(read_across_frames=True)

    def take(part: bytes) -> Iterator[bytes]:
        try:
            for start in range(0, len(part), _ZSTD_BYTES):
                yield decoder.decompress(part[start : start + _ZSTD_BYTES])
        except library.ZstdError as error:
            raise InflateError(str(error)) from error

    return take
