"""The message flow: sent, then seen as an event on an open stream."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ssemedic.endpoint import Message
from ssemedic.probe import outside
from ssemedic.probe.request import Request
from ssemedic.probe.sending import MARKER, arrival, id_of, is_taken, message_request
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
        marker = f"ssemedic-{secrets.token_hex(8)}"
        answer = post(request, message, marker)
        stream = watching.result()
    number = id_of(answer, message.id)
    if number is None and is_taken(answer) and MARKER in str(message.body):
        number = marker
    if number is None:
        status = answer.status or answer.end.kind
        return _outcome(False, False, None, f"{message.method} {message.path} answered {status}")
    sent_at = answer.started + (answer.phases.sent or 0.0)
    arrived = arrival(stream, number, message.event)
    if arrived is None:
        return _outcome(True, False, None, f"no event with {message.id} {number} came back")
    seconds = max(0.0, stream.started + arrived - sent_at)
    return _outcome(True, True, seconds, f"event with {message.id} {number} came back")


def post(request: Request, message: Message, marker: str = "") -> Stream:
    """Send the message to the origin of the stream, with its token; the record of the answer."""
    return outside.record(
        message_request(
            replace(request, hop="public"),
            message.path,
            message.body,
            message.method,
            message.headers,
            marker,
        )
    )


def _outcome(sent: bool, delivered: bool, seconds: float | None, detail: str) -> dict[str, Any]:
    return {"sent": sent, "delivered": delivered, "seconds": seconds, "detail": detail}
