"""The ways in which a text may carry a secret: encoded, wrapped, escaped, compressed.

`Known` finds known secrets in a text whatever they wear; `layers` gives what a text hides, so
that unknown ones can be looked for in there. Both are used by what masks (`redact`) and by
what checks (`gate`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

#: A known secret shorter than this (characters) would be found all over an innocent report.
SHORTEST = 6
#: What one piece may become when it is decompressed, in bytes.
MOST = 32 << 20
#: A wrapped secret is wrapped only so often: base64 of base64 of base64 is none of ours.
DEEPEST = 4

_STANDARD_TO_URL = bytes.maketrans(b"+/", b"-_")
_URL_TO_STANDARD = str.maketrans("-_", "+/")
_GZIP = b"\x1f\x8b\x08"
#: What stands for a character, or for none: percent signs (also encoded themselves), escapes of
#: JSON, of C and of the shell, entities of HTML, soft line ends of quoted-printable, white space.
_PIECES = re.compile(
    r"%(?:25)*(?P<percent>[0-9A-Fa-f]{2})"
    r"|\\+u(?P<unicode>[0-9A-Fa-f]{4})|\\+x(?P<hex>[0-9A-Fa-f]{2})"
    r"|&\#x(?P<entity>[0-9A-Fa-f]{1,6});|&\#(?P<number>[0-9]{1,7});"
    r"|&(?P<named>amp|lt|gt|quot|apos);"
    r"|=\r?\n|\\+[nrt]|[\s\x00]+|\\+(?P<escaped>[\"'/])|\\"
)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")


@dataclass(frozen=True)
class Known:
    """Known secrets, ready to be looked for. ``forms`` maps what may be seen to the secret."""

    secrets: tuple[str, ...]
    forms: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Where secrets stand in the text, whatever they wear: start, end, secret. In order."""
        if not self.forms:
            return []
        plain, places = _plain(text)
        spans: list[tuple[int, int, str]] = []
        for form, secret in self.forms:
            at = plain.find(form)
            while at >= 0:
                end = at + len(form)
                if places:
                    spans.append((places[at][0], places[end - 1][1], secret))
                else:
                    spans.append((at, end, secret))
                at = plain.find(form, end)
        return _apart(spans)

    def masked(self, text: str, tag: Callable[[str], str]) -> str:
        """The text with each secret, and each archive that holds one, replaced by its tag."""
        spans = self.spans(text)
        for start, end, secret in reversed(spans):
            text = text[:start] + tag(secret) + text[end:]
        if "H4sI" in text:
            text = _BASE64.sub(lambda found: self._opened(found.group(), tag), text)
        return text

    def held_by(self, data: bytes) -> str | None:
        """The first secret that stands in the bytes, in any layer; None if there is none."""
        for layer in layers(data):
            text = layer.decode("latin-1")
            for candidate in (text, *_joined(layer)):
                spans = self.spans(candidate)
                if spans:
                    return spans[0][2]
        return None

    def _opened(self, blob: str, tag: Callable[[str], str]) -> str:
        raw = _from_base64(blob)
        secret = self.held_by(raw) if raw is not None and raw.startswith(_GZIP) else None
        return blob if secret is None else tag(secret)


def known(secrets: Iterable[str]) -> Known:
    """The secrets of at least `SHORTEST` characters, and every form they may take."""
    kept = tuple(dict.fromkeys(s for s in secrets if len(s) >= SHORTEST))
    forms = {form: secret for secret in kept for form in _forms(secret)}
    longest = sorted(forms.items(), key=lambda pair: len(pair[0]), reverse=True)
    return Known(kept, tuple(longest))


def layers(data: bytes, depth: int = DEEPEST) -> Iterator[bytes]:
    """The bytes, and all that is packed or encoded in them (gzip, zlib, base64, hex, percent)."""
    seen: set[bytes] = {data}
    level = [data]
    for _ in range(depth + 1):
        yield from level
        level = [inner for outer in level for inner in _fresh(_inside(outer), seen)]


def _fresh(found: Iterable[bytes], seen: set[bytes]) -> Iterator[bytes]:
    """What was not looked at before, at any depth."""
    for data in found:
        if data and data not in seen:
            seen.add(data)
            yield data


def _inside(data: bytes) -> Iterator[bytes]:
    for start in _starts(data, _GZIP):
        unpacked = _unpacked(data[start:], 31)
        if unpacked:
            yield unpacked
    if data[:1] == b"\x78":
        unpacked = _unpacked(data, 15)
        if unpacked:
            yield unpacked
    text = data.decode("latin-1")
    plain = _plain(text)[0]
    if plain != text and re.search(r"%[0-9A-Fa-f]{2}|\\u|&#", text):
        yield plain.encode("latin-1")
    for shown in {text, plain, re.sub(r"\s+", "", text)}:
        for found in _BASE64.finditer(shown):
            raw = _from_base64(found.group())
            if raw is not None and _is_worth_it(raw):
                yield raw
        for found in _HEX.finditer(shown):
            raw = bytes.fromhex(found.group())
            if _is_worth_it(raw):
                yield raw


