"""The report as plain data, the shape that docs/report.schema.json publishes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ssemedic.accepted import Accepted, in_force
from ssemedic.clues.flow import told
from ssemedic.diagnosis import Cause, Verdict
from ssemedic.earlier import earlier
from ssemedic.evidence import encode
from ssemedic.finding import (
    Advice,
    Audience,
    Disruption,
    Finding,
    NginxRemedy,
    Severity,
    Status,
    UnitRemedy,
)
from ssemedic.judge import Judgement
from ssemedic.plan import Plan
from ssemedic.rules import all_rules
from ssemedic.stream.measured import measured
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Symptom, cost

SCHEMA = 1

Report = dict[str, Any]


def report_of(judgement: Judgement) -> Report:
    """The report of a diagnosis; changes and proof are None until something was changed."""
    case, diagnosis = judgement.case, judgement.diagnosis
    evidence = case.evidence
    return {
        "schema": SCHEMA,
        "host": evidence.host,
        "collected_at": evidence.collected_at,
        "seconds": evidence.seconds,
        "endpoint": encode(case.endpoint),
        "token": encode(case.token) if case.token else None,
        "hops": [
            {
                **encode(hop),
                "stream": _stream(case.topology.stream(hop.name)),
                "symptoms": [s.kind for s in judgement.everywhere if s.hop == hop.name],
            }
            for hop in case.topology.hops
        ],
        "symptoms": [_symptom(symptom) for symptom in case.symptoms],
        "causes": [
            _cause(cause, in_force(case.endpoint.accepted, cause.rule.id, evidence.collected_at))
            for cause in diagnosis.causes
        ],
        "cleared": list(diagnosis.cleared),
        "skipped": dict(diagnosis.skipped),
        "unexplained": [_symptom(symptom) for symptom in diagnosis.unexplained],
        "canary": told(evidence, case.topology),
        "missing": dict(evidence.missing),
        "logs": [
            {
                **encode(scan),
                "classes": [
                    {**encode(found), "per_minute": found.per_minute} for found in scan.classes
                ],
            }
            for scan in evidence.log_scans or ()
        ],
        "notes": [*earlier(evidence), *diagnosis.notes],
        "plan": _plan(judgement.plan),
        "changes": None,
        "proof": None,
        "verdict": {"before": diagnosis.verdict, "after": None},
    }


def revealed_by(before: Report, after: Report) -> list[dict[str, Any]]:
    """Confirmed causes that only showed once the ones before them were out of the way.

    One that was known, but showed no symptom or could only be remedied now, is among them.
    """
    known = {
        (cause["rule"], cause["hop"])
        for cause in before["causes"]
        if cause["status"] != Status.LATENT and (cause["remedy"] or not _remediable(after, cause))
    }
    return [
        cause
        for cause in after["causes"]
        if cause["status"] == Status.CONFIRMED and (cause["rule"], cause["hop"]) not in known
    ]


def _remediable(report: Report, cause: Mapping[str, Any]) -> bool:
    return any(
        other["remedy"]
        for other in report["causes"]
        if (other["rule"], other["hop"]) == (cause["rule"], cause["hop"])
    )


def revealed_cause(data: Mapping[str, Any]) -> Cause | None:
    """A cause of an earlier report, to be planned for; None if it has no remedy.

    Raises KeyError, TypeError or ValueError on data that is no cause of ours.
    """
    rule = next((rule for rule in all_rules() if rule.id == data["rule"]), None)
    if rule is None:
        raise ValueError(f"{data['rule']} is no rule")
    remedy = _remedy_of(data["remedy"])
    if remedy is None:
        return None
    finding = Finding(
        hop=str(data["hop"]),
        where=str(data["where"]),
        observed=str(data["observed"]),
        expected=str(data["expected"]),
        evidence=("it showed when the cause before it was out of the way", *data["evidence"]),
        remedy=remedy,
        advice=tuple(Advice(Audience(a["audience"]), str(a["text"])) for a in data["advice"]),
        certainty=0,
    )
    return Cause(rule, Status.CONFIRMED, finding, tuple(data["explains"]))


def _remedy_of(data: Mapping[str, Any] | None) -> NginxRemedy | UnitRemedy | None:
    if data is None:
        return None
    fields = {name: value for name, value in data.items() if name != "role"}
    fields["disruption"] = Disruption(fields["disruption"])
    if data["role"] == "sse_unit":
        return UnitRemedy(**fields)
    settings = {
        name: tuple(tuple(args) for args in values) for name, values in data["settings"].items()
    }
    without = tuple(tuple(line) for line in data["without"])
    return NginxRemedy(**{**fields, "settings": settings, "without": without})


def proof_of(before: Report, after: Report) -> dict[str, Any]:
    """Compare the report before a change with the one after it, symptom by symptom.

    Proven means: every symptom that was there is gone, none came, and the stream
    was seen healthy at every hop where it was recorded before. A missing sample
    is not a success. What only a person can mend may stay, with what it does to the
    hops outside it: the change was not made for that, and is proven by the rest. The same holds
    for what only a person can mend and nobody could see before, at a hop that showed no stream.
    What does a stream no harm may stay, too, and may show where no stream could be seen before.
    """
    old = {s["id"] for s in before["symptoms"]}
    new = {s["id"] for s in after["symptoms"]}
    hops = [
        {"hop": hop["name"], "before": hop["stream"], "after": seen["stream"] if seen else None}
        for hop in before["hops"]
        for seen in [next((h for h in after["hops"] if h["name"] == hop["name"]), None)]
    ]
    unseen = [
        hop["hop"] for hop in hops if hop["after"] is None or not hop["after"]["is_event_stream"]
    ]
    good = after["verdict"]["before"] in (Verdict.HEALTHY, Verdict.DEGRADED)
    harmless = _harmless(before, old, new)
    uncovered = _uncovered(before, after, new - old)
    left = (new - harmless) & (old | uncovered)
    whole = good and not left and not unseen
    return {
        "revealed": [f"{c['rule']}: {c['title']}" for c in revealed_by(before, after)],
        "proven": not new - old - harmless - uncovered
        and (whole or _all_but_what_is_for_people(before, after, left, hops)),
        "gone": sorted(old - new),
        "stayed": sorted(old & new),
        "came": sorted(new - old),
        "not_streaming": unseen,
        "hops": hops,
        "seconds": max((h["after"]["window"] for h in hops if h["after"]), default=0.0),
        "message": None,
    }


def _harmless(before: Report, old: set[str], new: set[str]) -> set[str]:
    """What is left and does no harm: not what the change was for, nor what it may have done."""
    planned, seen = _explained(before, remedy=True), _streaming(before)
    minor = {name for name in new if cost(name.partition("@")[0]) is Severity.HYGIENE}
    return {n for n in minor - planned if n in old or n.partition("@")[2] not in seen}


def _uncovered(before: Report, after: Report, came: set[str]) -> set[str]:
    """What could not be seen before, at a hop without a stream, and only a person can mend."""
    told = _explained(after, remedy=False) - _explained(after, remedy=True)
    seen = _streaming(before)
    return {name for name in came & told if name.partition("@")[2] not in seen}


def _all_but_what_is_for_people(
    before: Report, after: Report, left: set[str], hops: Sequence[Mapping[str, Any]]
) -> bool:
    """True if something is cured, and what is left has causes that no change was planned for."""
    old = {s["id"] for s in before["symptoms"]}
    cured = old - {s["id"] for s in after["symptoms"]}
    told = _explained(before, remedy=False) - _explained(before, remedy=True)
    if not left or not cured or not left & old <= told:
        return False
    names = [hop["hop"] for hop in hops]
    inner = min(names.index(name.partition("@")[2]) for name in left)
    return all(
        hop["after"] is not None and (hop["after"]["is_event_stream"] or at >= inner)
        for at, hop in enumerate(hops)
    )


def _explained(report: Report, *, remedy: bool) -> set[str]:
    """The symptoms of causes that have a remedy, or of those that have none."""
    causes = [cause for cause in report["causes"] if bool(cause["remedy"]) is remedy]
    return {symptom for cause in causes for symptom in cause["explains"]}


def _streaming(report: Report) -> set[str]:
    """The hops at which the stream was seen."""
    return {h["name"] for h in report["hops"] if h["stream"] and h["stream"]["is_event_stream"]}


def exit_code(report: Report) -> int:
    """What the command line returns for a report; see the table in README."""
    changes, proof = report["changes"], report["proof"]
    verdict = report["verdict"]["after"] or report["verdict"]["before"]
    if changes and changes.get("outcome") == "undo_failed":
        return 5
    if changes and changes.get("outcome") in ("undone", "refused", "unsure"):
        return 4
    if proof and not proof["proven"]:
        return 4
    if verdict == Verdict.HEALTHY:
        return 0
    if verdict == Verdict.DEGRADED and only_accepted(report):
        return 0
    # What is only worth tidying explains nothing: then the cause is unknown all the same.
    return 1 if any(c["severity"] != Severity.HYGIENE for c in report["causes"]) else 3


def only_accepted(report: Mapping[str, Any]) -> bool:
    """True if all that does harm has a cause that the inventory accepts for now."""
    harmful = [c for c in report["causes"] if c["severity"] != Severity.HYGIENE]
    return (
        bool(harmful)
        and all(cause.get("accepted") for cause in harmful)
        and not report["unexplained"]
    )


def _stream(stream: Stream | None) -> dict[str, Any] | None:
    if stream is None:
        return None
    return {
        "status": stream.status,
        "content_type": stream.content_type,
        "is_event_stream": stream.is_event_stream,
        "headers_at": stream.phases.headers,
        "first_event_at": measured(stream).first_event,
        "headers": [list(pair) for pair in stream.headers],
        "reads": [[round(read.at, 3), read.size] for read in stream.reads[:500]],
        "bytes": stream.size,
        "end": encode(stream.end),
        "window": stream.window,
        "started": stream.started,
    }


def _symptom(symptom: Symptom) -> dict[str, Any]:
    return {"id": symptom.id, **encode(symptom)}


def _cause(cause: Cause, accepted: Accepted | None) -> dict[str, Any]:
    finding = cause.finding
    return {
        "rule": cause.rule.id,
        "title": cause.rule.title,
        "status": cause.status,
        "severity": cause.severity,
        "layer": cause.rule.layer,
        "hop": finding.hop,
        "where": finding.where,
        "observed": finding.observed,
        "expected": finding.expected,
        "evidence": list(finding.evidence),
        "explains": list(cause.explains),
        "remedy": None if accepted else _remedy(finding.remedy),
        "advice": [encode(advice) for advice in finding.advice],
        "accepted": {"reason": accepted.reason, "until": accepted.until} if accepted else None,
    }


def _remedy(remedy: NginxRemedy | UnitRemedy | None) -> dict[str, Any] | None:
    if remedy is None:
        return None
    role = "sse_nginx" if isinstance(remedy, NginxRemedy) else "sse_unit"
    return {"role": role, **encode(remedy)}


def _plan(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "empty": plan.is_empty,
        "disruption": plan.disruption,
        "nginx": _nginx(plan),
        "nginx_reload": plan.nginx_reload,
        "masked_log": encode(plan.masked_log) if plan.masked_log else None,
        "units": [encode(unit) for unit in plan.units],
        "advice": [{"rule": c.rule, **encode(c.advice)} for c in plan.advice],
        "diff": [],
    }


def _nginx(plan: Plan) -> Mapping[str, Any] | None:
    edit = plan.nginx
    if edit is None:
        return None
    return {
        "ours": edit.ours,
        "location": edit.location,
        "directives": [
            {"name": line.name, "args": list(line.args), "cause": line.cause, "why": line.why}
            for line in edit.directives
        ],
        "edits": _edits(edit.files),
        "notes": list(edit.notes),
    }


def _edits(files: Sequence[Any]) -> list[dict[str, str]]:
    return [
        {
            "path": file.path,
            "expected_sha256": file.before_sha256,
            "content_b64": base64.b64encode(file.content).decode("ascii"),
        }
        for file in files
    ]
