"""What passes through a broker in a few seconds: subjects, counts and sizes, no payloads.

Only with the operator's consent (``canary``). A subscription to everything changes nothing
that is stored, but others can notice it: with it NATS does not tell a requester that nobody
answers, and Redis' PUBLISH counts one receiver more. It ends after a number of messages that
NATS itself enforces, after so many bytes, and with the window of the streams.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from . import broker_talk
from .broker_login import Login
from .broker_talk import RefusedError, Talk

MESSAGES = 500
BYTES = 8 * 1024 * 1024
PAYLOAD_BYTES = 64 * 1024  # of each message, kept in memory until it is known which is ours
SUBJECTS = 64
_QUIET = ("$", "_INBOX.")


class Watch:
    """One broker under watch. Begin, wait until `ready`, end, then ask for what was seen."""

    def __init__(self, kind: str, address: str, login: Optional[Login], deadline: float) -> None:
        self.kind, self.address = kind, address
        self._login, self._deadline = login, deadline
        self.ready = threading.Event()
        self.refused = ""
        self._over = threading.Event()
        self._seen: List[Tuple[float, str, bytes, int]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop at the next message or tick."""
        self._over.set()
        self._thread.join(2.0)

    def seen(self, needle: str) -> Optional[List[Dict[str, Any]]]:
        """`Published` data by subject; None where it could not be watched. Payloads end here."""
        if not self.ready.is_set() or (self.refused and not self._seen):
            return None
        wanted = needle.encode("utf-8")
        found: Dict[str, Dict[str, Any]] = {}
        for at, subject, payload, size in list(self._seen):
            if subject.startswith(_QUIET):
                continue
            ours = bool(wanted) and wanted in payload
            if subject not in found and len(found) >= SUBJECTS and not ours:
                continue
            known = found.setdefault(
                subject,
                {
                    "subject": subject[:256],
                    "count": 0,
                    "first": round(at, 3),
                    "largest_bytes": 0,
                    "canary": False,
                    "canary_at": None,
                },
            )
            known["count"] += 1
            known["largest_bytes"] = max(known["largest_bytes"], size)
            if ours and not known["canary"]:
                known["canary"], known["canary_at"] = True, round(at, 3)
        self._seen.clear()
        return list(found.values())

    def _run(self) -> None:
        try:
            if self.kind == "nats":
                with broker_talk.nats(self.address, self._login, self._deadline) as talk:
                    talk.send(b"SUB > 1\r\nUNSUB 1 %d\r\nPING\r\n" % MESSAGES)
                    broker_talk.nats_confirmed(talk)
                    self._read(talk, broker_talk.nats_message)
            else:
                with broker_talk.redis(self.address, self._login, self._deadline) as talk:
                    broker_talk.ask(talk, "PSUBSCRIBE", "*")
                    self._read(talk, broker_talk.redis_message)
        except (OSError, ValueError, RefusedError) as error:
            self.refused = str(error)[:200] or type(error).__name__
        finally:
            self.ready.set()

    def _read(self, talk: Talk, read: Any) -> None:
        self.ready.set()
        end = talk.deadline
        while not self._over.is_set() and time.monotonic() < end:
            if len(self._seen) >= MESSAGES or talk.received > BYTES:
                return
            talk.deadline = min(end, time.monotonic() + 0.25)
            try:
                message = read(talk)
            except OSError as error:
                if "time" in str(error):  # nothing came meanwhile
                    continue
                raise
            if message is not None:
                subject, payload = message
                self._seen.append((time.time(), subject, payload[:PAYLOAD_BYTES], len(payload)))
