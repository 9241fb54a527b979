"""What the HTML page shows, made of a report that is redacted and cleaned."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ssemedic.finding import Layer
from ssemedic.report import canary_words, checklists, next_step, strip, timeline, tracks, words
from ssemedic.report.alternatives import Alternatives, alternatives
from ssemedic.report.present import Present, present
from ssemedic.rules import Rule, all_rules

Data = Mapping[str, Any]

GOOD, WARN, BAD, UNSEEN = "good", "warn", "bad", "unseen"
_SIGNS = {GOOD: "✓", WARN: "!", BAD: "✗", UNSEEN: "?"}
_VERDICTS = {"healthy": GOOD, "degraded": WARN, "broken": BAD, "unknown": UNSEEN}
_STATES = {"done": GOOD, "failed": BAD, "open": UNSEEN}
_OUTCOMES = {"committed": GOOD, "undone": WARN, "refused": WARN, "undo_failed": BAD, "unsure": BAD}
_WITHHELD = "(left out here: it holds a secret)"


@dataclass(frozen=True)
class Pill:
    """One hop in the row: its name and how it is; ``breaks`` if the stream breaks before it."""

    name: str
    look: str
    sign: str
    said: str
    breaks: bool


@dataclass(frozen=True)
class DiffLine:
    """One line of a diff and what it is: head, hunk, added, removed or same."""

    look: str
    text: str


#: Rows of the test message that are no good news.
_LOST = frozenset({"refused", "lost"})


def view(report: Data) -> dict[str, Any]:
    """All that the template needs. Every text is still to be escaped."""
    now = present(report)
    verdict = report["verdict"]["after"] or report["verdict"]["before"]
    said, why = words.verdict_parts(report)
    said = said.removeprefix(f"{report['host']}: ")
    proof = report["proof"]
    return {
        "verdict": verdict,
        "badge": verdict if said == f"{verdict}." else "",
        "look": _VERDICTS.get(verdict, UNSEEN),
        "said": said,
        "why": why,
        "host": report["host"],
        "url": report["endpoint"]["url"],
        "collected": timeline.utc(report["collected_at"]),
        "took": words.brief(report["seconds"]),
        "token": words.token(report["token"], report["collected_at"]) if report["token"] else "",
        "steps": next_step.next_steps(report),
        "rows": _rows(report),
        "breaks": _breaks(report),
        "hops": _hops(report),
        "axis": _axis(report),
        "other_symptoms": _other_symptoms(report),
        "canary": [(label, BAD if label in _LOST else "", told)
                   for label, told in canary_words.lines(report.get("canary"))],
        "causes": [_cause(report, now, n) for n in range(len(report["causes"]))],
        "unexplained": [words.symptom(s) for s in report["unexplained"]],
        "plan": _plan(report),
        "changes": _changes(report),
        "proof": _proof(proof) if proof else None,
        "advice": _advice(report),
        "notes": report["notes"],
        "cleared": _cleared(report["cleared"]),
        "cleared_count": len(report["cleared"]),
        "missing": report["missing"],
        "skipped": _skipped(report["skipped"]),
        "moments": timeline.timeline(report),
        "log_classes": timeline.log_classes(report),
        "checklists": [
            {
                "team": checklist.team,
                "lines": [(line, _STATES[line.state], _SIGNS[_STATES[line.state]])
                          for line in checklist.lines],
                "counts": _counts(checklist.lines),
            }
            for checklist in checklists.checklists(report)
        ],
        "track_height": tracks.HEIGHT,
    }  # fmt: skip


def _rows(report: Data) -> list[tuple[str, list[Pill]]]:
    broken = words.breaks_at(report)
    rows = [
        (
            "before" if report["proof"] else "",
            [_pill(h["name"], h["stream"], h["symptoms"], broken) for h in report["hops"]],
        )
    ]
    if report["proof"]:
        hops = report["proof"]["hops"]
        kinds = {hop["hop"]: _left(report, hop["hop"]) for hop in hops}
        first = next((h["hop"] for h in hops if any(map(words.is_grave, kinds[h["hop"]]))), None)
        rows.append(("after", [_pill(h["hop"], h["after"], kinds[h["hop"]], first) for h in hops]))
    return rows


def _left(report: Data, hop: str) -> list[str]:
    """The kinds that a hop shows after the change, those of an inner hop included.

    The proof names a symptom only where it starts; a hop outside showed it too, if it did so
    before or if the symptom is new.
    """
    proof = report["proof"]
    names = [hop["name"] for hop in report["hops"]]
    before = {hop["name"]: hop["symptoms"] for hop in report["hops"]}
    kinds = []
    for name in (*proof["stayed"], *proof["came"]):
        kind, _at, start = name.partition("@")
        outside = start in names and hop in names and names.index(hop) > names.index(start)
        felt = name in proof["came"] or kind in before.get(hop, ())
        if start == hop or (outside and felt):
            kinds.append(kind)
    return kinds


def _pill(name: str, stream: Data | None, symptoms: Sequence[str], broken: str | None) -> Pill:
    look = _look(stream, symptoms)
    shows = [words.SHOWS.get(kind, kind) for kind in symptoms]
    said = {GOOD: "streams", UNSEEN: "not recorded"}.get(look) or ", ".join(shows) or "no stream"
    return Pill(name, look, _SIGNS[look], said, name == broken)


def _look(stream: Data | None, symptoms: Sequence[str]) -> str:
    if any(map(words.is_grave, symptoms)):
        return BAD
    if stream is None:
        return UNSEEN
    if not stream["is_event_stream"]:
        return BAD
    return WARN if symptoms else GOOD


def _breaks(report: Data) -> str:
    name = words.breaks_at(report)
    names = [hop["name"] for hop in report["hops"]]
    if name is None or name not in names:
        return ""
    index = names.index(name)
    if index == 0:
        return f"The way breaks at {words.hop_subject(name)}"
    before = words.hop_subject(names[index - 1])
    return f"The way breaks between {before} and {words.hop_subject(name)}"


def _hops(report: Data) -> list[dict[str, Any]]:
    streams = _all_streams(report)
    span, peak = tracks.span_of(streams), tracks.peak_of(streams)
    origins = {symptom["id"]: symptom for symptom in report["symptoms"]}
    proof = report["proof"]
    after = {hop["hop"]: hop["after"] for hop in proof["hops"]} if proof else {}
    hops = []
    for hop in report["hops"]:
        name = hop["name"]
        then = now = _pill(name, hop["stream"], hop["symptoms"], None)
        records = [_record(name, "before" if proof else "", hop["stream"], span, peak)]
        if proof:
            records.append(_record(name, "after", after.get(name), span, peak))
            now = _pill(name, after.get(name), _left(report, name), None)
        hops.append(
            {
                **{key: hop[key] for key in ("name", "label", "address", "vantage")},
                "then": then if then.look != now.look else None,
                "now": now,
                "records": records,
                "why_not": report["missing"].get(f"streams.{name}")
                or report["missing"].get("streams", ""),
                "symptoms": [
                    {
                        "kind": kind,
                        "grave": words.is_grave(kind),
                        "said": _said(origins, kind, name),
                    }
                    for kind in hop["symptoms"]
                ],
            }
        )
    return hops


def _record(name: str, when: str, stream: Data | None, span: float, peak: int) -> dict[str, Any]:
    if stream is None:
        return {"when": when, "track": None, "answer": "", "end": "", "fault": "", "cut": False}
    drawn = tracks.track(f"{name} {when}".strip(), stream, span, peak)
    return {
        "when": when,
        "track": drawn,
        "answer": words.shown(stream),
        "end": words.end(stream),
        "fault": words.fault(stream["end"]),
        "cut": len(stream["reads"]) >= strip.KEPT_READS,
    }


def _said(origins: Mapping[str, Data], kind: str, hop: str) -> str:
    origin = origins.get(f"{kind}@{hop}")
    if origin is None:
        return "in consequence"
    return str(origin["text"]).removeprefix(f"{hop}: ")


def _other_symptoms(report: Data) -> list[str]:
    """Symptoms that no hop of ours showed: the host's own records hold them."""
    shown = {f"{kind}@{hop['name']}" for hop in report["hops"] for kind in hop["symptoms"]}
    return [words.symptom(s) for s in report["symptoms"] if s["id"] not in shown]


