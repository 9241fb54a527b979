"""Cause: os_disk_full."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.unit_journal import shortened
from ssemedic.evidence import Disk
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_NO_SPACE = re.compile(
    r"No space left on device|ENOSPC|Errno 28\b|os error 28\b|\(28: No space|disk full|"
    r"database or disk is full|Disk quota exceeded",
    re.IGNORECASE,
)
_LATELY = 3600.0  # seconds
_LEAST_SHARE = 0.002
_LEAST_BYTES = 4 * 1024 * 1024  # a file system smaller than this is full when nothing is left
_EXPLAINS = (
    Kind.REFUSED,
    Kind.NO_ANSWER,
    Kind.CLOSED_AT_ONCE,
    Kind.ENDED,
    Kind.CUT_AFTER,
    Kind.RESET,
    Kind.CANARY_LOST,
)


@rule(
    layer=Layer.OS,
    severity=Severity.BROKEN,
    explains=(*_EXPLAINS, Sign(Kind.WRONG_STATUS, (500, 502, 503, 504, 507))),
    needs=("resources", "streams"),
)
def os_disk_full(case: Case) -> Iterator[Finding]:
    """A disk of the host is full, and something on the way of the events must write to it.

    Streams go on until the service, its broker or nginx writes a file: a log, a state file, a
    spooled response, a message that is kept. That write fails with "No space left on
    device", and what cannot write answers 500, ends or does not start. A disk can have
    room and still be full when its inodes are used up.
    """
    resources = case.evidence.resources
    assert resources is not None  # named in needs
    full = [disk for disk in resources.disks if _is_full(disk)]
    if not full:
        return
    said = _said(case)
    if not said and case.symptoms:
        return  # something is wrong, and nothing says that it is this
    hop, source, text = said[-1] if said else ("app", "", "")
    fullest = _fullest(full, text)
    what = "inodes" if _no_inodes(fullest) else "bytes"
    evidence = [_measured(disk) for disk in full]
    evidence += [f"{source}: {shortened(text)}"] if said else []
    yield Finding(
        hop=hop,
        where=fullest.mount,
        observed=f"{fullest.mount} is full: no {what} left",
        expected="room to write",
        evidence=tuple(evidence),
        certainty=3 if said else 2,
        advice=(Advice(Audience.SERVER, _advice(fullest)),),
    )


def _is_full(disk: Disk) -> bool:
    if disk.size_bytes < _LEAST_BYTES:
        return disk.free_bytes == 0 or _no_inodes(disk)
    return disk.free_bytes < _LEAST_SHARE * disk.size_bytes or _no_inodes(disk)


def _no_inodes(disk: Disk) -> bool:
    return disk.inodes > 0 and disk.inodes_free == 0


def _said(case: Case) -> list[tuple[str, str, str]]:
    """Hop, source and line of each complaint about space, oldest first of each source."""
    now = case.evidence.collected_at
    nginx = case.evidence.nginx
    unit = case.topology.unit
    proxy = "inner" if case.topology.inner is not None else "nginx"
    sources = dict.fromkeys(nginx.error_logs if nginx else (), proxy)
    if unit is not None:
        sources[f"journal:{unit.name}"] = "app"
    found = [
        (hop, log.source, line.text)
        for source, hop in sources.items()
        if (log := case.evidence.log(source)) is not None
        for line in log.lines
        if _NO_SPACE.search(line.text) and (line.at is None or now - line.at < _LATELY)
    ]
    with_symptom = [x for x in found if any(s.hop == x[0] for s in case.symptoms)]
    return with_symptom or found


def _fullest(full: list[Disk], text: str) -> Disk:
    """The full disk that the complaint names a file of, else the largest that is full."""
    for path in re.findall(r"/[\w./-]+", text):
        holding = [d for d in full if f"{path}/".startswith(f"{d.mount.rstrip('/')}/")]
        if holding:
            return max(holding, key=lambda d: len(d.mount))
    return max(full, key=lambda d: d.size_bytes)


def _measured(disk: Disk) -> str:
    size = disk.size_bytes // (1024 * 1024)
    return (
        f"{disk.mount}: {disk.free_bytes} of {size} MiB left in bytes, "
        f"{disk.inodes_free} of {disk.inodes} inodes free"
    )


def _advice(disk: Disk) -> str:
    if _no_inodes(disk):
        return (
            f"Too many small files: du --inodes -xd2 {disk.mount} | sort -n | tail shows where; "
            "remove what is old (sessions, caches, spool)."
        )
    return (
        f"See what takes it: du -xhd2 {disk.mount} | sort -h | tail. Old journals: journalctl "
        "--vacuum-size=200M. A log that was deleted and is still open keeps its space until its "
        "process is reloaded: lsof +L1."
    )
