"""From evidence to a report's core: one call for every door (playbook, command line, test)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ssemedic.accepted import in_force, over
from ssemedic.case import Case
from ssemedic.clues.flow import flow_symptoms, note
from ssemedic.clues.held import held_symptoms
from ssemedic.clues.logged import logged_symptoms
from ssemedic.diagnosis import Cause, Diagnosis, diagnose
from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Evidence
from ssemedic.finding import Status
from ssemedic.page.seen import with_browser
from ssemedic.plan import Plan, PlanError, plan
from ssemedic.stream.detect import Expected, observe, origins
from ssemedic.stream.varied import varied
from ssemedic.symptoms import Symptom
from ssemedic.token import Token
from ssemedic.topology import discover


@dataclass(frozen=True)
class Judgement:
    """The case, what it means and what would be done; ``conflict`` is set where no plan fits."""

    case: Case
    diagnosis: Diagnosis
    plan: Plan | None
    conflict: str = ""
    everywhere: tuple[Symptom, ...] = ()  # consequences included, hop by hop


def judge(
    evidence: Evidence,
    endpoint: Endpoint,
    token: Token | None = None,
    also: Sequence[Cause] = (),
) -> Judgement:
    """Judge one endpoint on one host. Pure: the same evidence gives the same judgement.

    ``also`` are causes that an earlier repair brought to light and that hide again now:
    one can hide another, so both are planned for at once.
    """
    topology = discover(evidence, endpoint, with_token=token is not None)
    window = max((s.window for s in topology.streams), default=0.0)
    expected = Expected(
        origin=endpoint.origin, keepalive_seconds=endpoint.keepalive_seconds, window=window
    )
    counter_tests = varied((*topology.streams, *topology.counter), expected)
    everywhere = with_browser(
        (*observe(topology.streams, expected), *counter_tests),
        evidence.browser,
        topology.streams,
        expected,
    )
    everywhere += flow_symptoms(evidence, topology, everywhere)
    symptoms = origins(everywhere)
    kinds = {(s.hop, s.kind) for s in everywhere}
    noticed = (
        *logged_symptoms(evidence, endpoint.url),
        *held_symptoms(evidence, topology.route),
    )
    symptoms += tuple(s for s in noticed if (s.hop, s.kind) not in kinds)
    case = Case(evidence, endpoint, topology, symptoms, token)
    diagnosis = _with(diagnose(case), also)
    if said := note(evidence):
        diagnosis = replace(diagnosis, notes=(*diagnosis.notes, said))
    names = [cause.rule.id for cause in diagnosis.causes]
    ended = over(endpoint.accepted, names, evidence.collected_at)
    diagnosis = replace(diagnosis, notes=(*diagnosis.notes, *ended))
    try:
        made = plan(case, _not_accepted(case, diagnosis))
        return Judgement(case, diagnosis, made, everywhere=everywhere)
    except PlanError as error:
        notes = (*diagnosis.notes, f"no plan: {error}")
        return Judgement(
            case, replace(diagnosis, notes=notes), None, str(error), everywhere=everywhere
        )


def _not_accepted(case: Case, diagnosis: Diagnosis) -> Diagnosis:
    """What may be changed: what the inventory accepts stays as it is."""
    accepted, at = case.endpoint.accepted, case.evidence.collected_at
    left = tuple(c for c in diagnosis.causes if in_force(accepted, c.rule.id, at) is None)
    return replace(diagnosis, causes=left)


def _with(diagnosis: Diagnosis, also: Sequence[Cause]) -> Diagnosis:
    mended = {
        (c.rule.id, c.finding.hop)
        for c in diagnosis.causes
        if c.finding.remedy and c.status is not Status.LATENT
    }
    new = tuple(c for c in also if (c.rule.id, c.finding.hop) not in mended)
    better = {(cause.rule.id, cause.finding.hop) for cause in new}
    kept = tuple(c for c in diagnosis.causes if (c.rule.id, c.finding.hop) not in better)
    named = {cause.rule.id for cause in new}
    return replace(
        diagnosis,
        causes=kept + new,
        cleared=tuple(rule for rule in diagnosis.cleared if rule not in named),
    )
