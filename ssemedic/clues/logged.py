"""Symptoms that the host's own log recorded for its users while nobody was probing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ssemedic.evidence import Evidence, LogLine, Nginx
from ssemedic.symptoms import Kind, Symptom

_REQUEST = r".*?request: \"(?:GET|POST) (?P<path>[^ ?\"]*)"
_PID = re.compile(r"\[\w+\] (\d+)#\d+: ")
#: One line may be a hiccup of the app; two are a pattern.
_PATTERN = 2


@dataclass(frozen=True)
class Sign:
    """What nginx writes for its users' trouble. A line that names a request must name ours."""

    name: str
    kind: Kind
    pattern: re.Pattern[str]
    said: str  # follows "nginx logged N times that"


CUT = Sign(
    "cut",
    Kind.CUT_WHEN_IDLE,
    re.compile(r"upstream timed out .*? while reading upstream" + _REQUEST),
    "it cut this stream for silence of the app",
)
CONNECTIONS_LIMITED = Sign(
    "connections",
    Kind.FEW_STREAMS,
    re.compile(r"limiting connections by zone \"(?P<zone>[^\"]*)\"" + _REQUEST),
    "it refused this stream, because its limit_conn was reached",
)
REQUESTS_LIMITED = Sign(
    "requests",
    Kind.FEW_STREAMS,
    re.compile(r"limiting requests, excess: [\d.]+ by zone \"(?P<zone>[^\"]*)\"" + _REQUEST),
    "it refused this stream, because its limit_req was reached",
)
NO_CONNECTIONS = Sign(
    "worker_connections",
    Kind.NO_ROOM,
    re.compile(r"\d+ worker_connections are not enough(?!, reusing)"),
    "a worker had no connection left for a client",
)
NO_FILES = Sign(
    "files",
    Kind.NO_ROOM,
    re.compile(r"(?:accept4?|socket)\(\) failed \(24: Too many open files\)"),
    "a worker had no file descriptor left for a client",
)
SIGNS = (CUT, CONNECTIONS_LIMITED, REQUESTS_LIMITED, NO_CONNECTIONS, NO_FILES)


def logged_symptoms(evidence: Evidence, url: str) -> tuple[Symptom, ...]:
    """What nginx logged of this endpoint under its present configuration, one of each kind."""
    found: dict[Kind, Symptom] = {}
    for sign in SIGNS:
        for source, lines in _by_source(evidence, sign, url):
            if len(lines) < _PATTERN or sign.kind in found:
                continue
            text = (
                f"nginx logged {len(lines)} times since its workers started that {sign.said} "
                f"({source})"
            )
            measured = {"count": len(lines), "last_line": lines[-1].text, "sign": sign.name}
            found[sign.kind] = Symptom(sign.kind, "nginx", text, measured, source)
    return tuple(found.values())


def logged(evidence: Evidence, sign: Sign, url: str) -> tuple[LogLine, ...]:
    """The lines of one sign that the workers in charge wrote, oldest first of each log."""
    return tuple(line for _source, lines in _by_source(evidence, sign, url) for line in lines)


def lines_of_workers(evidence: Evidence, pattern: re.Pattern[str]) -> tuple[LogLine, ...]:
    """The lines of nginx's error logs that fit and that the workers in charge wrote."""
    nginx = evidence.nginx
    if nginx is None:
        return ()
    return tuple(
        line
        for source in nginx.error_logs
        for line in _lines(evidence, nginx, source)
        if pattern.search(line.text)
    )


def _by_source(evidence: Evidence, sign: Sign, url: str) -> Iterable[tuple[str, list[LogLine]]]:
    nginx = evidence.nginx
    if nginx is None:
        return
    path = urlsplit(url).path or "/"
    for source in nginx.error_logs:
        fitting = [
            line for line in _lines(evidence, nginx, source) if _fits(sign.pattern, line, path)
        ]
        yield source, fitting


def _fits(pattern: re.Pattern[str], line: LogLine, path: str) -> bool:
    match = pattern.search(line.text)
    return match is not None and match.groupdict().get("path", path) == path


def _lines(evidence: Evidence, nginx: Nginx, source: str) -> Iterable[LogLine]:
    """The lines of the workers in charge: others tell of a configuration that is gone.

    Their process ids tell them apart within the second of a reload, as a line's time cannot.
    """
    since = nginx.newest_worker_started
    log = evidence.log(source)
    if since is None or log is None:
        return
    workers = {worker.pid for worker in nginx.workers if not worker.shutting_down}
    for line in log.lines:
        if line.at is None or line.at < math.floor(since):
            continue
        writer = _PID.search(line.text)
        if writer is None or int(writer[1]) in workers:
            yield line
