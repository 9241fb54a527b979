"""Events of a stream that has a content coding, decoded within limits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from .inflate import STEP, InflateError, inflate
from .parser import Parsed, Parser, parse
from .record import Read, Stream

#: Decoded bytes at most: a small compressed body can decode to gigabytes.
MAX_DECODED = 1 << 20

#: Pieces at most that one read is decoded to.
MAX_PIECES = MAX_DECODED // STEP

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
    """The content coding, "" for none, and for what a browser has decoded for its page."""
    if stream.vantage == "browser":
        return ""
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


def as_decoded(stream: Stream) -> Stream:
    """The record as a browser gets it: each read is what it decodes to, and one of nothing none.

    The stream itself where it has no coding, or one that cannot be decoded here.
    """
    take = inflate(coding(stream)) if coding(stream) else None
    if take is None:
        return stream
    reads: list[Read] = []
    body, size, position = b"", 0, 0
    try:
        for read in stream.reads:
            part = stream.body[position : position + read.size]
            position += read.size
            decoded = b"".join(itertools.islice(take(part), MAX_PIECES))
            if decoded and size < MAX_DECODED:
                reads.append(Read(read.at, len(decoded)))
                size += len(decoded)
                body += decoded[: MAX_DECODED - len(body)]
    except InflateError:
        return stream
    plain = tuple(pair for pair in stream.headers if pair[0].lower() != "content-encoding")
    return replace(stream, headers=plain, reads=tuple(reads), body=body)
