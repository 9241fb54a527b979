"""The state directory: one lock, one directory per transaction, a journal that survives.

``/var/lib/ssemedic`` (0700): ``lock``; ``ID/journal.json`` how far the transaction is,
``ID/before/N`` the bytes of what it changes, ``ID/undo`` the program that undoes it,
``ID/receipt.json`` how it ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ChangeError, LockHeldError
from .files import ABSENT, FILE, Look, make_directory, named, remove, sync_directory

SCHEMA = 1
KEPT_GENERATIONS = 10
STATE = "/var/lib/ssemedic"

STAGED, ARMED, SWAPPING = "staged", "armed", "swapping"
ACTIVATED, REVERTING = "activated", "reverting"
COMMITTED, REVERTED, UNDO_FAILED = "committed", "reverted", "undo_failed"
ENDED = (COMMITTED, REVERTED)
#: Who undoes a change without a run that could tell of it.
ALONE = ("timer", "boot")
TOLD = "told"  # a file: some run has reported how the change ended

_ID = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


@dataclass(frozen=True)
class Kept:
    """One path as it was before the transaction, and the sha256 or link target it got."""

    path: str  # as the plan names it
    where: str  # with every link on the way resolved
    kind: str
    sha256: str = ""
    target: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    xattrs: Mapping[str, str] = field(default_factory=dict)
    after_kind: str = ABSENT
    after: str = ""


@dataclass(frozen=True)
class KeptUnit:
    """A systemd unit as it was: running or not, the links that enable it, what it listened on."""

    name: str
    active: str
    start: bool  # the transaction starts or restarts it
    links: Mapping[str, str] = field(default_factory=dict)  # path -> target
    also: tuple[str, ...] = ()  # units that are enabled with it
    listening: tuple[str, ...] = ()


@dataclass(frozen=True)
class Journal:
    """How far a transaction is and what it needs to go back. ``live``: processes were told."""

    id: str
    phase: str
    created: float
    window: float
    kept: tuple[Kept, ...] = ()
    directories: tuple[str, ...] = ()  # made by us, the outermost first
    units: tuple[KeptUnit, ...] = ()
    systemd_root: str = "/etc/systemd/system"
    systemd_directories: tuple[str, ...] = ()  # there before us
    daemon_reload: bool = False
    nginx_reload: bool = False
    nginx_unit: str = ""
    nginx_was_valid: bool = True
    new_logs: tuple[str, ...] = ()  # nginx makes them as soon as it is reloaded
    guard: Mapping[str, Any] = field(default_factory=dict)
    owner: Mapping[str, Any] = field(default_factory=dict)  # pid and start of who drives it
    live: bool = False
    theirs: tuple[int, ...] = ()  # of ``kept``: others came first, so they stay as they are
    order: int = 0  # grows by one each time: the clock may have been set back meanwhile
    schema: int = SCHEMA

    def at(self, phase: str, **changes: Any) -> Journal:
        return dataclasses.replace(self, phase=phase, **changes)


def new_id() -> str:
    """Sorts by time; the random part keeps two runs of one second apart."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + os.urandom(3).hex()


def check_id(identity: str) -> str:
    if not _ID.match(identity):
        raise ChangeError(f"id: observed {identity!r}, must be letters, digits, '-' and '_'")
    return identity


