"""Cause: nginx_reload_old_workers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.duration import spell
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route, Setting, seconds
from ssemedic.rules import configured, rule
from ssemedic.symptoms import Kind, Symptom

_NAME = "worker_shutdown_timeout"
_WISHED = "5m"
#: Less than this (seconds) and a reload drops every stream before its client could come back
#: in its own time.
_TINY = 10.0
#: Old workers that still serve after so many seconds are a pile; those of so many reloads sooner.
_OLD = 900.0
_PILE, _PILE_OLD = 3, 60.0
#: Workers of one generation start within this many seconds of each other.
_TOGETHER = 2.0
#: How far a measured cut may be from the reload plus the timeout (seconds).
_TOLERANCE = 2.5
_RELOADED = re.compile(r"^(?:\S+: )?Reload(?:ed|ing) ")  # systemd, in the journal of nginx's unit
_CUTS = (Kind.CUT_AFTER, Kind.CUT_WHEN_IDLE, Kind.RESET, Kind.CLOSED_AT_ONCE, Kind.ENDED)


@rule(
    layer=Layer.NGINX,
    severity=Severity.HYGIENE,
    explains=_CUTS,
    needs=("nginx", "streams"),
)
def nginx_reload_old_workers(case: Case) -> Iterator[Finding]:
    """Open streams stay with the workers of before the last reload of nginx, or are cut by it.

    After a reload new connections go to new workers; a stream goes on in its old one, with
    the old settings, for as long as its tab is open. So a fix "does nothing" in open tabs,
    and each reload leaves workers behind until memory is short. A worker_shutdown_timeout
    ends them; one of a few seconds drops every stream at every reload.

    Old workers alone are no fault of new connections: they are told, and nothing is changed
    for them.
    """
    setting = case.route.setting(_NAME)
    timeout = seconds(setting.first)
    cut = _cut_by_reload(case, timeout) if timeout is not None and timeout < _TINY else None
    if cut is not None:
        symptom, after = cut
        yield Finding(
            hop=symptom.hop,
            where=setting.where,
            observed=f"{_NAME} is {spell(timeout or 0)}, and nginx is reloaded while streams are "
            "open",
            expected=f"{_NAME} {_WISHED}, and fewer reloads",
            evidence=(symptom.text, f"the journal: nginx was reloaded {after:.1f} s before"),
            certainty=3,
            remedy=NginxRemedy(process={_NAME: _WISHED}),
            advice=(_fewer_reloads(),),
            also_at=("nginx", "public"),
        )
        return
    pile = _pile(case)
    if pile and timeout is None:
        yield Finding(
            hop="nginx",
            where=_unset(setting),
            observed=pile,
            expected=f"{_NAME} {_WISHED}; until then a change shows in tabs that are opened anew",
            evidence=(),
            certainty=1,
            remedy=NginxRemedy(process={_NAME: _WISHED}),
        )


@configured(nginx_reload_old_workers)
def cut_by_every_reload(route: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    """A timeout of a few seconds drops every stream at every reload."""
    setting = route.setting(_NAME)
    timeout = seconds(setting.first)
    if route.serves == "proxy" and timeout is not None and timeout < _TINY:
        yield Finding(
            hop="nginx",
            where=setting.where,
            observed=f"{_NAME} is {spell(timeout)}: each reload drops every stream",
            expected=f"{_NAME} {_WISHED}",
            remedy=NginxRemedy(process={_NAME: _WISHED}),
            depends="nginx is reloaded while streams are open",
        )


def _cut_by_reload(case: Case, timeout: float | None) -> tuple[Symptom, float] | None:
    """The cut of one of our streams that came when the timeout after a reload says."""
    unit = case.evidence.nginx.unit if case.evidence.nginx else None
    log = case.evidence.log(f"journal:{unit}") if unit else None
    reloads = [x.at for x in log.lines if x.at and _RELOADED.search(x.text)] if log else []
    for hop in ("nginx", "public"):
        stream = case.topology.stream(hop)
        symptom = case.symptom(hop, *_CUTS)
        if stream is None or symptom is None or symptom.source != "stream":
            continue
        ended = stream.started + stream.end.at
        for reload in reloads:
            late = ended - reload - (timeout or 0.0)
            if reload >= stream.started - 1.0 and abs(late) <= _TOLERANCE:
                return symptom, ended - reload
    return None


def _pile(case: Case) -> str:
    """What the workers of earlier configurations are, if they are many or old; else ""."""
    nginx = case.evidence.nginx
    if nginx is None:
        return ""
    starts = sorted(worker.started for worker in nginx.workers if worker.started)
    old = sorted(w.started for w in nginx.workers if w.shutting_down and w.started)
    if not old:
        return ""
    generations = [at for i, at in enumerate(old) if i == 0 or at - old[i - 1] > _TOGETHER]
    successor = next((at for at in starts if at - old[0] > _TOGETHER), case.evidence.collected_at)
    lasted = case.evidence.collected_at - successor
    if lasted < (_PILE_OLD if len(generations) >= _PILE else _OLD):
        return ""
    reloads = f"{len(generations)} reloads" if len(generations) > 1 else "reload"
    who = "1 worker serves" if len(old) == 1 else f"{len(old)} workers serve"
    return (
        f"{who} streams that were open before the last {reloads}, with the settings of then; "
        f"the oldest for {spell(round(lasted))}"
    )


def _unset(setting: Setting) -> str:
    return setting.where if setting.wheres else f"{_NAME} is not set"


def _fewer_reloads() -> Advice:
    return Advice(
        Audience.SERVER,
        "Find out what reloads nginx (journalctl -u nginx), and let it do so only when something "
        "changed: a certificate hook, a template watcher, a deployment.",
    )
