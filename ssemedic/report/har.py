"""A probe as HAR 1.2: for the tools that people already read requests with.

The streams' reads, events and comments are in fields that begin with an underscore, as
HAR 1.2 asks of what it does not name.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Data = Mapping[str, Any]

_NOT_MEASURED = -1


def har(data: Data) -> dict[str, Any]:
    """The HAR of a probe's plain data; one entry for each hop. Times in milliseconds."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "ssemedic", "version": data["ssemedic"]},
            "pages": [],
            "entries": [_entry(hop) for hop in data["hops"]],
        }
    }


def _entry(hop: Data) -> dict[str, Any]:
    record = hop["record"]
    times = _timings(record["phases"], record["end"]["at"])
    return {
        "startedDateTime": datetime.fromtimestamp(record["started"], UTC).isoformat(
            timespec="milliseconds"
        ),
        "time": round(sum(t for name, t in times.items() if t > 0 and name != "ssl"), 3),
        "request": _request(record),
        "response": _response(hop),
        "cache": {},
        "timings": times,
        "serverIPAddress": str(record["address"]).rpartition(":")[0].strip("[]"),
        "_hop": hop["hop"],
        "_end": dict(record["end"]),
        "_reads": [{"time": _ms(at), "size": size} for at, size in record["reads"]],
        "_events": _events(hop["parsed"]),
        "_comments": [
            {"time": _ms(comment["at"]), "text": comment["text"]}
            for comment in (hop["parsed"] or {}).get("comments", ())
        ],
    }


def _request(record: Data) -> dict[str, Any]:
    pairs = parse_qsl(urlsplit(record["url"]).query, keep_blank_values=True)
    return {
        "method": record["method"],
        "url": record["url"],
        "httpVersion": f"HTTP/{record['request_version']}",
        "cookies": [],
        "headers": [],
        "queryString": [{"name": name, "value": value} for name, value in pairs],
        "headersSize": _NOT_MEASURED,
        "bodySize": _NOT_MEASURED,
    }


def _response(hop: Data) -> dict[str, Any]:
    record = hop["record"]
    headers: Sequence[Sequence[str]] = record["headers"]
    moved = next((value for name, value in headers if name.lower() == "location"), "")
    mime = next((value for name, value in headers if name.lower() == "content-type"), "")
    text = base64.b64decode(record["body"]).decode("utf-8", "replace")
    return {
        "status": record["status"] or 0,
        "statusText": record["reason"],
        "httpVersion": f"HTTP/{record['response_version'] or record['request_version']}",
        "cookies": [],
        "headers": [{"name": name, "value": value} for name, value in headers],
        "content": {"size": hop["size"], "mimeType": mime, "text": text},
        "redirectURL": moved,
        "headersSize": _NOT_MEASURED,
        "bodySize": hop["size"],
    }


def _timings(phases: Mapping[str, float | None], end: float) -> dict[str, float]:
    """From the ends of phases to their lengths; connect includes ssl, as HAR 1.2 has it."""
    resolved, connected = phases["resolved"], phases["connected"]
    secured, sent, headers = phases["tls"], phases["sent"], phases["headers"]
    ready = secured if secured is not None else connected
    return {
        "blocked": _NOT_MEASURED,
        "dns": _length(0.0, resolved),
        "connect": _length(resolved, ready),
        "ssl": _length(connected, secured),
        "send": max(0.0, _length(ready, sent)),
        "wait": max(0.0, _length(sent, headers if headers is not None else end)),
        "receive": max(0.0, _length(headers, end)),
    }


def _length(start: float | None, end: float | None) -> float:
    return _NOT_MEASURED if start is None or end is None else _ms(max(0.0, end - start))


def _events(parsed: Data | None) -> list[dict[str, Any]]:
    return [
        {
            "time": _ms(event["at"]),
            "type": event["type"],
            "id": event["id"],
            "data": event["data"],
            "offset": event["offset"],
        }
        for event in (parsed or {}).get("events", ())
    ]


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
