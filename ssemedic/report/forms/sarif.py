"""The report as SARIF 2.1.0 (OASIS): rules with their help, results with file and line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ssemedic import __version__
from ssemedic.diagnosis import Verdict
from ssemedic.finding import Severity, Status
from ssemedic.report import stations, words
from ssemedic.report.forms.said import said, steady
from ssemedic.rules import Rule, all_rules

Data = Mapping[str, Any]

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

#: The rule of what no rule explains.
UNEXPLAINED = "unexplained"
_UNEXPLAINED_TEXT = "The wire shows a symptom that no known cause explains."
_FINGERPRINT = "ssemedicFinding/v1"

_PLACE = re.compile(r"(/[^\0]*):(\d{1,9})")
_PLACES = re.compile(r"(?<!\S)(/[^\s:,;]+):(\d{1,9})(?!\d)")
_LEVELS = {Severity.BROKEN: "error", Severity.DEGRADED: "warning", Severity.HYGIENE: "note"}
_LESS_SURE = {"error": "warning", "warning": "note", "note": "note"}


@dataclass(frozen=True)
class Result:
    """One result. ``places`` are (file, line); a file is a full path or relative to the
    checkout. ``logical`` names what has no file: the host and the hop, or a URL.
    ``same`` tells a finding from others and stays when lines move."""

    rule: str
    level: str
    text: str
    places: tuple[tuple[str, int], ...]
    logical: tuple[str, str]  # name, kind
    same: tuple[str, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    accepted: str = ""  # why and until when it is accepted; "" where it is not


def sarif(report: Data) -> str:
    """The SARIF log of one report, as JSON text."""
    results = [_of_cause(report, cause) for cause in stations.causes(report)]
    results += [_of_symptom(report, symptom) for symptom in stations.unexplained(report)]
    ran = [*(cause["rule"] for cause in report["causes"]), *report["cleared"]]
    notes = [note(why, rule) for rule, why in report["skipped"].items()]
    notes += [note(f"{name}: {why}") for name, why in report["missing"].items()]
    return log(
        results,
        [*ran, *report["skipped"]],
        notes,
        ended=report["collected_at"] + report["seconds"],
        successful=stations.verdict(report) is not Verdict.UNKNOWN,
        properties={
            "host": report["host"],
            "url": report["endpoint"]["url"],
            "verdict": str(stations.verdict(report)),
            "sentence": words.verdict_sentence(report),
        },
    )


def log(
    results: Sequence[Result],
    ran: Sequence[str],
    notes: Sequence[Data],
    *,
    successful: bool,
    ended: float | None = None,
    properties: Mapping[str, Any] | None = None,
) -> str:
    """A log of one run. ``ran`` are the ids of the rules that were asked; ``ended`` is in
    seconds since 1970. Every text of a result must be plain: it is redacted here."""
    ids = list(dict.fromkeys([*(said(rule) for rule in ran), *(r.rule for r in results)]))
    known = {rule.id: rule for rule in all_rules()}
    invocation: dict[str, Any] = {"executionSuccessful": successful}
    if ended is not None:
        invocation["endTimeUtc"] = datetime.fromtimestamp(ended, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if notes:
        invocation["toolExecutionNotifications"] = list(notes)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "ssemedic",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(name, known.get(name)) for name in ids],
            }
        },
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": [_result(result, ids) for result in results],
    }
    if properties:
        run["properties"] = _tidied(properties)
    data = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(data, indent=2) + "\n"


def message(text: str) -> str:
    """Host text as SARIF's message string, in which nothing is a placeholder or a link
    (sections 3.11.5 and 3.11.6)."""
    shown = said(text, lines=True).replace("{", "{{").replace("}", "}}")
    if "](" in shown:
        shown = shown.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return shown


def note(text: str, rule: str = "") -> dict[str, Any]:
    """A notification of what could not be seen: never a pass."""
    told: dict[str, Any] = {"level": "warning", "message": {"text": message(text)}}
    return {**told, "associatedRule": {"id": said(rule)}} if rule else told


def uri(path: str) -> str:
    """A path as a URI reference: a full path as file:, a relative one as it is (RFC 8089)."""
    encoded = quote(said(path).removeprefix("./"), safe="/~.-_")
    if encoded.startswith("/"):
        return f"file:///{encoded.lstrip('/')}"
    return encoded


def places(where: str) -> tuple[tuple[str, int], ...]:
    """Every file:line of a finding's ``where``; none for a unit, a port or a default."""
    whole = _PLACE.fullmatch(where)
    if whole and not _PLACES.search(whole[1]):
        found = [(whole[1], int(whole[2]))]
    else:
        found = [(path, int(line)) for path, line in _PLACES.findall(where)]
    return tuple(dict.fromkeys((path, line) for path, line in found if line > 0))


