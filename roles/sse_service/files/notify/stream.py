"""One stream: the first event, what the workspace hears, and a comment while it is idle."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus, SendTimeoutError

from notify.misconfigurations import block_the_loop, spoil

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from notify.hub import Hub, Listener
    from notify.misconfigurations import Misconfigurations
    from notify.settings import Settings

log = logging.getLogger("notify.stream")

# The library's default line end is CR LF, per event; LF is shorter and as good.
block = partial(ServerSentEvent, sep="\n")

# The hub ends streams with their last chunk; the library would only tear them.
AppStatus.enable_automatic_graceful_drain = False


class EventStream(EventSourceResponse):
    """A response of `events`, with our headers and without the library's own ping."""

    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        settings: Settings,
        wrong: Misconfigurations,
    ) -> None:
        super().__init__(
            events,
            ping=0,
            send_timeout=settings.send_timeout,
            headers={"Cache-Control": wrong.cache_control},
        )
        self._wrong = wrong
        self.headers["Content-Type"] = wrong.content_type
        if not wrong.cache_control:
            del self.headers["Cache-Control"]
        if not wrong.x_accel_buffering:
            del self.headers["X-Accel-Buffering"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, spoil(scope, send, self._wrong))


class WorkspaceStream(EventStream):
    """The stream of one listener; leaves the hub and writes its line in the log when it ends."""

    def __init__(
        self,
        listener: Listener,
        hub: Hub,
        settings: Settings,
        wrong: Misconfigurations,
        label: str,
    ) -> None:
        self._listener = listener
        self._hub = hub
        self._label = label
        self._sent = [0]
        super().__init__(
            workspace_events(listener, hub, settings, wrong, self._sent), settings, wrong
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened = time.monotonic()
        log.info("stream opened %s replay=%s", self._label, self._listener.replay)
        reason = "client went away"
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            reason = "client does not read"
        except asyncio.CancelledError:
            reason = "service stops"
            raise
        finally:
            self._hub.leave(self._listener)
            log.info(
                "stream closed %s reason=%r seconds=%.3f events=%d",
                self._label,
                self._listener.end or reason,
                time.monotonic() - opened,
                self._sent[0],
            )


async def no_events() -> AsyncIterator[ServerSentEvent]:
    """A stream that ends before it begins."""
    return
    yield


async def workspace_events(
    listener: Listener,
    hub: Hub,
    settings: Settings,
    wrong: Misconfigurations,
    sent: list[int],
) -> AsyncIterator[ServerSentEvent]:
    """What one client is sent until `listener` has to end. `sent[0]` counts the events."""
    started = time.monotonic()
    quiet = not wrong.flush_headers
    next_tick = started + wrong.tick
    if wrong.first_event and not quiet:
        yield connected(listener, settings)
        sent[0] += 1
    last = time.monotonic()
    while listener.end is None or not listener.queue.empty():
        deadlines = [
            last + settings.ping if settings.ping is not None and not quiet else None,
            next_tick if wrong.tick else None,
            started + wrong.close_after if wrong.close_after else None,
        ]
        try:
            until = min((at for at in deadlines if at is not None), default=None)
            async with asyncio.timeout(None if until is None else until - time.monotonic()):
                event = await listener.queue.get()
        except TimeoutError:
            now = time.monotonic()
            if wrong.close_after and now >= started + wrong.close_after:
                listener.finish("time limit of the service")
                return
            if wrong.tick and now >= next_tick:
                block_the_loop(wrong.block_loop)
                next_tick = time.monotonic() + wrong.tick
                yield block(event="tick", data=json.dumps({"at": round(time.time(), 3)}))
                sent[0] += 1
                quiet = False
            else:
                yield block(comment="ping")
            last = time.monotonic()
            continue
        if event is None:
            if wrong.stop == "hang" and listener.end == "service stops":
                await asyncio.Event().wait()
            return
        yield block(event=event.name, id=event.id, data=event.data)
        # Back here, the server has taken the event for this client.
        sent[0] += 1
        quiet = False
        last = time.monotonic()
        await hub.sent(listener, event)


def connected(listener: Listener, settings: Settings) -> ServerSentEvent:
    """The first event: where the client stands, and how long to wait before it reconnects."""
    data = {
        "workspace": listener.workspace.name,
        "replay": listener.replay,
        "ping_seconds": settings.ping,
    }
    return block(
        event="connected", id=listener.position, data=json.dumps(data), retry=settings.retry_ms
    )
