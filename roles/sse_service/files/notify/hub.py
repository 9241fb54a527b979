"""From one NATS subscription per workspace to the streams of that workspace."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from notify.broker import BrokerError

if TYPE_CHECKING:
    from notify.broker import Broker, Subscription
    from notify.misconfigurations import Misconfigurations
    from notify.settings import Settings
    from notify.tokens import Caller

log = logging.getLogger("notify.hub")

MESSAGE = "message"
MESSAGE_STATUS = "message_status"
LARGEST_PAYLOAD = 64 * 1024
PLAIN = re.compile(r"[!-~]{1,128}")


class StreamLimitError(Exception):
    """The service holds as many streams as it is allowed to."""


@dataclass(frozen=True)
class Event:
    """One event for every stream of a workspace. `data` is one line of JSON."""

    name: str
    id: str
    data: str
    subject: str


@dataclass(eq=False)
class Listener:
    """One open stream: what waits for it, and why it must end (None while it may go on)."""

    workspace: Workspace
    queue: asyncio.Queue[Event | None]
    position: str
    replay: str
    end: str | None = None

    def offer(self, event: Event) -> None:
        """Queue `event`; a client that is a whole queue behind is told to start over."""
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.finish("client too slow")

    def finish(self, reason: str) -> None:
        """End the stream: what waits is dropped, the reader wakes up. The first reason stays."""
        if self.end is None:
            self.end = reason
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


@dataclass(eq=False)
class Workspace:
    """The streams of one workspace and the last events it saw."""

    name: str
    recent: deque[Event]
    # What `connected` carries before any event: "nothing seen yet, but from here on all".
    origin: str = field(default_factory=lambda: f"start-{secrets.token_hex(6)}")
    forgot: bool = False
    listeners: set[Listener] = field(default_factory=set)
    # Messages that no stream has been sent yet.
    undelivered: set[str] = field(default_factory=set)
    left_at: float = field(default_factory=time.monotonic)
    subscription: Subscription | None = None

    def remember(self, event: Event) -> bool:
        """Keep `event` for replay; False if it is already known."""
        if any(event.id == known.id for known in self.recent):
            return False
        if len(self.recent) == self.recent.maxlen:
            self.undelivered.discard(self.recent[0].id)
            self.forgot = True
        self.recent.append(event)
        return True

    def position(self) -> str:
        """The id a client that connects now is up to date with."""
        return self.recent[-1].id if self.recent else self.origin

    def since(self, last_event_id: str) -> list[Event] | None:
        """The events after `last_event_id`, or None if that cannot be known any more."""
        events = list(self.recent)
        for index, event in enumerate(events):
            if event.id == last_event_id:
                return events[index + 1 :]
        return events if last_event_id == self.origin and not self.forgot else None


class Hub:
    """All workspaces somebody listens to, or did lately."""

    def __init__(self, broker: Broker, settings: Settings, wrong: Misconfigurations) -> None:
        self._broker = broker
        self._settings = settings
        self._wrong = wrong
        self._workspaces: dict[str, Workspace] = {}
        self._subscribing = asyncio.Lock()
        self._stopping = False

    @property
    def streams(self) -> int:
        """Streams that are open now."""
        return sum(len(workspace.listeners) for workspace in self._workspaces.values())

    @property
    def workspaces(self) -> int:
        """Workspaces that are subscribed now."""
        return len(self._workspaces)

    async def join(self, caller: Caller, last_event_id: str | None) -> Listener:
        """Subscribe `caller`; what it missed is queued. Raises BrokerError, StreamLimitError."""
        if self._stopping:
            raise BrokerError("the service is stopping")
        if self.streams >= self._settings.max_streams:
            raise StreamLimitError(f"{self.streams} streams are open, that is the limit")
        self._broker.require_connection()
        workspace = await self._subscribed(caller.workspace)
        # Nothing below awaits: no event can slip between the replay and the live queue.
        missed = workspace.since(last_event_id) if last_event_id else []
        room = self._settings.queue_events + len(missed or ())
        listener = Listener(
            workspace=workspace,
            queue=asyncio.Queue(room + 1),
            position=workspace.position() if not missed else str(last_event_id),
            replay="unknown" if missed is None else str(len(missed)),
        )
        for event in missed or ():
            listener.offer(event)
        workspace.listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a stream that ended."""
        listener.workspace.listeners.discard(listener)
        listener.workspace.left_at = time.monotonic()

    async def post(self, caller: Caller, chat: str, text: str) -> str:
        """Publish a message and return its id once NATS has it. Raises BrokerError."""
        message_id = secrets.token_hex(12)
        data = {"id": message_id, "chat": chat, "from": caller.subject, "text": text}
        subject = _subject(caller.workspace, chat, self._wrong.publish_subject)
        await self._publish(subject, MESSAGE, message_id, data, True)
        return message_id

    async def sent(self, listener: Listener, event: Event) -> None:
        """A stream was given `event`: the first time this is true of a message, say `delivered`."""
        if event.id not in listener.workspace.undelivered:
            return
        listener.workspace.undelivered.discard(event.id)
        data = {"id": event.id, "status": "delivered"}
        try:
            await self._publish(event.subject, MESSAGE_STATUS, f"{event.id}.delivered", data, False)
        except BrokerError as error:
            log.warning("delivery of %s not announced: %s", event.id, error)

    def stop(self) -> None:
        """End every stream cleanly and accept no more."""
        self._stopping = True
        for workspace in self._workspaces.values():
            for listener in list(workspace.listeners):
                listener.finish("service stops")

    async def sweep(self) -> None:
        """For ever: unsubscribe workspaces that nobody has listened to for a while."""
        while True:
            await asyncio.sleep(max(1.0, self._settings.linger / 4))
            oldest = time.monotonic() - self._settings.linger
            for workspace in list(self._workspaces.values()):
                if not workspace.listeners and workspace.left_at < oldest:
                    del self._workspaces[workspace.name]
                    if workspace.subscription is not None:
                        await self._broker.unsubscribe(workspace.subscription)

    async def _subscribed(self, name: str) -> Workspace:
        async with self._subscribing:
            workspace = self._workspaces.get(name)
            if workspace is not None:
                workspace.left_at = time.monotonic()
                return workspace
            workspace = Workspace(name, deque(maxlen=self._settings.replay_events))
            subject = self._settings.subject.replace("{workspace}", name)

            async def deliver(heard_on: str, payload: bytes) -> None:
                self._dispatch(workspace, heard_on, payload)

            workspace.subscription = await self._broker.subscribe(subject, deliver)
            self._workspaces[name] = workspace
            return workspace

    def _dispatch(self, workspace: Workspace, subject: str, payload: bytes) -> None:
        event = parse(subject, payload)
        if event is None:
            log.warning(
                "message dropped workspace=%s bytes=%d: not an event envelope",
                workspace.name,
                len(payload),
            )
            return
        if not workspace.remember(event):
            return
        if event.name == MESSAGE:
            workspace.undelivered.add(event.id)
        elif event.name == MESSAGE_STATUS:
            workspace.undelivered.discard(event.id.removesuffix(".delivered"))
        for listener in list(workspace.listeners):
            listener.offer(event)

    async def _publish(
        self, subject: str, name: str, event_id: str, data: dict[str, str], confirm: bool
    ) -> None:
        envelope = {"event": name, "id": event_id, "data": data}
        payload = json.dumps(envelope).encode()
        if self._wrong.fan_out == "memory":
            # A misconfiguration: only the streams of this process hear it.
            for workspace in self._workspaces.values():
                if workspace.name in subject.split("."):
                    self._dispatch(workspace, subject, payload)
            return
        await self._broker.publish(subject, payload, confirm=confirm)


def parse(subject: str, payload: bytes) -> Event | None:
    """The event in what NATS delivered on `subject`, or None if it is no envelope of ours."""
    if len(payload) > LARGEST_PAYLOAD:
        return None
    try:
        envelope = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(envelope, dict) or "data" not in envelope:
        return None
    name, event_id = envelope.get("event"), envelope.get("id")
    if not _is_plain(name) or not _is_plain(event_id):
        return None
    # json.dumps escapes line ends: whatever the publisher sent stays one data line.
    return Event(str(name), str(event_id), json.dumps(envelope["data"]), subject)


def _is_plain(value: object) -> bool:
    """Whether `value` can stand in an SSE field: one short line of printable ASCII."""
    return isinstance(value, str) and PLAIN.fullmatch(value) is not None


def _subject(workspace: str, chat: str, template: str = "") -> str:
    template = template or "notify.workspace.{workspace}.chat.{chat}"
    return template.replace("{workspace}", workspace).replace("{chat}", chat)
