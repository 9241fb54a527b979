"""Cause: sd_not_listening."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case, UnseenError
from ssemedic.clues.unit_journal import said_by_service, shortened
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.rules.sd_stop_hang import hanging
from ssemedic.symptoms import Kind

_WAITS = re.compile(
    r"waiting for|retry|trying again|reconnect|cannot connect|could not connect|connection refused|"
    r"ECONNREFUSED|connect(?:ion)? timed? ?out|no servers available|not ready|migrat",
    re.IGNORECASE,
)
_YOUNG = 5.0  # seconds; a service may need them to come up


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(Kind.REFUSED, Sign(Kind.WRONG_STATUS, (502, 503, 504))),
    needs=("units", "processes", "listeners", "streams"),
)
def sd_not_listening(case: Case) -> Iterator[Finding]:
    """The service is active, and listens nowhere.

    systemd calls a service active as soon as its process runs; whether it listens is
    another matter. It may still wait for something at its start (a broker, a database, a
    migration), or it never opens a port with the settings that it was given. The proxy
    is refused and answers 502, while `systemctl status` shows green.
    """
    unit = case.unit
    stream = case.topology.stream("app")
    if stream is None or stream.end.kind != "refused":
        return
    if unit.active_state not in ("active", "activating") or not unit.main_pid:
        return
    main = next((p for p in case.evidence.processes or () if p.pid == unit.main_pid), None)
    if main is None:
        return
    if case.evidence.missing.get("listeners.owners"):
        raise UnseenError(case.evidence.missing["listeners.owners"])
    if main.own_network is True or hanging(case, unit) is not None or _listens(case, unit):
        return
    if main.started is not None and stream.started - main.started < _YOUNG:
        return
    said = said_by_service(case, unit)
    waits = [text for text in said if _WAITS.search(text)]
    yield Finding(
        hop="app",
        where=unit.name,
        observed=f"{unit.active_state} ({unit.sub_state}), and none of its processes listens"
        + (": it waits at its start" if waits else ""),
        expected="a socket where nginx asks",
        evidence=(
            f"process {main.pid} runs, {stream.address} refuses",
            *((f"last words: {shortened((waits or said)[-1])}",) if said else ()),
        ),
        certainty=2,
        advice=(Advice(Audience.SERVER, _advice(unit, waits)),),
    )


def _listens(case: Case, unit: Unit) -> bool:
    pids = {p.pid for p in case.evidence.processes or () if p.unit == unit.name}
    return any(x.unit == unit.name or x.pid in pids for x in case.evidence.listeners or ())


def _advice(unit: Unit, waits: list[str]) -> str:
    if waits:
        return (
            f"{unit.name} waits for what it cannot reach ({shortened(waits[-1])}): bring that up, "
            "or correct its address. A service should listen first, and answer 503 until it is "
            "ready. If it is a unit of this host, order them: [Unit] Wants= and After= it."
        )
    return (
        f"See which address and port it takes from its settings: ss -ltnp; journalctl -u "
        f"{unit.name} -n 50. A server that forks needs Type=forking or notify, or systemd watches "
        "the wrong process."
    )
