"""Cause: sd_port_conflict."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case, UnseenError
from ssemedic.clues.unit_journal import lines_of, shortened
from ssemedic.evidence import Listener, Process, Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind
from ssemedic.topology import INFRASTRUCTURE

#: How runtimes say that somebody else has the port (EADDRINUSE).
IN_USE = re.compile(
    r"address (?:is )?already in use|EADDRINUSE|Errno 98\b|os error 98\b|\(98: Address|"
    r"address in use|port \d+ (?:is|was) already in use|Connection in use: |"
    r"Only one usage of each socket address",
    re.IGNORECASE,
)
#: A port in such a line: "127.0.0.1:8000", "('127.0.0.1', 8000)", "port 8000", ":::8000".
_PORT = re.compile(r"(?:[\]\d*]:|', |port |tcp :|:::)(\d{2,5})\b", re.IGNORECASE)
_LATELY = 600.0  # seconds; a restart limit may have stopped it since


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(
        Kind.WRONG_STATUS,
        Kind.HTML_INSTEAD,
        Kind.WRONG_TYPE,
        Kind.NOT_HTTP,
        Kind.NO_ANSWER,
        Kind.CLOSED_AT_ONCE,
        Kind.ENDED,
        Kind.SILENT,
        Kind.NOT_PARSABLE,
        Kind.CANARY_LOST,
        Kind.FANOUT_PARTIAL,
        Kind.REFUSED,
        Kind.RESET,
    ),
    needs=("listeners", "units", "streams"),
)
def sd_port_conflict(case: Case) -> Iterator[Finding]:
    """Another process holds the port of the service.

    The service cannot listen and ends with "Address already in use", or two of them share
    the port and take turns. Whoever has the port answers in its place: an old copy that a
    deployment forgot, a second instance started by hand, or some other program. What the
    browser gets depends on that: a wrong status, a page, or the events of a version that
    is long gone. Nobody but a person can say which of the two should have the port, so
    no process is stopped by us.
    """
    yield from _shared(case)
    for hop, unit, port in _wanting(case):
        line = _refusal(case, unit, port)
        if line is None:
            continue
        holder = _holder(case, unit, port)
        if holder is not None:
            yield _finding(case, hop, unit, holder, line)


def conflict_of(case: Case, unit: Unit) -> bool:
    """True if the service cannot listen because another process has its port."""
    wanted = [port for _hop, one, port in _wanting(case) if one.name == unit.name]
    return any(
        _refusal(case, unit, port) is not None and _holder(case, unit, port) is not None
        for port in wanted
    )


def holds_what_is_anothers(case: Case) -> bool:
    """True if who listens for the app is not who should: its unit is not the service then."""
    return any(
        hop == "app" and _refusal(case, unit, port) is not None
        for hop, unit, port in _wanting(case)
    )


def _wanting(case: Case) -> Iterator[tuple[str, Unit, int | None]]:
    """Services that want a port and do not have it: the app's rightful one, and nginx."""
    nginx = case.evidence.nginx
    listener = case.topology.listener
    for unit in case.evidence.units or ():
        if nginx is not None and unit.name == nginx.unit:
            if not nginx.running:
                yield "nginx", unit, None
        elif listener is None or not listener.port or unit.name == listener.unit:
            continue
        elif not INFRASTRUCTURE.match(unit.name):
            yield "app", unit, listener.port


def _refusal(case: Case, unit: Unit, port: int | None) -> str | None:
    """The newest line in which the service says that the port is taken."""
    now = case.evidence.collected_at
    for line in reversed(lines_of(case, unit)):
        if not IN_USE.search(line.text) or (line.at is not None and now - line.at > _LATELY):
            continue
        ports = {int(number) for number in _PORT.findall(line.text)}
        if port is None or not ports or port in ports:
            return line.text
    return None


def _holder(case: Case, unit: Unit, port: int | None) -> Listener | None:
    """Who listens where the service would."""
    if port is not None:
        listener = case.topology.listener
        return listener if listener is not None and listener.unit != unit.name else None
    refused = [x.text for x in lines_of(case, unit) if IN_USE.search(x.text)]
    wanted = {int(n) for text in refused for n in _PORT.findall(text)}
    return next(
        (x for x in case.evidence.listeners or () if x.port in wanted and x.unit != unit.name), None
    )


def _shared(case: Case) -> Iterator[Finding]:
    """Two processes of different units on one socket address (SO_REUSEPORT)."""
    one = case.topology.listener
    if one is None or one.port == 0:
        return
    place = (one.family, one.address, one.port)
    others = [
        x
        for x in case.evidence.listeners or ()
        if (x.family, x.address, x.port) == place and x.pid != one.pid and x.unit != one.unit
    ]
    if not others or None in (one.pid, others[0].pid):
        return
    named = [_who(case, x) for x in (one, *others)]
    yield Finding(
        hop="app",
        where=f"port {one.port}",
        observed=f"{len(named)} services listen on {one.address}:{one.port}",
        expected="one owner of the port",
        evidence=tuple(named),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"The kernel gives each new connection to one of them ({'; '.join(named)}): "
                "stop the one that should not be there, or give it another port.",
            ),
        ),
    )


def _finding(case: Case, hop: str, unit: Unit, holder: Listener, line: str) -> Finding:
    if holder.pid is None:
        raise UnseenError(
            case.evidence.missing.get("listeners.owners", "who holds the port is not known")
        )
    who = _who(case, holder)
    process = _process(case, holder)
    evidence = [
        f"journal of {unit.name}: {shortened(line)}",
        f"port {holder.port} is held by {who}",
    ]
    if unit.restarts > 1:
        evidence.append(f"{unit.name} was restarted {unit.restarts} times in vain")
    return Finding(
        hop=hop,
        where=f"port {holder.port}",
        observed=f"{who} has port {holder.port}, {unit.name} does not get it",
        expected=f"{unit.name} listens on port {holder.port}",
        evidence=tuple(evidence),
        certainty=3,
        advice=(Advice(Audience.SERVER, _advice(unit, holder, process)),),
    )


def _advice(unit: Unit, holder: Listener, process: Process | None) -> str:
    again = f"systemctl reset-failed {unit.name}; systemctl restart {unit.name}"
    if holder.unit and holder.unit.endswith(".service"):
        return (
            f"Decide who should have port {holder.port}. If it is {unit.name}: "
            f"systemctl disable --now {holder.unit}; {again}. If both are needed, give one of "
            "them another port, and nginx the port of the one that streams."
        )
    copy = ""
    if process is not None and _is_copy(unit, process):
        copy = " It runs the service's own program: an old copy, started outside of systemd."
    return (
        f"Process {holder.pid} belongs to no service.{copy} See what it is "
        f"(ps -o pid,user,lstart,cmd -p {holder.pid}), have whoever started it end it, then: "
        f"{again}"
    )


def _is_copy(unit: Unit, process: Process) -> bool:
    words = re.findall(r"argv\[\]=(.*?) ;", unit.prop("ExecStart"))
    return any(word.split()[1:] == process.cmdline.split()[1:] and word.split() for word in words)


def _process(case: Case, listener: Listener) -> Process | None:
    return next((p for p in case.evidence.processes or () if p.pid == listener.pid), None)


def _who(case: Case, listener: Listener) -> str:
    process = _process(case, listener)
    name = process.cmdline if process and process.cmdline else listener.process or "a process"
    user = f" of user {process.user}" if process else ""
    return f"process {listener.pid}{user} ({shortened(name)}; {listener.unit or 'no unit'})"
