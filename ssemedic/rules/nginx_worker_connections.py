"""Cause: nginx_worker_connections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ssemedic.case import Case
from ssemedic.clues.logged import NO_CONNECTIONS, NO_FILES, logged
from ssemedic.evidence import NginxWorker, Process
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind, Symptom

_SIGNS = (
    Sign(Kind.NO_ROOM),
    Sign(Kind.NO_ANSWER),
    Sign(Kind.RESET),
    Sign(Kind.BUFFERED),  # as a connection that nobody accepts looks beside the app
    Sign(Kind.WRONG_STATUS, (500,)),
)
_FULL = 0.9  # a worker this full refuses somebody soon
_LEAK = 0.5  # more dead than living clients
_ENOUGH = 4096  # connections of a worker: two for each stream
_FILES = 65536  # LimitNOFILE where the limit of the unit is too low
#: So many descriptors for each connection: logs, listeners, temporary files and pipes need some.
_SPARE = 2


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=_SIGNS,
    needs=("nginx", "streams"),
)
def nginx_worker_connections(case: Case) -> Iterator[Finding]:
    """A worker of nginx has no connection left for another client.

    Every proxied stream costs two: one to the client, one to the app. At
    worker_connections, or at the worker's limit of open files, nginx closes a new
    connection without a word ("empty reply") or answers 500; the streams that are open
    go on. So random people cannot connect once many tabs are open, and a restart helps
    for some hours. One worker may be full while another is idle.

    What counts is what /proc/PID/limits says: a worker_rlimit_nofile above the hard limit
    is no error to nginx, it only has no effect.
    """
    limit = case.route.setting("worker_connections")
    if not limit.first.isdigit():
        return
    most = int(limit.first)
    url = case.endpoint.url
    lines = {sign: logged(case.evidence, sign, url) for sign in (NO_CONNECTIONS, NO_FILES)}
    fullest = _fullest(case, most)
    files = bool(lines[NO_FILES]) and len(lines[NO_FILES]) >= len(lines[NO_CONNECTIONS])
    named = lines[NO_FILES] if files else lines[NO_CONNECTIONS]
    files = files or (not named and fullest is not None and fullest.by_files)
    symptom = _symptom(case)
    if not named and (fullest is None or fullest.share < _FULL):
        return
    if symptom is None and not (fullest and fullest.share >= _FULL):
        return
    evidence = [symptom.text] if symptom else []
    evidence += [f"nginx logged: {named[-1].text}"] if named else []
    evidence += [fullest.text] if fullest else []
    remedy, expected = _remedy(case, fullest, most, files)
    what = "open files" if files else f"worker_connections ({most})"
    yield Finding(
        hop="nginx",
        where=_files_where(case) if files else limit.where,
        observed=f"a worker of nginx {'reached' if symptom else 'is near'} its limit of {what}",
        expected=expected,
        evidence=tuple(evidence),
        certainty=3 if named else 2,
        remedy=remedy,
        advice=(*_by_hand(remedy, expected), *_leak(case)),
        also_at=("public",),
    )


@dataclass(frozen=True)
class _Worker:
    """How full one worker is; ``by_files`` where its descriptors are what is short."""

    share: float
    text: str
    by_files: bool
    soft: int | None
    hard: int | None


def _symptom(case: Case) -> Symptom | None:
    """What the cause explains here: not a failure that the app shows by itself."""
    return next(
        (
            s
            for s in case.symptoms
            if s.hop in ("nginx", "public") and any(sign.fits(s) for sign in _SIGNS)
        ),
        None,
    )


def _fullest(case: Case, most: int) -> _Worker | None:
    nginx = case.evidence.nginx
    assert nginx is not None
    processes = {process.pid: process for process in case.evidence.processes or ()}
    seen = [
        _worker(worker, processes.get(worker.pid), most)
        for worker in nginx.workers
        if not worker.shutting_down
    ]
    return max(seen, key=lambda worker: worker.share, default=None)


def _worker(worker: NginxWorker, process: Process | None, most: int) -> _Worker:
    held = sum(process.sockets.values()) if process else 0
    by_connections = held / most
    used, soft = worker.fds_used, worker.fds_soft
    by_files = used / soft if used and soft else 0.0
    if by_files > by_connections:
        text = f"worker {worker.pid} uses {used} of {soft} file descriptors"
    else:
        text = f"worker {worker.pid} holds {held} of {most} connections"
    return _Worker(
        share=max(by_connections, by_files),
        text=text,
        by_files=by_files > by_connections,
        soft=soft,
        hard=process.fds_hard if process else None,
    )


def _remedy(
    case: Case, worker: _Worker | None, most: int, files: bool
) -> tuple[NginxRemedy | UnitRemedy | None, str]:
    """The limits to set, and in words. Never above the hard limit: nginx would stay where it is."""
    soft = worker.soft if worker else None
    hard = worker.hard if worker else None
    if files:
        room = max(_SPARE * max(most, _ENOUGH), 4 * (soft or 0))
        room = room if hard is None else min(room, hard)
        if soft is not None and room <= soft:
            return _unit(case, soft)
        process = {"worker_rlimit_nofile": str(room)}
    else:
        wanted = max(_ENOUGH, 4 * most)
        if hard is not None and hard < _SPARE * wanted:
            if hard // _SPARE <= most:
                unit = _unit(case, soft)[1]
                return None, f"{unit}, and worker_connections {wanted}"
            wanted = hard // _SPARE
        process = {"worker_connections": str(wanted)}
        if soft is None or soft < _SPARE * wanted:
            process["worker_rlimit_nofile"] = str(_SPARE * wanted)
    expected = ", ".join(f"{name} {value}" for name, value in process.items())
    return NginxRemedy(process=process), expected


def _unit(case: Case, soft: int | None) -> tuple[UnitRemedy | None, str]:
    nginx = case.evidence.nginx
    name = nginx.unit if nginx else None
    expected = f"LimitNOFILE={_FILES} for {name or 'the unit of nginx'}"
    if name is None or (soft or 0) >= _FILES:
        return None, expected
    settings = {"Service": {"LimitNOFILE": str(_FILES)}}
    return UnitRemedy(name, settings, state="restarted"), expected


def _by_hand(remedy: NginxRemedy | UnitRemedy | None, expected: str) -> tuple[Advice, ...]:
    if remedy is not None:
        return ()
    return (Advice(Audience.SERVER, f"Give nginx more room: {expected}, and restart it."),)


def _files_where(case: Case) -> str:
    rlimit = case.route.setting("worker_rlimit_nofile")
    unit = case.evidence.nginx.unit if case.evidence.nginx else None
    return rlimit.where if rlimit.values else unit or "/proc/PID/limits"


def _leak(case: Case) -> tuple[Advice, ...]:
    nginx = case.evidence.nginx
    assert nginx is not None
    pids = {worker.pid for worker in nginx.workers}
    for process in case.evidence.processes or ():
        dead = process.sockets.get("CLOSE_WAIT", 0)
        if process.pid in pids and dead > _LEAK * sum(process.sockets.values()):
            text = (
                f"{dead} of the connections of worker {process.pid} are dead (CLOSE_WAIT): a "
                "higher limit only puts it off. Look for a module or a Lua script that keeps them."
            )
            return (Advice(Audience.SERVER, text),)
    return ()