def prepare(state: str) -> None:
    """Make the state directory, for root alone."""
    if not os.path.isdir(os.path.dirname(state)):
        os.makedirs(os.path.dirname(state), 0o755)
    make_directory(state, 0o700)
    os.chmod(state, 0o700)
    # A file system that cannot be written is met here, before anything is begun.
    os.close(os.open(os.path.join(state, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


@contextlib.contextmanager
def locked(state: str, seconds: float) -> Iterator[None]:
    """Hold the host's one lock; ChangeError if another process keeps it for ``seconds``."""
    descriptor = _open_lock(os.path.join(state, "lock"))
    try:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise LockHeldError(
                        f"lock {state}/lock: held by another run for {seconds:.0f} s, must be free"
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _open_lock(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise ChangeError(f"lock {path}: {error.strerror}, must be a file", None) from error
    try:
        # An undo must also get through where the journal cannot be written any more.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ChangeError(f"lock {path}: {error.strerror}, must be a file", None) from error


def directory(state: str, identity: str) -> str:
    return os.path.join(state, check_id(identity))


def create(state: str, journal: Journal, before: dict[int, Look]) -> str:
    """Write a new transaction: the old bytes first, the journal that names them last."""
    where = directory(state, journal.id)
    try:
        os.mkdir(where, 0o700)
    except FileExistsError:
        raise ChangeError(f"id {journal.id}: already used, must be new") from None
    os.mkdir(os.path.join(where, "before"), 0o700)
    for number, thing in before.items():
        if thing.kind == FILE:
            _write(os.path.join(where, "before", str(number)), thing.content)
    sync_directory(os.path.join(where, "before"))
    save(where, journal)
    sync_directory(state)
    return where


def save(where: str, journal: Journal) -> None:
    _write_json(where, "journal.json", dataclasses.asdict(journal))


def load(where: str) -> Journal | None:
    """The journal; None if the transaction died before it had one and so changed nothing."""
    data = _read_json(where, "journal.json")
    if data is None:
        return None
    if data.get("schema") != SCHEMA:
        raise ChangeError(
            f"{where}/journal.json: schema {data.get('schema')!r}, must be {SCHEMA}", None
        )
    data["kept"] = tuple(Kept(**one) for one in data["kept"])
    data["units"] = tuple(
        KeptUnit(**dict(one, listening=tuple(one["listening"]), also=tuple(one["also"])))
        for one in data["units"]
    )
    data["new_logs"] = tuple(data["new_logs"])
    data["theirs"] = tuple(data.get("theirs") or ())
    data["directories"] = tuple(data["directories"])
    data["systemd_directories"] = tuple(data["systemd_directories"])
    return Journal(**data)


def temporary(journal: Journal, number: int) -> str:
    """The name a new file has until it takes its place.

    It begins with a dot, so that no ``include sites-enabled/*`` of nginx reads it, and
    follows from the journal, so that an undo finds it after a crash.
    """
    folder = os.path.dirname(journal.kept[number].where)
    return os.path.join(folder, f".ssemedic-{journal.id}-{number}")


def thing_before(where: str, number: int, kept: Kept) -> Look:
    """What was at a path, its bytes checked against the journal."""
    content = b""
    if kept.kind == FILE:
        with open(os.path.join(where, "before", str(number)), "rb") as file:
            content = file.read()
    thing = Look(
        kept.kind,
        content,
        kept.target,
        kept.mode,
        kept.uid,
        kept.gid,
        kept.mtime_ns,
        dict(kept.xattrs),
    )
    if thing.sha256 != kept.sha256:
        raise ChangeError(
            f"{where}/before/{number}: sha256 {thing.sha256:.12}, must be {kept.sha256:.12}"
        )
    return thing


def receipt(where: str, outcome: str, by: str, sentence: str, **facts: Any) -> dict[str, Any]:
    """How it ended. ``by``: run (the controller), timer or boot (the host alone), or recovery."""
    return dict(
        facts,
        id=os.path.basename(where),
        outcome=outcome,
        by=by,
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        sentence=sentence,
    )


def write_receipt(where: str, receipt: Mapping[str, Any]) -> None:
    _write_json(where, "receipt.json", receipt)


def read_receipt(where: str) -> dict[str, Any] | None:
    return _read_json(where, "receipt.json")


def untold(state: str) -> list[dict[str, Any]]:
    """Receipts of what the host undid without a run, and no run has reported yet."""
    found = []
    for where in transactions(state):
        receipt = read_receipt(where)
        if receipt and receipt["by"] in ALONE and not os.path.exists(os.path.join(where, TOLD)):
            found.append(receipt)
    return found


def mark_told(where: str) -> None:
    _write(os.path.join(where, TOLD), b"")


def mark_untold(where: str) -> None:
    """How it ended may change once more, and by the host alone."""
    remove(os.path.join(where, TOLD))


def transactions(state: str) -> list[str]:
    """Directories of all transactions, the oldest first."""
    try:
        names = os.listdir(state)
    except FileNotFoundError:
        return []
    found = [os.path.join(state, name) for name in names if _ID.match(name)]
    # By the journal: a caller may choose ids that do not sort, and a clock may be set back.
    return sorted((one for one in found if os.path.isdir(one)), key=_age)


def prune(state: str) -> None:
    """Forget all but the newest ended transactions."""
    ended = [one for one in transactions(state) if read_receipt(one) is not None]
    for one in ended[:-KEPT_GENERATIONS]:
        forget(one)


def forget(where: str) -> None:
    """Remove a transaction that nobody needs: its journal first, for it names all the rest.

    What a crash leaves of it then is a transaction without a journal, which the next run removes.
    """
    remove(os.path.join(where, "journal.json"))
    sync_directory(where)
    shutil.rmtree(where)
    sync_directory(os.path.dirname(where))


def next_order(state: str) -> int:
    """The ``order`` of a new transaction."""
    return max((_age(where)[0] for where in transactions(state)), default=0) + 1


def _age(where: str) -> tuple[int, float, str]:
    data = _read_json(where, "journal.json")
    if data is None:
        return 0, os.stat(where).st_mtime, where
    return int(data.get("order") or 0), float(data.get("created") or 0.0), where


def _read_json(where: str, name: str) -> dict[str, Any] | None:
    try:
        with open(os.path.join(where, name), encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ChangeError(f"{where}/{name}: {error}, must be JSON", None) from error
    return dict(data)


def _write_json(where: str, name: str, data: Mapping[str, Any]) -> None:
    temporary = os.path.join(where, "." + name)
    # ASCII on the disk: paths that are not UTF-8 survive as escaped surrogates.
    _write(temporary, json.dumps(data, indent=1, sort_keys=True).encode("ascii"))
    os.replace(temporary, os.path.join(where, name))
    sync_directory(where)


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with named(path), os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
