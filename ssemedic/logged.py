"""Symptoms that the host's own log recorded for its users while nobody was probing."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ssemedic.evidence import Evidence, LogLine
from ssemedic.symptoms import Kind, Symptom

_TIMED_OUT = re.compile(
    r"upstream timed out .*? while reading upstream.*?request: \"(?:GET|POST) ([^ ?\"]*)"
)
#: One line may be a hiccup of the app; two are a pattern.
_PATTERN = 2


def logged_symptoms(evidence: Evidence, url: str) -> tuple[Symptom, ...]:
    """Cuts of this endpoint that nginx logged under its present configuration.

    Lines older than the workers in charge tell of a configuration that is gone.
    """
    if evidence.nginx is None:
        return ()
    since = evidence.nginx.newest_worker_started
    if since is None:
        return ()
    path = urlsplit(url).path or "/"
    found = []
    for source in evidence.nginx.error_logs:
        log = evidence.log(source)
        cuts = [line for line in log.lines if _is_cut(line, path, since)] if log else []
        if len(cuts) >= _PATTERN:
            text = (
                f"nginx logged {len(cuts)} cuts of this stream for silence of the app since its "
                f"workers started ({source})"
            )
            measured = {"count": len(cuts), "last_line": cuts[-1].text}
            found.append(Symptom(Kind.CUT_WHEN_IDLE, "nginx", text, measured, source))
    return tuple(found)


def _is_cut(line: LogLine, path: str, since: float) -> bool:
    match = _TIMED_OUT.search(line.text)
    return match is not None and match[1] == path and line.at is not None and line.at >= since
