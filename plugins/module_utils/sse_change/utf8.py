"""Text that can be sent: Ansible refuses a whole answer for one byte that is not UTF-8.

File names, log lines and environments may hold any bytes; Python keeps those that are not UTF-8
as lone surrogates (PEP 383).
"""

from __future__ import annotations

from typing import Any


def sendable(value: Any) -> Any:
    r"""Plain data with each such byte as ``\xff``, and any other lone surrogate as ``\ud800``."""
    if isinstance(value, str):
        return value if value.isascii() else _sendable(value)
    if isinstance(value, dict):
        return {sendable(key): sendable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [sendable(item) for item in value]
    return value


def _sendable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(_escaped(character) for character in text)
    return text


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return "\\x%02x" % (code - 0xDC00)
    return "\\u%04x" % code if 0xD800 <= code <= 0xDFFF else character