def level(severity: str, status: str) -> str:
    """error, warning or note; one less where it is suspected, or hurts nobody yet."""
    sure = _LEVELS.get(Severity(severity), "warning")
    return sure if status == Status.CONFIRMED else _LESS_SURE[sure]


def _of_cause(report: Data, cause: Data) -> Result:
    found = places(str(cause["where"]))
    lines = [
        str(cause["title"]),
        f"Where: {cause['where']}" if cause["where"] else "",
        f"Observed: {cause['observed']}",
        f"Expected: {cause['expected']}",
        *(f"- {item}" for item in cause["evidence"]),
        *(f"{advice['audience']}: {advice['text']}" for advice in cause["advice"]),
    ]
    return Result(
        rule=said(cause["rule"]),
        level=level(cause["severity"], cause["status"]),
        text="\n".join(filter(None, map(said, lines))),
        places=found,
        logical=(f"{report['host']}/{cause['hop']}", "hop"),
        same=(*_endpoint(report), cause["rule"], cause["hop"], *(path for path, _ in found)),
        properties={key: cause[key] for key in ("status", "severity", "layer", "explains")},
        accepted=words.accepted(cause),
    )


def _of_symptom(report: Data, symptom: Data) -> Result:
    return Result(
        rule=UNEXPLAINED,
        level="error" if words.is_grave(symptom["kind"]) else "note",
        text=said(symptom["text"]),
        places=(),
        logical=(f"{report['host']}/{symptom['hop']}", "hop"),
        same=(*_endpoint(report), UNEXPLAINED, symptom["id"]),
    )


def _endpoint(report: Data) -> tuple[str, str]:
    return str(report["host"]), str(report["endpoint"]["url"])


def _rule(name: str, rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        title = _UNEXPLAINED_TEXT if name == UNEXPLAINED else f"{name}: a rule of another version."
        return {"id": name, "shortDescription": {"text": title}, "help": {"text": title}}
    full = f"{rule.title}\n\n{rule.text}".strip()
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("_")),
        "shortDescription": {"text": message(rule.title)},
        "fullDescription": {"text": message(full)},
        "help": {
            "text": message(f"{full}\n\nMore: ssemedic explain {rule.id}"),
            "markdown": f"**{rule.title}**\n\n{rule.text}\n\nMore: `ssemedic explain {rule.id}`",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"layer": str(rule.layer), "tags": ["event-stream", str(rule.layer)]},
    }


def _result(result: Result, ids: Sequence[str]) -> dict[str, Any]:
    logical = {"fullyQualifiedName": steady(result.logical[0]), "kind": result.logical[1]}
    locations: list[dict[str, Any]] = [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": uri(path)},
                "region": {"startLine": max(1, line)},
            },
            "logicalLocations": [logical],
        }
        for path, line in result.places
    ]
    out: dict[str, Any] = {
        "ruleId": result.rule,
        "ruleIndex": ids.index(result.rule),
        "kind": "fail",
        "level": result.level,
        "message": {"text": message(result.text)},
        # One result has one place (3.27.12); further ones of the same finding are related.
        "locations": locations[:1] or [{"logicalLocations": [logical]}],
        "partialFingerprints": {_FINGERPRINT: _fingerprint(result.same)},
    }
    if locations[1:]:
        related = enumerate(locations[1:], 1)
        out["relatedLocations"] = [{"id": number, **place} for number, place in related]
    if result.accepted:  # in the inventory, outside of what is analysed (3.35)
        reason = message(result.accepted)
        out["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    if result.properties:
        out["properties"] = _tidied(result.properties)
    return out


def _fingerprint(parts: Sequence[str]) -> str:
    text = "\0".join(steady(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _tidied(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Texts and lists of texts, as everything else."""
    return {
        key: [said(item) for item in value] if isinstance(value, list) else said(value)
        for key, value in properties.items()
    }
