"""What happened when: the streams, what the host's logs recorded, the change, the proof."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ssemedic.log_classes import KINDS
from ssemedic.report import words
from ssemedic.symptoms import Kind

Data = Mapping[str, Any]

_ID = re.compile(r"(\d{8}T\d{6})Z?-[0-9a-f]+")
#: nginx writes its error log in the host's own time zone, which the line does not name.
_NGINX_TIME = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) ")


@dataclass(frozen=True)
class Moment:
    """One thing that happened. ``at`` is epoch seconds, None where only the host's clock knows."""

    at: float | None
    clock: str  # as a person reads it
    where: str
    what: str
    bad: bool = False


@dataclass(frozen=True)
class LogClass:
    """Lines of one kind in a log of the host, and the symptom that they stand for.

    ``when`` says when and how often; ``hop`` is "" where the lines stand for no symptom that
    was measured.
    """

    source: str
    kind: str
    hop: str
    count: int | None
    last_line: str
    causes: tuple[int, ...]
    when: str = ""


#: The symptoms that lines of a class stand for, where they were written while we asked.
_STAND_FOR: Mapping[str, tuple[Kind, ...]] = {
    "auth": (Kind.WRONG_STATUS, Kind.CLOSED_AT_ONCE),
    "cors": (Kind.MISSING_CORS, Kind.PREFLIGHT_REFUSED, Kind.ERROR_WITHOUT_CORS),
    "rejected": (Kind.WRONG_STATUS, Kind.FEW_STREAMS, Kind.NO_ROOM, Kind.REFUSED),
    "upstream_headers": (Kind.WRONG_STATUS, Kind.NO_ANSWER, Kind.HEADERS_LATE),
    "upstream_idle": (Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER),
    "stream": (Kind.CLOSED_AT_ONCE, Kind.CUT_AFTER, Kind.RESET, Kind.WRONG_STATUS),
    "blocked": (Kind.HEADERS_LATE, Kind.NO_ANSWER, Kind.KEEPALIVE_SLOW),
    "pool": (Kind.WRONG_STATUS, Kind.NO_ANSWER, Kind.HEADERS_LATE),
    "broker": (Kind.WRONG_STATUS, Kind.SILENT, Kind.CANARY_LOST, Kind.CLOSED_AT_ONCE),
    "limit": (Kind.NO_ROOM, Kind.WRONG_STATUS, Kind.REFUSED, Kind.NO_ANSWER),
    "oom": (Kind.REFUSED, Kind.RESET, Kind.CUT_AFTER, Kind.WRONG_STATUS),
    "exception": (Kind.CLOSED_AT_ONCE, Kind.WRONG_STATUS, Kind.CUT_AFTER),
}


def log_classes(report: Data) -> tuple[LogClass, ...]:
    """What the host's own records hold of its users' trouble, with the causes that explain it."""
    return (*_logged_symptoms(report), *_scanned(report))


def _scanned(report: Data) -> Iterator[LogClass]:
    """The classes of lines that the host counted, each against the symptom it stands for."""
    for scan in report.get("logs", ()):
        for found in scan["classes"]:
            symptom = _stood_for(report, found)
            last = found["samples"][-1]["text"] if found["samples"] else ""
            yield LogClass(
                source=str(scan["source"]),
                kind=KINDS.get(found["kind"], str(found["kind"])),
                hop=str(symptom["hop"]) if symptom else "",
                count=found["count"],
                last_line=str(last),
                causes=_explaining(report, symptom) if symptom else (),
                when=_when(found),
            )


def _stood_for(report: Data, found: Data) -> Data | None:
    """The first measured symptom of the kinds that the class stands for, if it was near."""
    kinds = _STAND_FOR.get(found["kind"], ()) if found["near"] else ()
    return next((s for s in report["symptoms"] if s["kind"] in kinds), None)


def _explaining(report: Data, symptom: Data) -> tuple[int, ...]:
    causes = enumerate(report["causes"])
    return tuple(n for n, cause in causes if symptom["id"] in cause["explains"])


def _when(found: Data) -> str:
    """ "3 while we asked; 2026-... to 2026-..., 4.2 a minute"."""
    parts = [f"{found['near']} while we asked"] if found["near"] else []
    first, last = found["first"], found["last"]
    if first is not None and last is not None:
        span = utc(first) if last - first < 1 else f"{utc(first)} to {utc(last)}"
        rate = found.get("per_minute")
        parts.append(f"{span}, {rate:.2g} a minute" if rate else span)
    return "; ".join(parts)


