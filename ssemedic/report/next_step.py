"""Who must act now, and what to type: the second thing that a reader of a report needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.report import words
from ssemedic.report.present import kept, present

Data = Mapping[str, Any]

_LONGEST = 240  # characters of an advice on the first screen
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,252}")
_URL = re.compile(r"https?://[A-Za-z0-9._:\[\]\-]+(?:/[A-Za-z0-9._~/%+\-]*)?(?:\?[\w.~%&=+\-]*)?")


@dataclass(frozen=True)
class Step:
    """One thing to do: by whom, what, and the command where there is one to paste."""

    who: str
    what: str
    command: str | None = None
    anchor: str = ""  # the part of the page that says more


def next_steps(report: Data) -> tuple[Step, ...]:
    """What is left to do, the most pressing first; never empty."""
    changes, plan = report["changes"], report["plan"]
    outcome = changes["outcome"] if changes else None
    if outcome == "undo_failed":
        said = "Look at the host before anything else: the change failed, and so did the undo."
        return (Step("server team", said, undo(report), "changes"), *_advised(report))
    if outcome == "unsure":
        said = "Look again: what was begun the host undoes by itself."
        return (
            Step("server team", said, command(report, "diagnose"), "changes"),
            *_advised(report),
        )
    if outcome in ("undone", "refused"):
        why = f": {_begin(changes['message'])}" if changes["message"] else "."
        said = f"The change was {outcome}, and the host is as it was before{why}"
        return (Step("server team", said, None, "changes"), *_advised(report))
    if kept(report):
        left = present(report)
        done = Step("nobody", "The repair is proven and kept. To undo it:", undo(report), "changes")
        return (*_advised(report), done) if left.harmful and _advised(report) else (done,)
    if plan is None:
        said = "The causes call for settings that contradict each other: choose one of them."
        return (Step("server team", said, None, "causes"), *_advised(report))
    if not plan["empty"]:
        said = "Repair it, with the plan below; the host undoes it by itself unless it is proven:"
        step = Step("server team", said, command(report, "remediate"), "changes")
        return (step, *_advised(report))
    return _advised(report) or _idle(report)


def command(report: Data, name: str) -> str | None:
    """The command line for this endpoint; None where a name in it is not one to paste."""
    host, url = str(report["host"]), str(report["endpoint"]["url"])
    if not _HOST.fullmatch(host) or not _URL.fullmatch(url):
        return None
    token = " --token-file FILE" if report["token"] else ""
    return f"ssemedic {name} --host {host} --url {shlex.quote(url)}{token}"


def undo(report: Data) -> str | None:
    """The command that undoes the change of this report, if there is one."""
    changes = report["changes"]
    return words.undo_command(report["host"], changes["id"]) if changes else None


def _advised(report: Data) -> tuple[Step, ...]:
    """One step for each team that has advice to follow: the beginning of the first."""
    firsts: dict[str, str] = {}
    for advice in advice_of(report):
        firsts.setdefault(advice["audience"], advice["text"])
    return tuple(Step(team, _begin(text), None, "advice") for team, text in firsts.items())


def _begin(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[:_LONGEST].rsplit(' ', 1)[0]} …"


def advice_of(report: Data) -> list[Data]:
    """All advice with the rule that gives it, also where there is no plan."""
    if report["plan"] is not None:
        return list(report["plan"]["advice"])
    return [{"rule": c["rule"], **advice} for c in report["causes"] for advice in c["advice"]]


def _idle(report: Data) -> tuple[Step, ...]:
    verdict = report["verdict"]["after"] or report["verdict"]["before"]
    if verdict == Verdict.HEALTHY:
        return (Step("nobody", "There is nothing to do."),)
    if any(cause.get("accepted") for cause in report["causes"]):
        said = "What is found is accepted in the inventory; nobody changes it while it is there."
        return (Step("server team", said, None, "causes"),)
    if verdict == Verdict.UNKNOWN:
        said = "Give access to what could not be seen, then look again:"
        return (Step("server team", said, command(report, "diagnose"), "unseen"),)
    said = "No known cause fits. Watch it for longer, and hand on what was recorded:"
    again = command(report, "diagnose")
    return (Step("server team", said, f"{again} --for 70" if again else None, "arrival"),)
