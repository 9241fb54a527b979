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
    runtime: str = ""  # of its executable: "go", "rust", "node", "java", "dotnet", ...; "" unknown
    settings: Mapping[str, str] = field(default_factory=dict)  # of its server's own files
    own_network: bool | None = None  # True where it has another network namespace than the host


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
class ControlGroup:
    """What the kernel enforces and counts for a unit, from the files of its control group.

    A limit is the lowest of the unit's own and of the slices above it, None where there is
    none; ``..._of`` names whose it is. Counts begin anew with each control group, so a
    restart may lose them: 0 is no proof that nothing happened.
    """

    path: str
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None
    memory_max: int | None = None
    memory_max_of: str = ""
    oom_kills: int | None = None
    tasks: int | None = None
    tasks_max: int | None = None
    tasks_max_of: str = ""
    tasks_refused: int | None = None
    throttled_seconds: float | None = None


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
    cgroup: ControlGroup | None = None

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
    """The newest lines of one source: "journal:UNIT" or a path.

    ``unit`` is the service that writes the file, "" where that is not known.
    """

    source: str
    lines: tuple[LogLine, ...]
    truncated: bool = False
    unit: str = ""


@dataclass(frozen=True)
class LogClass:
    """Lines of one kind (see `ssemedic.log_classes.KINDS`) in one log, within a day.

    ``near`` is how many were written while our own streams were open; ``wordings`` maps a
    program's wording to how often it was used; ``samples`` are the newest of each. Times are
    epoch seconds, None where the lines carry none.
    """

    kind: str
    count: int
    first: float | None
    last: float | None
    near: int = 0
    wordings: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[LogLine, ...] = ()

    @property
    def per_minute(self) -> float | None:
        """How often, between the first and the last; None where that is under a minute."""
        if self.first is None or self.last is None or self.last - self.first < 60.0:
            return None
        return (self.count - 1) * 60.0 / (self.last - self.first)


@dataclass(frozen=True)
class LogScan:
    """One log and its rotated files, counted on the host by classes of lines.

    ``bytes`` is how much was read; ``unread`` says what was not, "" where all of a day was.
    """

    source: str
    unit: str = ""
    files: int = 0
    bytes: int = 0
    unread: str = ""
    classes: tuple[LogClass, ...] = ()


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
class Peer:
    """A place to which this host holds many connections, TIME_WAIT included."""

    address: str
    port: int
    states: Mapping[str, int]  # TCP state -> count

    @property
    def connections(self) -> int:
        """How many of this host's ports it takes up."""
        return sum(self.states.values())


@dataclass(frozen=True)
class Stuck:
    """Bytes of one process that its clients do not take, over some seconds.

    ``clients`` had unsent bytes at the first look and took none until the last; of them
    ``gone`` do not even acknowledge. ``blocked`` threads of the process wait in a send to one of
    them. ``grown_bytes`` is by how much the process grew meanwhile; where it ``ended``, the
    numbers are those of the first look.
    """

    pid: int
    unit: str | None
    seconds: float
    clients: int
    queued_bytes: int
    grown_bytes: int
    gone: int = 0
    blocked: int = 0
    ended: bool = False


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
    kernel: Mapping[str, str] = field(default_factory=dict)  # sysctl name -> value
    counters: Mapping[str, int] = field(default_factory=dict)  # of TCP, since the host started
    grown: Mapping[str, int] = field(default_factory=dict)  # by how much, while we looked
    pressure: Mapping[str, float] = field(default_factory=dict)  # "memory.some" -> % of 10 s
    peers: tuple[Peer, ...] = ()  # the busiest first
    stuck: tuple[Stuck, ...] = ()

    def disk(self, path: str) -> Disk | None:
        """The disk that holds a path, as far as its mount point is known."""
        holding = [d for d in self.disks if f"{path}/".startswith(f"{d.mount.rstrip('/')}/")]
        return max(holding, key=lambda d: len(d.mount), default=None)


@dataclass(frozen=True)
class Firewall:
    """The packet filter as root sees it: the output of one tool, cut nowhere.

    ``tool`` is "nft" (its JSON) or "iptables-save"; ``rules`` is "" where there are none.
    """

    tool: str
    rules: str


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
class Published:
    """What passed through a broker on one subject or channel; payloads are not kept.

    ``first`` is epoch seconds by the host's clock. ``canary`` is true where our message was
    among them, at ``canary_at``.
    """

    subject: str
    count: int
    first: float
    largest_bytes: int
    canary: bool = False
    canary_at: float | None = None