def _all_streams(report: Data) -> list[Data]:
    streams = [hop["stream"] for hop in report["hops"]]
    if report["proof"]:
        streams += [hop["after"] for hop in report["proof"]["hops"]]
    return [stream for stream in streams if stream]


def _axis(report: Data) -> list[str]:
    streams = _all_streams(report)
    if not streams:
        return []
    span = tracks.span_of(streams)
    return [f"{span * part:.3g} s" for part in (0, 0.5, 1)]


def _cause(report: Data, now: Present, place: int) -> dict[str, Any]:
    cause = report["causes"][place]
    against: Alternatives = alternatives(report, cause)
    by_id = {symptom["id"]: symptom for symptom in report["symptoms"]}
    return {
        **cause,
        "number": place + 1,
        "cured": place in now.cured,
        "waiver": words.accepted(cause),
        "look": {"broken": BAD, "degraded": WARN}.get(cause["severity"], UNSEEN),
        "explains": [words.symptom(by_id[i]) if i in by_id else i for i in cause["explains"]],
        "against": against,
        "settings": _settings(report["plan"], cause),
    }


def _settings(plan: Data | None, cause: Data) -> list[str]:
    """The lines that the plan holds for this cause."""
    if plan is None or not cause["remedy"]:
        return []
    lines = [
        _directive(line)
        for line in (plan["nginx"] or {}).get("directives", ())
        if cause["rule"] in re.split(r"[,\s]+", line["cause"])
    ]
    for unit in plan["units"]:
        if cause["rule"] in unit["causes"]:
            lines += _unit_lines(unit)
    return lines


