"""From causes to the smallest change set; a conflict is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.diagnosis import Cause, Diagnosis, broken_configuration
from ssemedic.evidence import TextFile, Unit
from ssemedic.finding import (
    Advice,
    Audience,
    Disruption,
    Finding,
    NginxRemedy,
    Status,
    UnitRemedy,
)
from ssemedic.nginx import Edit, Line, Refusal, adopt, statement

OURS = "/etc/nginx/ssemedic"
#: Drop-ins count in the order of their names (systemd.unit(5)), so ours must be the last.
DROP_IN = "zz-ssemedic.conf"


class PlanError(ValueError):
    """Two causes call for settings that contradict each other."""


@dataclass(frozen=True)
class Counsel:
    """An advice and the rule that gives it."""

    rule: str
    advice: Advice


@dataclass(frozen=True)
class UnitPlan:
    """The drop-in of one unit, merged with the one that is there, and the state to reach."""

    unit: str
    drop_in: str
    expected_sha256: str
    settings: Mapping[str, Mapping[str, str]]
    enabled: bool | None
    state: str
    reset_failed: bool
    causes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What would be changed on the host, and what people must do themselves."""

    nginx: Edit | None
    units: tuple[UnitPlan, ...]
    advice: tuple[Counsel, ...]
    disruption: Disruption

    @property
    def is_empty(self) -> bool:
        """True if nothing would be changed on the host."""
        return self.nginx is None and not self.units


def plan(case: Case, diagnosis: Diagnosis) -> Plan:
    """The smallest change set for the confirmed causes; raises `PlanError` on a conflict."""
    confirmed = [c for c in diagnosis.causes if c.status is Status.CONFIRMED]
    advice = [
        Counsel(cause.rule.id, item) for cause in diagnosis.causes for item in cause.finding.advice
    ]
    advice += [
        Counsel(cause.rule.id, Advice(Audience.SERVER, _in_good_time(cause.finding)))
        for cause in diagnosis.causes
        if cause.status is Status.LATENT and cause.finding.remedy
    ]
    nginx = _nginx(
        case, [c for c in confirmed if isinstance(c.finding.remedy, NginxRemedy)], advice
    )
    units = _units(case, confirmed, advice)
    disruption = Disruption.NONE
    if nginx:
        disruption = Disruption.RELOAD
    if any(unit.state == "restarted" for unit in units):
        disruption = Disruption.RESTART
    return Plan(nginx, units, tuple(advice), disruption)


def _nginx(case: Case, causes: Sequence[Cause], advice: list[Counsel]) -> Edit | None:
    """The edit that gives the location what the causes call for; a refusal becomes advice."""
    topology = case.topology
    if not causes or topology.tree is None or topology.route is None:
        return None
    broken = broken_configuration(case)
    if broken:
        text = f"Not changed by us: {broken}. Mend that first, then run this again."
        advice.append(Counsel(causes[0].rule.id, Advice(Audience.SERVER, text)))
        return None
    lines: list[Line] = []
    location: str | None = None
    for cause in causes:
        remedy = cause.finding.remedy
        assert isinstance(remedy, NginxRemedy)
        location = remedy.location or location
        for name, values in remedy.settings.items():
            for args in values:
                _add(lines, Line(name, args, cause.rule.id, cause.rule.title))
    ours = f"{OURS}/{slug(case.endpoint.url)}.conf"
    edit = adopt(topology.tree, topology.route, lines, ours, location=location)
    if isinstance(edit, Refusal):
        by_hand = "".join(f"\n    {line}" for line in edit.advice)
        text = f"Not changed by us: {edit.reason}. By hand, in the location of the stream:{by_hand}"
        advice.append(Counsel(causes[0].rule.id, Advice(Audience.SERVER, text)))
        return None
    return edit if edit.files or edit.directives else None


def _add(lines: list[Line], wish: Line) -> None:
    """Add a wish unless it is there; raises `PlanError` if another one contradicts it."""
    for line in lines:
        if line.name != wish.name:
            continue
        if wish.name == "proxy_set_header" and line.args[0] != wish.args[0]:
            continue
        if line.args == wish.args:
            return
        raise PlanError(
            f"{wish.name}: {line.cause} asks for {' '.join(line.args)}, "
            f"{wish.cause} for {' '.join(wish.args)}"
        )
    lines.append(wish)


