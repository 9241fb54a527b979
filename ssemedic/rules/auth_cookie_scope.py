"""Cause: auth_cookie_scope."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.clues.cookies import Cookie, cookies_of, why_not_sent
from ssemedic.clues.refused import Refusal, refused
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

_QUOTED = re.compile(r"cookie[:=]? ?['\"`]([\w.\-]{1,64})['\"`]|['\"`]([\w.\-]{1,64})['\"`] cookie")
_LIKE_A_SESSION = re.compile(r"(?i)sess|sid$|auth|token|jwt|login|^id$|remember")


@rule(
    layer=Layer.AUTH,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (401, 403)),),
    needs=("streams",),
)
def auth_cookie_scope(case: Case) -> Iterator[Finding]:
    """The session cookie is set so that browsers do not send it to the stream.

    The service wants a cookie and gets none: its Path or Domain does not cover the URL of the
    stream, it is Secure on an http page, SameSite keeps it from a page of another site, or the
    answer's CORS headers do not allow credentials. The page is logged in, every other request
    works, and the stream is 401, which is final for EventSource (readyState 2).

    The scope of a cookie is set where the user logs in, so nothing is changed on the host.
    """
    found = refused(case)
    if found is None or found[1].reason != "cookie":
        return
    symptom, refusal = found
    streams = [*case.topology.streams, *case.topology.counter]
    for cookie in _meant(streams, refusal):
        why = why_not_sent(cookie, case.endpoint.url, case.endpoint.origin)
        if why:
            observed = f"the cookie {cookie.name} ({cookie.scope}) is not sent to the stream: {why}"
            evidence = (
                symptom.text,
                refusal.evidence,
                f"the app sets {cookie.name} with {cookie.scope}",
            )
            yield _finding(case, observed, evidence)
            return
    cors = _no_credentials(case)
    if cors:
        yield _finding(
            case,
            f"a page of {case.endpoint.origin} may not send cookies: {cors}",
            (symptom.text, refusal.evidence, cors),
        )


def _finding(case: Case, observed: str, evidence: tuple[str, ...]) -> Finding:
    unit = case.topology.unit
    return Finding(
        hop="app",
        where=unit.name if unit else "the app",
        observed=observed,
        expected="a cookie whose Domain, Path, SameSite and Secure cover the stream's URL",
        evidence=evidence,
        certainty=3,
        advice=_advice(case),
    )


def _meant(streams: list[Stream], refusal: Refusal) -> list[Cookie]:
    """The cookies that the refusal may speak of: the one it names, else those like a session."""
    every = {cookie.name: cookie for stream in streams for cookie in cookies_of(stream)}
    named = _QUOTED.search(refusal.said)
    if named:
        wanted = every.get(named[1] or named[2])
        return [wanted] if wanted else []
    return [cookie for name, cookie in every.items() if _LIKE_A_SESSION.search(name)]


def _no_credentials(case: Case) -> str:
    """What keeps a page of another origin from sending cookies (Fetch, CORS check); "" if none."""
    origin, stream = case.endpoint.origin, case.topology.stream("public")
    parts = urlsplit(case.endpoint.url)
    if origin is None or origin.lower() == f"{parts.scheme}://{parts.netloc}".lower():
        return ""
    stream = stream or case.topology.stream("app")
    if stream is None or stream.status is None:
        return ""
    allowed = stream.header("access-control-allow-origin")
    credentials = stream.header("access-control-allow-credentials")
    if allowed is None:
        return ""  # then the page may read nothing at all, which is another cause
    if allowed == "*":
        return "Access-Control-Allow-Origin is *, which browsers do not take with credentials"
    if credentials != "true":
        return f"Access-Control-Allow-Credentials is {credentials or 'missing'}, must be true"
    return ""


def _advice(case: Case) -> tuple[Advice, ...]:
    parts = urlsplit(case.endpoint.url)
    origin = case.endpoint.origin
    labels = (parts.hostname or "").split(".")
    parent = ".".join(labels[-2:]) if len(labels) > 2 and not labels[-1].isdigit() else ""
    domain = f"; Domain={parent}" if parent else ""
    if origin:
        scope = f"Path=/{domain}; Secure; HttpOnly; SameSite=None"
        cors = (
            f" Answer the stream with Access-Control-Allow-Origin: {origin} (never *) and "
            "Access-Control-Allow-Credentials: true, also in front of 401."
        )
        page = "Open the stream with new EventSource(url, {withCredentials: true})."
    else:
        secure = "; Secure" if parts.scheme == "https" else ""
        scope = f"Path=/{domain}{secure}; HttpOnly; SameSite=Lax"
        cors = ""
        page = "Log in again once the cookie is set anew: a browser keeps the old one beside it."
    return (
        Advice(
            Audience.SERVER, f"Set the session cookie where the user logs in as: {scope}.{cors}"
        ),
        Advice(Audience.FRONTEND, page),
    )
