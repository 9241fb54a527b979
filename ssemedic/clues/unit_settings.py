"""Which line of a unit's files is in force: they are merged as systemd merges them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ssemedic.evidence import TextFile, Unit


@dataclass(frozen=True)
class Setting:
    """One assignment. ``where`` is file:line."""

    path: str
    line: int
    section: str
    key: str
    value: str

    @property
    def where(self) -> str:
        """Where a person finds the line."""
        return f"{self.path}:{self.line}"


def in_force(unit: Unit, key: str) -> tuple[Setting, ...]:
    """The assignments of a key that count, oldest first; () where no file sets it.

    The unit's own file comes first, then its drop-ins in systemd's order; an empty value
    takes back what came before (systemd.unit(5)). Of a key that takes one value the last
    one counts.
    """
    found: list[Setting] = []
    for setting in _settings(unit):
        if setting.key == key:
            found = [*found, setting] if setting.value else []
    return tuple(found)


def place(unit: Unit, *keys: str) -> str:
    """file:line of the last setting in force of the first key that is set; else the unit's name."""
    for key in keys:
        settings = in_force(unit, key)
        if settings:
            return settings[-1].where
    return unit.name


def _settings(unit: Unit) -> Iterator[Setting]:
    by_path = {file.path: file for file in unit.files}
    for path in (unit.fragment, *unit.drop_ins):
        if path is not None and path in by_path:
            yield from read(by_path[path])


def read(file: TextFile) -> Iterator[Setting]:
    """The assignments of one file (systemd.syntax(7)); a backslash at the end joins lines."""
    section, joined, began = "", "", 0
    for number, line in enumerate(file.text.splitlines(), 1):
        text = line.strip()
        if joined and text.startswith(("#", ";")):
            continue  # a comment within a joined line is passed over
        if not joined:
            began = number
        if text.endswith("\\"):
            joined += text[:-1].rstrip() + " "
            continue
        text, joined = joined + text, ""
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        elif text and not text.startswith(("#", ";")) and "=" in text:
            key, _, value = text.partition("=")
            yield Setting(file.path, began, section, key.strip(), value.strip())