def _in_good_time(finding: Finding) -> str:
    """What a person may do about a cause that shows no symptom yet, so is not changed by us."""
    remedy = finding.remedy
    if isinstance(remedy, NginxRemedy):
        lines = [
            statement(name, args) for name, values in remedy.settings.items() for args in values
        ]
        what = f"in the location of the stream: {' '.join(lines)}"
    elif remedy is not None and not remedy.settings:
        running = remedy.state != "unchanged"
        verb = ("enable --now" if running else "enable") if remedy.enabled else "start"
        what = f"systemctl {verb} {remedy.unit}"
    else:
        what = f"{finding.where}: {finding.expected}"
    return f"No symptom comes from it yet, so it is not changed by us. In good time: {what}"


def slug(url: str) -> str:
    """A file name for an endpoint: host and path in letters, digits and dashes."""
    parts = urlsplit(url)
    text = f"{parts.hostname or ''}{parts.path}".lower()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-") or "stream"


def _units(case: Case, causes: Sequence[Cause], advice: list[Counsel]) -> tuple[UnitPlan, ...]:
    by_unit: dict[str, list[tuple[str, UnitRemedy]]] = {}
    for cause in causes:
        remedy = cause.finding.remedy
        if not isinstance(remedy, UnitRemedy):
            continue
        winner = _later_drop_in(case.evidence.unit(remedy.unit), remedy)
        if winner:
            text = (
                f"{winner} counts after any drop-in of ours: set there by hand what is expected "
                f"({cause.finding.expected})."
            )
            advice.append(Counsel(cause.rule.id, Advice(Audience.SERVER, text)))
            continue
        by_unit.setdefault(remedy.unit, []).append((cause.rule.id, remedy))
    return tuple(
        _unit(case.evidence.unit(name), name, remedies) for name, remedies in by_unit.items()
    )


def _later_drop_in(unit: Unit | None, remedy: UnitRemedy) -> str | None:
    """A drop-in that counts after ours and sets the same: ours would have no effect."""
    keys = {key for lines in remedy.settings.values() for key in lines}
    for file in unit.files if unit else ():
        name = file.path.rsplit("/", 1)[-1]
        later = name.endswith(".conf") and name > DROP_IN
        if later and keys & {key for lines in _parse(file).values() for key in lines}:
            return file.path
    return None


def _unit(unit: Unit | None, name: str, remedies: Sequence[tuple[str, UnitRemedy]]) -> UnitPlan:
    path = f"/etc/systemd/system/{name}.d/{DROP_IN}"
    present = next((f for f in unit.files if f.path == path), None) if unit else None
    settings = _parse(present) if present else {}
    enabled: bool | None = None
    state, reset = "unchanged", False
    strength = ("unchanged", "started", "restarted")
    for _, remedy in remedies:
        for section, lines in remedy.settings.items():
            for key, value in lines.items():
                settings.setdefault(section, {})[key] = value
        enabled = remedy.enabled if remedy.enabled is not None else enabled
        state = max(state, remedy.state, key=strength.index)
        reset = reset or remedy.reset_failed
    return UnitPlan(
        unit=name,
        drop_in=path,
        expected_sha256=present.sha256 if present else "",
        settings=settings,
        enabled=enabled,
        state=state,
        reset_failed=reset,
        causes=tuple(rule_id for rule_id, _ in remedies),
    )


def _parse(file: TextFile) -> dict[str, dict[str, str]]:
    """Our own drop-in read back; it is plain sections of key=value (systemd.syntax(7))."""
    settings: dict[str, dict[str, str]] = {}
    section = ""
    for line in file.text.splitlines():
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        elif text and not text.startswith(("#", ";")) and "=" in text:
            key, _, value = text.partition("=")
            # The template doubles the percent sign, which begins a specifier (systemd.unit(5)).
            settings.setdefault(section, {})[key.strip()] = value.strip().replace("%%", "%")
    return settings
