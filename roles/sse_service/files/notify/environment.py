"""Typed reading of environment variables, with messages that say what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(Exception):
    """A setting cannot be used; the text names it, what was seen and what must be."""


def text(environ: Mapping[str, str], name: str, default: str) -> str:
    """The value of `name` without surrounding space, or `default` where it is unset."""
    return environ.get(name, default).strip()


def names(environ: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    """A comma separated list; empty items are dropped."""
    return tuple(item.strip() for item in text(environ, name, default).split(",") if item.strip())


def choice(environ: Mapping[str, str], name: str, *allowed: str) -> str:
    """One of `allowed`, the first of which is the default. Raises SettingsError."""
    value = text(environ, name, allowed[0]).lower()
    if value not in allowed:
        raise SettingsError(f"{name}: observed {value!r}, must be one of {', '.join(allowed)}")
    return value


def switch(environ: Mapping[str, str], name: str, default: str) -> bool:
    """`on` or `off`. Raises SettingsError."""
    other = "off" if default == "on" else "on"
    return choice(environ, name, default, other) == "on"


def number(environ: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    """A decimal number from `low` to `high`. Raises SettingsError."""
    value = text(environ, name, str(default))
    try:
        parsed = float(value)
    except ValueError:
        raise SettingsError(f"{name}: observed {value!r}, must be a number") from None
    if not low <= parsed <= high:
        raise SettingsError(f"{name}: observed {value}, must be from {low:g} to {high:g}")
    return parsed


def whole(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`. Raises SettingsError."""
    parsed = number(environ, name, default, low, high)
    if parsed != int(parsed):
        raise SettingsError(f"{name}: observed {parsed:g}, must be a whole number")
    return int(parsed)
