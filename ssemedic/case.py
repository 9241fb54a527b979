"""All that a rule may look at, for one endpoint on one host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Evidence, LogLine, Unit
from ssemedic.nginx import Route
from ssemedic.symptoms import Kind, Symptom
from ssemedic.token import Token
from ssemedic.topology import Topology


class UnseenError(Exception):
    """A rule cannot judge: what it needs was not seen. The message is the reason."""


@dataclass(frozen=True)
class Case:
    """One endpoint on one host: what was seen, the way of an event, what the wire shows.

    ``symptoms`` are the origins alone; a consequence at an outer hop is not in it.
    """

    evidence: Evidence
    endpoint: Endpoint
    topology: Topology
    symptoms: tuple[Symptom, ...]
    token: Token | None = None

    def symptom(self, hop: str, *kinds: Kind) -> Symptom | None:
        """The first symptom of these kinds that starts at the hop."""
        return next((s for s in self.symptoms if s.hop == hop and s.kind in kinds), None)

    @property
    def unit(self) -> Unit:
        """The service behind the stream; raises `UnseenError` where it is not known."""
        if self.topology.unit is None:
            raise UnseenError("the service behind the stream is not known")
        return self.topology.unit

    @property
    def route(self) -> Route:
        """What nginx does with the URL; raises `UnseenError` where its configuration is unknown."""
        if self.topology.route is None:
            reason = self.evidence.missing.get("nginx.tree", "its configuration was not read")
            raise UnseenError(f"nginx: {reason}")
        return self.topology.route

    @property
    def asking(self) -> tuple[str, Route]:
        """The nginx server that asks the app, and its hop: the second where two stand in a row.

        Raises `UnseenError` where nginx's configuration is unknown.
        """
        inner = self.topology.inner
        return ("nginx", self.route) if inner is None else ("inner", inner)

    def unit_log(self) -> Iterable[LogLine]:
        """The journal of the service behind the stream and what it writes to files of its own,
        oldest line first of each."""
        unit = self.topology.unit
        if unit is None:
            return ()
        journal = self.evidence.log(f"journal:{unit.name}")
        logs = [journal] if journal else []
        logs += [log for log in self.evidence.logs or () if log.unit == unit.name]
        return [line for log in logs for line in log.lines]
