"""What every fault of the lab came to, as one table: for the terminal and for docs/faults.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.faults import Expected

#: The key under which a test leaves its line for the sheet (pytest's record_property).
KEY = "sheet"

_WORDS = {
    "repaired": "repaired and proven",
    "advised": "left alone, advice given",
    "beside": "repaired beside another cause",
    "told": "told, nothing to repair",
    "red_herring": "told, the true cause repaired",
}


@dataclass(frozen=True)
class Line:
    """One fault as it went. None: not known, because the test did not come that far.

    ``diagnosed`` and ``proven`` count seconds from the start of the command; ``files`` those
    that were changed; ``silent`` is what the healthy twin was.
    """

    fault: str
    outcome: str
    first: bool | None = None
    hop: bool | None = None
    as_expected: bool | None = None
    diagnosed: float | None = None
    proven: float | None = None
    files: int | None = None
    silent: bool | None = None


def line_of(
    fault: str, expected: Expected, report: Mapping[str, Any], diagnosed: float | None, took: float
) -> Line:
    """The line of a repair's report. ``took`` is how long all of it took, in seconds."""
    cause = next(iter(report["causes"]), {"rule": "", "hop": ""})
    changes, proof = report["changes"], report["proof"]
    committed = bool(changes and changes["outcome"] == "committed" and proof and proof["proven"])
    return Line(
        fault=fault,
        outcome=expected.outcome,
        first=cause["rule"] == (expected.cause or fault),
        hop=not expected.hop or cause["hop"] == expected.hop,
        as_expected=committed == (expected.outcome in ("repaired", "beside", "red_herring"))
        and (committed or changes is None),
        diagnosed=diagnosed,
        proven=took if committed else None,
        files=len(changes["files"]) if changes else 0,
    )


def no_report(fault: str, expected: Expected) -> Line:
    """The line of a run that ended without a report: it counts as a cause not named."""
    return Line(fault, expected.outcome, first=False, as_expected=False)


def twin_of(fault: str, expected: Expected, report: Mapping[str, Any]) -> Line:
    """The line of a healthy twin's report."""
    silent = not report["causes"] and report["verdict"]["before"] == "healthy"
    return Line(fault, expected.outcome, silent=silent)


def kept(file: Path, known: Container[str], tried: Iterable[str]) -> list[dict[str, Any]]:
    """The lines of an earlier run for the faults that are still there and were not tried now."""
    if not file.exists():
        return []
    again = set(tried)
    lines = json.loads(file.read_text(encoding="utf-8"))
    return [line for line in lines if line["fault"] in known and line["fault"] not in again]


def merged(parts: Iterable[Mapping[str, Any]]) -> list[Line]:
    """One line per fault from the parts that its tests left, by name."""
    known: dict[str, dict[str, Any]] = {}
    for part in parts:
        line = known.setdefault(part["fault"], asdict(Line(part["fault"], part["outcome"])))
        line.update({key: value for key, value in part.items() if value is not None})
    return [Line(**known[name]) for name in sorted(known)]


def summary(lines: list[Line]) -> list[str]:
    """The figures that matter, one a line."""
    tried = [line for line in lines if line.first is not None]
    twins = [line for line in lines if line.silent is not None]
    first = sum(bool(line.first) for line in tried)
    diagnosed = [line.diagnosed for line in tried if line.diagnosed is not None]
    proven = [line.proven for line in tried if line.proven is not None]
    figures = [
        f"cause named first: {first} of {len(tried)}",
        f"wrong hop: {sum(line.hop is False for line in tried)}",
        f"repaired or left alone as it must be: {sum(bool(x.as_expected) for x in tried)} "
        f"of {len(tried)}",
        f"healthy twins: {len(twins)}, false alarms: {sum(not line.silent for line in twins)}",
    ]
    if diagnosed:
        figures.append(f"time to diagnosis: {statistics.median(diagnosed):.1f} s (median)")
    if proven:
        figures.append(f"time to proven repair: {statistics.median(proven):.1f} s (median)")
    return figures


def markdown(lines: list[Line], bare: Mapping[str, str]) -> str:
    """The page. ``bare`` are the causes with no fault of their own, with their titles."""
    rows = [
        f"| [`{x.fault}`](causes/{x.fault}.md) | {_mark(x.first)} | {_mark(x.hop)} "
        f"| {_WORDS[x.outcome] if x.as_expected else '**not as it must be**'} "
        f"| {_seconds(x.diagnosed)} | {_seconds(x.proven)} "
        f"| {'' if x.files is None else x.files} | {_mark(x.silent)} |"
        for x in lines
    ]
    return "\n".join(
        [
            "# The faults of the lab",
            "",
            "Each fault is made on a fresh Debian host under systemd, diagnosed and repaired",
            "with nobody watching, and so is a healthy twin that looks like it. `make faults`",
            "tries them all and writes this page; where only some were tried again, the lines of",
            "the others stay.",
            "",
            *[f"- {figure}" for figure in summary(lines)],
            "",
            "Times count from the start of the command; each stream is watched for 6 s, before and",
            "after a repair, and several hosts share the machine.",
            "",
            "| fault | named first | right hop | outcome | diagnosis | proven repair "
            "| files changed | twin silent |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "## Causes without a host of their own",
            "",
            "They need what the lab does not have (another version, a vendor's edge, a person's",
            "browser) and are tested with recorded evidence in `tests/rules/`.",
            "",
            *[f"- [`{rule}`](causes/{rule}.md): {title}" for rule, title in sorted(bare.items())],
            "",
        ]
    )


def _mark(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "**no**"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
