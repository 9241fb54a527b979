"""The page that says how fast it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.commands import COMMANDS
from bench.table import Entry, goals, table


@dataclass(frozen=True)
class Series:
    """All contenders on the same hosts."""

    hosts: int
    rounds: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Setting:
    """When and where the times were taken. `load` is the machine's before the first round."""

    date: str
    load: float
    machine: Sequence[str]


def document(setting: Setting, series: Sequence[Series]) -> str:
    """The whole page, as Markdown."""
    lines = [
        "# How fast a diagnosis is",
        "",
        "Written by `make bench`. Wall times differ from machine to machine and wobble by a fifth;",
        "the ratios of one run are what counts.",
        "",
        *[f"- {line}" for line in setting.machine],
        f"- {setting.date}; load average before the first round {setting.load:.2f}",
    ]
    for one in series:
        lines += ["", *_section(one)]
    lines += ["", *_method(series)]
    return "\n".join(lines) + "\n"


def _section(one: Series) -> list[str]:
    hosts = "One host" if one.hosts == 1 else f"{one.hosts} hosts"
    count = f"median of {one.rounds}" if one.rounds > 1 else "one round"
    judged = [
        f"- Goal {'met' if goal.met else '**not met**'}: {goal.sentence}."
        for goal in goals(one.entries)
    ]
    return [f"## {hosts}, {count}", "", *table(one.entries), "", *judged]


def _method(series: Sequence[Series]) -> list[str]:
    rounds = ", ".join(
        f"{one.rounds} for {one.hosts} host{'s' if one.hosts > 1 else ''}" for one in series
    )
    return [
        "## How it was measured",
        "",
        "- On lab hosts (`python -m lab`): Debian, systemd, nginx and the reference service,",
        "  reached by OpenSSH, with sudo. Everybody runs inside the lab's network and connects",
        "  directly.",
        "- In one run, interleaved: every contender once, then every contender again.",
        f"  Rounds: {rounds}; one more before them is thrown away.",
        "  Shown is the median; a contender that fails stops the run.",
        "- From a cold start: each run has a folder of its own for ssh's master connections, which",
        "  are closed after it. Within a run a contender may share connections as it does by",
        "  default. What stays is what stays for a user, too: the compiled Python files.",
        "- The window is how long the streams are watched. It is chosen, not spent: the seconds",
        "  shown are the wall time minus one window, and the window stands beside them. The host",
        "  is read while the streams run, so that reading hides in the window, up to what the",
        "  evidence calls `seconds`. Of the shortest window, less can be hidden; windows that",
        "  follow each other because not all hosts are looked at at once count in full.",
        "- The goals are judged by the slowest of the rows in bold.",
        "- pyinfra has a venv of its own: Ansible starts more slowly where pyinfra is installed.",
        "- A naive playbook runs without gathering facts, which favours it.",
        "",
        f"The {len(COMMANDS)} commands:",
        "",
        "```",
        *COMMANDS,
        "```",
    ]