def _starts(data: bytes, sign: bytes) -> Iterator[int]:
    at = data.find(sign)
    while at >= 0:
        yield at
        at = data.find(sign, at + 1)


def _unpacked(data: bytes, bits: int) -> bytes:
    try:
        return zlib.decompressobj(bits).decompress(data, MOST)
    except zlib.error:
        return b""


def _is_worth_it(raw: bytes) -> bool:
    """True for an archive, and for what is mostly text: most words are base64 of nothing."""
    if raw.startswith((_GZIP, b"\x78")):
        return True
    shown = sum(1 for byte in raw if 32 <= byte < 127 or byte in b"\r\n\t")
    return shown >= len(raw) * 0.85


def _from_base64(text: str) -> bytes | None:
    bare = text.rstrip("=").translate(_URL_TO_STANDARD)
    if len(bare) % 4 == 1:
        bare = bare[:-1]
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return None


def _plain(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text with its escapes taken off and its white space left out, in UTF-8 as Latin-1;
    and for each of its characters where that stood; no places where nothing was moved."""
    if text.isascii() and not _PIECES.search(text):
        return text, []
    out: list[str] = []
    places: list[tuple[int, int]] = []
    bare = _is_utf8(text)

    def keep(start: int, end: int) -> None:
        part = text[start:end]
        if bare or part.isascii():
            out.append(part)
            places.extend((at, at + 1) for at in range(start, end))
            return
        for at, character in enumerate(part, start):
            put(_latin(character), at, at + 1)

    def put(encoded: str, start: int, end: int) -> None:
        out.append(encoded)
        places.extend([(start, end)] * len(encoded))

    last = 0
    for found in _PIECES.finditer(text):
        keep(last, found.start())
        stands = _stands_for(found)
        put(stands if found["percent"] or found["hex"] else _latin(stands), *found.span())
        last = found.end()
    keep(last, len(text))
    return "".join(out), places


def _is_utf8(text: str) -> bool:
    """True where a Latin-1 text is bytes of UTF-8 already, as `layers` gives them."""
    if text.isascii():
        return True
    try:
        text.encode("latin-1").decode("utf-8")
    except ValueError:
        return False
    return True


def _stands_for(found: re.Match[str]) -> str:
    code = found["percent"] or found["hex"]
    if code:
        return chr(int(code, 16))
    wide = found["unicode"] or found["entity"]
    if wide or found["number"]:
        number = int(wide, 16) if wide else int(found["number"])
        return chr(number) if number < 0x110000 else ""
    if found["named"]:
        return _NAMED[found["named"]]
    if found["escaped"]:
        return str(found["escaped"])
    return ""


def _latin(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _forms(secret: str) -> set[str]:
    """How the secret looks once escapes and white space are gone: plain, hex, base64."""
    plain = _plain(secret)[0]
    raws = {secret.encode("utf-8", "surrogatepass"), plain.encode("latin-1", "replace")}
    out = {plain, _latin(secret), secret}
    for raw in raws:
        out |= {raw.hex(), raw.hex().upper()}
        once = _inside_base64(raw)
        twice = {form for inner in once for form in _inside_base64(inner.encode("ascii"))}
        out |= {form for form in once | twice if len(form) >= max(SHORTEST, len(raw))}
    return {form for form in out if len(form) >= SHORTEST}


def _inside_base64(raw: bytes) -> set[str]:
    """What base64 of any text around the secret must contain, for each of three alignments."""
    forms = set()
    for offset, first in ((0, 0), (1, 2), (2, 3)):  # first: characters that mix in what precedes
        encoded = base64.b64encode(b"\0" * offset + raw)
        whole = (offset + len(raw)) * 8 // 6  # later characters mix in what follows
        forms.add(encoded[first:whole].decode("ascii"))
        forms.add(encoded[first:whole].translate(_STANDARD_TO_URL).decode("ascii"))
    return forms


def _apart(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The spans in order; of two that overlap the first and longest, which covers both."""
    out: list[tuple[int, int, str]] = []
    for start, end, secret in sorted(spans, key=lambda span: (span[0], -span[1])):
        if out and start < out[-1][1]:
            if end > out[-1][1]:
                out[-1] = (out[-1][0], end, out[-1][2])
            continue
        out.append((start, end, secret))
    return out


def _joined(data: bytes) -> Iterator[str]:
    """The texts of a JSON document one after the other: a secret may be split over two."""
    if data[:1] not in (b"{", b"["):
        return
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    leaves = list(_leaves(found))
    yield "".join(_latin(leaf) for leaf in leaves)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
