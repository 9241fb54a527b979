"""The connection to NATS: kept up, subscribed again after every loss, checked by round trips."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import Error as NatsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription as NatsSubscription

    # Called with the subject a message was heard on, and the message.
    Deliver = Callable[[str, bytes], Awaitable[None]]

log = logging.getLogger("notify.broker")

RETRY_SECONDS = 1.0
ANSWER_SECONDS = 2.0
REPEAT_COMPLAINT_SECONDS = 30.0


class BrokerError(Exception):
    """NATS cannot be used now; the text says why."""


@dataclass
class Subscription:
    """One subject we want to hear; `live` is what NATS knows of it, None while it knows nothing."""

    subject: str
    deliver: Deliver
    live: NatsSubscription | None = None


class Broker:
    """Holds one NATS connection. `run` keeps it until it is cancelled."""

    def __init__(self, url: str, *, resubscribe: bool = True) -> None:
        self._url = url
        self._resubscribe = resubscribe
        self._client: Client | None = None
        self._closed = asyncio.Event()
        self._subscriptions: dict[str, Subscription] = {}
        self._denied: str | None = None
        self._complained = 0.0
        self._echo_subject = f"notify.health.{secrets.token_hex(8)}"
        self._echoes: dict[bytes, asyncio.Future[None]] = {}

    @property
    def address(self) -> str:
        """Host and port of the broker, without the credentials a URL may carry."""
        parts = urlsplit(self._url)
        return f"{parts.hostname}:{parts.port or 4222}"

    async def run(self) -> None:
        """Connect, subscribe, and start over whenever the connection is given up."""
        self._subscriptions[self._echo_subject] = Subscription(self._echo_subject, self._on_echo)
        first = True
        while True:
            try:
                await self._connect(subscribe=first or self._resubscribe)
                first = False
                await self._until_lost()
                log.error("broker connection lost address=%s", self.address)
            except (NatsError, OSError, TimeoutError) as error:
                self._complain(error)
            finally:
                await self._abandon()
            await asyncio.sleep(RETRY_SECONDS)

    async def subscribe(self, subject: str, deliver: Deliver) -> Subscription:
        """Hear `subject` from now on. Raises BrokerError if NATS does not confirm it."""
        client = self.require_connection()
        subscription = Subscription(subject, deliver)
        try:
            await self._make_live(client, subscription)
            await client.flush(timeout=int(ANSWER_SECONDS))
        except (NatsError, OSError, TimeoutError) as error:
            raise BrokerError(f"subscribe to {subject}: {_name(error)}") from error
        if self._denied:
            raise BrokerError(self._denied)
        self._subscriptions[subject] = subscription
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Stop hearing it; a connection that is gone has forgotten it already."""
        self._subscriptions.pop(subscription.subject, None)
        if subscription.live is not None:
            with contextlib.suppress(NatsError):
                await subscription.live.unsubscribe()

    async def publish(self, subject: str, payload: bytes, *, confirm: bool) -> None:
        """Send `payload`; with `confirm`, return only once NATS has it. Raises BrokerError."""
        client = self.require_connection()
        try:
            await client.publish(subject, payload)
            if confirm:
                await client.flush(timeout=int(ANSWER_SECONDS))
        except (NatsError, OSError, TimeoutError) as error:
            raise BrokerError(f"publish to {subject}: {_name(error)}") from error

    async def round_trip(self) -> float:
        """Seconds a message of ours takes through NATS and back. Raises BrokerError."""
        client = self.require_connection()
        if self._denied:
            raise BrokerError(self._denied)
        dead = [item.subject for item in self._subscriptions.values() if item.live is None]
        if dead:
            raise BrokerError(f"{len(dead)} subscription(s) are dead, first {dead[0]}")
        nonce = secrets.token_hex(8).encode()
        echo = self._echoes[nonce] = asyncio.get_running_loop().create_future()
        started = time.monotonic()
        try:
            await client.publish(self._echo_subject, nonce)
            await asyncio.wait_for(echo, ANSWER_SECONDS)
        except TimeoutError:
            raise BrokerError(
                f"a message through {self.address} did not come back within {ANSWER_SECONDS:g} s"
            ) from None
        except (NatsError, OSError) as error:
            raise BrokerError(f"publish: {_name(error)}") from error
        finally:
            del self._echoes[nonce]
        return time.monotonic() - started

    def require_connection(self) -> Client:
        """The connection. Raises BrokerError while there is none."""
        if self._client is None or not self._is_up():
            raise BrokerError(f"not connected to {self.address}")
        return self._client

    def _is_up(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def _connect(self, *, subscribe: bool) -> None:
        self._closed.clear()
        self._denied = None
        client = self._client = Client()
        await client.connect(
            self._url,
            name="notify",
            # The library's own reconnect stays off: it gives up for good on some errors,
            # and one way back is easier to reason about than two.
            allow_reconnect=False,
            connect_timeout=int(ANSWER_SECONDS),
            ping_interval=10,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
        )
        if subscribe:
            for subscription in list(self._subscriptions.values()):
                await self._make_live(client, subscription)
            await client.flush(timeout=int(ANSWER_SECONDS))
        self._complained = 0.0
        log.info(
            "broker connected address=%s subscriptions=%d", self.address, len(self._subscriptions)
        )

    async def _until_lost(self) -> None:
        # The callback tells at once; the look at the state is for losses it is not told of.
        while self._is_up() and not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), RETRY_SECONDS)

    async def _make_live(self, client: Client, subscription: Subscription) -> None:
        async def on_message(message: Msg) -> None:
            await subscription.deliver(message.subject, message.data)

        subscription.live = await client.subscribe(subscription.subject, cb=on_message)

    async def _abandon(self) -> None:
        client, self._client = self._client, None
        for subscription in self._subscriptions.values():
            subscription.live = None
        if client is not None and not client.is_closed:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await client.close()

    async def _on_closed(self) -> None:
        self._closed.set()

    async def _on_error(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            self._denied = f"refused by the broker: {str(error)[:200]}"
            log.error("broker %s", self._denied)
        else:
            self._complain(error)

    async def _on_echo(self, _subject: str, payload: bytes) -> None:
        echo = self._echoes.get(payload)
        if echo is not None and not echo.done():
            echo.set_result(None)

    def _complain(self, error: Exception) -> None:
        """Log a failure at once, then no more often than every half minute while it lasts."""
        now = time.monotonic()
        if not self._complained or now - self._complained >= REPEAT_COMPLAINT_SECONDS:
            self._complained = now
            log.error("broker unavailable address=%s error=%s", self.address, _name(error))


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}" if str(error) else type(error).__name__
