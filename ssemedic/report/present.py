"""What holds now: the streams, symptoms and causes of a report after what was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssemedic.finding import Severity

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Present:
    """The state at the end of a report. Causes are named by their place in ``report["causes"]``.

    ``cured`` are those that a kept and proven change removed, ``causes`` all others;
    ``harmful`` those among them that cost somebody a stream, or will.
    """

    streams: Mapping[str, Data | None]
    symptoms: Mapping[str, Data]  # by id; measured again where something was changed
    causes: tuple[int, ...]
    cured: tuple[int, ...]
    harmful: tuple[int, ...]

    def of_kinds(self, kinds: frozenset[str]) -> list[str]:
        """The ids of the symptoms of these kinds."""
        return [name for name in self.symptoms if name.partition("@")[0] in kinds]


def kept(report: Data) -> bool:
    """True if a change was made, proven and kept."""
    changes, proof = report["changes"], report["proof"]
    return bool(changes and proof and changes["outcome"] == "committed" and proof["proven"])


def present(report: Data) -> Present:
    """The state at the end: what was measured last, where a change was kept."""
    if not kept(report):
        streams = {hop["name"]: hop["stream"] for hop in report["hops"]}
        symptoms = {symptom["id"]: symptom for symptom in report["symptoms"]}
        return _present(report, streams, symptoms, frozenset())
    proof = report["proof"]
    left = {*proof["stayed"], *proof["came"]}
    known = {s["id"]: s for s in report["symptoms"]}
    symptoms = {name: known.get(name) or _bare(name) for name in sorted(left)}
    cured = frozenset(
        place
        for place, cause in enumerate(report["causes"])
        if cause["remedy"] and not left & set(cause["explains"])
    )
    return _present(report, {hop["hop"]: hop["after"] for hop in proof["hops"]}, symptoms, cured)


def _present(
    report: Data,
    streams: Mapping[str, Data | None],
    symptoms: Mapping[str, Data],
    cured: frozenset[int],
) -> Present:
    causes = tuple(n for n in range(len(report["causes"])) if n not in cured)
    harmful = tuple(n for n in causes if report["causes"][n]["severity"] != Severity.HYGIENE)
    return Present(streams, symptoms, causes, tuple(sorted(cured)), harmful)


def _bare(name: str) -> Data:
    """A symptom that came: the proof names it and does not describe it."""
    kind, _at, hop = name.partition("@")
    text = f"{hop}: {kind}, since the change"
    return {"id": name, "kind": kind, "hop": hop, "text": text, "measured": {}, "source": "stream"}
