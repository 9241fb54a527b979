"""Secrets out of texts and reports, each replaced by a short tag that tells it from others.

The same secret gets the same tag within one process, so that "the token in this log line
is the one we sent" stays visible. The tag is keyed by a random value that dies with the
process: it cannot be tried against guesses.

A report is read twice. First for what is a secret by its place or its form, also inside of
what is encoded or packed; then each of those, and each that was known before, is masked
wherever it stands, whatever it wears.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ssemedic.evidence import Evidence, TextFile, encode
from ssemedic.report.disguise import Known, known, layers
from ssemedic.report.secret_words import (
    DONE,
    HARMLESS,
    PERSONAL,
    SECRET_FIELD,
    cookie,
    cookie_parts,
    masked_by_form,
    redact,
    tag,
)
from ssemedic.stream.inflate import InflateError, inflate
from ssemedic.stream.record import Stream

__all__ = ["opened", "redact", "redact_evidence", "redact_report", "secrets_in", "withheld"]

#: Found secrets shorter than this (characters) are masked where they stand, and only there.
_TELLING = 10


def redact_report(
    report: Mapping[str, Any], secrets: Sequence[str] = (), *, personal: bool = False
) -> dict[str, Any]:
    """A copy of a report that may be written, sent and shown.

    ``secrets`` are known values, masked wherever they stand and whatever they wear: see
    `disguise`. So is every value that stands somewhere as a secret. ``personal`` masks mail
    addresses and the IP addresses of others, too. In a plan a value that holds a secret
    becomes None, because a plan with a tag in a file's content would write the tag into that
    file; `withheld` names the places.
    """
    mask = _mask_for(report, secrets, personal)
    result = _walk(report, mask)
    assert isinstance(result, dict)
    plan, original = result.get("plan"), report.get("plan")
    if isinstance(plan, dict) and isinstance(original, Mapping):
        _withhold(plan, original, mask)
    return result


def redact_evidence(
    evidence: Evidence, secrets: Sequence[str] = (), *, personal: bool = False
) -> dict[str, Any]:
    """Evidence as plain data that may be sent: it can be judged again.

    Files and bodies are masked inside of their base64 and of their content coding. A body
    keeps its length, so that every event keeps its time; a file gets the hash of what it is now.
    """
    mask = _mask_for(opened(evidence), secrets, personal)
    result = _walk(_closed(evidence, mask), mask)
    assert isinstance(result, dict)
    return result


def secrets_in(data: Any) -> tuple[str, ...]:
    """Every value in plain data that stands somewhere as a secret and can be told from a word."""
    return tuple(_found(data))


def withheld(plan: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a redacted plan no longer holds: it must not be applied from this copy."""
    if not plan:
        return ()
    nginx = plan.get("nginx") or {}
    files = [str(edit["path"]) for edit in nginx.get("edits", ()) if edit["content_b64"] is None]
    lines = [
        f"{nginx['ours']}: {x['name']}" for x in nginx.get("directives", ()) if x["args"] is None
    ]
    settings = [
        f"{unit['unit']}: {key}"
        for unit in plan.get("units", ())
        for lines in unit["settings"].values()
        for key, value in lines.items()
        if value is None
    ]
    return tuple(files + lines + settings)


@dataclasses.dataclass(frozen=True)
class _Mask:
    """What is masked: by its form everywhere, and what is known to be a secret."""

    known: Known
    kinds: Mapping[str, str]
    personal: bool = False
    done: dict[str, str] = dataclasses.field(default_factory=dict)  # texts come again and again

    def __call__(self, text: str) -> str:
        if text not in self.done:
            self.done[text] = self._masked(text)
        return self.done[text]

    def _masked(self, text: str) -> str:
        text = self.known.masked(text, self.tag)
        text = masked_by_form(text, {})
        if self.personal:
            for kind, pattern in PERSONAL:
                text = pattern.sub(lambda found, kind=kind: tag(kind, found.group()), text)  # type: ignore[misc]
        return text

    def tag(self, secret: str) -> str:
        """The tag of a known secret."""
        return tag(self.kinds.get(secret, "token"), secret)


