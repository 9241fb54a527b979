"""Codings come off in pieces of any size, within limits, and the events inside are judged."""

from __future__ import annotations

import itertools
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from record_builder import GOOD_HEADERS, stream

from ssemedic.stream.coding import MAX_DECODED, as_decoded, decode
from ssemedic.stream.detect import observe_one
from ssemedic.stream.inflate import STEP, InflateError, inflate
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

EVENTS = [b"id: %d\ndata: hello %d\n\n" % (n, n) for n in range(4)]


def zlib_flushed(bits: int) -> Callable[[Sequence[bytes]], Iterator[bytes]]:
    def packed(parts: Sequence[bytes]) -> Iterator[bytes]:
        coder = zlib.compressobj(wbits=bits)
        for part in parts:
            yield coder.compress(part) + coder.flush(zlib.Z_SYNC_FLUSH)

    return packed


def brotli_flushed(parts: Sequence[bytes]) -> Iterator[bytes]:
    coder = brotli.Compressor()
    for part in parts:
        yield coder.process(part) + coder.flush()


def zstd_flushed(parts: Sequence[bytes]) -> Iterator[bytes]:
    coder = zstandard.ZstdCompressor().compressobj()
    for part in parts:
        yield coder.compress(part) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def zstd_framed(parts: Sequence[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield zstandard.ZstdCompressor().compress(part)


CODERS = {
    "gzip": ("gzip", zlib_flushed(31)),
    "deflate": ("deflate", zlib_flushed(15)),
    "deflate without its header": ("deflate", zlib_flushed(-15)),
    "br": ("br", brotli_flushed),
    "zstd": ("zstd", zstd_flushed),
    "zstd, a frame for each event": ("zstd", zstd_framed),
}
each_coder = pytest.mark.parametrize(("named", "coder"), CODERS.values(), ids=list(CODERS))


def coded(coding: str, *arrivals: tuple[float, bytes]) -> Stream:
    """A record of an event stream in that coding."""
    named = ("Content-Encoding", coding)
    return stream("public", *arrivals, headers=(*GOOD_HEADERS, named))


@each_coder
@given(parts=st.lists(st.binary(max_size=300), max_size=5), cuts=st.lists(st.integers(0, 900)))
def test_any_pieces_decode_to_the_same(
    named: str, coder: Callable[..., Iterator[bytes]], parts: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(coder(parts))
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    take = inflate(named)
    assert take is not None
    pieces = [data[start:end] for start, end in itertools.pairwise(ends)]
    assert b"".join(out for piece in pieces for out in take(piece)) == b"".join(parts)


@each_coder
def test_events_that_are_flushed_are_on_time_and_healthy(
    named: str, coder: Callable[..., Iterator[bytes]]
) -> None:
    reads = [(0.5 * n, part) for n, part in enumerate(coder(EVENTS), start=1)]
    record = coded(named, *reads)
    parsed = decode(record).parsed
    assert parsed is not None
    assert [event.at for event in parsed.events] == [0.5, 1.0, 1.5, 2.0]
    assert observe_one(record) == ()


@pytest.mark.parametrize("named", ["gzip", "br", "zstd"])
def test_events_that_the_coding_holds_are_not_there_and_that_is_a_symptom(named: str) -> None:
    start = {
        "gzip": lambda: zlib.compressobj(wbits=31).compress(b"".join(EVENTS)) or b"\x1f\x8b\x08",
        "br": lambda: b"\x8b",
        "zstd": lambda: zstandard.ZstdCompressor().compressobj().compress(EVENTS[0]) or b"(\xb5/",
    }[named]()
    record = coded(named, (0.5, start))
    assert [symptom.kind for symptom in observe_one(record)] == [Kind.COMPRESSED]


@pytest.mark.parametrize("named", ["gzip", "br", "zstd"])
def test_bytes_of_no_such_coding_are_refused(named: str) -> None:
    take = inflate(named)
    assert take is not None
    with pytest.raises(InflateError):
        list(take(b"data: this is plain text\n\n" * 9))
    assert decode(coded(named, (0.5, b"data: x\n\n" * 9))).parsed is None


def bomb(named: str) -> bytes:
    """200 MB of blank lines."""
    piece = b"\n" * 1_000_000
    if named == "br":
        coder = brotli.Compressor(quality=9)
        return b"".join([*(coder.process(piece) for _ in range(200)), coder.finish()])
    if named == "zstd":
        zipper = zstandard.ZstdCompressor(level=19).compressobj()
        return b"".join([*(zipper.compress(piece) for _ in range(200)), zipper.flush()])
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(piece) for _ in range(200)), packer.flush()])


@pytest.mark.parametrize("named", ["gzip", "br", "zstd"])
def test_a_bomb_comes_out_in_small_pieces_and_only_up_to_the_limit(named: str) -> None:
    data = bomb(named)
    take = inflate(named)
    assert take is not None
    assert max(len(piece) for piece in itertools.islice(take(data), 200)) <= 32 * STEP
    found = decode(coded(named, (0.5, data)))
    assert found.cut
    assert found.size <= MAX_DECODED


@pytest.mark.parametrize(("named", "library"), [("br", "brotli"), ("zstd", "zstandard")])
def test_without_its_library_a_coding_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch, named: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    record = coded(named, (0.5, b"\x8b\x01"))
    assert inflate(named) is None
    assert [symptom.kind for symptom in observe_one(record)] == [Kind.COMPRESSED]


def test_codings_on_top_of_each_other_are_not_decoded() -> None:
    assert inflate("gzip, br") is None


@each_coder
def test_a_record_as_decoded_has_each_event_when_it_came(
    named: str, coder: Callable[..., Iterator[bytes]]
) -> None:
    reads = [(0.5 * n, part) for n, part in enumerate(coder(EVENTS), start=1)]
    plain = as_decoded(coded(named, *reads))
    assert plain.body == b"".join(EVENTS)
    assert [(read.at, read.size) for read in plain.reads] == [
        (0.5 * n, len(event)) for n, event in enumerate(EVENTS, start=1)
    ]
    assert plain.header("content-encoding") is None


def test_a_read_that_decodes_to_nothing_is_none() -> None:
    record = coded("gzip", (0.5, b"\x1f\x8b\x08\0\0\0\0\0\0\x03"))
    assert as_decoded(record).reads == ()


def test_a_small_body_that_decodes_to_gigabytes_is_decoded_within_the_limit() -> None:
    packed = zlib.compressobj(wbits=31)
    bomb = packed.compress(bytes(64 << 20)) + packed.flush()
    assert sum(read.size for read in as_decoded(coded("gzip", (0.5, bomb))).reads) <= MAX_DECODED


def test_what_cannot_be_decoded_stays_as_it_is() -> None:
    record = coded("gzip", (0.5, b"data: plain\n\n"))
    assert as_decoded(record) is record
