"""How much is read at most, and how a reader says that it could not."""

from __future__ import annotations

from dataclasses import dataclass


class UnavailableError(Exception):
    """A source cannot be read; the message is the reason, one sentence for a person."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one collection. ``since`` is epoch seconds; older log lines are left out."""

    since: float
    lines: int = 400  # per log
    bytes: int = 1024 * 1024  # per file, and per journal answer
    line_chars: int = 4000
    command_seconds: float = 5.0  # each external command
    total_seconds: float = 20.0  # the whole collection, the stream window not counted
    config_files: int = 500
    processes: int = 64
    units: int = 32
    logs: int = 24
    old_lines: int = 20  # the newest lines are kept even if they are older than `since`
