"""The judgement of what a file held: as on a host, and what shows without a stream."""

from __future__ import annotations

from dataclasses import replace

from ssemedic.endpoint import Endpoint
from ssemedic.judge import Judgement, judge
from ssemedic.offline.found import Found


def judged(found: Found, endpoint: Endpoint) -> Judgement:
    """Judge it. Pure.

    Where no stream was recorded, a rule that needs one stays skipped unless the rest of the
    evidence names its cause all the same: such a cause is latent, and nobody is cleared.
    """
    whole = judge(found.evidence, endpoint, found.token)
    if found.evidence.streams is not None:
        return whole
    without = judge(replace(found.evidence, streams=()), endpoint, found.token).diagnosis
    known = {cause.rule.id for cause in whole.diagnosis.causes}
    more = tuple(cause for cause in without.causes if cause.rule.id not in known)
    told = {cause.rule.id for cause in more}
    diagnosis = replace(
        whole.diagnosis,
        causes=(*whole.diagnosis.causes, *more),
        skipped={rule: why for rule, why in whole.diagnosis.skipped.items() if rule not in told},
        notes=(*whole.diagnosis.notes, "no stream was recorded: what is found would hurt one"),
    )
    return replace(whole, diagnosis=diagnosis)
