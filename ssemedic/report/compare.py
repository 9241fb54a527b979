"""Two reports of one endpoint side by side: what is gone, what is new, what stayed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.report import stations
from ssemedic.report.present import present
from ssemedic.report.words import is_grave

Data = Mapping[str, Any]

_RANKS = (Verdict.HEALTHY, Verdict.DEGRADED, Verdict.BROKEN)


@dataclass(frozen=True)
class Difference:
    """Ids, each with its sentence. ``unseen`` were there before, and were not looked for again:
    the hop was not recorded, or the rule was skipped. That is not gone."""

    gone: Mapping[str, str]
    new: Mapping[str, str]
    unchanged: Mapping[str, str]
    unseen: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """What became of an endpoint from one report to the next.

    ``remarks`` say in what the two differ that makes a comparison doubtful.
    """

    before: Verdict
    after: Verdict
    symptoms: Difference
    causes: Difference
    remarks: tuple[str, ...]

    @property
    def is_worse(self) -> bool:
        """True for a worse verdict, one that can no longer be given, or a new symptom that
        harms the stream while the verdict is no better."""
        if self.after is Verdict.UNKNOWN:
            return self.before is not Verdict.UNKNOWN
        if self.before is Verdict.UNKNOWN:
            return self.after is not Verdict.HEALTHY
        before, after = _RANKS.index(self.before), _RANKS.index(self.after)
        new = any(is_grave(name.partition("@")[0]) for name in self.symptoms.new)
        return after > before or (after == before and new)

    @property
    def is_better(self) -> bool:
        """True for a better verdict, or a symptom or cause that is gone; never if worse."""
        if self.is_worse:
            return False
        if self.after is not self.before:
            return True
        return bool(self.symptoms.gone or self.causes.gone)

    @property
    def word(self) -> str:
        """worse, better or the same."""
        return "worse" if self.is_worse else "better" if self.is_better else "the same"


def compare(before: Data, after: Data) -> Comparison:
    """Compare what each report saw last: after its change, where one was made and kept."""
    now = present(after)
    seen = {name for name, stream in now.streams.items() if stream is not None}
    old, new = (
        {i: str(s["text"]) for i, s in present(report).symptoms.items()}
        for report in (before, after)
    )
    lost = {name for name in old if name.partition("@")[2] not in seen}
    before_causes, after_causes = _causes(before), _causes(after)
    skipped = {name for name in before_causes if name.partition("@")[0] in after["skipped"]}
    return Comparison(
        stations.verdict(before),
        stations.verdict(after),
        _difference(old, new, lost),
        _difference(before_causes, after_causes, skipped),
        tuple(_remarks(before, after)),
    )


def as_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data, for a program."""
    parts = ("gone", "new", "unchanged", "unseen")
    return {
        "verdict": {"before": str(comparison.before), "after": str(comparison.after)},
        "is": comparison.word,
        "symptoms": {part: dict(getattr(comparison.symptoms, part)) for part in parts},
        "causes": {part: dict(getattr(comparison.causes, part)) for part in parts},
        "remarks": list(comparison.remarks),
    }


def _causes(report: Data) -> dict[str, str]:
    """ "rule@hop" and the sentence with its place."""
    found = {}
    for cause in stations.causes(report):
        where = f" ({cause['where']})" if cause["where"] else ""
        found[f"{cause['rule']}@{cause['hop']}"] = f"{cause['title'].rstrip('.')}{where}"
    return found


def _difference(
    before: Mapping[str, str], after: Mapping[str, str], unseen: Collection[str]
) -> Difference:
    left = {name: text for name, text in before.items() if name not in after}
    return Difference(
        gone={name: text for name, text in left.items() if name not in unseen},
        new={name: text for name, text in after.items() if name not in before},
        unchanged={name: text for name, text in after.items() if name in before},
        unseen={name: text for name, text in left.items() if name in unseen},
    )


def _remarks(before: Data, after: Data) -> list[str]:
    remarks = []
    if before["host"] != after["host"]:
        remarks.append(f"two hosts: {before['host']} before, {after['host']} after")
    if before["endpoint"]["url"] != after["endpoint"]["url"]:
        remarks.append(
            f"two URLs: {before['endpoint']['url']} before, {after['endpoint']['url']} after"
        )
    if before["collected_at"] > after["collected_at"]:
        remarks.append("the first report is the later one: is the order right?")
    return remarks
