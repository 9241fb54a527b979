"""Complete a report with what the change and the proof brought."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.report.model import Report

Task = Mapping[str, Any]  # the result of an Ansible task


def with_preview(report: Report, preview: Task) -> Report:
    """The report with the diff of a dry run in its plan, or the reason why none can be had."""
    if not report["plan"]:
        return report
    plan = {**report["plan"], "diff": _diff(preview), **_streams(preview)}
    notes = list(report["notes"])
    if preview.get("failed"):
        notes.append(f"the plan cannot be applied: {preview.get('msg', 'no reason given')}")
    if preview.get("not_validated"):
        notes.append(f"the plan was compared, and not validated: {preview['not_validated']}")
    return {**report, "plan": plan, "notes": notes}


def with_changes(
    report: Report,
    changed: Task,
    after: Task,
    committed: Task,
    reverted: Task,
    message: Mapping[str, Any] | None,
) -> Report:
    """The report with what was done, how it ended, and the proof."""
    proof = after.get("proof")
    if proof and message is not None:
        # One that the service would not take says nothing about the stream.
        lost = bool(message.get("sent")) and not message.get("delivered")
        proof = {**proof, "message": dict(message), "proven": proof["proven"] and not lost}
    outcome, text = _outcome(changed, committed, reverted)
    verdict = after.get("report", {}).get("verdict", {}).get("before") if proof else None
    if outcome != "committed" and outcome != "unchanged":
        verdict = None
    return {
        **report,
        "notes": [*report["notes"], *_earlier(changed), *_old_workers(changed, outcome)],
        "plan": {**report["plan"], "diff": _diff(changed) or report["plan"]["diff"]},
        "changes": {
            "id": str(changed.get("id") or ""),
            "outcome": outcome,
            "diff": _diff(changed),
            "files": [str(item["path"]) for item in _diff(changed)],
            "workers": _workers(changed),
            "seconds": changed.get("seconds"),
            "message": text,
            **_drift(changed, report["plan"]["diff"]),
            **_streams(changed),
        },
        "proof": proof,
        "verdict": {
            "before": report["verdict"]["before"],
            "after": Verdict(verdict) if verdict else None,
        },
    }


def _outcome(changed: Task, committed: Task, reverted: Task) -> tuple[str, str]:
    """How the change ended, in one word of the schema and one sentence."""
    if changed.get("failed") or not changed:
        return _failed(changed), str(changed.get("msg") or "the change could not be started")
    if _ran(committed):
        return "committed", "proven, and kept"
    if _ran(reverted):
        return "undone", "not proven, so the host was put back as it was"
    if reverted.get("failed"):
        return "undo_failed", f"the undo failed: {reverted.get('msg', 'no reason given')}"
    if changed.get("changed") is False:
        return "unchanged", "everything was already as planned"
    return "undo_failed", (
        "the host did not answer any more; it undoes the change by itself when its timer runs out"
    )


def _failed(changed: Task) -> str:
    """How a change ended that failed; only one that had begun has an id."""
    if changed.get("undone") is None:
        return "unsure"
    if not changed["undone"]:
        return "undo_failed"
    return "undone" if changed.get("id") else "refused"


def _workers(task: Task) -> dict[str, Any] | None:
    if not task.get("workers_after"):
        return None
    return {"before": task.get("workers_before") or [], "after": task["workers_after"]}


def _old_workers(task: Task, outcome: str) -> list[str]:
    """Streams that were open stay with the workers that have them, for hours if need be."""
    leaving = task.get("workers_leaving") or []
    if outcome != "committed" or not leaving:
        return []
    return [
        f"nginx: {len(leaving)} old worker{'s' if len(leaving) > 1 else ''} "
        f"({', '.join(str(int(pid)) for pid in leaving)}) still serve the streams that were open "
        "before, under the old configuration; each ends with its last stream, and a stream gets "
        "the new configuration when its browser connects again"
    ]


def _streams(task: Task) -> dict[str, Any]:
    """Who is connected to what is reloaded or restarted; nothing where that was not counted."""
    seen = task.get("streams")
    if not isinstance(seen, list):
        return {}
    return {
        "streams": [
            {
                "of": str(item["of"]),
                "at": str(item["at"]),
                "open": int(item["open"]),
                "will": str(item["will"]),
                "until": str(item.get("until") or ""),
                "kept": None if item.get("kept") is None else int(item["kept"]),
            }
            for item in seen
            if isinstance(item, Mapping)
        ]
    }


def _earlier(task: Task) -> list[str]:
    """What an earlier run left half done, and this one put back before it began."""
    return [
        f"change {receipt.get('id')}, which an earlier run left half done, was undone first: "
        f"{receipt.get('sentence')}"
        for receipt in task.get("recovered") or []
        if isinstance(receipt, Mapping)
    ]


def _drift(task: Task, planned: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """What others changed since the plan was made, beside what the plan saw and wants.

    The host knows only a hash of what the plan saw; the text is in the plan's own diff.
    """
    drift = task.get("drift")
    if not isinstance(drift, list):
        return {}
    saw = {_path(item["path"]): item["before"] for item in planned}
    return {
        "drift": [
            {
                "path": str(item["path"]),
                "saw": saw.get(str(item["path"])),
                "now": str(item.get("now") or ""),
                "wanted": str(item.get("wanted") or ""),
            }
            for item in drift
            if isinstance(item, Mapping) and item.get("path")
        ]
    }


def _path(header: str) -> str:
    """The path of a diff's header, which may say "(absent)" or "(0644 0:0)" after it."""
    return re.sub(r" \((?:absent|[0-7]{4} \d+:\d+)\)\Z", "", header)


def _ran(task: Task) -> bool:
    return bool(task) and not task.get("skipped") and not task.get("failed")


def _diff(task: Task) -> list[dict[str, str]]:
    diff = task.get("diff") or []
    return [
        {
            "path": str(item.get("after_header") or item.get("before_header") or ""),
            "before": str(item.get("before") or ""),
            "after": str(item.get("after") or ""),
        }
        for item in diff
        if isinstance(item, Mapping)
    ]
