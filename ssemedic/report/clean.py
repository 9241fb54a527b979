"""Host text made harmless for a terminal: what could steer it becomes a visible escape."""

from __future__ import annotations

import unicodedata

#: Categories that a terminal acts on, hides, or cannot encode (Unicode 15, 4.5): control,
#: format (bidi overrides, zero-width), surrogate, private use, unassigned, separators.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_STACKED = {"Mn", "Me"}
_MAX_STACKED = 2  # marks on one character; more would climb over the lines around it
#: The signs this program itself prints, for terminals that only know ASCII.
_PLAIN = str.maketrans(
    {
        "\u2039": "<",  # around the tag of a secret
        "\u203a": ">",
        "\u00b7": "-",  # middle dot
        "\u2192": "->",  # arrow
        "\u2026": "...",
        "\u2013": "-",
        "\u2014": "-",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
    }
)


def clean(text: str, *, lines: bool = False, ascii_only: bool = False, limit: int = 0) -> str:
    r"""``text`` as a person may see it on any terminal.

    Control characters, bidi overrides, invisible characters and bytes that were not
    UTF-8 (surrogates) become ``\x1b``, ``\u202e`` and the like. Newlines stay where
    ``lines`` is set, tabs become spaces. ``limit`` cuts after so many characters and
    says how many are left out; 0 keeps all. Never raises.
    """
    left_out = max(0, len(text) - limit) if limit else 0
    if left_out:
        text = text[:limit]
    if ascii_only:
        text = text.translate(_PLAIN)
    if not (text.isascii() and text.isprintable()):
        text = _escape(text, lines, ascii_only)
    if left_out:
        text += f"{'...' if ascii_only else '…'} ({left_out} more characters)"
    return text


def _escape(text: str, lines: bool, ascii_only: bool) -> str:
    out: list[str] = []
    stacked = 0
    for character in text:
        category = unicodedata.category(character)
        stacked = stacked + 1 if category in _STACKED else 0
        if character == "\n" and lines:
            out.append(character)
        elif character == "\t":
            out.append("    " if lines else " ")
        elif (
            category in _UNSEEN
            or stacked > _MAX_STACKED
            or (ascii_only and not character.isascii())
        ):
            out.append(_visible(ord(character)))
        else:
            out.append(character)
    return "".join(out)


def _visible(code: int) -> str:
    if code == 0x0A:
        return "\\n"
    if code == 0x0D:
        return "\\r"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, kept by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
