"""Look at a path, put something there in one atomic step, and put it back as it was."""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from .errors import ChangeError

ABSENT, FILE, LINK = "absent", "file", "link"


@dataclass(frozen=True)
class Look:
    """What is at a path: its kind, and everything that must survive a round trip."""

    kind: str
    content: bytes = b""
    target: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    xattrs: dict[str, str] = field(default_factory=dict)  # values in base64

    @property
    def sha256(self) -> str:
        """Of a file's content; empty where there is no file."""
        return digest(self.content) if self.kind == FILE else ""

    def same_thing(self, other: Look) -> bool:
        """Nothing a reader of the file could tell apart; its time of change aside."""
        return (
            (self.kind, self.content, self.target) == (other.kind, other.content, other.target)
            and (self.uid, self.gid) == (other.uid, other.gid)
            and (self.kind != FILE or (self.mode, self.xattrs) == (other.mode, other.xattrs))
        )


NOTHING = Look(ABSENT)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def look(where: str) -> Look:
    """Read what is at ``where``, not following a link there.

    Raises ChangeError for a directory, a device or a socket: those are never changed.
    """
    try:
        info = os.lstat(where)
    except (FileNotFoundError, NotADirectoryError):
        return NOTHING
    if stat.S_ISLNK(info.st_mode):
        return Look(
            LINK,
            target=os.readlink(where),
            uid=info.st_uid,
            gid=info.st_gid,
            mtime_ns=info.st_mtime_ns,
        )
    if not stat.S_ISREG(info.st_mode):
        raise ChangeError(f"{where}: neither a file nor a link, must be one to be changed")
    with open(where, "rb") as file:
        content = file.read()
    return Look(
        FILE,
        content=content,
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        mtime_ns=info.st_mtime_ns,
        xattrs=_xattrs(where),
    )


def write_aside(thing: Look, temporary: str) -> None:
    """Write ``thing`` under a name that nothing reads yet, complete and on the disk."""
    with named(temporary):
        _write_aside(thing, temporary)


@contextlib.contextmanager
def named(path: str) -> Iterator[None]:
    """What the kernel says of a descriptor (a full disk, a bad one) names no file: say which."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise


def _write_aside(thing: Look, temporary: str) -> None:
    remove(temporary)
    if thing.kind == LINK:
        os.symlink(thing.target, temporary)
        os.lchown(temporary, thing.uid, thing.gid)
        return
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(thing.content)
        _finish(descriptor, file, thing)


def _finish(descriptor: int, file: BinaryIO, thing: Look) -> None:
    file.flush()
    os.fchown(descriptor, thing.uid, thing.gid)  # before chmod: it clears set-id bits
    os.fchmod(descriptor, thing.mode)
    _set_xattrs(descriptor, thing.xattrs)
    if thing.mtime_ns:
        os.utime(descriptor, ns=(thing.mtime_ns, thing.mtime_ns))
    os.fsync(descriptor)


def swap(temporary: str, where: str) -> None:
    """Let ``temporary`` take the place of ``where``: a reader sees the old or the new."""
    os.replace(temporary, where)
    sync_directory(os.path.dirname(where))


def put(thing: Look, where: str, temporary: str) -> None:
    """Make ``where`` be ``thing``, atomically and durably; does nothing where it already is."""
    now = look(where)
    if now.same_thing(thing) and now.mtime_ns == thing.mtime_ns:
        return
    if thing.kind == ABSENT:
        remove(where)
        sync_directory(os.path.dirname(where))
        return
    write_aside(thing, temporary)
    swap(temporary, where)


def overwrite(thing: Look, where: str) -> None:
    """Write ``thing`` into the file that is there: it takes no room that it does not have.

    For a full disk alone: a crash in the middle leaves half of it. Raises OSError, also (ENOSPC)
    if there is no plain file of one name to write into.
    """
    descriptor = os.open(where, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    with named(where), os.fdopen(descriptor, "rb+") as file:
        info = os.fstat(descriptor)
        if thing.kind != FILE or not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), where)
        file.write(thing.content)
        file.truncate()
        _finish(descriptor, file, thing)


def changed_since(paths: Iterable[str], moment: float | None) -> tuple[str, ...]:
    """Those of ``paths`` whose inode changed after ``moment`` (seconds since the epoch).

    The time of change of the inode, not of the content: a file that was moved or put back
    keeps the latter. Processes know their start to 10 ms only, so 0.1 s is not later; a
    time in the future comes from a clock that was wrong and says nothing.
    """
    if moment is None:
        return ()
    now = time.time()
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if moment + 0.1 < os.lstat(path).st_ctime <= now:
                found.append(path)
    return tuple(sorted(found))


def remove(where: str) -> None:
    """Remove a file or link; it may be gone already."""
    try:
        os.unlink(where)
    except OSError:
        # A read-only file system refuses also to remove what is not there.
        if os.path.lexists(where):
            raise


def remove_if_empty(where: str) -> None:
    """Remove a file that was made for us and that nobody has written to."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.getsize(where) == 0:
            remove(where)


def missing_parents(where: str) -> tuple[str, ...]:
    """The directories that must be made before ``where`` can be, the outermost first."""
    missing: list[str] = []
    parent = os.path.dirname(where)
    while not os.path.isdir(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    return tuple(reversed(missing))


def make_directory(where: str, mode: int = 0o755) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(where, mode)
        os.chmod(where, mode)  # whatever the umask is
        sync_directory(os.path.dirname(where))


def remove_directory(where: str) -> None:
    """Remove a directory we made, unless someone else has put something in it since."""
    try:
        os.rmdir(where)
    except OSError as error:
        if not os.path.isdir(where):
            return
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return
    sync_directory(os.path.dirname(where))


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a power cut; a directory that is gone has none."""
    try:
        descriptor = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with named(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _xattrs(where: str) -> dict[str, str]:
    try:
        names = os.listxattr(where, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return {}
        raise
    return {
        name: base64.b64encode(os.getxattr(where, name, follow_symlinks=False)).decode("ascii")
        for name in sorted(names)
    }


def _set_xattrs(descriptor: int, wanted: dict[str, str]) -> None:
    # A new file may be born with attributes (SELinux, default ACL): drop what was not there.
    try:
        present = os.listxattr(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS) and not wanted:
            return
        raise
    for name in present:
        if name not in wanted and not name.startswith("security."):
            os.removexattr(descriptor, name)
    for name, value in wanted.items():
        os.setxattr(descriptor, name, base64.b64decode(value))
