"""Evidence with a text in every field it has, and the ways in which a text may be written."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import html
import json
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from ssemedic.evidence import SCHEMA, Evidence
from ssemedic.stream.record import END_KINDS, End, Phases, Read, Stream


def _wrapped(text: str) -> str:
    return "\n  ".join(text[at : at + 7] for at in range(0, len(text), 7))


def _every_percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def _every_escape(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def _base64(before: str) -> Callable[[str], str]:
    return lambda text: base64.b64encode(f"{before}{text}\n".encode()).decode()


def _journald(text: str) -> str:
    return json.dumps({"MESSAGE": f"app: {text}", "_PID": "7"})


def _gzip(text: str) -> str:
    return base64.b64encode(gzip.compress(f"head {text} tail".encode(), mtime=0)).decode()


def _in_gzip(text: str) -> str:
    return gzip.decompress(base64.b64decode(text)).decode()


def _as_base64(text: str) -> str:
    """All that stands in the text as base64, at any alignment and in both alphabets."""
    pieces = re.findall(r"[A-Za-z0-9+/_-]{4,}", re.sub(r"\s", "", text))
    starts = [
        piece[at:].translate(str.maketrans("-_", "+/")) for piece in pieces for at in range(4)
    ]
    whole = [start[: len(start) - (len(start) % 4 == 1)] for start in starts]
    return "|".join(
        base64.b64decode(piece + "=" * (-len(piece) % 4)).decode("utf-8", "replace")
        for piece in whole
    )


def _plain(text: str) -> str:
    return text


Way = Callable[[str], str]

#: Name: how it is written, and how a reader would read it.
ENCODINGS: Mapping[str, tuple[Way, Way]] = {
    "as it is": (_plain, _plain),
    "percent-encoded": (lambda t: quote(t, safe=""), unquote),
    "percent-encoded twice": (
        lambda t: quote(quote(t, safe=""), safe=""),
        lambda t: unquote(unquote(t)),
    ),
    "every byte percent-encoded": (_every_percent, unquote),
    "in JSON": (lambda t: json.dumps(t), lambda t: t.replace("\\", "")),
    "in JSON with escapes": (_every_escape, lambda t: re.sub(r"\\u(....)", _character, t)),
    "in journald's JSON": (_journald, lambda t: t.replace("\\", "")),
    "JSON in JSON": (lambda t: json.dumps(_journald(t)), lambda t: t.replace("\\", "")),
    "base64": (_base64(""), _as_base64),
    "base64, one byte off": (_base64(":"), _as_base64),
    "base64, two bytes off": (_base64("xy"), _as_base64),
    "base64 for URLs": (
        lambda t: base64.urlsafe_b64encode(t.encode()).decode().rstrip("="),
        _as_base64,
    ),
    "base64 in lines": (lambda t: _wrapped(_base64("Authorization: ")(t)), _as_base64),
    "base64 of base64": (
        lambda t: _base64("")(_base64("a")(t)),
        lambda t: _as_base64(_as_base64(t)),
    ),
    "split over lines": (_wrapped, lambda t: re.sub(r"\s+", "", t)),
    "in gzip": (_gzip, lambda t: _in_gzip(t) if t.startswith("H4sI") else t),
    "hexadecimal": (lambda t: t.encode().hex(), lambda t: t + _unhexed(t)),
    "in HTML": (lambda t: html.escape(t), html.unescape),
}  # fmt: skip


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _unhexed(text: str) -> str:
    pieces = re.findall(r"(?:[0-9a-f]{2}){4,}", text)
    return "|".join(bytes.fromhex(piece).decode("utf-8", "replace") for piece in pieces)


def filled(text: str) -> Evidence:
    """Evidence in which every text, name and file of every section is this text."""
    evidence = _filled(Evidence, text)
    assert isinstance(evidence, Evidence)
    return dataclasses.replace(evidence, schema=SCHEMA)


def leaves(value: Any) -> Iterator[str]:
    """Every text in plain data, keys included; the base64 of bytes is opened, too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from leaves(item)
            if key in ("content", "body") and isinstance(item, str):
                raw = base64.b64decode(item)
                yield raw.decode("utf-8", "replace")
                if raw.startswith(b"\x1f\x8b"):
                    yield gzip.decompress(raw).decode()
    elif isinstance(value, list):
        yield "".join(x for item in value for x in leaves(item))
        for item in value:
            yield from leaves(item)


def _filled(hint: Any, text: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _filled(next(a for a in args if a is not type(None)), text)
    if hint is Stream:
        return _stream(text)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        hints = typing.get_type_hints(hint)
        return hint(**{f.name: _filled(hints[f.name], text) for f in dataclasses.fields(hint)})
    if origin is tuple:
        return (_filled(args[0], text), _filled(args[0], text))
    if origin is not None and issubclass(origin, Mapping):
        return {text: _filled(args[1], text), "fact": _filled(args[1], text)}
    plain: dict[Any, Any] = {
        str: text, bytes: text.encode(), int: 1, float: 1.0, bool: True, Any: text,
    }  # fmt: skip
    return plain[hint]


def _stream(text: str) -> Stream:
    body = f"data: {text}\n\n".encode()
    return Stream(
        hop=text, vantage=text, address=text, url=text, started=1.0, window=8.0,
        end=End(END_KINDS[0], 8.0, text), variant=text, method=text, request_version=text,
        response_version=text, phases=Phases(0.0), status=200, reason=text,
        headers=((text, text), ("X-Seen", text)), reads=(Read(1.0, len(body)),), body=body,
        redirects=(text, text),
    )  # fmt: skip