def _logged_symptoms(report: Data) -> tuple[LogClass, ...]:
    return tuple(
        LogClass(
            source=str(symptom["source"]),
            kind=str(symptom["kind"]),
            hop=str(symptom["hop"]),
            count=symptom["measured"].get("count"),
            last_line=str(symptom["measured"].get("last_line", "")),
            causes=_explaining(report, symptom),
        )
        for symptom in report["symptoms"]
        if symptom["source"] != "stream"
    )


def timeline(report: Data) -> tuple[Moment, ...]:
    """Every moment that the report can place, the oldest first; logs without a zone on top."""
    logged = list(_logged(report))
    placed = [*_watched(report), *_changed(report), *_counted(report)]
    return (*logged, *sorted(placed, key=lambda moment: moment.at or 0.0))


def utc(at: float, *, day: bool = True) -> str:
    """Epoch seconds as a person reads them. A host may send any number."""
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at} s since 1970"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if day else moment.strftime("%H:%M:%S.%f")[:-3]


def _logged(report: Data) -> Iterator[Moment]:
    for found in _logged_symptoms(report):
        time = _NGINX_TIME.match(found.last_line)
        times = f"{found.count} times, last" if found.count else "seen"
        clock = f"{time[1]} (host's clock)" if time else "in the log"
        said = f"{found.kind}: {times}: {found.last_line}" if found.last_line else found.kind
        yield Moment(None, clock, found.source, said, words.is_grave(found.kind))


def _counted(report: Data) -> Iterator[Moment]:
    """When each class of lines was seen first and last; a host's clock may be wrong."""
    for scan in report.get("logs", ()):
        for found in scan["classes"]:
            said = KINDS.get(found["kind"], str(found["kind"]))
            times = [found["first"], found["last"]]
            if times[0] is None or times[1] is None:
                continue
            line = f": {found['samples'][-1]['text']}" if found["samples"] else ""
            count = f"the last of {found['count']}" if found["count"] > 1 else "once"
            bad = bool(found["near"])
            if times[1] - times[0] >= 1:
                begun = Moment(times[0], utc(times[0]), scan["source"], f"{said}: the first", bad)
                yield begun
            yield Moment(times[1], utc(times[1]), scan["source"], f"{said}: {count}{line}", bad)


def _watched(report: Data) -> Iterator[Moment]:
    for hop in report["hops"]:
        if hop["stream"]:
            bad = any(map(words.is_grave, hop["symptoms"]))
            yield from _stream(hop["name"], hop["stream"], bad)
    proof = report["proof"]
    for hop in proof["hops"] if proof else ():
        if hop["after"]:
            left = {name.partition("@")[2] for name in (*proof["stayed"], *proof["came"])}
            yield from _stream(hop["hop"], hop["after"], hop["hop"] in left)


def _stream(hop: str, stream: Data, bad: bool) -> Iterator[Moment]:
    start = stream["started"]
    yield _moment(start, hop, "asked")
    if stream["headers_at"] is not None:
        said = f"{stream['status']} {stream['content_type']}".strip()
        yield _moment(start + stream["headers_at"], hop, f"headers: {said}")
    if stream["reads"]:
        at, count = stream["reads"][0]
        # Reads are rounded to milliseconds: the first must not come before its headers.
        at = max(at, stream["headers_at"] or 0.0)
        yield _moment(start + at, hop, f"first bytes: {words.size(count)}")
    yield _moment(start + stream["end"]["at"], hop, words.end(stream), bad)


def _changed(report: Data) -> Iterator[Moment]:
    changes = report["changes"]
    named = _ID.fullmatch(changes["id"]) if changes and changes["id"] else None
    if named is None:
        return
    at = datetime.strptime(named[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
    outcome = words.OUTCOMES.get(changes["outcome"], changes["outcome"])
    bad = changes["outcome"] in ("undo_failed", "undone")
    yield _moment(at, report["host"], f"change {changes['id']} begun; {outcome}", bad)


def _moment(at: float, where: str, what: str, bad: bool = False) -> Moment:
    return Moment(at, utc(at, day=False), where, what, bad)
