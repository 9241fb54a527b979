"""The request that sends a test message, and how its arrival is read from a record.

Runs on the inspected host too (Python 3.8, standard library only): the message that proves
a repair from outside and the canary that is sent on the host are the same message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..stream.coding import parse_decoded
from ..stream.record import Stream
from .request import Request

#: Stands in a message's body or subject for a text that no other message has.
MARKER = "{marker}"

#: How long the service may take to answer a message (seconds).
ANSWER_SECONDS = 5.0


def marked(value: Any, marker: str) -> Any:
    """The same data with every ``{marker}`` in its texts replaced."""
    if isinstance(value, str):
        return value.replace(MARKER, marker)
    if isinstance(value, Mapping):
        return {str(name): marked(item, marker) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [marked(item, marker) for item in value]
    return value


def message_request(
    request: Request,
    path: str,
    body: Mapping[str, Any],
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    marker: str = "",
) -> Request:
    """The request that sends a message to the origin of a stream's request, with its token."""
    parts = urlsplit(request.url)
    named = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    return replace(
        request,
        variant="message",
        url=urlunsplit((parts.scheme, parts.netloc, path, "", "")),
        method=method,
        headers=tuple(named.items()),
        token_parameter="",
        body=json.dumps(marked(dict(body), marker)).encode("utf-8"),
        window=ANSWER_SECONDS,
    )


def is_taken(answer: Stream) -> bool:
    """True if the service accepted the message."""
    return answer.status is not None and 200 <= answer.status < 300


def id_of(answer: Stream, name: str) -> str | None:
    """The id that the answer gives the message; None where it was refused or gives none."""
    if not is_taken(answer):
        return None
    try:
        data = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    value = data.get(name) if isinstance(data, dict) else None
    return str(value) if value not in (None, "") else None


def arrival(stream: Stream, number: str, event: str = "") -> float | None:
    """Seconds from the stream's start to the read that completes the id; None if it never came.

    With ``event`` only the data of events of that name counts.
    """
    if event:
        parsed = parse_decoded(stream)
        named = [e for e in parsed.events if e.type == event] if parsed else []
        return next((e.at for e in named if number in e.data), None)
    offset = stream.body.find(number.encode())
    if offset < 0:
        return None
    end, total = offset + len(number), 0
    for read in stream.reads:
        total += read.size
        if total >= end:
            return read.at
    return None
