"""Events of a stream that has a content coding, decoded within limits."""

from __future__ import annotations

import zlib

from .parser import Parsed, Parser, parse
from .record import Stream

#: Decoded bytes at most: a small compressed body can decode to gigabytes.
MAX_DECODED = 1 << 20

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def coding(stream: Stream) -> str:
    """The content coding, "" for none."""
    named = ", ".join(stream.header_values("content-encoding")).strip().lower()
    return "" if named == "identity" else named


def parse_decoded(stream: Stream) -> Parsed | None:
    """The events as a browser gets them, or None where they cannot be decoded here.

    What the coding still holds back is not there: an event counts when its bytes can
    be decoded from what has arrived.
    """
    named = coding(stream)
    if not named:
        return parse(stream)
    if named not in _WINDOW_BITS:
        return None
    decoder = zlib.decompressobj(_WINDOW_BITS[named])
    parser = Parser()
    left, position = MAX_DECODED, 0
    try:
        for read in stream.reads:
            part = stream.body[position : position + read.size]
            position += read.size
            data = decoder.decompress(part, left)
            left -= len(data)
            parser.feed(data, read.at)
            if left <= 0 or decoder.eof:
                break
    except zlib.error:
        return None
    return parser.finish()
