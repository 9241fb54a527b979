"""Log files on disk: which there are, what they were rotated to, and how they are opened."""

from __future__ import annotations

import bz2
import glob
import gzip
import lzma
import os
import re
import stat
from typing import IO, Iterable, Sequence

from .limits import UnavailableError

#: Endings of files that are read through a decompressor, or not at all.
PACKED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z")
_MOST_FILES = 40
_MOST_OPEN = 256  # descriptors of one process that are looked at
_LOG_NAME = re.compile(r"/logs?/|\.(?:log|out|err)(?:$|\.)|_log$")
_NOT_LOGS = re.compile(
    r"^/(?:proc|sys|dev|memfd:)|\(deleted\)$|\.(?:sqlite|db|wal|lock|pid)(?:-\w+)?$"
)
#: systemd.exec(5), StandardOutput=: a file that a unit's output goes to.
_OUTPUT = re.compile(r"(?m)^\s*Standard(?:Output|Error)\s*=\s*(?:append|file|truncate):(/\S+)\s*$")


def rotated(log: str) -> list[str]:
    """The log and what logrotate made of it, newest first: app.log, app.log.1, app.log.2.gz,
    app.log-20260101."""
    found = {log: float("inf")}
    for path in glob.glob(glob.escape(log) + "[.-][0-9]*"):
        try:
            found[path] = os.stat(path).st_mtime
        except OSError:
            continue  # rotated away meanwhile
    return sorted(found, key=lambda path: -found[path])[:_MOST_FILES]


def packed(path: str) -> bool:
    """True if its content is compressed."""
    return ending(path) in PACKED


def ending(path: str) -> str:
    """The last part of its name, with the dot."""
    return os.path.splitext(path)[1]


def opened(path: str) -> tuple[IO[bytes], int]:
    """A regular file and its size; raises OSError or `UnavailableError`, and never blocks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    plain = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        plain.close()
        raise UnavailableError("is not a regular file")
    return plain, status.st_size


def decoded(path: str, plain: IO[bytes]) -> IO[bytes]:
    """Decompressed as it is read, so that a small file that unpacks to a huge one does no harm."""
    kind = ending(path)
    if kind == ".gz":
        return gzip.GzipFile(fileobj=plain)
    if kind == ".bz2":
        return bz2.BZ2File(plain)
    if kind == ".xz":
        return lzma.LZMAFile(plain)
    if kind in PACKED:
        raise UnavailableError("is compressed in a way that is not read here")
    return plain


def named_by_unit(texts: Iterable[str]) -> list[str]:
    """The files that a unit's output goes to, by its unit files."""
    found = [path for text in texts for path in _OUTPUT.findall(text) if "%" not in path]
    return list(dict.fromkeys(found))


def written_by(pids: Sequence[int], root: str = "/proc") -> list[str]:
    """Regular files that look like logs and that these processes hold open for writing.

    Of other users' processes root alone sees them.
    """
    found: dict[str, None] = {}
    for pid in pids:
        folder = "%s/%d/fd" % (root, pid)
        try:
            entries = os.listdir(folder)[:_MOST_OPEN]
        except OSError:
            continue  # it ended, or belongs to somebody else
        for entry in entries:
            path = _log_behind(folder, entry)
            if path is not None:
                found[path] = None
    return list(found)


def _log_behind(folder: str, entry: str) -> str | None:
    """The path of one descriptor if it is a log that is being written."""
    try:
        path = os.readlink(os.path.join(folder, entry))
        if not path.startswith("/") or _NOT_LOGS.search(path):
            return None
        output = entry in ("1", "2")
        if not output and not _LOG_NAME.search(path):
            return None
        status = os.stat(path)
        link = os.lstat(os.path.join(folder, entry))
    except OSError:
        return None
    # The mode of the link says how it was opened (proc(5), /proc/pid/fd).
    writes = bool(link.st_mode & stat.S_IWUSR)
    return path if stat.S_ISREG(status.st_mode) and writes else None


def drop_ins(
    unit: str, folders: Sequence[str] = ("/run/systemd/system", "/etc/systemd/system")
) -> list[str]:
    """The drop-ins of a unit (systemd.unit(5)), in the order of their names in each folder."""
    return [
        path
        for folder in folders
        for path in sorted(glob.glob("%s/%s.d/*.conf" % (folder, glob.escape(unit))))
    ]
