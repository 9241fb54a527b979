"""What the prober does for the page: the same request from outside the browser, and the rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ssemedic.endpoint import EndpointError, checked_origin, checked_url
from ssemedic.judge import judge
from ssemedic.offline.found import OfflineError
from ssemedic.page.result import found_in
from ssemedic.probe import outside
from ssemedic.probe.redirects import record_following
from ssemedic.probe.request import Limits, Request, RequestError
from ssemedic.report.clean import clean
from ssemedic.report.redact import redact_report
from ssemedic.stream.detect import observe_one
from ssemedic.stream.record import Stream
from ssemedic.stream.remarks import remarks
from ssemedic.symptoms import Expected

_LIMITS = Limits(max_bytes=4 << 20, body_limit=64 << 10)
_LONGEST = 600.0
_SHOWN = 400
_JWT = re.compile(rb"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_DATA = re.compile(rb"^(data:? ?)([^\r\n]+)", re.MULTILINE)


class AskedWrongError(ValueError):
    """The page asked for what cannot be done; the message is one sentence without a secret."""


def probe(
    asked: Mapping[str, Any], record: Callable[[Request], Stream] = outside.record
) -> dict[str, Any]:
    """One stream, asked for as a browser's page would: its record, symptoms, and the first words.

    Raises `AskedWrongError`.
    """
    request, expected = _request(asked)
    stream = record_following(request, record)
    found = (*observe_one(stream, expected), *remarks(stream, expected))
    words = [clean(symptom.text.partition(": ")[2]) for symptom in found]
    plain = inert(stream).to_dict()
    body = plain.pop("body")  # masked byte by byte; base64 looks like a token to a redactor
    answer = {
        "record": plain,
        "symptoms": [symptom.kind for symptom in found],
        "words": words[0] if words else "",
        "kind": found[0].kind if found else "",
        "start": _start(stream),
    }
    secrets = [secret.decode("utf-8", "replace") for secret in request.secrets()]
    safe = redact_report(answer, secrets)
    safe["record"]["body"] = body
    return safe


def judged(result: Mapping[str, Any]) -> dict[str, Any]:
    """The causes and symptoms that the rules find in a result of the page.

    Raises `AskedWrongError`.
    """
    try:
        found = found_in(result)
    except OfflineError as error:
        raise AskedWrongError(str(error)) from error
    assert found.endpoint is not None
    diagnosis = judge(found.evidence, found.endpoint, found.token).diagnosis
    return {
        "verdict": diagnosis.verdict,
        "causes": [
            {
                "rule": cause.rule.id,
                "title": cause.rule.title,
                "status": cause.status,
                "hop": cause.finding.hop,
                "observed": clean(cause.finding.observed),
                "advice": [
                    {"audience": one.audience, "text": clean(one.text)}
                    for one in cause.finding.advice
                ],
            }
            for cause in diagnosis.causes
        ],
        "symptoms": [
            {"kind": s.kind, "hop": s.hop, "text": clean(s.text)} for s in diagnosis.symptoms
        ],
    }


def inert(stream: Stream) -> Stream:
    """The record without what events say: letters become x, and so does what looks like a token."""
    body = _JWT.sub(lambda found: b"*" * len(found.group()), stream.body)
    if stream.is_event_stream:
        body = _DATA.sub(lambda found: found.group(1) + b"x" * len(found.group(2)), body)
    return replace(stream, body=body)


def _request(asked: Mapping[str, Any]) -> tuple[Request, Expected]:
    try:
        origin = checked_origin(str(asked["origin"]))
        by_header = asked["transport"] == "header"
        window = float(asked["window"])
        if not 0 < window <= _LONGEST:
            raise AskedWrongError(f"window: must be more than 0 and at most {_LONGEST:g} seconds")
        # A page of the same origin sends none with a GET.
        headers = () if asked.get("same_origin") else (("Origin", origin),)
        token = asked.get("token") if asked["transport"] != "cookie" else None
        request = Request(
            hop="devproxy" if asked.get("hop") == "devproxy" else "public",
            url=checked_url(str(asked["url"])),
            headers=headers,
            token=str(token) if token else None,
            token_parameter="" if by_header else str(asked["parameter"]),
            window=window,
            limits=_LIMITS,
        )
    except (KeyError, TypeError, ValueError, EndpointError, RequestError) as error:
        if isinstance(error, AskedWrongError):
            raise
        raise AskedWrongError(f"probe: {error}") from error
    cookies = bool(asked.get("credentials"))
    expected = Expected(
        None if asked.get("same_origin") else origin, window=window, credentials=cookies
    )
    return request, expected


def _start(stream: Stream) -> str:
    """The first words of a refusal or of an HTML page; nothing of an event stream."""
    if stream.is_event_stream:
        return ""
    return clean(inert(stream).body[:_SHOWN].decode("utf-8", "replace"))
