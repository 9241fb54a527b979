"""What the journal says of how a service ended: systemd's words and the service's own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ssemedic.case import Case
from ssemedic.evidence import LogLine, Unit

_STARTS = re.compile(r"^(?:Starting|Started) |Scheduled restart job")
_BEGINS = re.compile(r"^Start(?:ing|ed) \S")
_OF_SYSTEMD = re.compile(
    r"^(?:Starting|Started|Stopping|Stopped|Failed to start|Reloading|Reloaded|Dependency failed|"
    r"Condition check|-- )"
)
_REASON = re.compile(
    r"error|exception|panic|fatal|cannot|can't|could not|failed|refused|denied|invalid|missing|"
    r"not found|no such|in use|unknown|unable",
    re.IGNORECASE,
)
_SHOWN = 300
_RUNS = 4  # "Scheduled", "Starting", "Started": one run leaves up to three such lines


def lines_of(case: Case, unit: Unit) -> tuple[LogLine, ...]:
    """The journal of a unit, oldest first."""
    log = case.evidence.log(f"journal:{unit.name}")
    return log.lines if log else ()


def by_systemd(unit: Unit, text: str) -> bool:
    """True for a line that systemd wrote about the unit, not the service."""
    return text.startswith(f"{unit.name}: ") or bool(_OF_SYSTEMD.match(text))


def said_by_service(case: Case, unit: Unit) -> tuple[str, ...]:
    """What the service itself wrote in its last run, oldest first."""
    lines = [line.text for line in lines_of(case, unit)]
    starts = [i for i, text in enumerate(lines) if _STARTS.search(text)]
    # The run that is being started now may have said nothing yet: then the one before counts.
    for start in reversed([0, *starts][-_RUNS:]):
        said = tuple(t for t in lines[start:] if t.strip() and not by_systemd(unit, t))
        if said:
            return said
    return ()


def reason(case: Case, unit: Unit) -> str:
    """The line of the last run that tells best why it ended; "" where it said nothing."""
    said = said_by_service(case, unit)
    telling = [text for text in said if _REASON.search(text)]
    return shortened((telling or list(said) or [""])[-1])


def since_start(case: Case, unit: Unit) -> Sequence[LogLine]:
    """The lines of the run that is under way.

    The old process may say its last words in the very second in which the new one starts: so
    systemd's own word that it starts divides them, and time only where that word is lost.
    """
    lines = lines_of(case, unit)
    starts = [i for i, line in enumerate(lines) if _BEGINS.match(line.text)]
    if starts:
        return lines[starts[-1] + 1 :]
    start = unit.active_since
    return [x for x in lines if start is None or x.at is None or x.at >= start]


def shortened(text: str) -> str:
    """One line for a finding."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " ..."
