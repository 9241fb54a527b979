"""Everything seen on one host, as frozen types.

The module ``sse_evidence`` returns plain data; `Evidence.from_dict` turns it into
these types. A section that could not be collected is None and `Evidence.missing`
says why: missing evidence is never health.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ssemedic.stream.record import Stream

SCHEMA = 1

T = TypeVar("T")


class EvidenceError(ValueError):
    """The data is not evidence of a schema this version reads."""


@dataclass(frozen=True)
class TextFile:
    """One file read on the host, byte for byte. ``link`` is the target if path is a symlink."""

    path: str
    content: bytes
    sha256: str
    mode: int
    owner: str
    group: str
    link: str | None = None

    @property
    def text(self) -> str:
        """For showing and matching; bytes that are not UTF-8 survive as surrogates."""
        return self.content.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Process:
    """A process that matters: its limits are those in force (/proc/PID/limits)."""

    pid: int
    name: str
    cmdline: str
    user: str
    unit: str | None
    started: float | None
    rss_bytes: int | None
    threads: int | None
    fds_used: int | None
    fds_soft: int | None
    fds_hard: int | None
    sockets: Mapping[str, int] = field(default_factory=dict)  # TCP state -> count


@dataclass(frozen=True)
class Listener:
    """A listening socket. ``address`` is an IP, "*" or a unix socket path; port 0 for unix."""

    family: str  # "inet", "inet6", "unix"
    address: str
    port: int
    pid: int | None
    process: str | None
    unit: str | None
    queue: int | None = None  # connections waiting to be accepted
    backlog: int | None = None  # how many may wait


@dataclass(frozen=True)
class Unit:
    """A systemd service as `systemctl show` tells it."""

    name: str
    load_state: str
    active_state: str
    sub_state: str
    unit_file_state: str
    result: str
    main_pid: int
    restarts: int
    exit_status: int | None
    exit_code: str
    fragment: str | None
    drop_ins: tuple[str, ...]
    need_reload: bool
    active_since: float | None  # epoch seconds
    properties: Mapping[str, str]  # raw, as printed, for what has no field of its own
    files: tuple[TextFile, ...] = ()

    def prop(self, name: str) -> str:
        """A raw property, "" where systemd did not print it."""
        return self.properties.get(name, "")


@dataclass(frozen=True)
class LogLine:
    """One line. ``at`` is epoch seconds, None where the line carries no time."""

    at: float | None
    text: str


@dataclass(frozen=True)
class Log:
    """The newest lines of one source: "journal:UNIT" or a path."""

    source: str
    lines: tuple[LogLine, ...]
    truncated: bool = False


@dataclass(frozen=True)
class NginxWorker:
    """A worker process of nginx; one that is shutting down serves old streams only."""

    pid: int
    started: float | None
    shutting_down: bool
    fds_used: int | None
    fds_soft: int | None


@dataclass(frozen=True)
class Nginx:
    """nginx: what runs and every configuration file it includes."""

    version: str
    build: str  # nginx -V
    unit: str | None
    running: bool
    workers: tuple[NginxWorker, ...]
    main: str  # path of nginx.conf
    files: tuple[TextFile, ...]
    test_ok: bool | None  # nginx -t; None where we may not run it
    test_output: str
    error_logs: tuple[str, ...]
    access_logs: tuple[str, ...]
    #: How many streams each client address holds open where the URL's clients arrive, the most
    #: first; no addresses, and none of this host's own. None where it was not seen.
    streams_by_client: tuple[int, ...] | None = None

    @property
    def newest_worker_started(self) -> float | None:
        """Epoch seconds since when the present configuration is in force, as far as known."""
        times = [w.started for w in self.workers if not w.shutting_down and w.started]
        return min(times) if times else None


@dataclass(frozen=True)
class HostName:
    """A name in nginx's upstreams as the host resolves it now; nginx did so when it started.

    ``addresses`` come in the order of getaddrinfo; ``hosts_file`` are those of /etc/hosts,
    which was last changed at ``hosts_changed`` (epoch seconds, None where it is not readable).
    """

    name: str
    addresses: tuple[str, ...]
    error: str = ""
    hosts_file: tuple[str, ...] = ()
    hosts_changed: float | None = None


@dataclass(frozen=True)
class ExposedTokens:
    """Tokens that one access log and its rotated files hold, counted on the host.

    ``files`` are those that hold any, the newest first; ``read`` is how many were looked at.
    ``valid`` ones have not expired by the host's clock (the last of them does at
    ``last_expiry``, epoch seconds); of ``unknown`` ones only who issued them could tell.
    ``stopped`` says why not everything was read: then there may be more.
    """

    log: str
    files: tuple[str, ...] = ()
    read: int = 0
    distinct: int = 0
    valid: int = 0
    expired: int = 0
    unknown: int = 0
    last_expiry: float | None = None
    stopped: str = ""


@dataclass(frozen=True)
class Disk:
    """Free space and inodes of one mount point."""

    mount: str
    size_bytes: int
    free_bytes: int
    inodes: int
    inodes_free: int


@dataclass(frozen=True)
class Resources:
    """Memory, load, disks and sockets of the whole host."""

    memory_bytes: int
    memory_available_bytes: int
    swap_used_bytes: int
    load: tuple[float, ...]
    cpus: int
    files_used: int | None
    files_max: int | None
    disks: tuple[Disk, ...]
    sockets: Mapping[str, int]  # TCP state -> count


@dataclass(frozen=True)
class Clock:
    """The host's clock. ``ahead`` is host minus controller in seconds, with its error bound."""

    now: float
    synchronized: bool | None
    service: str | None
    service_active: bool | None
    service_installed: bool | None
    ahead: float | None = None
    ahead_error: float | None = None