def _directive(line: Data) -> str:
    args = [_WITHHELD] if line["args"] is None else [arg or '""' for arg in line["args"]]
    return " ".join((line["name"], *args)) + ";"


def _unit_lines(unit: Data) -> list[str]:
    lines = [
        f"[{section}] {key}={_WITHHELD if value is None else value}"
        for section, settings in unit["settings"].items()
        for key, value in settings.items()
    ]
    return [*lines, *(f"{step}: {unit['unit']}" for step in words.unit_steps(unit))]


def _plan(report: Data) -> dict[str, Any] | None:
    plan = report["plan"]
    if plan is None or plan["empty"]:
        return None
    nginx = plan["nginx"] or {}
    disruption = words.DISRUPTIONS.get(plan["disruption"], plan["disruption"])
    shown = [_directive(line) for line in nginx.get("directives", ())] if not plan["diff"] else []
    return {
        "disruption": f"{disruption[:1].upper()}{disruption[1:]}.",
        "crowd": [words.crowd(seen) for seen in plan.get("streams") or ()]
        if report["changes"] is None
        else [],
        "lines": shown,
        "units": [(unit["unit"], _unit_lines(unit)) for unit in plan["units"]],
        "notes": nginx.get("notes", []),
        "diff": _diffs(plan["diff"]),
        "command": next_step.command(report, "remediate") if report["changes"] is None else None,
    }


def _changes(report: Data) -> dict[str, Any] | None:
    changes = report["changes"]
    if changes is None:
        return None
    outcome = changes["outcome"]
    workers = changes["workers"]
    rows = [("why", changes["message"])] if changes["message"] else []
    rows += [("file", path) for path in changes["files"]]
    rows += [("connected", words.crowd(seen)) for seen in changes.get("streams") or ()]
    rows += [("id", changes["id"])] if changes["id"] else []
    if workers:
        pids = [", ".join(map(str, workers[when])) or "none" for when in ("before", "after")]
        rows.append(("workers of nginx", " → ".join(pids)))
    if changes["seconds"] is not None:
        rows.append(("took", words.brief(changes["seconds"])))
    planned = report["plan"]["diff"] if report["plan"] else []
    said = words.OUTCOMES.get(outcome, outcome)
    return {
        "said": f"{said[:1].upper()}{said[1:]}.",
        "look": _OUTCOMES.get(outcome, UNSEEN),
        "rows": rows,
        "undo": next_step.undo(report) if outcome in ("committed", "undo_failed") else None,
        "diff": _diffs(changes["diff"]) if changes["diff"] != planned else [],
        "drift": [_drift(file) for file in changes.get("drift") or ()],
    }


