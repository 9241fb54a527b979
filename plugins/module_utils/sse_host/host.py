"""What is known of the host so far, and the reasons for what is not."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, Optional

from . import background, listeners, nginx, proc, sockets, streams, stuck
from .wanted import Wanted


class Host:
    """One collection under way. Each step adds to it; none needs all of it."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.limits = wanted.limits
        self.secrets = wanted.secrets
        self.missing: Dict[str, str] = {}
        self.table: Dict[int, proc.Proc] = {}
        self.opened = proc.OpenFiles({}, {}, 0)
        self.tcp: List[sockets.Socket] = []
        self.listeners: Optional[List[Dict[str, Any]]] = None
        self.unit_files: Dict[str, str] = {}
        self.instance: Optional[nginx.Instance] = None
        self.built: Optional[nginx.Build] = None
        self.config: Optional[nginx.Config] = None
        self.way = streams.Way()
        self.queues = stuck.Queues({}, self.opened)
        self.deadline = 0.0
        self.give_time()

    def give_time(self) -> None:
        """From now on there are as many seconds as the limits allow for a whole collection."""
        self.deadline = time.monotonic() + self.limits.total_seconds

    def now(self, source: str, work: Callable[[], Any]) -> Any:
        """The result of ``work``, or None and a reason."""
        return background.now(source, work, self.missing)

    def start(self, source: str, work: Callable[[], Any]) -> background.Attempt[Any]:
        """``work`` begun in a thread."""
        return background.start(source, work, self.missing)

    @property
    def records_streams(self) -> bool:
        """False where a reason against it is known."""
        return "streams" not in self.missing

    @property
    def target(self) -> Optional[str]:
        """The address of the application, as far as the inventory or nginx tells."""
        return self.wanted.upstream or self.way.target

    @property
    def app_listener(self) -> Optional[Mapping[str, Any]]:
        """Who listens at the target."""
        return listeners.at(self.target, self.listeners or []) if self.target else None