@dataclass(frozen=True)
class Broker:
    """A message broker found on the host or named in the inventory."""

    kind: str  # "nats", "redis", "postgresql"
    address: str
    unit: str | None
    reachable: bool
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class System:
    """Who answers: the name, the release, the init system and our rights there."""

    hostname: str
    release: str
    kernel: str
    init: str
    python: str
    privileged: bool
    virtualization: str | None = None


@dataclass(frozen=True)
class Evidence:
    """One host, seen once. ``missing`` maps a section or source to the reason it is not here."""

    schema: int
    host: str
    collected_at: float
    seconds: float  # how long the collection took, the stream window not counted
    system: System | None = None
    units: tuple[Unit, ...] | None = None
    processes: tuple[Process, ...] | None = None
    listeners: tuple[Listener, ...] | None = None
    logs: tuple[Log, ...] | None = None
    nginx: Nginx | None = None
    resources: Resources | None = None
    clock: Clock | None = None
    brokers: tuple[Broker, ...] | None = None
    streams: tuple[Stream, ...] | None = None
    names: tuple[HostName, ...] | None = None
    exposed: tuple[ExposedTokens, ...] | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """Read plain data; raises `EvidenceError` with the place that does not fit."""
        if data.get("schema") != SCHEMA:
            raise EvidenceError(f"evidence: schema is {data.get('schema')!r}, must be {SCHEMA}")
        return decode(cls, data, "evidence")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; bytes become base64."""
        encoded = encode(self)
        assert isinstance(encoded, dict)
        return encoded

    def unit(self, name: str) -> Unit | None:
        """The unit of that name, if it was collected."""
        return next((unit for unit in self.units or () if unit.name == name), None)

    def host_name(self, name: str) -> HostName | None:
        """What a name of nginx's upstreams resolves to, if it was looked up."""
        return next((n for n in self.names or () if n.name.lower() == name.lower()), None)

    def log(self, source: str) -> Log | None:
        """The log of that source, if it was collected."""
        return next((log for log in self.logs or () if log.source == source), None)

    def stream(self, hop: str, variant: str = "") -> Stream | None:
        """The record of that hop, if it was made."""
        wanted = (hop, variant)
        return next((s for s in self.streams or () if (s.hop, s.variant) == wanted), None)


def encode(value: Any) -> Any:
    """Plain data of a frozen dataclass, recursively."""
    if isinstance(value, Stream):
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], data: Any, where: str) -> T:
    """A frozen dataclass from plain data; raises `EvidenceError` with the place that fails."""
    if not isinstance(data, Mapping):
        raise EvidenceError(f"{where}: is {type(data).__name__}, must be an object")
    hints = _hints(kind)  # type: ignore[arg-type]
    unknown = set(data) - set(hints)
    if unknown:
        raise EvidenceError(f"{where}: unknown field {sorted(unknown)[0]!r}")
    try:
        values = {key: _decode(hints[key], item, f"{where}.{key}") for key, item in data.items()}
        return kind(**values)
    except (TypeError, KeyError) as error:
        raise EvidenceError(f"{where}: {error}") from error


@functools.cache
def _hints(kind: Hashable) -> dict[str, Any]:
    """The types of a dataclass's fields; resolving them for each value took most of the time."""
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in dataclasses.fields(kind)}  # type: ignore[arg-type]


def _decode(hint: Any, data: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if data is None and type(None) in args:
            return None
        return _decode(next(a for a in args if a is not type(None)), data, where)
    if hint is Any:
        return data
    if hint is Stream:
        try:
            return Stream.from_dict(data)
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"{where}: not a stream record ({error})") from error
    if dataclasses.is_dataclass(hint):
        return decode(hint, data, where)  # type: ignore[arg-type]
    if hint is bytes:
        return base64.b64decode(_checked(str, data, where))
    if origin is tuple:
        return tuple(
            _decode(args[0], item, f"{where}[{i}]")
            for i, item in enumerate(_checked(list, data, where))
        )
    if origin is not None and issubclass(origin, Mapping):
        return {
            str(key): _decode(args[1], item, f"{where}.{key}")
            for key, item in _checked(dict, data, where).items()
        }
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    return _checked(hint, data, where)


def _checked(kind: type[T], data: Any, where: str) -> T:
    if not isinstance(data, kind):
        raise EvidenceError(f"{where}: is {type(data).__name__}, must be {kind.__name__}")
    return data
