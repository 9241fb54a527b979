"""All parts of an explanation, made from the rule, its example and the table of symptoms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ssemedic.explain.kinds import KINDS, STATUSES
from ssemedic.report.forms.markdown import prose
from ssemedic.rules import Rule, Sign

HERE = Path(__file__).parent
#: What each section of evidence is, in words.
SECTIONS: Mapping[str, str] = {
    "system": "the system",
    "units": "what systemd says of the service, and its unit files",
    "processes": "the processes and the limits in force",
    "listeners": "the listening sockets",
    "logs": "the journal and log files",
    "log_scans": "the journal and log files, counted by classes of lines",
    "nginx": "nginx's whole configuration and its workers",
    "resources": "memory, disks and sockets",
    "clock": "the host's clock",
    "brokers": "the message broker",
    "streams": "the stream, recorded at every hop, and counter-tests",
    "names": "how the host resolves the names of upstreams",
    "exposed": "the access logs, searched for tokens",
}


@dataclass(frozen=True)
class Explanation:
    """Every part, as lines of Markdown."""

    rule: Rule
    wire: tuple[str, ...]
    detected: tuple[str, ...]
    changed: tuple[str, ...]
    by_hand: tuple[str, ...]
    worked: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]  # what it is called, URL
    searched: tuple[str, ...]


@cache
def _sources() -> Mapping[str, Sequence[str]]:
    found = yaml.safe_load((HERE / "sources.yml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def by_frequency(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules, those first that people met most often."""
    place = {name: number for number, name in enumerate(_sources())}
    return tuple(sorted(rules, key=lambda rule: (place.get(rule.id, len(place)), rule.id)))


@cache
def examples() -> Mapping[str, Mapping[str, Any]]:
    """What each rule says of its first broken case; made by `python -m docs.build`."""
    path = HERE / "examples.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    assert isinstance(found, dict)
    return found


def explanation(rule: Rule, example: Mapping[str, Any] | None = None) -> Explanation:
    """All parts. ``example`` is what the rule says of a case, by default the saved one."""
    said = examples().get(rule.id, {}) if example is None else example
    return Explanation(
        rule=rule,
        wire=tuple(_wire(sign) for sign in rule.explains)
        or ("Nothing: the stream is fine. It is told because it may hurt later, or is in vain.",),
        detected=tuple(_detected(rule, said)),
        changed=tuple(_changed(said)),
        by_hand=tuple(_by_hand(said)),
        worked=tuple(_worked(rule)),
        sources=tuple(_source(entry) for entry in _sources().get(rule.id, ())),
        searched=searched(rule),
    )


def searched(rule: Rule) -> tuple[str, ...]:
    """What people search for who meet this cause."""
    kinds = [phrase for sign in rule.explains for phrase in KINDS[sign.kind].searched[:4]]
    codes = [STATUSES[s] for sign in rule.explains for s in sign.statuses if s in STATUSES]
    return tuple(dict.fromkeys((*kinds, *codes)))


def sign_text(sign: Sign) -> str:
    """A symptom as rules name it: "`wrong_status` with status 502"."""
    codes = f" with status {', '.join(map(str, sign.statuses))}" if sign.statuses else ""
    return f"`{sign.kind}`{codes}"


def _wire(sign: Sign) -> str:
    return f"{sign_text(sign)}: {KINDS[sign.kind].wire}"


def _detected(rule: Rule, said: Mapping[str, Any]) -> list[str]:
    looked = [SECTIONS.get(need, need.replace("_", " ")) for need in rule.needs]
    lines = [f"Needed to judge it: {'; '.join(looked)}. Without them the rule is skipped."]
    if said:
        lines.append(f"For example, at `{said['where']}`: {prose(said['observed'])}.")
        lines += [f"Evidence: {prose(text)}" for text in said["evidence"]]
    return lines


def _changed(said: Mapping[str, Any]) -> list[str]:
    change = list(said.get("change", ()))
    if not change:
        return ["Nothing by itself: a person must act, as follows."]
    return [*change, f"What it does to open streams: {said['disruption']}."]


def _by_hand(said: Mapping[str, Any]) -> list[str]:
    steps = list(said.get("by_hand", ()))
    steps += [f"{who}: {text}" for who, text in said.get("advice", ())]
    if said and not steps:
        steps = [f"See to it that holds: {said['expected']}."]
    return steps


def _worked(rule: Rule) -> list[str]:
    gone = [KINDS[sign.kind].gone for sign in rule.explains]
    last = "`ssemedic diagnose --host HOST --url URL` no longer names this cause."
    return [*dict.fromkeys(gone), last]


def _source(entry: str) -> tuple[str, str]:
    """A thread is owner/repository#number."""
    if entry.startswith("https://"):
        return entry.removeprefix("https://"), entry
    repository, _hash, number = entry.partition("#")
    return entry, f"https://github.com/{repository}/issues/{number}"
