"""What a probe found, as plain data without secrets: every form of its report is made from it."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ssemedic import __version__
from ssemedic.assertions import Checked
from ssemedic.finding import Severity
from ssemedic.probe.experiments import Experiment
from ssemedic.report.redact import redact_report
from ssemedic.stream.coding import coding, parse_decoded
from ssemedic.stream.measured import longest_gap, measured
from ssemedic.stream.parser import Parsed
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Expected, Kind, Symptom, cost
from ssemedic.token_remarks import Remark

SCHEMA = 1

HEALTHY, DEGRADED, BROKEN, UNKNOWN = "healthy", "degraded", "broken", "unknown"

#: Nobody was there to be judged: neither a person nor a pipeline learns more than that.
_NOBODY = frozenset({Kind.UNREACHABLE, Kind.REFUSED})
_JWT = re.compile(rb"eyJ[\w-]{10,}\.[\w-]+\.[\w-]*")


@dataclass(frozen=True)
class Probed:
    """One look at one URL. The last of ``streams`` is the URL itself, the others hops inside.

    ``origins`` are the ids of the symptoms that are not the consequence of an inner one;
    ``allowed`` the kinds that the operator accepts.
    """

    streams: tuple[Stream, ...]
    symptoms: tuple[Symptom, ...]
    origins: frozenset[str]
    checked: tuple[Checked, ...] = ()
    remarks: tuple[Remark, ...] = ()
    verified: bool | None = None  # the token's signature; None where no key was given
    allowed: frozenset[Kind] = frozenset()
    experiments: tuple[Experiment, ...] = ()
    expected: Expected = field(default_factory=Expected)

    @property
    def counted(self) -> tuple[Symptom, ...]:
        """The symptoms that nobody accepted."""
        return tuple(s for s in self.symptoms if s.kind not in self.allowed)

    @property
    def verdict(self) -> str:
        """healthy, degraded (it streams, with a flaw), broken, or unknown (nobody was reached)."""
        ours = self.streams[-1]
        kinds = {symptom.kind for symptom in self.counted}
        of_url = {symptom.kind for symptom in self.counted if symptom.hop == ours.hop}
        if ours.end.kind == "not_recorded" or of_url & _NOBODY:
            return UNKNOWN
        if any(cost(kind) is Severity.BROKEN for kind in kinds):
            return BROKEN
        return DEGRADED if kinds else HEALTHY

    @property
    def exit_code(self) -> int:
        """0 healthy and all as asserted, 1 symptoms, a failed assertion or signature, 3 unknown."""
        if self.verdict == UNKNOWN:
            return 3
        held = all(checked.holds for checked in self.checked) and self.verified is not False
        return 0 if self.verdict == HEALTHY and held else 1


def data_of(probed: Probed, secrets: Sequence[str]) -> dict[str, Any]:
    """The report as plain data; ``secrets`` are masked wherever they stand."""
    ours = probed.streams[-1]
    data = {
        "schema": SCHEMA,
        "ssemedic": __version__,
        "url": ours.url,
        "method": ours.method,
        "started": datetime.fromtimestamp(ours.started, UTC).isoformat(timespec="milliseconds"),
        "verdict": probed.verdict,
        "exit_code": probed.exit_code,
        "hops": [_hop(stream) for stream in probed.streams],
        "symptoms": [_symptom(symptom, probed) for symptom in probed.symptoms],
        "judged": {kind: judged(kind, probed) for kind in Kind},
        "assertions": [_assertion(checked) for checked in probed.checked],
        # Not under "token": a field of that name is taken for one and hidden.
        "credentials": [asdict(remark) for remark in probed.remarks],
        "experiments": [_experiment(experiment) for experiment in probed.experiments],
    }
    result = redact_report(data, secrets)
    for hop, stream in zip(result["hops"], probed.streams, strict=True):
        # A body in base64 looks like a token to a redactor; it is masked byte by byte before.
        hop["record"]["body"] = base64.b64encode(_safe_body(stream)).decode("ascii")
    return result


def judged(kind: Kind, probed: Probed) -> bool:
    """True if what was done could have shown the symptom: silence about the rest is no health."""
    ours = probed.streams[-1]
    if kind in _BY_EXPERIMENT:
        return any(one.name in _BY_EXPERIMENT[kind] and one.records for one in probed.experiments)
    if kind in _CORS and probed.expected.origin is None:
        return False
    if kind == Kind.SILENT and probed.expected.keepalive_seconds is None:
        return False
    if ours.end.kind == "not_recorded" or kind in _ELSEWHERE:
        return False
    if kind in _OF_CONNECTION:
        return True
    if kind == Kind.BUFFERED:
        return len(probed.streams) > 1 and probed.streams[0].is_event_stream
    if kind in _OF_ANSWER:
        return ours.status is not None
    return ours.is_event_stream


#: Only the host's log shows the one, only a browser the other.
_ELSEWHERE = frozenset({Kind.NO_ROOM, Kind.BROWSER_REFUSED})
_OF_CONNECTION = frozenset(
    {Kind.UNREACHABLE, Kind.REFUSED, Kind.TLS_ERROR, Kind.NOT_HTTP, Kind.NO_ANSWER, Kind.RESET}
)
_OF_ANSWER = frozenset(
    {Kind.HEADERS_LATE, Kind.WRONG_STATUS, Kind.HTML_INSTEAD, Kind.WRONG_TYPE, Kind.REDIRECT_LOOP}
    | {Kind.ERROR_WITHOUT_CORS}
)
_CORS = frozenset({Kind.MISSING_CORS, Kind.DUPLICATE_CORS, Kind.ERROR_WITHOUT_CORS})
_BY_EXPERIMENT = {
    Kind.CANARY_LOST: ("fanout",),
    Kind.FANOUT_PARTIAL: ("fanout",),
    Kind.FEW_STREAMS: ("many",),
    Kind.LOST_ON_RESUME: ("resume",),
    Kind.REPLAYED: ("resume",),
    Kind.PREFLIGHT_REFUSED: ("preflight",),
    Kind.SIX_CONNECTIONS: ("versions",),
}


def _experiment(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "varied": experiment.varied,
        "conclusion": experiment.conclusion,
        "records": [{**record.to_dict(), "body": ""} for record in experiment.records],
        "symptoms": [symptom.id for symptom in experiment.symptoms],
    }


def _hop(stream: Stream) -> dict[str, Any]:
    stream = replace(stream, body=_masked(stream.body))
    parsed = parse_decoded(stream)
    gap = longest_gap(stream)
    record = stream.to_dict()
    record["body"] = ""
    return {
        "hop": stream.hop,
        "record": record,
        "status": stream.status,
        "content_type": stream.content_type,
        "is_event_stream": stream.is_event_stream,
        "content_coding": coding(stream),
        "size": stream.size,
        "kept": len(stream.body),
        "measured": asdict(measured(stream)),
        "longest_gap": None if gap is None else [round(gap[0], 4), round(gap[1], 4)],
        "parsed": None if parsed is None or not stream.is_event_stream else _parsed(parsed),
    }


def _parsed(parsed: Parsed) -> dict[str, Any]:
    return {
        "events": [asdict(event) for event in parsed.events],
        "comments": [asdict(comment) for comment in parsed.comments],
        "retry": parsed.retry,
        "last_id": parsed.last_id,
        "lines": parsed.lines,
        "ignored": parsed.ignored,
        "pending": parsed.pending,
    }


def _symptom(symptom: Symptom, probed: Probed) -> dict[str, Any]:
    return {
        "id": symptom.id,
        "kind": symptom.kind,
        "hop": symptom.hop,
        "text": symptom.text,
        "measured": dict(symptom.measured),
        "origin": symptom.id in probed.origins,
        "allowed": symptom.kind in probed.allowed,
    }


def _assertion(checked: Checked) -> dict[str, Any]:
    return {
        "assertion": checked.assertion.text,
        "holds": checked.holds,
        "observed": checked.observed,
        "note": checked.note,
    }


def _safe_body(stream: Stream) -> bytes:
    """The body as kept; none where a content coding could hide in it what must be masked."""
    return b"" if coding(stream) else _masked(stream.body)


def _masked(body: bytes) -> bytes:
    """Stars for every JSON web token, byte for byte, so that offsets stay true."""
    return _JWT.sub(lambda found: b"*" * len(found.group()), body)
