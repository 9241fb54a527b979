"""The report as Prometheus text (exposition format 0.0.4), as node_exporter takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.report import stations
from ssemedic.report.forms.said import steady

Data = Mapping[str, Any]
Sample = tuple[Mapping[str, str], float]

#: The value of the label ``hop`` for the endpoint as a whole.
WHOLE = "all"

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_NUMBERS = {
    "first_event": (
        "ssemedic_first_event_seconds",
        "Seconds from the start of the request to the first whole event.",
    ),
    "gap": (
        "ssemedic_keepalive_gap_seconds",
        "Longest time without a byte from the headers to the end of the record, in seconds.",
    ),
    "buffered": (
        "ssemedic_buffered_ratio",
        "Share of what the app sent apart that came together or not at all, 0 to 1.",
    ),
    "disconnect": (
        "ssemedic_disconnect_after_seconds",
        "Seconds after which the stream was ended by somebody else; absent while it stays open.",
    ),
}


def prometheus(report: Data) -> str:
    """The text; what was not measured has no sample, so it is never taken for 0."""
    endpoint = {"host": report["host"], "url": report["endpoint"]["url"]}
    hops = stations.stations(report)
    verdicts = [(WHOLE, stations.verdict(report)), *((hop.name, hop.verdict) for hop in hops)]
    parts = [
        _metric(
            "ssemedic_verdict",
            "1 for the verdict on the hop (hop=all: on the endpoint), 0 for the other verdicts.",
            (
                ({**endpoint, "hop": hop, "verdict": word}, float(word == found))
                for hop, found in verdicts
                for word in Verdict
            ),
        )
    ]
    for field, (name, text) in _NUMBERS.items():
        values = ((hop, getattr(hop, field)) for hop in hops)
        samples = [
            ({**endpoint, "hop": hop.name}, float(value))
            for hop, value in values
            if value is not None
        ]
        parts.append(_metric(name, text, samples))
    parts.append(_metric("ssemedic_cause", "1 for each cause that is left.", _causes(report)))
    collected = [(endpoint, float(report["collected_at"]))]
    parts.append(
        _metric("ssemedic_collected_timestamp_seconds", "When the host was looked at.", collected)
    )
    return "".join(parts)


def _causes(report: Data) -> list[Sample]:
    names = ("rule", "hop", "status", "severity")
    endpoint = {"host": report["host"], "url": report["endpoint"]["url"]}
    labels = [tuple((name, str(c[name])) for name in names) for c in stations.causes(report)]
    return [({**endpoint, **dict(label)}, 1.0) for label in dict.fromkeys(labels)]


def _metric(name: str, text: str, samples: Iterable[Sample]) -> str:
    """HELP, TYPE and every sample; a series that would stand twice stands once."""
    lines = dict.fromkeys(f"{name}{_labels(labels)} {value:.10g}" for labels, value in samples)
    if not lines:
        return ""
    return "\n".join([f"# HELP {name} {text}", f"# TYPE {name} gauge", *lines]) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{steady(value).translate(_ESCAPES)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"