@dataclass(frozen=True)
class BrokerClient:
    """One connection to a broker.

    ``subscriptions`` is how many subjects, channels and patterns it hears, None where that is
    not told; ``subjects`` names them where the broker does. ``delivered`` is how many messages
    its subscriptions were given, ``sent`` how many it published, ``pending_bytes`` what waits
    for it in the broker. ``since`` is epoch seconds. ``doing`` is what the broker says it does.
    """

    name: str
    address: str = ""
    pid: int | None = None
    unit: str | None = None
    process: str = ""
    since: float | None = None
    subscriptions: int | None = None
    subjects: tuple[str, ...] = ()
    delivered: int | None = None
    sent: int | None = None
    pending_bytes: int | None = None
    doing: str = ""


@dataclass(frozen=True)
class Broker:
    """A message broker found on the host or named in the inventory."""

    kind: str  # "nats", "redis", "postgresql"
    address: str
    unit: str | None
    reachable: bool
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Who is connected while the streams are open; None where the broker does not tell.
    clients: tuple[BrokerClient, ...] | None = None
    #: What was published while we watched; None where it was not watched.
    published: tuple[Published, ...] | None = None
    unwatched: str = ""  # why it was not watched

    def of(self, unit: str | None) -> tuple[BrokerClient, ...]:
        """The connections of a service's processes."""
        return tuple(c for c in self.clients or () if unit and c.unit == unit)


@dataclass(frozen=True)
class Canary:
    """A message that was sent, with consent, while every hop was recorded.

    ``how`` is "POST /path" or "nats subject"; ``at`` is when it was sent (epoch seconds, the
    host's clock); ``needle`` is the text that must come back; ``answer`` tells how the service
    answered after ``answered`` seconds. ``asked`` counts the streams that were opened beside the
    hops' own, to see whether every one gets it. ``until`` is when watching ended.
    """

    how: str
    at: float
    until: float
    accepted: bool
    answer: str
    needle: str = ""
    answered: float | None = None
    asked: int = 0
    event: str = ""


@dataclass(frozen=True)
class EarlierChange:
    """A change of ours that is not finished, or that the host undid while nobody looked.

    ``phase`` is how far it is; ``by``, ``at`` (ISO 8601, UTC) and ``sentence`` tell how it ended;
    ``seconds_left`` is how long the host still waits for its confirmation.
    """

    id: str
    phase: str
    by: str = ""
    at: str = ""
    sentence: str = ""
    seconds_left: float | None = None


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
    addresses: tuple[str, ...] = ()  # the host's own, loopback left out
    selinux: str = ""  # "enforcing", "permissive", "" where the kernel runs without it
    apparmor: bool | None = None


@dataclass(frozen=True)
class BrowserConnection:
    """One attempt of an EventSource, in seconds since the first one began.

    ``state`` is the readyState after it failed: 0 the browser comes back, 2 it gave up.
    """

    began: float
    opened: float | None = None
    failed: float | None = None
    state: int | None = None


@dataclass(frozen=True)
class Browser:
    """What only a page in a browser can tell; its streams are among the others, hop "browser".

    ``origin`` is the page's, ``app_origin`` that of the app which is asked about.
    ``policy`` is the directive of the page's Content-Security-Policy that forbade the
    request, ``service_worker`` the script that controls the page, ``worker_answered`` is true
    where it handled the request. ``opaque`` is true where the server did answer and the browser
    kept the answer to itself. ``delivered`` tells of a test message that was taken; None where
    none was. ``held`` is how long the EventSource was watched, in seconds.
    """

    name: str
    origin: str
    app_origin: str
    credentials: bool = False
    mixed: bool = False
    policy: str | None = None
    service_worker: str | None = None
    worker_answered: bool = False
    opaque: bool | None = None
    preflight_refused: bool = False
    connections: tuple[BrowserConnection, ...] = ()
    held: float = 0.0
    events: int = 0
    unnamed: int = 0
    delivered: bool | None = None

    @property
    def on_the_apps_origin(self) -> bool:
        """True if what CORS does to this page it does to the app's."""
        return self.origin == self.app_origin


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
    canary: Canary | None = None
    streams: tuple[Stream, ...] | None = None
    names: tuple[HostName, ...] | None = None
    exposed: tuple[ExposedTokens, ...] | None = None
    browser: Browser | None = None
    log_scans: tuple[LogScan, ...] | None = None
    firewall: Firewall | None = None
    changes: tuple[EarlierChange, ...] | None = None
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
