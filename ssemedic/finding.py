"""What a rule says: findings, remedies, advice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Layer(StrEnum):
    """Where a cause lives. The order is the order of the way of an event."""

    PIPELINE = "pipeline"
    OS = "os"
    SYSTEMD = "systemd"
    AUTH = "auth"
    APP = "app"
    NGINX = "nginx"
    EDGE = "edge"
    DEVPROXY = "devproxy"
    CLIENT = "client"


class Severity(StrEnum):
    """What a cause costs the people at the browser."""

    BROKEN = "broken"  # no stream
    DEGRADED = "degraded"  # a stream that dies, stalls or will
    HYGIENE = "hygiene"  # worth tidying


class Status(StrEnum):
    """How sure a cause is."""

    CONFIRMED = "confirmed"  # evidence, and a symptom it explains that starts at its hop
    SUSPECTED = "suspected"  # a symptom, the evidence out of reach
    LATENT = "latent"  # evidence, no symptom yet


class Disruption(StrEnum):
    """What applying a remedy does to open streams."""

    NONE = "none"
    RELOAD = "reload"  # open streams go on in the old workers
    RESTART = "restart"  # open streams of the service drop and reconnect


@dataclass(frozen=True)
class NginxRemedy:
    """What the location that serves the stream must hold, and what it must not.

    ``settings`` maps a directive to the argument lists it must have there. ``without``
    names lines that must not be in force there: the directive and its first argument,
    as in ``("add_header", "Connection")``; one argument of several, as of
    ``proxy_ignore_headers``, is named the same way. ``location`` (such as "^~ /events" or
    "= /events") asks for a new location in the server: a copy of the one that serves the
    URL now, where that passes it on; a ``proxy_pass`` of ours with a URI part is then meant
    as written. Without it the settings go where they change nothing but the stream.
    ``process`` sets limits of nginx's processes (main and events level), in place:
    worker_connections, worker_rlimit_nofile, worker_shutdown_timeout. ``reload`` reloads
    nginx though no file changes.
    """

    settings: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    without: tuple[tuple[str, str], ...] = ()
    location: str | None = None
    process: Mapping[str, str] = field(default_factory=dict)
    reload: bool = False
    disruption: Disruption = Disruption.RELOAD


@dataclass(frozen=True)
class UnitRemedy:
    """Settings and state for one systemd service, by a drop-in.

    ``settings`` maps a section to its directives. ``state`` is "started",
    "restarted" or "unchanged". ``always`` restarts though no file changes. ``whole`` writes
    the unit itself, where there is none.
    """

    unit: str
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    enabled: bool | None = None
    state: str = "unchanged"
    reset_failed: bool = False
    whole: bool = False
    always: bool = False
    disruption: Disruption = Disruption.RESTART


Remedy = NginxRemedy | UnitRemedy


class Audience(StrEnum):
    """Who can act on an advice."""

    SERVER = "server team"
    FRONTEND = "frontend team"
    VENDOR = "vendor"


@dataclass(frozen=True)
class Advice:
    """What a person must do, and who; ``text`` is complete enough to act on."""

    audience: Audience
    text: str


@dataclass(frozen=True)
class Finding:
    """A cause that a rule found.

    ``where`` is file:line, a unit or a port. ``certainty`` orders causes that
    explain the same symptom: 3 a counter-test or the host's own log names it,
    2 measurement and configuration agree, 1 only one of them. ``depends`` is for
    what a configuration alone tells: what must be true of the app or the clients
    for it to hurt, "" where it hurts whatever they do.
    """

    hop: str
    where: str
    observed: str
    expected: str
    evidence: tuple[str, ...] = ()
    remedy: Remedy | None = None
    advice: tuple[Advice, ...] = ()
    certainty: int = 2
    depends: str = ""
    also_at: tuple[str, ...] = ()  # other hops where the same cause shows: one listener, two views
    severity: Severity | None = None  # where this one weighs less than its rule says
    out_of_reach: str = ""  # why the evidence could not be had: makes the finding a suspicion
