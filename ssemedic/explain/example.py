"""What a rule says of one case, as the example of its explanation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ssemedic.evidence import encode
from ssemedic.finding import Finding, NginxRemedy, UnitRemedy
from ssemedic.report.words import DISRUPTIONS

#: Fields of a remedy that say how it is applied, not what is changed.
_HOW = frozenset({"disruption"})
#: Two pieces of advice are one if so many characters are the same.
_ALIKE = 24


def example_of(findings: Sequence[Finding]) -> dict[str, Any]:
    """From what a rule says of its cases: the first that has a remedy, and everybody's advice."""
    chosen = next((f for f in findings if f.remedy is not None), findings[0])
    remedy = chosen.remedy
    advice: dict[tuple[str, str], str] = {}
    for counsel in (a for f in (chosen, *findings) for a in f.advice):
        # What begins alike is the same advice with another host's names in it.
        advice.setdefault((str(counsel.audience), counsel.text[:_ALIKE]), counsel.text)
    return {
        "where": chosen.where,
        "observed": chosen.observed,
        "expected": chosen.expected,
        "evidence": list(chosen.evidence),
        "disruption": DISRUPTIONS[remedy.disruption] if remedy is not None else "",
        "change": list(_change(remedy)),
        "by_hand": list(_by_hand(chosen)),
        "advice": [[who, text] for (who, _begins), text in advice.items()][:8],
    }


def _change(remedy: object) -> Iterator[str]:
    if remedy is None:
        return
    if isinstance(remedy, NginxRemedy):
        yield from _nginx(remedy)
    elif isinstance(remedy, UnitRemedy):
        yield from _unit(remedy)
    else:
        yield from _other(remedy)


def _nginx(remedy: NginxRemedy) -> Iterator[str]:
    lines = [
        f"`{name} {' '.join(args)};`" for name, values in remedy.settings.items() for args in values
    ]
    place = f"a new `location {remedy.location}`" if remedy.location else "the stream's location"
    if lines:
        yield f"In {place}: {', '.join(lines)}, in a file of our own that it includes."
    if remedy.without:
        gone = ", ".join(f"`{' '.join(part for part in line if part)}`" for line in remedy.without)
        yield f"No longer in force there: {gone}."
    if remedy.process:
        limits = ", ".join(f"`{name} {value};`" for name, value in remedy.process.items())
        yield f"At the level of the process: {limits}."
    if remedy.reload and not lines:
        yield "nginx is reloaded; no file changes."


def _unit(remedy: UnitRemedy) -> Iterator[str]:
    for section, lines in remedy.settings.items():
        shown = ", ".join(f"`{key}={value}`" for key, value in lines.items())
        yield f"In a drop-in of `{remedy.unit}`, section `[{section}]`: {shown}."
    if remedy.enabled is not None:
        yield f"`{remedy.unit}` is {'enabled' if remedy.enabled else 'disabled'}."
    if remedy.state != "unchanged":
        yield f"`{remedy.unit}` is {remedy.state}."


def _other(remedy: object) -> Iterator[str]:
    """A remedy of another kind: each of its fields that says something."""
    if not dataclasses.is_dataclass(remedy) or isinstance(remedy, type):
        return
    for field in dataclasses.fields(remedy):
        value = encode(getattr(remedy, field.name))
        if field.name not in _HOW and value:
            yield f"{field.name.replace('_', ' ')}: `{_plain(value)}`."


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " ".join(_plain(item) for item in value)
    return str(value)


def _by_hand(finding: Finding) -> Iterator[str]:
    """The commands that do the same without us."""
    remedy = finding.remedy
    if isinstance(remedy, NginxRemedy):
        lines = [
            f"{n} {' '.join(args)};" for n, values in remedy.settings.items() for args in values
        ]
        if lines:
            yield f"Write into the location that serves the stream: `{' '.join(lines)}`"
        for line in remedy.without:
            yield f"Take out what puts `{' '.join(part for part in line if part)}` in force there."
        for name, value in remedy.process.items():
            yield f"Set `{name} {value};` in nginx.conf."
        yield "Check and load it: `sudo nginx -t && sudo systemctl reload nginx`"
    elif isinstance(remedy, UnitRemedy):
        if remedy.settings:
            text = "\\n".join(
                line for section, lines in remedy.settings.items()
                for line in (f"[{section}]", *(f"{k}={v}" for k, v in lines.items()))
            )  # fmt: skip
            yield (
                f"`printf '{text}\\n' | sudo systemctl edit --stdin {remedy.unit}` (systemd 256), "
                f"or the same lines by `sudo systemctl edit {remedy.unit}`"
            )
        if remedy.reset_failed:
            yield f"`sudo systemctl reset-failed {remedy.unit}`"
        if remedy.enabled:
            yield f"`sudo systemctl enable {remedy.unit}`"
        if remedy.state != "unchanged":
            verb = {"started": "start", "restarted": "restart", "stopped": "stop"}
            yield f"`sudo systemctl {verb.get(remedy.state, remedy.state)} {remedy.unit}`"
    elif remedy is not None:
        yield f"See to it that holds: {finding.expected}."
