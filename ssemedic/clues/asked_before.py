"""What clients asked before we did: the requests for the stream in nginx's access logs."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.log_classes import classify

_ADDRESS = re.compile(
    r"^(?P<bare>[0-9a-fA-F.:]{2,45}) "
    r"|\"(?:remote_addr|client|ip)\": ?\"(?P<json>[0-9a-fA-F.:]{2,45})\""
)
_STATUS = re.compile(r"[^\"]*\"? (\d{3}) |[\"']?status(?:_code)?[\"']? ?[:=] ?[\"']?(\d{3})\b")
#: What the collector leaves of a JSON web token (sse_host/masking.py).
_EXPIRY = re.compile(r"\*\*\*jwt\([^)]{0,80}\bexp=(\d{1,11})")
_CLIENT = re.compile(r"\bclient[=: ]{1,2}\"?([0-9a-fA-F.:]{2,45})")
_OURS = '"ssemedic"'
_LOOPBACK = ("127.", "::1", "unix:")


@dataclass(frozen=True)
class Asked:
    """One request for the stream. ``expires`` is when its token did, None where not known."""

    at: float
    client: str
    status: int
    expires: float | None = None


@dataclass(frozen=True)
class Again:
    """A client that asked again and again: how often, and every how many seconds."""

    client: str
    times: int
    every: float


def asked_before(case: Case) -> tuple[Asked, ...]:
    """The requests of others for the endpoint's path, the oldest first."""
    nginx = case.evidence.nginx
    if nginx is None:
        return ()
    path = urlsplit(case.endpoint.url).path or "/"
    wanted = re.compile(rf"(?:GET|POST) {re.escape(path)}(?=[?\s\"])")
    return tuple(sorted(_requests(case, nginx.access_logs, wanted), key=lambda one: one.at))


def _requests(case: Case, logs: Sequence[str], wanted: re.Pattern[str]) -> Iterator[Asked]:
    for source in logs:
        log = case.evidence.log(source)
        for line in log.lines if log else ():
            asked, client = wanted.search(line.text), _ADDRESS.search(line.text)
            if line.at is None or asked is None or client is None or _OURS in line.text:
                continue
            status = _STATUS.search(line.text, asked.end())
            if status is not None:
                expiry = _EXPIRY.search(line.text)
                yield Asked(
                    line.at,
                    client["bare"] or client["json"],
                    int(status[1] or status[2]),
                    float(expiry[1]) if expiry else None,
                )


def refused_as_expired(case: Case) -> tuple[tuple[float, str], ...]:
    """When the service told which client that its token had expired; our own time is left out."""
    streams = case.evidence.streams or ()
    began = min((s.started for s in streams), default=float("inf")) - 1.0
    found = []
    for line in case.unit_log():
        if line.at is None or line.at >= began:
            continue
        signature = classify(line.text.encode("utf-8", "replace"))
        client = _CLIENT.search(line.text)
        if client is None or client[1].startswith(_LOOPBACK):
            continue
        if signature is not None and signature.reason == "expired":
            found.append((line.at, client[1]))
    return tuple(found)


def again_and_again(
    moments: Sequence[tuple[float, str]], least: int = 4, slowest: float = 60.0
) -> tuple[Again, ...]:
    """Clients that came at least so often, and steadily: at EventSource's or a library's pace.

    ``slowest`` is the longest usual wait in seconds; a person who tries by hand is slower.
    """
    by_client: dict[str, list[float]] = {}
    for at, client in sorted(moments):
        by_client.setdefault(client, []).append(at)
    found = []
    for client, times in by_client.items():
        gaps = [later - earlier for earlier, later in pairwise(times)]
        every = statistics.median(gaps) if gaps else 0.0
        if len(times) >= least and 0.2 <= every <= slowest:
            found.append(Again(client, len(times), every))
    return tuple(sorted(found, key=lambda one: -one.times))
