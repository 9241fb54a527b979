"""The report as Markdown, to be put into a ticket. Host text cannot break out of its place.

What holds a sign that some Markdown reads (CommonMark, GFM, and the references, mentions and
emoji of forges) is shown as code, where nothing is read; the rest needs no escape.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.report import canary_words, stations, words
from ssemedic.report.forms.said import said
from ssemedic.report.redact import redact

Data = Mapping[str, Any]

_LONGEST = 2000  # characters of one host text
_SIGNS = re.compile(
    r"[`@#!$%&~<>\[\]|*\\{}^]"  # any of these begins something in one Markdown or another
    r"|://|www\.|:\w+:|(?:^|\W)_|_(?:\W|$)|__"
    r"|^\s*(?:\d+[.)]|[-+=:>])|^\s|\s$|  ",
    re.IGNORECASE,
)
_RUNS = re.compile("`+")
#: Neither a shell nor Markdown sees anything but a word in these characters.
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]*")


def markdown(report: Data) -> str:
    """The whole report, the verdict first."""
    lines = [
        *_head(report),
        *_hops(report),
        *_canary(report),
        *_causes(report),
        *_unexplained(report),
        *_plan(report),
        *_changes(report),
        *_proof(report),
        *_advice(report),
        *_checked(report),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def prose(value: object) -> str:
    """Text of a sentence: as it is where Markdown has nothing to read in it, else as code."""
    text = _cut(said(value))
    return code(text) if not text or _SIGNS.search(text) else text


def code(value: object) -> str:
    """A code span that its text cannot end (CommonMark 6.1)."""
    text = _cut(said(value))
    if not text.strip():
        return "(empty)"
    fence = "`" * (max((len(run) for run in _RUNS.findall(text)), default=0) + 1)
    pad = " " if "`" in text or text != text.strip() else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def cell(value: object) -> str:
    """As `prose`, for a table: a pipe would end the cell even inside code."""
    return prose(str(value).replace("|", "\u00a6"))


def block(content: Sequence[str], language: str = "") -> list[str]:
    """A fenced block whose fence is longer than any run of its content (CommonMark 4.5)."""
    shown = [said(line) for line in content]
    longest = max((len(run) for line in shown for run in _RUNS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *shown, fence, ""]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\u2026 (cut)"


def _head(report: Data) -> list[str]:
    verdict, why = words.verdict_parts(report)
    when = datetime.fromtimestamp(report["collected_at"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [f"**{prose(verdict)}** {prose(why)}", "",
            f"{code(report['endpoint']['url'])} on {code(report['host'])}, {when}", ""]  # fmt: skip


def _hops(report: Data) -> list[str]:
    origins = {symptom["id"]: symptom for symptom in report["symptoms"]}
    broken = words.breaks_at(report)
    lines = ["## Way of an event", "", "| hop | asked at | answer | shows |", "|---|---|---|---|"]
    for hop in report["hops"]:
        stream = hop["stream"]
        answer = "not recorded"
        if stream:
            answer = ", ".join(filter(None, (words.shown(stream), words.end(stream))))
        shows = [_shown(hop["name"], kind, origins) for kind in hop["symptoms"]]
        name = f"**{hop['name']}** (breaks here)" if hop["name"] == broken else hop["name"]
        at = cell(hop["address"])
        lines.append(f"| {name} | {at} | {cell(answer)} | {'; '.join(shows) or 'nothing wrong'} |")
    seen = {f"{kind}@{hop['name']}" for hop in report["hops"] for kind in hop["symptoms"]}
    others = [symptom for symptom in report["symptoms"] if symptom["id"] not in seen]
    return [
        *lines,
        "",
        *(f"- {prose(words.symptom(s))}" for s in others),
        *([""] if others else []),
    ]


def _shown(hop: str, kind: str, origins: Mapping[str, Data]) -> str:
    origin = origins.get(f"{kind}@{hop}")
    if origin is None:
        return cell(f"{kind}, in consequence")
    return cell(f"{kind}: {str(origin['text']).removeprefix(f'{hop}: ')}")


def _canary(report: Data) -> Iterator[str]:
    """What became of the test message."""
    rows = canary_words.lines(report.get("canary"))
    if rows:
        yield from ("## Message", "")
        yield from (f"- {label}: {prose(told)}" for label, told in rows)
        yield ""


def _causes(report: Data) -> Iterator[str]:
    if not report["causes"]:
        return
    yield from ("## Causes", "")
    for number, cause in enumerate(report["causes"], 1):
        facts = f"{cause['status']}, {cause['severity']}, layer {cause['layer']}"
        yield from (f"### {number}. {prose(cause['title'])}", "")
        yield f"- rule: {code(cause['rule'])} ({facts}, hop {cause['hop']})"
        where = str(cause["where"])
        told = words.place(where) if where.startswith("default of ") else where
        for name, value in (("where", told), *((n, cause[n]) for n in ("observed", "expected"))):
            if value:
                yield f"- {name}: {prose(value)}"
        if cause["explains"]:
            yield f"- explains: {', '.join(code(item) for item in cause['explains'])}"
        yield from (f"- evidence: {prose(item)}" for item in cause["evidence"])
        if words.accepted(cause):
            yield f"- **accepted**: {prose(words.accepted(cause))}"
        yield ""


def _unexplained(report: Data) -> list[str]:
    if not report["unexplained"]:
        return []
    rows = [f"- {prose(words.symptom(symptom))}" for symptom in report["unexplained"]]
    return ["## Not explained", "", "No known cause fits this; nobody is blamed for it.", "",
            *rows, ""]  # fmt: skip


def _plan(report: Data) -> Iterator[str]:
    plan = report["plan"]
    if plan is None or plan["empty"]:
        return
    yield from ("## Planned" if report["changes"] is None else "## Change", "")
    yield f"- cost: {prose(words.DISRUPTIONS.get(plan['disruption'], plan['disruption']))}"
    if report["changes"] is None:
        yield from (f"- {prose(words.crowd(seen))}" for seen in plan.get("streams") or ())
    for unit in plan["units"]:
        steps = ", ".join(words.unit_steps(unit)) or "no change of state"
        yield f"- {code(unit['unit'])}: {steps}"
        for section, settings in unit["settings"].items():
            for key, value in settings.items():
                shown = "(left out here: it holds a secret)" if value is None else value
                yield f"  - {code(f'[{section}] {key}={shown}')}"
    for note in (plan["nginx"] or {}).get("notes", ()):
        yield f"- {prose(note)}"
    yield ""
    files = (report["changes"] or {}).get("diff") or plan["diff"]
    lines = [line for file in files for line in _diff(file)]
    if lines:
        yield from block(lines, "diff")
    if report["changes"] is None and _HOST.fullmatch(report["host"]):
        yield from (f"To undo it later: `ssemedic rollback --host {report['host']}`", "")


def _diff(file: Data) -> Iterator[str]:
    # Secrets are masked before the texts are compared: a key may stand on many lines.
    before, after = (redact(file[when] or "") for when in ("before", "after"))
    old, new = (str(file["path"]) if file[when] else "/dev/null" for when in ("before", "after"))
    yield from difflib.unified_diff(_lines(before), _lines(after), old, new, lineterm="")


def _lines(content: str) -> list[str]:
    """Lines as nginx and systemd count them; other separators of Unicode are text."""
    return content.removesuffix("\n").split("\n") if content else []


def _changes(report: Data) -> Iterator[str]:
    changes = report["changes"]
    if changes is None:
        return
    yield f"- outcome: {prose(words.OUTCOMES.get(changes['outcome'], changes['outcome']))}"
    if changes["message"]:
        yield f"- why: {prose(changes['message'])}"
    for file in changes.get("drift") or ():
        yield f"- changed by others since the plan was made: {prose(file['path'])}"
    yield from (f"- {prose(words.crowd(seen))}" for seen in changes.get("streams") or ())
    if changes["id"]:
        yield f"- id: {code(changes['id'])}"
    yield ""
    for file in changes.get("drift") or ():
        yield from _drift(file)
    undo = words.undo_command(report["host"], changes["id"])
    if undo and changes["outcome"] in ("committed", "undo_failed"):
        yield from ("To undo it:", "", *block([undo], "sh"))


def _drift(file: Data) -> Iterator[str]:
    """What others made of what the plan saw, and what the plan would make of that."""
    views = [("From what is there now to what the plan wants", "now", "wanted")]
    if file["saw"] is not None:
        views.insert(0, ("From what the plan saw to what is there now", "saw", "now"))
    for title, before, after in views:
        lines = list(_diff({"path": file["path"], "before": file[before], "after": file[after]}))
        if lines:
            yield from (f"{title}:", "", *block(lines, "diff"))


def _proof(report: Data) -> Iterator[str]:
    proof = report["proof"]
    if proof is None:
        return
    watched = f"new connections, watched for {words.brief(proof['seconds'])}"
    yield from ("## Proof", "", f"{'Proven' if proof['proven'] else 'Not proven'}: {watched}.", "")
    yield from ("| hop | before | after |", "|---|---|---|")
    for hop in proof["hops"]:
        before, after = (cell(_answer(hop[when])) for when in ("before", "after"))
        yield f"| {hop['hop']} | {before} | {after} |"
    yield ""
    for key, label in words.PROOF.items():
        if proof[key]:
            yield f"- {label}: {', '.join(prose(item) for item in proof[key])}"
    if proof["message"]:
        yield f"- test message: {_message(proof['message'])}"
    yield ""


def _message(message: Data) -> str:
    detail = f" ({prose(message['detail'])})" if message["detail"] else ""
    if message["delivered"]:
        took = f" in {words.brief(message['seconds'])}" if message["seconds"] is not None else ""
        return f"sent and delivered{took}{detail}"
    if message["sent"]:
        return f"sent and NOT delivered{detail}"
    return f"could not be sent, so it proves nothing{detail}"


def _answer(stream: Data | None) -> str:
    if stream is None:
        return "not recorded"
    return ", ".join(filter(None, (words.shown(stream), words.end(stream))))


def _advice(report: Data) -> Iterator[str]:
    advice = report["plan"]["advice"] if report["plan"] else _told(report)
    audiences = list(dict.fromkeys(entry["audience"] for entry in advice))
    for audience in audiences:
        yield from (f"## For the {prose(audience)}", "")
        for entry in advice:
            if entry["audience"] == audience:
                said_lines = " ".join(str(entry["text"]).split("\n"))
                yield f"- {prose(said_lines)} ({code(entry['rule'])})"
        yield ""


def _told(report: Data) -> list[dict[str, Any]]:
    return [{"rule": c["rule"], **advice} for c in report["causes"] for advice in c["advice"]]


def _checked(report: Data) -> Iterator[str]:
    for title, rows in (
        ("Notes", [prose(note) for note in report["notes"]]),
        ("Not seen", _not_seen(report)),
        ("Ruled out", [", ".join(code(rule) for rule in report["cleared"])]),
    ):
        if any(rows):
            yield from (f"## {title}", "", *(f"- {row}" for row in rows), "")
    if stations.verdict(report) is not Verdict.HEALTHY and not report["causes"]:
        yield "No cause is named, because none is sure. That is no sign of health."


def _not_seen(report: Data) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for rule, why in report["skipped"].items():
        reasons.setdefault(str(why), []).append(rule)
    missing = [f"{code(name)}: {prose(why)}" for name, why in report["missing"].items()]
    return missing + [
        f"{prose(why)}: {', '.join(code(rule) for rule in rules)}" for why, rules in reasons.items()
    ]
