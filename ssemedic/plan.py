"""From causes to the smallest change set; a conflict is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssemedic.case import Case
from ssemedic.clues.masked_log import MaskedLog, by_hand, leaking, masked_log
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
from ssemedic.nginx import Edit
from ssemedic.nginx_plan import NginxChange, PlanError, in_good_time, nginx_change, slug

__all__ = ["Counsel", "Plan", "PlanError", "UnitPlan", "plan", "slug"]

#: Drop-ins count in the order of their names (systemd.unit(5)), so ours must be the last.
DROP_IN = "zz-ssemedic.conf"
#: The cause that harms no stream and is mended where the operator asks for it.
MASKING = "nginx_token_in_access_log"


@dataclass(frozen=True)
class Counsel:
    """An advice and the rule that gives it."""

    rule: str
    advice: Advice


@dataclass(frozen=True)
class UnitPlan:
    """The drop-in of one unit, merged with the one that is there, or the unit itself where there
    is none (then ``drop_in`` is its path), and the state to reach."""

    unit: str
    drop_in: str
    expected_sha256: str
    settings: Mapping[str, Mapping[str, str]]
    enabled: bool | None
    state: str
    reset_failed: bool
    causes: tuple[str, ...]
    mode: str = "dropin"  # "whole" where the unit itself is written
    always: bool = False  # restarted though no file of it changes


@dataclass(frozen=True)
class Plan:
    """What would be changed on the host, and what people must do themselves. ``nginx_reload``
    asks for a reload of nginx though no file of it changes. ``masked_log`` defines the log format
    that a line of ``nginx`` uses."""

    nginx: Edit | None
    units: tuple[UnitPlan, ...]
    advice: tuple[Counsel, ...]
    disruption: Disruption
    nginx_reload: bool = False
    masked_log: MaskedLog | None = None

    @property
    def is_empty(self) -> bool:
        """True if nothing would be changed or reloaded on the host."""
        return self.nginx is None and not self.units and not self.nginx_reload


def plan(case: Case, diagnosis: Diagnosis) -> Plan:
    """The smallest change set for the confirmed causes; raises `PlanError` on a conflict."""
    tidied = [c for c in diagnosis.causes if c.finding.remedy and _is_asked_for(case, c)]
    confirmed = [c for c in diagnosis.causes if c.status is Status.CONFIRMED]
    advice = [
        Counsel(cause.rule.id, item) for cause in diagnosis.causes for item in cause.finding.advice
    ]
    advice += [
        Counsel(cause.rule.id, Advice(Audience.SERVER, _in_good_time(cause.finding)))
        for cause in diagnosis.causes
        if cause.status is Status.LATENT and cause.finding.remedy and cause not in tidied
    ]
    edited = [c for c in confirmed if isinstance(c.finding.remedy, NginxRemedy)]
    told: list[Counsel] = []
    change = _nginx(case, edited + tidied, told)
    masked = _masked_log(case, change.edit) if tidied else None
    if tidied and masked is None:
        # The line would name a format that nobody defines: the rest, and the log by hand.
        told = [Counsel(MASKING, Advice(Audience.SERVER, _log_by_hand(case)))]
        change = _nginx(case, edited, told)
    advice += told
    units = _units(case, confirmed, advice)
    disruption = Disruption.NONE
    if change.edit or change.reload:
        disruption = Disruption.RELOAD
    if any(unit.state == "restarted" for unit in units):
        disruption = Disruption.RESTART
    return Plan(change.edit, units, tuple(advice), disruption, change.reload, masked)


def _is_asked_for(case: Case, cause: Cause) -> bool:
    """A remedy for what harms no stream, which only the operator can want."""
    return cause.rule.id == MASKING and case.endpoint.mask_access_log


def _log_by_hand(case: Case) -> str:
    logs = leaking(case.route, case.endpoint.token_parameter)
    return f"Not masked by us: that location cannot be edited safely. {by_hand(logs[0][0])}"


def _masked_log(case: Case, edit: Edit | None) -> MaskedLog | None:
    """The definition of the log formats that lines of the edit name; None where none does."""
    if edit is None or case.topology.route is None:
        return None
    endpoint = case.endpoint
    masked = masked_log(case.topology.route, slug(endpoint.url), endpoint.token_parameter)
    named = {arg for line in edit.directives if line.name == "access_log" for arg in line.args}
    return masked if named & {one.name for one in masked.formats} else None


def _nginx(case: Case, causes: Sequence[Cause], advice: list[Counsel]) -> NginxChange:
    """What is changed of nginx for these causes; a refusal becomes advice."""
    broken = broken_configuration(case) if causes else ""
    if broken:
        text = f"Not changed by us: {broken}. Mend that first, then run this again."
        advice.append(Counsel(causes[0].rule.id, Advice(Audience.SERVER, text)))
        return NginxChange(None, False, ())
    change = nginx_change(case, causes)
    for rule, text in change.by_hand:
        advice.append(Counsel(rule, Advice(Audience.SERVER, text)))
    return change


def _in_good_time(finding: Finding) -> str:
    """What a person may do about a cause that shows no symptom yet, so is not changed by us."""
    remedy = finding.remedy
    if isinstance(remedy, NginxRemedy):
        what = in_good_time(remedy)
    elif remedy is not None and not remedy.settings:
        running = remedy.state != "unchanged"
        begin = "restart" if remedy.state == "restarted" else "start"
        verb = ("enable --now" if running else "enable") if remedy.enabled else begin
        what = f"systemctl {verb} {remedy.unit}"
    else:
        what = f"{finding.where}: {finding.expected}"
    return f"No symptom comes from it yet, so it is not changed by us. In good time: {what}"


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
    whole = any(remedy.whole for _, remedy in remedies)
    path = f"/etc/systemd/system/{name}" + ("" if whole else f".d/{DROP_IN}")
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
        mode="whole" if whole else "dropin",
        always=any(remedy.always for _, remedy in remedies),
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
