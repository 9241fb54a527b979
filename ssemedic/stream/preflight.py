"""CORS preflight: when a browser asks first, and what must be answered (Fetch, 4.8). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ssemedic.stream.record import Stream
from ssemedic.symptoms import Expected, Kind, Symptom

_SIMPLE_METHODS = ("GET", "HEAD", "POST")
_SIMPLE_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
# Safe by the standard, or never set by a page.
_SIMPLE_HEADERS = (
    *("accept", "accept-language", "content-language"),
    *("accept-encoding", "cookie", "host", "origin", "user-agent", "content-length"),
)


def asked_headers(headers: Sequence[tuple[str, str]], bearer: bool) -> tuple[str, ...]:
    """The header names that need permission, sorted; ``bearer``: a token goes in a header."""
    found = {"authorization"} if bearer else set()
    for name, value in headers:
        lowered = name.lower()
        kind = value.split(";")[0].strip().lower()
        simple = lowered in _SIMPLE_HEADERS
        if not simple and (lowered != "content-type" or kind not in _SIMPLE_TYPES):
            found.add(lowered)
    return tuple(sorted(found))


def is_needed(method: str, headers: Sequence[str]) -> bool:
    """True if a page of another origin is asked to ask first."""
    return method not in _SIMPLE_METHODS or bool(headers)


def judge_preflight(
    answer: Stream, method: str, headers: Sequence[str], expected: Expected
) -> tuple[Symptom, ...]:
    """What makes a browser stop before it asks for the stream; one symptom at most."""
    said = list(_refusals(answer, method, headers, expected))
    if not said:
        return ()
    text = f"{answer.hop}: OPTIONS: {'; '.join(said)}"
    measured = {"status": answer.status, "method": method, "headers": list(headers)}
    return (Symptom(Kind.PREFLIGHT_REFUSED, answer.hop, text, measured),)


def _refusals(
    answer: Stream, method: str, headers: Sequence[str], expected: Expected
) -> Iterator[str]:
    if answer.status is None:
        yield f"no answer ({answer.end.kind})"
        return
    if not 200 <= answer.status < 300:
        yield f"answered {answer.status}, must be 204 or another 2xx"
        return
    origins = answer.header_values("access-control-allow-origin")
    allowed = [value.strip() for line in origins for value in line.split(",")]
    any_origin = allowed == ["*"] and not expected.credentials
    if allowed != [expected.origin] and not any_origin:
        seen = ", ".join(allowed) or "missing"
        yield f"Access-Control-Allow-Origin is {seen}, must be {expected.origin}"
    if expected.credentials and answer.header("access-control-allow-credentials") != "true":
        yield "Access-Control-Allow-Credentials must be true for a page that sends cookies"
    methods = _listed(answer, "access-control-allow-methods")
    any_method = "*" in methods and not expected.credentials
    if method not in _SIMPLE_METHODS and method.lower() not in methods and not any_method:
        yield f"Access-Control-Allow-Methods leaves out {method}"
    names = _listed(answer, "access-control-allow-headers")
    any_header = "*" in names and not expected.credentials
    # The star never stands for Authorization (Fetch, 4.8, step 7.8).
    missing = [h for h in headers if h not in names and (h == "authorization" or not any_header)]
    if missing:
        yield f"Access-Control-Allow-Headers leaves out {', '.join(missing)}"


def _listed(answer: Stream, header: str) -> set[str]:
    lines = answer.header_values(header)
    return {part.strip().lower() for line in lines for part in line.split(",")}
