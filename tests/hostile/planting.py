"""Hostile words in every text that a host can choose, found by reflection over the evidence.

A new field of a new type is planted as soon as it exists.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ssemedic.evidence import SCHEMA, Evidence
from ssemedic.stream.record import Stream
from tests.report.canaries import filled

#: What executes somewhere if it is let: Jinja, a shell, a terminal, a page, systemd, nginx.
JINJA = "{{ lookup('ansible.builtin.pipe', 'touch @PROOF@') }}{% set x = 1 %}{# gone #}"
SHELL = "$(touch @PROOF@) `touch @PROOF@` ; touch @PROOF@ & || true"
TERMINAL = "\x1b[2J\x1b]0;evil\x07\x1b]52;c;ZXZpbA==\x07\x9b31m\u202egnp.exe\u2066\u200b\r\x08\x00"
PAGE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> ]]> <!-- --> &amp; \" ' "
    "[a](javascript:alert(1)) ![i](https://evil.example/x) | cell | `code` ``` **b** :tada:"
)
SYSTEMD = "%h %n %i %% $HOME"
NGINX = "; } server { return 200; } include /etc/shadow;"
LINES = "\n# heading\n\nssemedic_up 1\nOK - fine | a=1\nusers ALL=(ALL) NOPASSWD: ALL\n"
RAW = "\udcff\udc9b"  # bytes that are not UTF-8, as they are kept

KINDS: Mapping[str, str] = {
    "jinja": JINJA,
    "shell": SHELL,
    "terminal": TERMINAL,
    "page": PAGE,
    "systemd": SYSTEMD,
    "nginx": NGINX,
    "lines": LINES,
    "raw": RAW,
    "long": "x" * 20_000,
}
ALL = " ".join(text for name, text in KINDS.items() if name != "long")

Change = Callable[[str], str]


def complete(seen: Evidence) -> Evidence:
    """The evidence with something in every section and field that was empty."""
    whole: Evidence = _completed(seen, filled("x"))
    return replace(whole, schema=SCHEMA)


def places(seen: Evidence) -> tuple[str, ...]:
    """Every field that holds text, as ``Type.field``."""
    found: dict[str, None] = {}
    _walk(seen, "", lambda place, text: found.setdefault(place) or text)
    return tuple(sorted(found))


def planted(seen: Evidence, change: Change, place: str = "") -> Evidence:
    """The evidence with ``change`` applied to each text of one place, or to all of them."""
    result: Evidence = _walk(
        seen, "", lambda here, text: change(text) if place in ("", here) else text
    )
    return replace(result, schema=SCHEMA)


def declared() -> Iterator[str]:
    """Every field of the types of evidence that may hold text, by its declaration."""
    queue, known = [Evidence], set()
    while queue:
        kind = queue.pop()
        if kind in known:
            continue
        known.add(kind)
        for name, hint in typing.get_type_hints(kind).items():
            parts = set(_parts(hint))
            queue += [part for part in parts if dataclasses.is_dataclass(part)]  # type: ignore[misc]
            if parts & {str, bytes, Any}:
                yield f"{kind.__name__}.{name}"


def _parts(hint: Any) -> Iterator[Any]:
    arguments = typing.get_args(hint)
    if not arguments:
        yield hint
    for argument in arguments:
        yield from _parts(argument)


def _completed(value: Any, other: Any) -> Any:
    if isinstance(value, Stream) or not dataclasses.is_dataclass(value):
        return other if value is None or value in ((), {}) else _each(value, other)
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return replace(  # type: ignore[type-var]
        value, **{name: _completed(item, getattr(other, name)) for name, item in fields.items()}
    )


def _each(value: Any, other: Any) -> Any:
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return tuple(_completed(item, other[0]) for item in value)
    return value


def _walk(value: Any, place: str, change: Callable[[str, str], str]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value).__name__
        fields = dataclasses.fields(value)
        return replace(
            value,  # type: ignore[type-var]
            **{f.name: _walk(getattr(value, f.name), f"{kind}.{f.name}", change) for f in fields},
        )
    if isinstance(value, str):
        return change(place, value)
    if isinstance(value, bytes):
        text = change(place, value.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape")
    if isinstance(value, Mapping):
        return {_walk(k, place, change): _walk(v, place, change) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_walk(item, place, change) for item in value)
    return value
