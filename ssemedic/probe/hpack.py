"""HPACK, the header compression of HTTP/2 (RFC 7541): a whole decoder, a literal-only encoder.

Strict, because what it reads is hostile: a block may name a large field again and again
in one byte each, so what it decodes to has a limit as well.
Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Field = tuple[bytes, bytes]

#: What a decoder's dynamic table may take by default, in bytes (RFC 9113, 6.5.2).
TABLE_BYTES = 4096

#: What a field takes in the table beside its name and value (RFC 7541, 4.1).
_FIELD_OVERHEAD = 32

_END_OF_STRING = 256

# The lengths in bits of the codes of the 256 bytes and of the end of a string (RFC 7541,
# appendix B). The code is canonical: the lengths give the codes.
_CODE_BITS = """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28
28 6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7
7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6
5 5 6 7 7 7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23
24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22
21 23 22 23 23 20 22 22 22 23 22 22 23 26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21
26 27 27 26 27 24 21 21 26 26 28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26
27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30
"""

# RFC 7541, appendix A, in order.
_STATIC = """
:authority; :method = GET; :method = POST; :path = /; :path = /index.html; :scheme = http;
:scheme = https; :status = 200; :status = 204; :status = 206; :status = 304; :status = 400;
:status = 404; :status = 500; accept-charset; accept-encoding = gzip, deflate;
accept-language; accept-ranges; accept; access-control-allow-origin; age; allow;
authorization; cache-control; content-disposition; content-encoding; content-language;
content-length; content-location; content-range; content-type; cookie; date; etag; expect;
expires; from; host; if-match; if-modified-since; if-none-match; if-range;
if-unmodified-since; last-modified; link; location; max-forwards; proxy-authenticate;
proxy-authorization; range; referer; refresh; retry-after; server; set-cookie;
strict-transport-security; transfer-encoding; user-agent; vary; via; www-authenticate
"""


class HpackError(ValueError):
    """The block is not HPACK."""


class TooLargeError(HpackError):
    """The block decodes to more than the limit."""


def encode(fields: Iterable[Field]) -> bytes:
    """A block in which every field is a literal that no hop may keep (RFC 7541, 6.2.3)."""
    out = bytearray()
    for name, value in fields:
        out.append(0x10)
        for text in (name, value):
            out += _integer(len(text), 7)
            out += text
    return bytes(out)


class Decoder:
    """Decodes the blocks of one connection, in order; holds the dynamic table.

    ``max_bytes`` and ``max_fields`` bound what one block may decode to; pseudo-headers
    count in bytes only.
    """

    def __init__(self, max_bytes: int, max_fields: int) -> None:
        self._max_bytes = max_bytes
        self._max_fields = max_fields
        self._table: list[Field] = []  # the newest last
        self._size = 0
        self._capacity = TABLE_BYTES

    def decode(self, block: bytes) -> list[Field]:
        """The fields of a block; raises `HpackError`, of which `TooLargeError` is one."""
        fields: list[Field] = []
        size, count, at = 0, 0, 0
        while at < len(block):
            first = block[at]
            if first & 0xE0 == 0x20:
                if fields:
                    raise HpackError("a change of the table's size after a field")
                at = self._resize(block, at)
                continue
            field, at = self._field(block, at)
            fields.append(field)
            size += len(field[0]) + len(field[1])
            if size > self._max_bytes:
                raise TooLargeError(f"more than {self._max_bytes} header bytes")
            count += not field[0].startswith(b":")
            if count > self._max_fields:
                raise TooLargeError(f"more than {self._max_fields} headers")
        return fields

    def _field(self, block: bytes, at: int) -> tuple[Field, int]:
        first = block[at]
        if first & 0x80:
            index, at = _read_integer(block, at, 7)
            return self._entry(index), at
        indexed = bool(first & 0x40)
        index, at = _read_integer(block, at, 6 if indexed else 4)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _read_string(block, at)
        value, at = _read_string(block, at)
        if indexed:
            self._add((name, value))
        return (name, value), at

    def _entry(self, index: int) -> Field:
        if 0 < index <= len(STATIC_TABLE):
            return STATIC_TABLE[index - 1]
        place = index - len(STATIC_TABLE)
        if not 0 < place <= len(self._table):
            raise HpackError(f"index {index} is not in the table")
        return self._table[-place]

    def _add(self, field: Field) -> None:
        self._table.append(field)
        self._size += _room(field)
        self._evict()

    def _resize(self, block: bytes, at: int) -> int:
        capacity, at = _read_integer(block, at, 5)
        if capacity > TABLE_BYTES:
            raise HpackError(f"a table of {capacity} bytes, must be {TABLE_BYTES} or less")
        self._capacity = capacity
        self._evict()
        return at

    def _evict(self) -> None:
        gone = 0
        while self._size > self._capacity:
            self._size -= _room(self._table[gone])
            gone += 1
        del self._table[:gone]


def _room(field: Field) -> int:
    return len(field[0]) + len(field[1]) + _FIELD_OVERHEAD


def _integer(value: int, prefix: int) -> bytes:
    """RFC 7541, 5.1, with the bits before the prefix zero."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([value])
    out = bytearray([most])
    value -= most
    while value >= 0x80:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    most = (1 << prefix) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in range(0, 35, 7):  # more than 2^32 is a size of nothing here
        if at >= len(block):
            break
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise HpackError("a number without an end")


def _read_string(block: bytes, at: int) -> tuple[bytes, int]:
    if at >= len(block):
        raise HpackError("the block ends inside a field")
    packed = bool(block[at] & 0x80)
    length, at = _read_integer(block, at, 7)
    text = block[at : at + length]
    if len(text) < length:
        raise HpackError("the block ends inside a string")
    return (_unpacked(text) if packed else text), at + length


def _unpacked(text: bytes) -> bytes:
    """The bytes of a Huffman-coded string (RFC 7541, 5.2)."""
    out = bytearray()
    code = 1  # a leading one keeps the zeros
    for byte in text:
        for shift in range(7, -1, -1):
            code = code << 1 | byte >> shift & 1
            symbol = _SYMBOLS.get(code)
            if symbol is None:
                continue
            if symbol == _END_OF_STRING:
                raise HpackError("the end-of-string code inside a string")
            out.append(symbol)
            code = 1
    padding = code.bit_length() - 1
    if padding > 7 or code != (1 << padding + 1) - 1:
        raise HpackError("a string with bad padding")
    return bytes(out)


def _symbols(lengths: Sequence[int]) -> dict[int, int]:
    """What each code stands for, by the code with a one before it."""
    found: dict[int, int] = {}
    code, before = 0, 0
    for bits, symbol in sorted((bits, symbol) for symbol, bits in enumerate(lengths)):
        code <<= bits - before
        found[1 << bits | code] = symbol
        code, before = code + 1, bits
    return found


def _static(text: str) -> tuple[Field, ...]:
    pairs = (entry.strip().partition(" = ") for entry in " ".join(text.split()).split(";"))
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, _is, value in pairs)


_SYMBOLS = _symbols([int(bits) for bits in _CODE_BITS.split()])

#: The fields that every decoder knows; the first has index 1.
STATIC_TABLE = _static(_STATIC)
