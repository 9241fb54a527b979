"""Cause: auth_terminal_status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ssemedic.case import Case, UnseenError
from ssemedic.clues.asked_before import Asked, asked_before
from ssemedic.duration import spell
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import cost

_FINAL = (204, 404, 500, 502, 503, 504)
_TOGETHER = 30.0  # seconds without a refusal that end an outage
_LEAST = 3  # clients; one or two may have closed their tabs
_SETTLED = 20.0  # seconds after which a client that tries again has done so
_RESTARTED = 30.0  # seconds between the outage and the start of the service


@dataclass(frozen=True)
class Outage:
    """A time in which the stream was refused, and the clients that asked once and never again."""

    began: float
    ended: float
    statuses: tuple[int, ...]
    gave_up: int
    tried_again: int


@rule(layer=Layer.AUTH, severity=Severity.HYGIENE, explains=(), needs=("nginx", "logs", "streams"))
def auth_terminal_status(case: Case) -> Iterator[Finding]:
    """For a moment the stream was answered with an error, and browsers gave up for good.

    EventSource tries again when the network fails, but not when it gets an answer that is no
    event stream: after a 502 of a restart, a 503, a 404 or a 204 it stays closed (readyState 2)
    until the page is loaded again. The stream is healthy now, and these tabs are dead.

    Told where the access log shows clients that were refused once in an outage and never asked
    again, and fewer streams are open than there were such clients. Nothing is changed on the
    host: the page must open the stream anew, and restarts must not answer with an error.
    """
    if any(cost(s.kind) is Severity.BROKEN for s in case.symptoms):
        return  # it is not over yet: what is wrong now is said by others
    nginx = case.evidence.nginx
    if nginx is None:
        return
    outage = _last(asked_before(case), case.evidence.collected_at)
    if outage is None or outage.gave_up < _LEAST:
        return
    if nginx.streams_by_client is None:
        raise UnseenError("how many streams are open was not seen")
    open_now = sum(nginx.streams_by_client)
    if open_now >= outage.gave_up:
        return  # they may well be back
    yield _finding(case, outage, open_now)


def _last(asked: Sequence[Asked], now: float) -> Outage | None:
    """The newest outage that is over."""
    refusals = [one for one in asked if one.status in _FINAL and one.at < now - _SETTLED]
    if not refusals:
        return None
    outage = [refusals[-1]]
    for one in reversed(refusals[:-1]):
        if outage[0].at - one.at > _TOGETHER:
            break
        outage.insert(0, one)
    began, ended = outage[0].at, outage[-1].at
    times = Counter(one.client for one in outage)
    back = {one.client for one in asked if one.at > ended and one.status not in _FINAL}
    gave_up = [client for client, count in times.items() if count == 1 and client not in back]
    statuses = tuple(sorted({one.status for one in outage}))
    return Outage(began, ended, statuses, len(gave_up), len(times) - len(gave_up))


def _finding(case: Case, outage: Outage, open_now: int) -> Finding:
    statuses = " and ".join(map(str, outage.statuses))
    lasted = spell(max(outage.ended - outage.began, 1.0))
    said = (
        f"within {lasted} until {_clock(outage.ended)}, {outage.gave_up} clients were answered "
        f"{statuses} and never asked again; {open_now} streams are open"
    )
    return Finding(
        hop="nginx",
        where="the stream's clients",
        observed=said,
        expected="clients that open the stream anew after any error",
        evidence=tuple(filter(None, (said, _restart(case, outage), _others(outage)))),
        certainty=3,
        advice=(
            Advice(
                Audience.FRONTEND,
                "In onerror, where readyState is 2 (CLOSED), create a new EventSource after a "
                "wait that grows to about 30 s, with some chance in it, and pass the last event "
                "id as a parameter. It never comes back by itself after an answer that is no "
                "event stream.",
            ),
            Advice(
                Audience.SERVER,
                "Keep a listener while the service restarts (a systemd socket unit, or a second "
                "instance in nginx's upstream), so that a reconnect waits and is not answered. "
                "Or let nginx hang up, as browsers try again after that: error_page 502 503 504 "
                "= @gone; in the stream's location, and location @gone { return 444; }",
            ),
        ),
    )


def _restart(case: Case, outage: Outage) -> str:
    unit = case.topology.unit
    since = unit.active_since if unit else None
    if unit is None or since is None:
        return ""
    near = outage.began - _RESTARTED <= since <= outage.ended + _RESTARTED
    return f"{unit.name} was started at {_clock(since)}" if near else ""


def _others(outage: Outage) -> str:
    if not outage.tried_again:
        return ""
    return f"{outage.tried_again} other clients did try again"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
