"""From evidence to a report's core: one call for every door (playbook, command line, test)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssemedic.case import Case
from ssemedic.diagnosis import Diagnosis, diagnose
from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Evidence
from ssemedic.logged import logged_symptoms
from ssemedic.plan import Plan, PlanError, plan
from ssemedic.stream.detect import Expected, observe, origins
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


def judge(evidence: Evidence, endpoint: Endpoint, token: Token | None = None) -> Judgement:
    """Judge one endpoint on one host. Pure: the same evidence gives the same judgement."""
    topology = discover(evidence, endpoint)
    window = max((s.window for s in topology.streams), default=0.0)
    expected = Expected(
        origin=endpoint.origin, keepalive_seconds=endpoint.keepalive_seconds, window=window
    )
    everywhere = observe(topology.streams, expected)
    symptoms = origins(everywhere)
    kinds = {(s.hop, s.kind) for s in everywhere}
    logged = logged_symptoms(evidence, endpoint.url)
    symptoms += tuple(s for s in logged if (s.hop, s.kind) not in kinds)
    case = Case(evidence, endpoint, topology, symptoms, token)
    diagnosis = diagnose(case)
    try:
        return Judgement(case, diagnosis, plan(case, diagnosis), everywhere=everywhere)
    except PlanError as error:
        notes = (*diagnosis.notes, f"no plan: {error}")
        return Judgement(
            case, replace(diagnosis, notes=notes), None, str(error), everywhere=everywhere
        )
