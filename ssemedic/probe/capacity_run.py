"""One run from the first stream to the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ssemedic.probe import capacity_own
from ssemedic.probe.capacity_crew import ANSWER_SECONDS, CONNECTING, LATE_SECONDS, Address, Crew
from ssemedic.probe.capacity_limits import Seen, first_limit
from ssemedic.probe.capacity_load import Load, Progress
from ssemedic.probe.capacity_result import CapacityResult, OwnCost, Trouble
from ssemedic.probe.capacity_stream import Speech
from ssemedic.probe.request import mask

_INTERRUPTED = "interrupted"
_TICK = 0.05  # seconds between two looks at the clock
#: With fewer streams, memory per stream says more about the interpreter than about them.
_LEAST_FOR_MEMORY = 100
#: A shorter hold (seconds) gives no rates of its own.
_LEAST_HOLD = 0.5
#: What another address of the same name may not suffer from.
_ADDRESS_FAILED = {"connection_refused", "connect_timeout", "unreachable", "backlog_full"}


@dataclass(frozen=True)
class _Mark:
    """The counts at one moment."""

    at: float
    cpu: float
    events: int
    bytes: int


class Run:
    """Call `result` once."""

    def __init__(
        self,
        load: Load,
        speech: Speech,
        addresses: Sequence[Address],
        *,
        at_home: bool,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._load = load
        self._speech = speech
        self._addresses = addresses
        self._at_home = at_home  # the server is on this machine
        self._progress = progress
        self._own = capacity_own.limits()
        self._allowed = min(load.streams, self._own.streams)
        self._overflows = capacity_own.overflows()
        self._memory = self._most_memory = capacity_own.resident()
        self._stalled = 0.0
        self._held_from: _Mark | None = None
        self._bug: BaseException | None = None
        self._zero = time.monotonic()

    async def result(self) -> CapacityResult:
        """Hold the streams; everything is closed when it returns."""
        asyncio.get_running_loop().set_exception_handler(self._note)
        started_with = time.process_time()
        crew = self._crew(self._addresses[0])
        stopped = "this machine has no file descriptors left"
        try:
            if self._allowed:
                crew = await self._first(crew)
                stopped = "the first stream did not open"
                if crew.opened_count:
                    stopped = await self._all(crew)
        except asyncio.CancelledError:
            stopped = _INTERRUPTED
        finally:
            self._look_at_memory()
            end = self._mark(crew)
            held = len(crew.held)
            crew.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn
        if self._bug is not None:
            raise self._bug
        return self._report(crew, end, held, end.cpu - started_with, stopped)

    def _crew(self, address: Address) -> Crew:
        return Crew(self._speech, address, self._allowed, self._zero, self._load.seconds)

    async def _first(self, crew: Crew) -> Crew:
        """One stream, at the first address that takes it: thousands must not ask in vain."""
        for address in self._addresses:
            crew = self._crew(address)
            await crew.open(0)
            while not crew.settled and crew.now() < self._load.seconds:
                await self._tick(crew)
            crew.sweep(0.0 if crew.now() >= self._load.seconds else ANSWER_SECONDS)
            if crew.opened_count or not _ADDRESS_FAILED & crew.refused.keys():
                break
        return crew

    async def _all(self, crew: Crew) -> str:
        """Open the rest, hold them, and say why it ended."""
        numbers = iter(range(1, self._allowed))
        openers = [asyncio.create_task(self._opener(crew, numbers)) for _ in range(CONNECTING)]
        try:
            return await self._watch(crew, openers)
        finally:
            crew.closing = True
            for opener in openers:
                opener.cancel()
            ends = await asyncio.gather(*openers, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    self._bug = end

    async def _opener(self, crew: Crew, numbers: Any) -> None:
        for number in numbers:
            early = number * self._load.ramp / self._allowed - crew.now()
            if early > 0:
                await asyncio.sleep(early)
            await crew.wait_for_room()
            if crew.drowning:
                return
            await crew.open(number)

    async def _watch(self, crew: Crew, openers: Sequence[asyncio.Task[None]]) -> str:
        next_second = 1.0
        while crew.now() < self._load.seconds:
            await self._tick(crew)
            if crew.drowning:
                return crew.drowning
            if all(opener.done() for opener in openers) and crew.settled:
                if self._held_from is None:
                    self._held_from = self._mark(crew)
                if not crew.held:
                    return "no stream is open any more"
            if crew.now() >= next_second:
                next_second += 1.0
                self._look_at_memory()
                self._tell(crew)
        crew.sweep(LATE_SECONDS)
        return "the time was up"

    async def _tick(self, crew: Crew) -> None:
        slept_at = crew.now()
        await asyncio.sleep(_TICK)
        self._stalled = max(self._stalled, crew.now() - slept_at - _TICK)
        crew.sweep()
        if self._bug is not None:
            raise self._bug

    def _tell(self, crew: Crew) -> None:
        if self._progress is not None:
            dropped = sum(one.count for one in crew.lost.values())
            counts = (crew.opened_count, len(crew.held), crew.failed_count, dropped, crew.events)
            self._progress(Progress(crew.now(), *counts))

    def _look_at_memory(self) -> None:
        now = capacity_own.resident()
        if now is not None:
            self._most_memory = max(now, self._most_memory or 0)

    def _mark(self, crew: Crew) -> _Mark:
        return _Mark(crew.now(), time.process_time(), crew.events, crew.bytes)

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What goes wrong in a callback of ours is a bug, and must not pass for the server's."""
        self._bug = context.get("exception") or RuntimeError(context["message"])

    def _report(
        self, crew: Crew, end: _Mark, held: int, cpu: float, stopped: str
    ) -> CapacityResult:
        since = self._held_from
        holding = since is not None and end.at - since.at >= _LEAST_HOLD
        start = since if since is not None and holding else _Mark(0.0, end.cpu - cpu, 0, 0)
        seconds = max(end.at - start.at, _TICK)
        share = (end.cpu - start.cpu) / seconds if holding else None
        refused, dropped = self._troubles(crew.refused), self._troubles(crew.lost)
        latency, basis = crew.latencies.best()
        return CapacityResult(
            url=self._load.request.public_url,
            address=crew.address.text,
            asked=self._load.streams,
            attempted=crew.attempts,
            opened=crew.opened_count,
            coded=crew.coded_count,
            most_held=crew.most_held,
            held=held,
            ramp=crew.last_opened_at,
            seconds=end.at,
            stopped=stopped,
            refused=refused,
            dropped=dropped,
            head=crew.head.quantiles(),
            first_event=crew.first_event.quantiles(),
            event_latency=latency,
            latency_basis=basis,
            events=crew.events,
            bytes=crew.bytes,
            events_per_second=(end.events - start.events) / seconds,
            bytes_per_second=(end.bytes - start.bytes) / seconds,
            own=OwnCost(cpu, share, self._bytes_per_stream(crew), self._stalled),
            limit=first_limit(
                Seen(
                    asked=self._load.streams,
                    allowed=self._allowed,
                    opened=crew.opened_count,
                    refused=refused,
                    dropped=dropped,
                    own=self._own,
                    cpu_share=share,
                    overflows=self._new_overflows(),
                    finite=self._load.method != "GET",
                    interrupted=stopped == _INTERRUPTED,
                )
            ),
        )

    def _troubles(self, found: Mapping[str, Trouble]) -> tuple[Trouble, ...]:
        """In the order of their first time, without the secrets that a server may repeat."""
        secrets = self._load.request.secrets()
        told = [
            replace(
                one, detail=mask(one.detail.encode("latin-1", "replace"), secrets).decode("latin-1")
            )
            for one in found.values()
        ]
        return tuple(sorted(told, key=lambda one: one.first_at))

    def _bytes_per_stream(self, crew: Crew) -> int | None:
        if self._memory is None or self._most_memory is None or crew.most_held < _LEAST_FOR_MEMORY:
            return None
        return (self._most_memory - self._memory) // crew.most_held

    def _new_overflows(self) -> int | None:
        now = capacity_own.overflows()
        if not self._at_home or now is None or self._overflows is None:
            return None
        return now - self._overflows
