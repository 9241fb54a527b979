"""Events of a stream that has a content coding, decoded within limits."""

from __future__ import annotations

from dataclasses import dataclass

from .inflate import InflateError, inflate
from .parser import Parsed, Parser, parse
from .record import Stream

#: Decoded bytes at most: a small compressed body can decode to gigabytes.
MAX_DECODED = 1 << 20

#: Lines at most: a comment of two bytes takes a hundred times as much memory here.
MAX_LINES = 50_000


@dataclass(frozen=True)
class Decoded:
    """What a coded body holds: None where it cannot be decoded here; ``size`` in bytes.

    ``cut`` is true where decoding stopped at a limit.
    """

    parsed: Parsed | None
    size: int = 0
    cut: bool = False


def coding(stream: Stream) -> str:
    """The content coding, "" for none."""
    named = ", ".join(stream.header_values("content-encoding")).strip().lower()
    return "" if named == "identity" else named


def parse_decoded(stream: Stream) -> Parsed | None:
    """The events as a browser gets them, or None where they cannot be decoded here.

    What the coding still holds back is not there: an event counts when its bytes can
    be decoded from what has arrived.
    """
    return decode(stream).parsed


def decode(stream: Stream) -> Decoded:
    """The same, with the size that it decodes to and whether a limit was reached."""
    named = coding(stream)
    if not named:
        return Decoded(parse(stream), len(stream.body))
    take = inflate(named)
    if take is None:
        return Decoded(None)
    parser = Parser()
    size, position = 0, 0
    try:
        for read in stream.reads:
            part = stream.body[position : position + read.size]
            position += read.size
            for data in take(part):
                data = data[: MAX_DECODED - size]
                size += len(data)
                parser.feed(data, read.at)
                if size >= MAX_DECODED or parser.lines >= MAX_LINES:
                    return Decoded(parser.finish(), size, cut=True)
    except InflateError:
        return Decoded(None, size)
    return Decoded(parser.finish(), size)
