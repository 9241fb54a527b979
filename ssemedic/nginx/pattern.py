"""nginx's regular expressions (PCRE, on bytes) by way of Python's."""

from __future__ import annotations

import functools
import re

_NAMED = re.compile(rb"\(\?<(?![=!])")
_QUOTED_NAME = re.compile(rb"\(\?'(\w+)'")


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str, ignore_case: bool) -> re.Pattern[bytes] | None:
    """The pattern ready to search, or None where Python cannot express it."""
    raw = _QUOTED_NAME.sub(rb"(?P<\1>", _NAMED.sub(b"(?P<", encode(pattern)))
    # PCRE's $ also matches before a last newline, as Python's does; \z and \h have no twin.
    raw = raw.replace(rb"\z", rb"\Z")
    try:
        return re.compile(raw, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError):
        return None


def search(pattern: re.Pattern[bytes], subject: str) -> tuple[dict[str, str], bool]:
    """Captures ("1", "2", ... and names) and whether it matches."""
    found = pattern.search(encode(subject))
    if found is None:
        return {}, False
    captures = {str(i): decode(value or b"") for i, value in enumerate(found.groups(), 1)}
    captures.update({name: decode(value or b"") for name, value in found.groupdict().items()})
    return captures, True


def encode(text: str) -> bytes:
    """The bytes nginx sees."""
    return text.encode("utf-8", "surrogateescape")


def decode(raw: bytes) -> str:
    """Text of bytes of any encoding; what is not UTF-8 survives."""
    return raw.decode("utf-8", "surrogateescape")
