"""What speaks against every other cause: streams seen inside, counter-tests, rules ruled out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ssemedic.report import words
from ssemedic.rules import Rule, all_rules

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Alternatives:
    """Facts that acquit, one sentence each; and the rules that could have looked the same."""

    facts: tuple[str, ...]
    ruled_out: tuple[Rule, ...]
    undecided: tuple[tuple[Rule, str], ...]  # could not be checked, and why


def alternatives(report: Data, cause: Data) -> Alternatives:
    """What the report holds against other explanations of what this cause explains."""
    wanted = {name.partition("@")[0] for name in cause["explains"]}
    rivals = [
        rule
        for rule in all_rules()
        if rule.id != cause["rule"] and wanted & {str(sign.kind) for sign in rule.explains}
    ]
    cleared, skipped = set(report["cleared"]), report["skipped"]
    return Alternatives(
        facts=tuple(_inside(report, cause)),
        ruled_out=tuple(rule for rule in rivals if rule.id in cleared),
        undecided=tuple((rule, skipped[rule.id]) for rule in rivals if rule.id in skipped),
    )


def _inside(report: Data, cause: Data) -> Sequence[str]:
    """The hops inside the break that stream: what lies before them is not to blame."""
    facts = []
    for hop in report["hops"]:
        if hop["name"] == cause["hop"]:
            break
        stream = hop["stream"]
        if stream and stream["is_event_stream"] and not any(map(words.is_grave, hop["symptoms"])):
            subject = words.hop_subject(hop["name"])
            facts.append(
                f"{subject[:1].upper()}{subject[1:]} streams at {hop['address']} in the same "
                f"window: {words.shown(stream)}, {words.end(stream)}."
            )
    return facts
