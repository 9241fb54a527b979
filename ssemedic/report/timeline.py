"""What happened when: the streams, what the host's logs recorded, the change, the proof."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ssemedic.report import words

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
    """Lines of one kind in a log of the host, and the symptom that they stand for."""

    source: str
    kind: str
    hop: str
    count: int | None
    last_line: str
    causes: tuple[int, ...]


def log_classes(report: Data) -> tuple[LogClass, ...]:
    """What the host's own records hold of its users' trouble, with the causes that explain it."""
    return tuple(
        LogClass(
            source=str(symptom["source"]),
            kind=str(symptom["kind"]),
            hop=str(symptom["hop"]),
            count=symptom["measured"].get("count"),
            last_line=str(symptom["measured"].get("last_line", "")),
            causes=tuple(
                n for n, cause in enumerate(report["causes"]) if symptom["id"] in cause["explains"]
            ),
        )
        for symptom in report["symptoms"]
        if symptom["source"] != "stream"
    )


def timeline(report: Data) -> tuple[Moment, ...]:
    """Every moment that the report can place, the oldest first; logs without a zone on top."""
    logged, placed = list(_logged(report)), [*_watched(report), *_changed(report)]
    return (*logged, *sorted(placed, key=lambda moment: moment.at or 0.0))


def utc(at: float, *, day: bool = True) -> str:
    """Epoch seconds as a person reads them. A host may send any number."""
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at} s since 1970"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if day else moment.strftime("%H:%M:%S.%f")[:-3]


def _logged(report: Data) -> Iterator[Moment]:
    for found in log_classes(report):
        time = _NGINX_TIME.match(found.last_line)
        times = f"{found.count} times, last" if found.count else "seen"
        clock = f"{time[1]} (host's clock)" if time else "in the log"
        said = f"{found.kind}: {times}: {found.last_line}" if found.last_line else found.kind
        yield Moment(None, clock, found.source, said, words.is_grave(found.kind))


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
