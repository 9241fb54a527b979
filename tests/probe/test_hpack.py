"""The decoder of HTTP/2's headers, against the library hpack and the examples of RFC 7541."""

from __future__ import annotations

import hpack as oracle
import hpack.table
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssemedic.probe.hpack import STATIC_TABLE, Decoder, HpackError, TooLargeError, encode

Field = tuple[bytes, bytes]

names = st.sampled_from([b":status", b"content-type", b"cache-control", b"x-a", b"set-cookie"])
values = st.one_of(
    st.sampled_from([b"200", b"text/event-stream", b"no-cache", b""]),
    st.binary(max_size=40),
    st.binary(min_size=120, max_size=300),
)
fields = st.tuples(st.one_of(names, st.binary(max_size=20)), values)
blocks = st.lists(st.lists(fields, max_size=12), min_size=1, max_size=6)


def decoder() -> Decoder:
    return Decoder(1 << 20, 10_000)


def decoded_by_oracle(decoder: oracle.Decoder, block: bytes) -> list[Field] | None:
    """The fields, None where the block is refused."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except oracle.HPACKError:
        return None


def decoded(decoder: Decoder, block: bytes) -> list[Field] | None:
    try:
        return decoder.decode(block)
    except HpackError:
        return None


def test_the_static_table_is_that_of_the_standard() -> None:
    assert STATIC_TABLE == hpack.table.HeaderTable.STATIC_TABLE


@given(blocks, st.booleans(), st.lists(st.integers(0, 4096), max_size=6))
def test_what_the_library_encodes_is_decoded(
    lists: list[list[Field]], huffman: bool, sizes: list[int]
) -> None:
    encoder, ours = oracle.Encoder(), decoder()
    for number, wanted in enumerate(lists):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        assert ours.decode(encoder.encode(wanted, huffman=huffman)) == wanted


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_any_bytes_are_refused_or_decoded_as_the_library_does(parts: list[bytes]) -> None:
    theirs, ours = oracle.Decoder(max_header_list_size=1 << 20), decoder()
    for part in parts:
        wanted = decoded_by_oracle(theirs, part)
        assert decoded(ours, part) == wanted
        if wanted is None:
            return  # the connection is over


@given(blocks, st.integers(0, 200), st.integers(0, 255))
def test_one_wrong_byte_is_refused_or_decoded_as_the_library_does(
    lists: list[list[Field]], place: int, byte: int
) -> None:
    encoder, ours, theirs = oracle.Encoder(), decoder(), oracle.Decoder(1 << 20)
    for part in lists:
        block = bytearray(encoder.encode(part))
        if place < len(block):
            block[place] = byte
        wanted = decoded_by_oracle(theirs, bytes(block))
        assert decoded(ours, bytes(block)) == wanted
        if wanted is None:
            return


@given(st.lists(fields, max_size=12))
def test_what_is_encoded_here_the_library_decodes(wanted: list[Field]) -> None:
    assert decoded_by_oracle(oracle.Decoder(1 << 20), encode(wanted)) == wanted


def test_the_answers_of_the_standards_example_with_huffman() -> None:
    # RFC 7541, C.6: three answers on one connection, the table full and evicting.
    ours = decoder()
    first = (
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff"
        "6e919d29ad171863c78f0b97c8e9ae82ae43d3"
    )
    assert ours.decode(bytes.fromhex(first)) == [
        (b":status", b"302"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        (b"location", b"https://www.example.com"),
    ]
    assert ours.decode(bytes.fromhex("4883640effc1c0bf"))[0] == (b":status", b"307")


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("80", "index 0 is not in the table"),
        ("be", "index 62 is not in the table"),
        ("ffffffffffffff", "a number without an end"),
        ("1f", "a number without an end"),
        ("00", "the block ends inside a field"),
        ("0001", "the block ends inside a string"),
        ("000161", "the block ends inside a field"),
        ("3fe21f", "a table of 4097 bytes"),
        ("8220", "a change of the table's size after a field"),
        ("0084ffffffff00", "the end-of-string code"),
        ("008100", "bad padding"),
        ("0082ffff00", "bad padding"),
    ],
)
def test_a_block_that_is_not_hpack_is_refused_with_the_reason(block: str, why: str) -> None:
    with pytest.raises(HpackError, match=why):
        decoder().decode(bytes.fromhex(block))


def test_a_small_block_that_names_a_large_field_again_and_again_is_too_large() -> None:
    large = encode([(b"a", b"x" * 3000)])
    kept = b"\x40" + large[1:]
    with pytest.raises(TooLargeError, match="more than 65536 header bytes"):
        Decoder(65536, 10_000).decode(kept + b"\xbe" * 10_000)


def test_too_many_fields_are_too_large() -> None:
    with pytest.raises(TooLargeError, match="more than 3 headers"):
        Decoder(65536, 3).decode(b"\x88" + encode([(b"a", b"")] * 4))
    assert len(Decoder(65536, 3).decode(b"\x88" + encode([(b"a", b"")] * 3))) == 4