def _drift(file: Data) -> dict[str, Any]:
    """What others changed since the plan was made, and what the plan would make of it."""
    path, saw, now = file["path"], file["saw"], file["now"]
    seen = None if saw is None else _diffs([{"path": path, "before": saw, "after": now}])
    wanted = _diffs([{"path": path, "before": now, "after": file["wanted"]}])
    return {"path": path, "saw_now": seen, "now_wanted": wanted}


def _proof(proof: Data) -> dict[str, Any]:
    message = proof["message"]
    rows = [
        (label, {"gone": GOOD, "revealed": WARN}.get(key, BAD), ", ".join(proof[key]))
        for key, label in words.PROOF.items()
        if proof[key]
    ]
    if message:
        rows.append(("test message", *_message(message)))
    return {
        "proven": proof["proven"],
        "said": f"{'Proven' if proof['proven'] else 'Not proven'}: new connections, watched for "
        f"{words.brief(proof['seconds'])}.",
        "rows": rows,
    }


def _message(message: Data) -> tuple[str, str]:
    detail = f" ({message['detail']})" if message["detail"] else ""
    if message["delivered"]:
        took = f" in {words.brief(message['seconds'])}" if message["seconds"] is not None else ""
        return GOOD, f"sent → delivered{took}{detail}"
    if message["sent"]:
        return BAD, f"sent → not delivered{detail}"
    return WARN, f"could not be sent, so it proves nothing{detail}"


def _advice(report: Data) -> dict[str, list[Data]]:
    teams: dict[str, list[Data]] = {}
    numbers = {cause["rule"]: n for n, cause in reversed(list(enumerate(report["causes"], 1)))}
    for advice in next_step.advice_of(report):
        entry = {**advice, "number": numbers.get(advice["rule"])}
        teams.setdefault(advice["audience"], []).append(entry)
    return teams


def _cleared(ids: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Rules by layer, in the order of the way of an event, each with its sentence."""
    rules: dict[str, Rule] = {rule.id: rule for rule in all_rules()}
    layers: dict[str, list[tuple[str, str]]] = {}
    for name in ids:
        rule = rules.get(name)
        layer = str(rule.layer) if rule else "other"
        layers.setdefault(layer, []).append((name, rule.title if rule else ""))
    order = [*map(str, Layer), "other"]
    return sorted(layers.items(), key=lambda pair: order.index(pair[0]))


def _skipped(skipped: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    reasons: dict[str, list[str]] = {}
    for rule, why in skipped.items():
        reasons.setdefault(why, []).append(rule)
    return list(reasons.items())


def _counts(lines: Sequence[checklists.Line]) -> str:
    counted = [(state, sum(line.state == state for line in lines)) for state in checklists.State]
    return ", ".join(f"{count} {state}" for state, count in counted if count)


def _diffs(files: Sequence[Data]) -> list[tuple[str, list[DiffLine]]]:
    shown = []
    for file in files:
        lines = difflib.unified_diff(
            _lines(file["before"] or ""),
            _lines(file["after"] or ""),
            file["path"] if file["before"] else "/dev/null",
            file["path"] if file["after"] else "/dev/null",
            lineterm="",
        )
        shown.append((file["path"], [DiffLine(_diff_look(n, x), x) for n, x in enumerate(lines)]))
    return shown


def _lines(content: str) -> list[str]:
    """Lines as nginx and systemd count them; other separators of Unicode are text."""
    return content.removesuffix("\n").split("\n") if content else []


def _diff_look(number: int, line: str) -> str:
    if number < 2:  # --- and +++: only there, a removed line may begin with dashes too
        return "head"
    return {"+": "added", "-": "removed", "@": "hunk"}.get(line[:1], "same")
