"""Every log of the endpoint through the classes of ssemedic.log_classes, in constant memory.

A line is in no class, or in one: authentication, timeouts, limits and so on. What leaves the host
are counts, times and a few masked lines. Nothing older than a day is looked at, and of a huge log
its newest part; what was not read is said.
"""

from __future__ import annotations

import io
import lzma
import os
import time
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Callable, Mapping, Sequence

from . import log_files
from .command import run
from .limits import Limits, UnavailableError
from .masking import mask
from .times import stamp

if TYPE_CHECKING:
    from ..ssemedic.log_classes import Scan

LOOK_BACK = 86400.0  # seconds before now
SECONDS = 2.5  # for all logs together
_MOST_BYTES = 256 * 1024 * 1024  # of one file, its newest
_JOURNAL_LINES = 20000  # of one unit, its newest
_JOURNAL_BYTES = 16 * 1024 * 1024
_MOST_UNITS = 4
_PROBE = 65536  # bytes that are read to learn of what time a place in a file is
_SHOWN = 600  # characters of a sample


@dataclass(frozen=True)
class Around:
    """When to look: lines since ``since``, and ``asked``, in which our own streams were open."""

    since: float
    asked: tuple[float, float]
    deadline: float  # time.monotonic()


@dataclass(frozen=True)
class Source:
    """One log: a path or a unit's journal, who writes it, and for requests the path asked for."""

    name: str
    unit: str = ""
    requests: str | None = None


def journal(source: Source, around: Around, limits: Limits, secrets: Sequence[str]) -> Any:
    """`LogScan` data of one unit's journal; raises `UnavailableError`."""
    argv = ["journalctl", "--no-pager", "--quiet", "--output=short-unix", "--all"]
    argv += ["--unit", source.unit, "--since=@%d" % around.since, "--lines=%d" % _JOURNAL_LINES]
    output = run(argv, limits.command_seconds, _JOURNAL_BYTES)
    if output.status and not output.stdout and output.stderr.strip():
        raise UnavailableError("journalctl: " + output.complaint)
    scan = _scan(source, around)
    unread = ""
    if output.cut or output.stdout.count(b"\n") >= _JOURNAL_LINES:
        unread = "only the newest %d lines of the journal" % _JOURNAL_LINES
    if not scan.feed(io.BytesIO(output.stdout).read, around.deadline):
        unread = "not read to the end, to be quick"
    return _data(source, scan, 1 if output.stdout else 0, unread, secrets)


def lines(
    source: Source,
    found: Sequence[Mapping[str, Any]],
    around: Around,
    secrets: Sequence[str],
) -> Any:
    """`LogScan` data of lines that were collected already, such as the kernel's."""
    scan = _scan(source, around)
    for line in found:
        text = str(line["text"])
        scan.bytes += len(text)
        scan.line(line["at"], text.encode("utf-8", "replace"))
    return _data(source, scan, 1, "", secrets)


def file(source: Source, around: Around, secrets: Sequence[str]) -> Any:
    """`LogScan` data of a log file and what it was rotated to; raises `UnavailableError`."""
    scan = _scan(source, around)
    unread: list[str] = []
    read = 0
    for path in log_files.rotated(source.name):
        if path != source.name and _older(path, around.since):
            break
        if read and time.monotonic() > around.deadline:
            unread.append("%s and older ones: not read, to be quick" % path)
            break
        try:
            note = _read(path, scan, around)
        except (OSError, EOFError, lzma.LZMAError, zlib.error, UnavailableError) as error:
            if path != source.name:
                unread.append(_reason(path, error))
            elif os.path.lexists(path):
                raise UnavailableError(_reason(path, error)) from error
            continue
        read += 1
        unread += [note] if note else []
    return _data(source, scan, read, "; ".join(unread), secrets)


def _scan(source: Source, around: Around) -> Scan:
    from ..ssemedic.log_classes import Scan, request_lines

    now = time.time()
    return Scan(
        lambda text: stamp(text, now),
        since=around.since,
        near=around.asked,
        lines=request_lines(source.requests) if source.requests else None,
    )


def _read(path: str, scan: Scan, around: Around) -> str:
    """Feed one file; what was left out, in a few words."""
    plain, size = log_files.opened(path)
    notes = []
    with plain:
        if not log_files.packed(path):
            start = _since(plain, size, around.since)
            if size - start > _MOST_BYTES:
                start = size - _MOST_BYTES
                notes.append("%s: only its newest %d MiB" % (path, _MOST_BYTES >> 20))
            plain.seek(start)
        with log_files.decoded(path, plain) as content:
            if not scan.feed(_bounded(content, _MOST_BYTES), around.deadline):
                notes.append("%s: not read to the end, to be quick" % path)
    return "; ".join(notes)


def _since(file: IO[bytes], size: int, since: float) -> int:
    """Where the lines of ``since`` begin: by halves, as a log's times only grow."""
    low, high, now = 0, size, time.time()
    while high - low > 4 * _PROBE:
        middle = (low + high) // 2
        file.seek(middle)
        at = _first_time(file.read(_PROBE), now)
        if at is None:
            break  # nothing there tells a time; all of it is read
        low, high = (middle, high) if at < since else (low, middle)
    return low


def _first_time(part: bytes, now: float) -> float | None:
    for line in part.split(b"\n")[1:]:
        at = stamp(line[:1000].decode("utf-8", "replace"), now)
        if at is not None:
            return at
    return None


def _bounded(content: IO[bytes], most: int) -> Callable[[int], bytes]:
    """A reader that ends after ``most`` bytes, whatever a small file unpacks to."""
    left = [most]

    def read(size: int) -> bytes:
        data = content.read(min(size, left[0])) if left[0] > 0 else b""
        left[0] -= len(data)
        return data

    return read


def _older(path: str, since: float) -> bool:
    """True if nothing was written to it since."""
    try:
        return os.stat(path).st_mtime < since
    except OSError:
        return True


def _data(source: Source, scan: Scan, files: int, unread: str, secrets: Sequence[str]) -> Any:
    from ..ssemedic.log_classes.scan import described

    if scan.long_lines:
        note = "%d lines are longer than is read, only their beginnings" % scan.long_lines
        unread = "; ".join(filter(None, (unread, note)))
    return {
        "source": source.name,
        "unit": source.unit,
        "files": files,
        "bytes": scan.bytes,
        "unread": unread,
        "classes": [described(found, lambda text: _shown(text, secrets)) for found in scan.found()],
    }


def _shown(text: str, secrets: Sequence[str]) -> str:
    """Masked first, then cut, so that no half of a token is left."""
    shown = mask(text, secrets)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + " ... (cut)"


def _reason(path: str, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return "%s: %s" % (path, error.strerror.lower())
    return "%s: %s" % (path, str(error) or type(error).__name__)
