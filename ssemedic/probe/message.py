"""The message flow: sent, then seen as an event on an open stream."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ssemedic.endpoint import Message
from ssemedic.probe import outside
from ssemedic.probe.request import Request
from ssemedic.stream.record import Stream

#: The stream is given this long to open before the message is sent (seconds).
_HEAD_START = 0.8
#: How long the stream is watched, at the first and at the second attempt (seconds).
_WINDOWS = (2.5, 8.0)


def send_and_watch(request: Request, message: Message) -> dict[str, Any]:
    """Open the stream, post the message, and look for its id among the events.

    Returns plain data: sent, delivered, seconds from sending to arrival, detail. A
    message that does not come back is tried once more with more patience: a busy
    machine may be late.
    """
    outcome = _attempt(request, message, _WINDOWS[0])
    return outcome if outcome["delivered"] else _attempt(request, message, _WINDOWS[1])


def _attempt(request: Request, message: Message, window: float) -> dict[str, Any]:
    with ThreadPoolExecutor(max_workers=1) as threads:
        watching = threads.submit(outside.record, replace(request, window=window))
        time.sleep(_HEAD_START)
        answer = post(request, message)
        stream = watching.result()
    number = id_of(answer, message.id)
    if number is None:
        status = answer.status or answer.end.kind
        return _outcome(False, False, None, f"POST {message.path} answered {status}")
    sent_at = answer.started + (answer.phases.sent or 0.0)
    arrived = arrival(stream, number)
    if arrived is None:
        return _outcome(True, False, None, f"no event with {message.id} {number} came back")
    seconds = max(0.0, stream.started + arrived - sent_at)
    return _outcome(True, True, seconds, f"event with {message.id} {number} came back")


def post(request: Request, message: Message) -> Stream:
    """Send the message to the origin of the stream, with its token; the record of the answer."""
    parts = urlsplit(request.url)
    return outside.record(
        Request(
            hop="public",
            variant="message",
            url=urlunsplit((parts.scheme, parts.netloc, message.path, "", "")),
            method="POST",
            headers=(("Content-Type", "application/json"), ("Accept", "application/json")),
            token=request.token,
            token_parameter="",
            body=json.dumps(dict(message.body)).encode(),
            window=5.0,
            connect=request.connect,
            ca_file=request.ca_file,
            server_name=request.server_name,
            verify=request.verify,
            proxy_command=request.proxy_command,
            proxy=request.proxy,
        )
    )


def id_of(answer: Stream, name: str) -> str | None:
    """The id that the answer gives the message; None where it was refused."""
    if answer.status is None or not 200 <= answer.status < 300:
        return None
    try:
        data = json.loads(answer.body)
    except ValueError:
        return None
    value = data.get(name) if isinstance(data, dict) else None
    return str(value) if value not in (None, "") else None


def arrival(stream: Stream, number: str) -> float | None:
    """Seconds from the stream's start to the read that completes the id; None if it never came."""
    offset = stream.body.find(number.encode())
    if offset < 0:
        return None
    end, total = offset + len(number), 0
    for read in stream.reads:
        total += read.size
        if total >= end:
            return read.at
    return None


def _outcome(sent: bool, delivered: bool, seconds: float | None, detail: str) -> dict[str, Any]:
    return {"sent": sent, "delivered": delivered, "seconds": seconds, "detail": detail}
