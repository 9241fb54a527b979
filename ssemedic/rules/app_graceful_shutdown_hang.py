"""Cause: app_graceful_shutdown_hang."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.clues.unit_journal import lines_of, shortened
from ssemedic.clues.unit_settings import place
from ssemedic.clues.unit_times import seconds
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.rules.sd_stop_hang import PATIENCE, STOPPING
from ssemedic.symptoms import Kind

_TIMED_OUT = re.compile(r"State '(?:stop-sigterm|final-sigterm|stop-watchdog)' timed out")
_LONG = 30.0  # seconds without the service that a restart may take
_LATELY = 86400.0


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.REFUSED, Sign(Kind.WRONG_STATUS, (502, 503, 504))),
    needs=("units", "streams"),
)
def app_graceful_shutdown_hang(case: Case) -> Iterator[Finding]:
    """A restart of the service hangs, because its server waits for streams that never end.

    At SIGTERM the server closes its port and waits for its open connections; an event
    stream is open for hours. Until systemd's patience is at its end (TimeoutStopSec, 90 s by
    default) nobody is served: the old process takes no new connections, the new one is not
    started yet, and the proxy answers 502. The handler should watch for the shutdown and end
    its streams, and the server's own graceful timeout should be a little shorter than
    TimeoutStopSec.
    """
    unit = case.unit
    patience = seconds(unit.prop("TimeoutStopUSec"))
    if unit.active_state == "deactivating" and unit.sub_state.startswith(("stop", "final")):
        yield _finding(case, unit, patience, _now(case, unit), now=True)
        return
    killed = _killed_lately(case, unit)
    if killed and (patience is None or patience > _LONG):
        yield _finding(case, unit, patience, killed, now=False)


def _now(case: Case, unit: Unit) -> tuple[str, ...]:
    said = [x.text for x in lines_of(case, unit)[-40:] if STOPPING.search(x.text)]
    main = next((p for p in case.evidence.processes or () if p.pid == unit.main_pid), None)
    held = main.sockets.get("ESTABLISHED", 0) if main else 0
    return (
        f"ActiveState={unit.active_state} ({unit.sub_state})",
        *(f"journal of {unit.name}: {shortened(text)}" for text in said[-1:]),
        *((f"process {unit.main_pid} still holds {held} connections",) if held else ()),
    )


def _killed_lately(case: Case, unit: Unit) -> tuple[str, ...]:
    now = case.evidence.collected_at
    fresh = [x for x in lines_of(case, unit) if x.at is None or now - x.at < _LATELY]
    killed = [x.text for x in fresh if _TIMED_OUT.search(x.text)]
    waited = [x.text for x in fresh if STOPPING.search(x.text)]
    if not killed or not waited:
        return ()
    return tuple(f"journal of {unit.name}: {shortened(x)}" for x in (waited[-1], killed[-1]))


def _finding(
    case: Case, unit: Unit, patience: float | None, evidence: tuple[str, ...], *, now: bool
) -> Finding:
    known = patience is not None and not math.isinf(patience)
    waits = f"{patience:g} s" if known else "for ever" if patience else "long"
    settings = {"Service": {"TimeoutStopSec": str(PATIENCE)}}
    bounded = patience is not None and patience <= _LONG
    return Finding(
        hop="app",
        where=place(unit, "TimeoutStopSec"),
        observed=f"it {'is stopping' if now else 'was killed while stopping'}: open streams "
        f"keep it, and systemd waits {waits}",
        expected=f"streams that end at SIGTERM, and TimeoutStopSec={PATIENCE}",
        evidence=evidence,
        certainty=3,
        remedy=UnitRemedy(unit.name, {} if bounded else settings, state="restarted"),
        advice=(
            Advice(
                Audience.SERVER,
                "End the streams at SIGTERM (the generator watches a shutdown event), and bound "
                f"the server's own wait below TimeoutStopSec: {framework_of(case).speech.stop}.",
            ),
        ),
    )