def _mask_for(data: Any, secrets: Sequence[str], personal: bool) -> _Mask:
    kinds = {**_found(data), **dict.fromkeys(secrets, "token")}
    return _Mask(known(kinds), kinds, personal)


def _found(data: Any) -> dict[str, str]:
    """Secrets by their form or their place, in any layer of any text, with their kind."""
    found: dict[str, str] = {}
    for name, text in dict.fromkeys(_texts(data, "")):
        if name and SECRET_FIELD.fullmatch(name):
            found[text] = "token"
        if len(text) < _TELLING:
            continue
        masked_by_form(text, found)
        for layer in layers(text.encode("utf-8", "surrogatepass"), 3):
            masked_by_form(layer.decode("utf-8", "replace"), found)
    values = {part: kind for value, kind in found.items() for part in _parts(value, kind)}
    return {unquote(value): kind for value, kind in values.items() if _is_telling(value)}


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield "", str(key)
            yield from _texts(item, str(key))
    elif isinstance(value, list | tuple):
        if _is_header(value):
            yield str(value[0]), value[1]
            return
        for item in value:
            yield from _texts(item, "")


def _parts(value: str, kind: str) -> Iterator[str]:
    """A header's value may hold a scheme and a secret, a cookie's several of them."""
    if kind == "cookie" or ";" in value:
        yield from (secret for _part, secret in cookie_parts(value) if secret)
    else:
        yield value.rpartition(" ")[2]


def _is_telling(value: str) -> bool:
    """True for what is no word, path, number or name: it may be masked wherever it stands."""
    if len(value) < _TELLING or HARMLESS.fullmatch(value) or re.match(DONE, value) is None:
        return False
    if "\u2039" in value or "***" in value or value.startswith(("/", "http:", "https:")):
        return False
    return bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value))


class _Done(str):
    """Base64 of what is masked already: it may look like a token, as that of any JSON does."""


