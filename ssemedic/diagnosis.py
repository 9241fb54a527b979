"""Causes that explain symptoms: rules over a case, and the smallest set that explains it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from ssemedic.case import Case, UnseenError
from ssemedic.finding import Finding, Severity, Status
from ssemedic.rules import Rule, all_rules
from ssemedic.symptoms import Kind, Symptom, cost


class Verdict(StrEnum):
    """What can be said of the endpoint as a whole."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cause:
    """A finding in its place: how sure, and which symptoms (by id) it explains."""

    rule: Rule
    status: Status
    finding: Finding
    explains: tuple[str, ...]

    @property
    def severity(self) -> Severity:
        """What it costs: as its rule says, unless this finding weighs less."""
        return self.finding.severity or self.rule.severity


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, what is not, and what could not be seen.

    ``causes`` come most certain first; ``cleared`` are rules that ran and found
    nothing; ``skipped`` maps a rule to the reason its evidence is missing.
    """

    verdict: Verdict
    symptoms: tuple[Symptom, ...]
    causes: tuple[Cause, ...]
    cleared: tuple[str, ...]
    skipped: dict[str, str]
    unexplained: tuple[Symptom, ...]
    notes: tuple[str, ...] = ()


def diagnose(case: Case) -> Diagnosis:
    """Run every rule over the case and keep the smallest set of causes that explains it."""
    found: list[Cause] = []
    cleared: list[str] = []
    skipped: dict[str, str] = {}
    for rule in all_rules():
        reason = _missing(case, rule)
        if reason:
            skipped[rule.id] = reason
            continue
        try:
            findings = tuple(rule.check(case))
        except UnseenError as error:
            skipped[rule.id] = str(error)
            continue
        found += [_cause(case, rule, finding) for finding in findings]
        if not findings:
            cleared.append(rule.id)
    causes = _smallest(case, found)
    explained = {symptom for cause in causes for symptom in cause.explains}
    unexplained = tuple(
        s
        for s in case.symptoms
        if s.id not in explained and cost(s.kind) is not Severity.HYGIENE and not _sent_on(case, s)
    )
    return Diagnosis(
        verdict=verdict(case, causes),
        symptoms=case.symptoms,
        causes=causes,
        cleared=tuple(cleared),
        skipped=skipped,
        unexplained=unexplained,
        notes=_notes(case),
    )


def _missing(case: Case, rule: Rule) -> str | None:
    for need in rule.needs:
        if getattr(case.evidence, need) is None:
            return case.evidence.missing.get(need, f"{need}: not collected")
    return None


def _cause(case: Case, rule: Rule, finding: Finding) -> Cause:
    hops = (finding.hop, *finding.also_at)
    explains = tuple(s.id for s in case.symptoms if s.hop in hops and rule.explained(s))
    if not explains:
        status = Status.LATENT
    elif finding.out_of_reach:
        status = Status.SUSPECTED
    else:
        status = Status.CONFIRMED
    return Cause(rule, status, finding, explains)


def _smallest(case: Case, found: Sequence[Cause]) -> tuple[Cause, ...]:
    """Greedy cover: the surest cause first; a cause that adds no explanation is left out.

    A suspicion is only kept for a symptom that no confirmed cause explains. Among causes
    that are equally sure to be there, the one that costs the most is told first.
    """
    hops = {name: index for index, name in enumerate(case.topology.order)}
    rank = {Status.CONFIRMED: 0, Status.SUSPECTED: 1, Status.LATENT: 2}

    def sureness(cause: Cause) -> tuple[int, int, int, int]:
        finding = cause.finding
        hop = hops.get(finding.hop, len(hops))
        return (rank[cause.status], -finding.certainty, -len(cause.explains), hop)

    open_symptoms = {symptom.id for symptom in case.symptoms}
    kept: list[Cause] = []
    for cause in sorted(found, key=sureness):
        if cause.status is Status.LATENT:
            kept.append(cause)
        elif open_symptoms & set(cause.explains):
            open_symptoms -= set(cause.explains)
            kept.append(cause)
    cost = list(Severity)
    return tuple(sorted(kept, key=lambda c: (rank[c.status], cost.index(c.severity))))


def verdict(case: Case, causes: Sequence[Cause]) -> Verdict:
    """The verdict of a case; without a recorded stream there is none (missing is not health)."""
    worst = {cost(symptom.kind) for symptom in case.symptoms}
    if Severity.BROKEN in worst:
        return Verdict.UNKNOWN if _is_only_sent_on(case, causes) else Verdict.BROKEN
    outermost = case.topology.streams[-1] if case.topology.streams else None
    if outermost is None or outermost.hop not in ("public", "browser", "devproxy"):
        return Verdict.UNKNOWN
    if not outermost.is_event_stream or broken_configuration(case):
        return Verdict.UNKNOWN
    latent = {cause.severity for cause in causes}
    if Severity.DEGRADED in worst or latent & {Severity.BROKEN, Severity.DEGRADED}:
        return Verdict.DEGRADED
    return Verdict.HEALTHY


def _sent_on(case: Case, symptom: Symptom | None) -> str:
    """Where nginx itself sends a browser that asks for the URL; "" where it does not."""
    route = case.topology.route
    if symptom is None or route is None or not route.redirect or symptom.hop != "nginx":
        return ""
    return (
        route.redirect.partition("?")[0] if symptom.measured.get("status") == route.status else ""
    )


def _is_only_sent_on(case: Case, causes: Sequence[Cause]) -> bool:
    """True if all that is wrong is a redirect, which a browser follows to what was not seen."""
    explained = {symptom for cause in causes for symptom in cause.explains}
    grave = [s for s in case.symptoms if cost(s.kind) is Severity.BROKEN]
    return all(_sent_on(case, s) and s.id not in explained for s in grave)


def broken_configuration(case: Case) -> str | None:
    """Why nginx would not load what is on its disk; then what runs is not what we read."""
    nginx = case.evidence.nginx
    if nginx is None:
        return None
    if nginx.files and case.topology.tree is None:
        return next((n for n in case.topology.notes if n.startswith("nginx:")), "nginx: unreadable")
    if nginx.test_ok is False:
        lines = [line for line in nginx.test_output.splitlines() if "[emerg]" in line]
        return f"nginx: {lines[0].removeprefix('nginx: ') if lines else 'nginx -t fails'}"
    return None


def _notes(case: Case) -> tuple[str, ...]:
    broken = broken_configuration(case)
    notes = [note for note in case.topology.notes if note != broken]
    if broken:
        notes.append(
            f"{broken}; nginx would not load this, so what runs is not what is written: "
            "mend that first (nginx -t)"
        )
    to = _sent_on(case, case.symptom("nginx", Kind.WRONG_STATUS))
    if to:
        notes.append(f"nginx sends the URL on to {to}, as a browser follows it: diagnose that URL")
    notes += _refused_to_us_alone(case)
    refused = case.symptom("app", Kind.WRONG_STATUS)
    if case.token is None and refused and refused.measured.get("status") in (401, 403):
        notes.append("the endpoint asks for a token and none was given: use --token-file")
    return tuple(notes)


def _refused_to_us_alone(case: Case) -> list[str]:
    """What an inner hop answered to us, and not to the hop outside it, which delivers."""
    shown = {symptom.hop for symptom in case.symptoms}
    notes = []
    for stream, outer in pairwise(case.topology.streams):
        if stream.is_event_stream or not outer.is_event_stream or stream.hop in shown:
            continue
        if stream.never_connected:
            notes.append(
                f"{stream.hop}: nobody listens at {stream.address}; {outer.hop} gets the stream "
                "all the same, from another address"
            )
        elif stream.status is not None:
            notes.append(
                f"{stream.hop}: asked by itself it answers {stream.status}; {outer.hop} gets the "
                "stream from it all the same, so it wants what comes with that request, or "
                "another address"
            )
    return notes
