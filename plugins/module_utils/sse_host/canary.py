"""A marked message, sent with consent while every hop is recorded and the broker is watched.

Sent -> published -> delivered: where it is lost is told by comparing the three.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

from . import broker_talk
from .broker_login import Login
from .broker_watch import Watch
from .limits import UnavailableError

if TYPE_CHECKING:
    from ..ssemedic.probe.request import Request
    from ..ssemedic.stream.record import Stream

#: Streams are given this long to open before the message is sent (seconds).
HEAD_START = 1.2
#: So many streams beside the hops' own, to see whether each gets the message.
CROWD = 9
#: What must be left of the window for the message to arrive (seconds).
LEAST = 1.0
#: How the reference service takes a message (roles/sse_service).
REFERENCE: Mapping[str, Any] = {
    "path": "/api/chats/ssemedic/messages",
    "body": {"text": "a canary of ssemedic, {marker}"},
    "id": "id",
}


def known_service(cmdline: Sequence[str]) -> Optional[Mapping[str, Any]]:
    """How to send a message to a service that is known without being configured."""
    return REFERENCE if list(cmdline[-2:]) == ["-m", "notify"] else None


def send(
    message: Mapping[str, Any],
    ways: Sequence[Request],
    watches: Sequence[Watch],
    logins: Mapping[Any, Login],
    until: float,
    asked: int,
) -> Dict[str, Any]:
    """Send it: `Canary` data. ``until`` is when the streams end (time.monotonic()).

    ``ways`` are requests for the stream, outer hop first: where the outer one does not take the
    message, the inner one is asked. Raises `UnavailableError` where no time is left.
    """
    if until - time.monotonic() < LEAST:
        raise UnavailableError("the canary: the streams end too soon to send one")
    marker = "ssemedic-" + secrets.token_hex(8)
    sent = _publish if message.get("subject") else _post
    found = sent(message, marker, ways, watches, logins)
    found["until"] = round(time.time() + max(0.0, until - time.monotonic()), 3)
    found["asked"] = asked
    found["event"] = str(message.get("event") or "")
    return found


def _post(
    message: Mapping[str, Any],
    marker: str,
    ways: Sequence[Request],
    watches: Sequence[Watch],
    logins: Mapping[Any, Login],
) -> Dict[str, Any]:
    from ..ssemedic.probe.inside import record
    from ..ssemedic.probe.sending import MARKER, id_of, is_taken, message_request

    del watches, logins
    method, path = str(message.get("method") or "POST"), str(message["path"])
    refused: List[str] = []
    for way in ways:
        request = message_request(
            way, path, message.get("body") or {}, method, message.get("headers") or {}, marker
        )
        answer = record(dataclasses.replace(request, verify=False))
        said = str(answer.status or answer.end.kind)
        if is_taken(answer):
            number = id_of(answer, str(message.get("id") or "id"))
            if number is None and MARKER in json.dumps(dict(message.get("body") or {})):
                number = marker
            return {
                "how": "%s %s" % (method, path),
                "at": round(answer.started + (answer.phases.sent or 0.0), 3),
                "accepted": True,
                "answer": said if number else "%s, without an id to look for" % said,
                "needle": number or "",
                "answered": _answered(answer),
            }
        refused.append("%s at %s" % (said, way.hop))
    return {
        "how": "%s %s" % (method, path),
        "at": round(time.time(), 3),
        "accepted": False,
        "answer": ", ".join(refused) or "nobody to ask",
        "needle": "",
        "answered": None,
    }


def _answered(answer: Stream) -> Optional[float]:
    headers, sent = answer.phases.headers, answer.phases.sent
    return round(headers - sent, 3) if headers is not None and sent is not None else None


def _publish(
    message: Mapping[str, Any],
    marker: str,
    ways: Sequence[Request],
    watches: Sequence[Watch],
    logins: Mapping[Any, Login],
) -> Dict[str, Any]:
    """Straight to the broker that is watched: the first that takes it."""
    from ..ssemedic.probe.sending import marked
    from .broker_login import here

    del ways
    subject = marked(str(message["subject"]), marker)
    payload = json.dumps(marked(message.get("body") or {}, marker)).encode("utf-8")
    refused: List[str] = []
    for watch in watches:
        login = logins.get((watch.kind, here(watch.address)))
        deadline = time.monotonic() + 2 * broker_talk.CONNECT_SECONDS
        at = time.time()
        try:
            if watch.kind == "nats":
                with broker_talk.nats(watch.address, login, deadline) as talk:
                    at = time.time()
                    head = b"PUB %s %d\r\n" % (subject.encode("utf-8"), len(payload))
                    talk.send(head + payload + b"\r\nPING\r\n")
                    broker_talk.nats_confirmed(talk)
            else:
                with broker_talk.redis(watch.address, login, deadline) as talk:
                    at = time.time()
                    broker_talk.ask(talk, "PUBLISH", subject, payload.decode("utf-8"))
        except (OSError, ValueError, broker_talk.RefusedError) as error:
            refused.append("%s: %s" % (watch.kind, error))
            continue
        return {
            "how": "%s %s" % (watch.kind, subject),
            "at": round(at, 3),
            "accepted": True,
            "answer": "published",
            "needle": marker,
            "answered": round(time.time() - at, 3),
        }
    return {
        "how": "publish %s" % subject,
        "at": round(time.time(), 3),
        "accepted": False,
        "answer": "; ".join(refused)[:300] or "no broker that could be published to",
        "needle": "",
        "answered": None,
    }
