"""The brokers while the streams are open: who hears what, what passes, and the canary."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import broker_clients, broker_files, canary, listeners, proc
from .broker_login import Login, here, logins
from .broker_watch import Watch
from .brokers import Place
from .host import Host
from .limits import UnavailableError

if TYPE_CHECKING:
    from ..ssemedic.probe.request import Request
    from .streams import Recording

_SETTLED = 1.0  # seconds after which an open stream is subscribed
_SPOKEN = ("nats", "redis")
_GRACE = 3.0

Address = Tuple[str, str]  # kind, "host:port"


class Session:
    """What is seen of the brokers from the first stream's beginning to the last one's end."""

    def __init__(
        self,
        host: Host,
        places: Sequence[Place],
        settings: Mapping[str, str],
        recording: Optional[Recording],
    ) -> None:
        self._host = host
        self._places = list(places)
        self._recording = recording
        self._logins: Dict[Tuple[str, str], Login] = logins(settings)
        self._watches: List[Watch] = []
        self._found: Dict[Address, Dict[str, Any]] = {}
        self._canary: Optional[Dict[str, Any]] = None
        self._attempt = host.start("brokers.clients", self._run)

    def finish(self, evidence: Dict[str, Any]) -> None:
        """Add what was seen to the brokers of the evidence, and the canary."""
        self._attempt.value(time.monotonic() + _GRACE + self._left())
        for broker in evidence["brokers"]:
            seen = dict(self._found.get((broker["kind"], broker["address"]), {}))
            broker["facts"].update(seen.pop("told", {}))
            broker.update(seen)
        evidence["canary"] = self._canary

    def _left(self) -> float:
        ends = self._recording.ends if self._recording is not None else 0.0
        return max(0.0, ends - time.monotonic())

    def _run(self) -> None:
        sends = self._host.wanted.canary and self._recording is not None
        try:
            if sends:
                self._begin_watching()
                self._host.now("canary", self._send)
            elif self._recording is not None:
                time.sleep(min(_SETTLED, self._left()))
            for place in self._places:
                self._see(place)
            if sends:
                time.sleep(max(0.0, self._left() - 0.2))
        finally:
            for watch in self._watches:
                watch.end()
            self._keep()

    def _begin_watching(self) -> None:
        deadline = time.monotonic() + self._left()
        self._watches = [
            Watch(place.kind, place.address, self._login(place), deadline)
            for place in self._places
            if place.kind in _SPOKEN and listeners.here(here(place.address))
        ]

    def _login(self, place: Place) -> Optional[Login]:
        return self._logins.get((place.kind, here(place.address)))

    def _send(self) -> None:
        recording = self._recording
        assert recording is not None
        message = self._message()
        asked = recording.crowd(canary.CROWD)
        time.sleep(min(canary.HEAD_START, self._left()))
        for watch in self._watches:
            watch.ready.wait(2.0)
        ways: List[Request] = recording.ways()
        self._canary = canary.send(
            message, ways, self._watches, self._logins, recording.ends, asked
        )

    def _message(self) -> Mapping[str, Any]:
        if self._host.wanted.message:
            return self._host.wanted.message
        pid = (self._host.app_listener or {}).get("pid")
        known = canary.known_service(proc.cmdline(pid)) if pid else None
        if known is None:
            raise UnavailableError(
                "the canary: nobody says how to send a message; give sse_endpoint a message"
            )
        return known

    def _see(self, place: Place) -> None:
        """The clients of one broker; where it does not tell, the reason stands in missing."""
        source = "brokers.%s" % place.kind
        found = self._host.now(source, lambda: self._clients(place))
        if found is not None:
            clients, facts = found
            self._found[(place.kind, place.address)] = {"clients": clients, "told": facts}
        told = self._found.setdefault((place.kind, place.address), {}).setdefault("told", {})
        limits, secrets = self._host.limits, self._host.secrets
        logged = self._host.now(source, lambda: broker_files.lines(place.kind, limits, secrets))
        if logged:
            told["log"] = [*logged, *told.get("log", [])]
        if place.kind == "postgresql":
            listening = self._host.listeners or []
            told.update(
                self._host.now("pgbouncer", lambda: broker_files.pgbouncer(listening)) or {}
            )

    def _clients(self, place: Place) -> Tuple[List[Dict[str, Any]], Dict[str, Any]]:
        held = broker_clients.owners()
        deadline = time.monotonic() + 2.0
        if place.kind == "redis":
            try:
                return broker_clients.of_redis(place, self._login(place), held, deadline)
            except UnavailableError as error:
                if "max number of clients" not in str(error):
                    raise
                port = int(place.address.rpartition(":")[2])
                return broker_clients.by_sockets(port), {"log": [str(error)]}
        if not listeners.here(here(place.address)):
            raise UnavailableError("%s at %s: is on another host" % (place.kind, place.address))
        if place.kind == "nats":
            clients, facts = broker_clients.of_nats(held)
            if clients is None:
                raise UnavailableError(
                    "NATS at %s: its monitoring (port 8222) does not answer, so who is "
                    "subscribed to what is not known" % place.address
                )
            return clients, facts
        limits = self._host.limits
        return broker_clients.of_postgresql(held, limits.command_seconds, self._host.secrets)

    def _keep(self) -> None:
        needle = (self._canary or {}).get("needle", "")
        for watch in self._watches:
            found = self._found.setdefault((watch.kind, watch.address), {})
            found["published"] = watch.seen(needle)
            found["unwatched"] = watch.refused