def opened(value: Any) -> Any:
    """Evidence as plain data with the texts of its bytes, to be searched."""
    if isinstance(value, Stream):
        return {**value.to_dict(), "body": opened(value.body)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: opened(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, Mapping):
        return {str(key): opened(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [opened(item) for item in value]
    return value


def _closed(value: Any, mask: _Mask) -> Any:
    """Evidence as plain data in which the bytes of files and bodies hold no secret."""
    if isinstance(value, TextFile):
        content = _bytes(value.content, mask)
        digest = value.sha256
        if content != value.content:
            digest = hashlib.sha256(content).hexdigest()
        return {**encode(value), "content": _base64(content), "sha256": digest}
    if isinstance(value, Stream):
        return {**value.to_dict(), "body": _base64(_body(value, mask))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _closed(getattr(value, f.name), mask) for f in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return _base64(_bytes(value, mask))
    if isinstance(value, Mapping):
        return {str(key): _closed(item, mask) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_closed(item, mask) for item in value]
    return value


def _base64(raw: bytes) -> _Done:
    return _Done(base64.b64encode(raw).decode("ascii"))


def _bytes(content: bytes, mask: _Mask) -> bytes:
    """Text is masked in place; what is packed is masked in there, or left out."""
    for layer in layers(content, 1):
        if layer is not content and content.startswith(b"\x1f\x8b"):
            masked = _bytes(layer, mask)
            return content if masked == layer else gzip.compress(masked, mtime=0)
    text = content.decode("utf-8", "surrogateescape")
    return mask(text).encode("utf-8", "surrogateescape")


def _body(stream: Stream, mask: _Mask) -> bytes:
    coding = (stream.header("content-encoding") or "").strip().lower()
    decoder = inflate(coding) if coding not in ("", "identity") else None
    if decoder is not None:
        try:
            plain = b"".join(decoder(stream.body))
        except InflateError:
            plain = b""
        return stream.body if plain and _bytes(plain, mask) == plain else b""
    masked = _bytes(stream.body, mask)
    return stream.body if masked == stream.body else _fitted(stream.body, masked)


def _fitted(before: bytes, after: bytes) -> bytes:
    """The masked body line by line in the length of what it was: no event moves in time."""
    old, new = before.split(b"\n"), after.split(b"\n")
    if len(old) != len(new):
        return after
    lines = [
        b if a == b else b[: len(a)].ljust(len(a), b"*") for a, b in zip(old, new, strict=True)
    ]
    return b"\n".join(lines)


def _walk(value: Any, mask: _Mask, name: str = "") -> Any:
    if isinstance(value, _Done):
        return str(value)
    if isinstance(value, str):
        if name and SECRET_FIELD.fullmatch(name):
            return _whole(mask(value), name)
        return mask(value)
    if isinstance(value, Mapping):
        return {mask(str(key)): _walk(item, mask, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if _is_header(value):
            return [mask(value[0]), _walk(value[1], mask, value[0])]
        return [_walk(item, mask) for item in _mended(value, mask)]
    return value


def _mended(items: Sequence[Any], mask: _Mask) -> Sequence[Any]:
    """A list of lines without the secrets that are split over two of them."""
    texts = [_line(item) for item in items]
    if len(texts) < 2 or not mask.known.forms or None in texts:
        return items
    lines = [text for text in texts if text is not None]
    starts = [0]
    for text in lines:
        starts.append(starts[-1] + len(text))
    spans = mask.known.spans("".join(lines))
    for start, end, secret in reversed(spans):
        hit = [n for n, text in enumerate(lines) if starts[n] < end and start < starts[n + 1]]
        if len(hit) < 2:
            continue
        for place in hit:
            low, high = max(start - starts[place], 0), min(end - starts[place], len(lines[place]))
            lines[place] = lines[place][:low] + mask.tag(secret) + lines[place][high:]
    return [
        line if isinstance(item, str) else {**item, "text": line}
        for item, line in zip(items, lines, strict=True)
    ]


def _line(item: Any) -> str | None:
    if isinstance(item, str):
        return item
    text = item.get("text") if isinstance(item, Mapping) else None
    return text if isinstance(text, str) else None


def _is_header(value: Sequence[Any]) -> bool:
    return len(value) == 2 and all(isinstance(part, str) for part in value)


def _whole(value: str, name: str) -> str:
    if not value or HARMLESS.fullmatch(value) or re.match(DONE, value) is None:
        return value
    return cookie(value) if "cookie" in name.lower() else tag("token", value)


def _withhold(plan: dict[str, Any], original: Mapping[str, Any], mask: _Mask) -> None:
    """Keep what is to be written byte for byte, or not at all."""
    before = (original.get("nginx") or {}).get("edits", ())
    after = (plan.get("nginx") or {}).get("edits", ())
    for edit, copy in zip(before, after, strict=True):
        copy["content_b64"] = _intact(edit["content_b64"], mask)
    lines = (original.get("nginx") or {}).get("directives", ())
    copies = (plan.get("nginx") or {}).get("directives", ())
    for line, copy in zip(lines, copies, strict=True):
        # Lines of the admin's are repeated in our file, with what they tell the app.
        said = " ".join((line["name"], *(line["args"] or ())))
        safe = copy["args"] == line["args"] and mask(said) == said
        copy["args"] = line["args"] if safe else None
    for unit, twin in zip(original.get("units", ()), plan.get("units", ()), strict=True):
        twin["settings"] = {
            section: {
                key: value if _walk(value, mask, key) == value else None
                for key, value in lines.items()
            }
            for section, lines in unit["settings"].items()
        }


def _intact(content: str | None, mask: _Mask) -> str | None:
    if content is None:
        return None
    try:
        text = base64.b64decode(content, validate=True).decode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error):
        return None
    return content if mask(text) == text else None
