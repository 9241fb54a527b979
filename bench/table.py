"""Times into a table of seconds and ratios, and the goals held against it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REFERENCE = "ping"
NAIVE = "naive"
RIVAL = "pyinfra"
MOST_PINGS = 2.0


@dataclass(frozen=True)
class Entry:
    """One contender's rounds: wall seconds each, and the stream window inside them."""

    id: str
    title: str
    wall: tuple[float, ...]
    window: float = 0.0
    ours: bool = False

    @property
    def seconds(self) -> float:
        """What the contender costs: the median, without the window."""
        return statistics.median(self.wall) - self.window

    @property
    def spread(self) -> tuple[float, float]:
        """The fastest and the slowest round, without the window."""
        return min(self.wall) - self.window, max(self.wall) - self.window


@dataclass(frozen=True)
class Goal:
    """A goal of the project, and what was measured."""

    met: bool
    sentence: str


def table(entries: Sequence[Entry]) -> list[str]:
    """A Markdown table; ratios are to the ping and to the naive playbook of the same run."""
    by_id = {entry.id: entry for entry in entries}
    lines = [
        "| contender | seconds | fastest to slowest | window, apart | to ping | to 25 tasks |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for entry in entries:
        low, high = entry.spread
        cells = [
            f"**{entry.title}**" if entry.ours else entry.title,
            f"{entry.seconds:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{entry.window:g} s" if entry.window else "",
            _ratio(entry, by_id.get(REFERENCE)),
            _ratio(entry, by_id.get(NAIVE)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _ratio(entry: Entry, other: Entry | None) -> str:
    return f"{entry.seconds / other.seconds:.2f}" if other else "-"


def goals(entries: Sequence[Entry]) -> list[Goal]:
    """At most twice the ping and no slower than pyinfra: judged by the slowest way of ours."""
    by_id: Mapping[str, Entry] = {entry.id: entry for entry in entries}
    ping, rival = by_id[REFERENCE], by_id[RIVAL]
    slowest = max((entry for entry in entries if entry.ours), key=lambda entry: entry.seconds)
    pings = slowest.seconds / ping.seconds
    rivals = slowest.seconds / rival.seconds
    return [
        Goal(
            pings <= MOST_PINGS,
            f"at most {MOST_PINGS:g} times the ping: {slowest.title} takes {pings:.2f} times",
        ),
        Goal(
            rivals <= 1.0,
            f"no slower than pyinfra: {slowest.title} takes {rivals:.2f} times its time",
        ),
    ]
