"""The report as a plugin of Nagios or Icinga says it: one line, performance data, a state.

The form is that of the Monitoring Plugins Development Guidelines, sections 2 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.report import stations, words
from ssemedic.report.forms.said import said
from ssemedic.report.model import only_accepted

Data = Mapping[str, Any]

ACCEPTED = "its causes are accepted in the inventory"
_LONGEST = 400  # characters of the sentence: some transports cut the line at 1024 bytes


class State(IntEnum):
    """The states of a service; the number is the exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_STATES = {
    Verdict.HEALTHY: State.OK,
    Verdict.DEGRADED: State.WARNING,
    Verdict.BROKEN: State.CRITICAL,
    Verdict.UNKNOWN: State.UNKNOWN,
}


def state(report: Data) -> State:
    """The verdict as a state; a change whose undo failed is critical whatever the stream does."""
    changes = report["changes"]
    if changes and changes["outcome"] == "undo_failed":
        return State.CRITICAL
    found = _STATES[stations.verdict(report)]
    return State.OK if found is State.WARNING and only_accepted(report) else found


def nagios(report: Data) -> str:
    """ "SSE CRITICAL: sentence | performance data" and a newline."""
    figures = " ".join(_figures(report))
    accepted = f" ({ACCEPTED})" if state(report) is State.OK and only_accepted(report) else ""
    return _line(state(report), words.verdict_sentence(report) + accepted, figures)


def without_report(sentence: str) -> str:
    """The line where nothing could be judged: host unreachable, or a usage error."""
    return _line(State.UNKNOWN, sentence, "")


def _line(found: State, sentence: str, figures: str) -> str:
    # The first "|" begins the performance data, so that none may stand before it.
    text = said(sentence).replace("|", "\u00a6")
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "\u2026"
    return f"SSE {found.name}: {text}{' | ' if figures else ''}{figures}\n"


def _figures(report: Data) -> list[str]:
    out = []
    for hop in stations.stations(report):
        for label, value, unit, most in (
            ("first_event", hop.first_event, "s", ""),
            ("gap", hop.gap, "s", ""),
            ("buffered", hop.buffered, "", "1"),
            ("disconnect", hop.disconnect, "s", ""),
        ):
            if value is not None and hop.name.isalpha():
                out.append(f"{hop.name}_{label}={value:.3f}{unit};;;0;{most}".rstrip(";"))
    return out
