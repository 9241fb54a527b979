"""The clients of the service that take nothing, as the host saw them over the window."""

from __future__ import annotations

from ssemedic.case import Case
from ssemedic.evidence import Stuck

#: A process grows by less in some seconds if it keeps nothing for anybody.
_GROWN = 2 * 1024 * 1024


def fills_memory(stuck: Stuck | None) -> bool:
    """True if what clients do not take is kept for them, so that memory grows."""
    return stuck is not None and stuck.grown_bytes >= _GROWN


def stuck_clients(case: Case) -> Stuck | None:
    """Of the service behind the stream: the process with the most clients that take nothing."""
    resources = case.evidence.resources
    unit, process = case.topology.unit, case.topology.process
    found = [
        one
        for one in (resources.stuck if resources else ())
        if (process is not None and one.pid == process.pid)
        or (unit is not None and one.unit == unit.name)
    ]
    return max(found, key=lambda one: one.clients, default=None)
