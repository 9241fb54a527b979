"""The files of an archive, in memory. What an archive does to its reader, this one refuses.

Nothing is written, no link is followed on the disk, and every limit counts what comes out,
not what the archive says of itself.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

#: What may come out of one archive, in bytes; a sos archive has some hundreds of megabytes.
MOST_BYTES = 1 << 30
#: Beyond this much, an archive that grows more than `MOST_RATIO` times is a bomb.
TRUSTED_BYTES = 64 << 20
MOST_RATIO = 100
MOST_ENTRIES = 100_000
#: A file that is kept must be no larger (bytes): a log is cut to its newest part.
LARGEST_KEPT = 16 << 20
#: What is kept of all files together, in bytes.
MOST_KEPT = 256 << 20
_STEP = 1 << 20
_MAX_LINKS = 16

_OPENERS: tuple[tuple[bytes, Callable[[BinaryIO], BinaryIO]], ...] = (
    (b"\x1f\x8b", lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file))),
    (b"\xfd7zXZ\x00", lambda file: cast(BinaryIO, lzma.LZMAFile(filename=file))),  # noqa: SIM115
    (b"BZh", lambda file: cast(BinaryIO, bz2.BZ2File(file))),
)


class ArchiveError(ValueError):
    """The archive is refused; the message is one sentence."""


@dataclass(frozen=True)
class Archive:
    """What was kept of an archive. Names are relative to its one top folder, if it has one."""

    files: dict[str, bytes] = field(repr=False)
    links: dict[str, str] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        """The content of a file, through the archive's own links; None where there is none."""
        for _ in range(_MAX_LINKS):
            if name in self.files:
                return self.files[name]
            if name not in self.links:
                return None
            name = self.links[name]
        return None

    def under(self, folder: str) -> list[str]:
        """The names of files and links in a folder, sorted."""
        names = {*self.files, *self.links}
        return sorted(name for name in names if name.startswith(f"{folder}/"))


def is_archive(head: bytes) -> bool:
    """True if a file that begins so is packed, or a tar as it is."""
    return head.startswith(tuple(magic for magic, _ in _OPENERS)) or head[257:262] == b"ustar"


def read_archive(path: Path, wanted: Callable[[str], bool], *, links: bool) -> Archive:
    """The wanted files of a tar, packed or not. Raises `ArchiveError`.

    ``wanted`` gets each name below the top folder. Without ``links`` any link is refused;
    with them one that leads out of the archive is. Devices and pipes always are.
    """
    try:
        with path.open("rb") as raw:
            return _read(raw, path, wanted, links)
    except OSError as error:
        reason = error.strerror or "is damaged, or no archive"
        raise ArchiveError(f"{path}: {reason}") from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"{path}: ends in the middle, or is no archive") from error


def _read(raw: BinaryIO, path: Path, wanted: Callable[[str], bool], links: bool) -> Archive:
    head = raw.read(512)
    raw.seek(0)
    opener = next((how for magic, how in _OPENERS if head.startswith(magic)), None)
    if opener is None and not is_archive(head):
        raise ArchiveError(f"{path}: is no archive that can be read, must be a tar, gz, xz or bz2")
    counted = _Counted(opener(raw) if opener else raw, path)
    if opener is not None and not _holds_a_tar(counted):
        raise ArchiveError(f"{path}: holds no tar, must be a bundle or a sos archive")
    return _members(counted, path, wanted, links)


def _members(counted: _Counted, path: Path, wanted: Callable[[str], bool], links: bool) -> Archive:
    files: dict[str, bytes] = {}
    found: dict[str, str] = {}
    kept = 0
    with tarfile.open(fileobj=counted, mode="r|", bufsize=_STEP // 4) as tar:
        for number, member in enumerate(_each(tar), 1):
            if number > MOST_ENTRIES:
                raise ArchiveError(f"{path}: has more than {MOST_ENTRIES} entries")
            name = _name(member.name, path)
            if member.isdir() or not name:
                continue
            if member.issym() or member.islnk():
                if not links:
                    raise ArchiveError(f"{path}: {name} is a link, must be a file")
                found[name] = _target(member, name, path)
            elif not member.isreg():
                raise ArchiveError(f"{path}: {name} is a device or a pipe, must be a file")
            elif wanted(name):
                if name in files:
                    raise ArchiveError(f"{path}: holds {name} twice")
                files[name] = _content(tar, member, path)
                kept += len(files[name])
                if kept > MOST_KEPT:
                    raise ArchiveError(f"{path}: holds more than {MOST_KEPT} bytes of files")
    if not files and not found:
        raise ArchiveError(f"{path}: holds nothing that can be judged")
    return Archive(files, found)


def _each(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # they would be kept, all of them
        yield member


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    file = tar.extractfile(member)
    content = file.read(LARGEST_KEPT + 1) if file else b""
    if len(content) > LARGEST_KEPT:
        return content[:LARGEST_KEPT]
    if len(content) != member.size:
        raise ArchiveError(f"{path}: ends in the middle of {member.name!r}")
    return content


def _name(name: str, path: Path) -> str:
    """The name below the archive's top folder. Raises `ArchiveError` for one that leads out."""
    plain = posixpath.normpath(name)
    if name.startswith("/") or plain == ".." or plain.startswith("../") or ".." in name.split("/"):
        raise ArchiveError(f"{path}: holds {name[:200]!r}, a name that leads out of it")
    return plain.partition("/")[2]


def _target(member: tarfile.TarInfo, name: str, path: Path) -> str:
    """Where a link leads, as a name of the archive."""
    if member.islnk():
        return _name(member.linkname, path)
    if member.linkname.startswith("/"):  # as on the host it was packed on
        return posixpath.normpath(member.linkname).lstrip("/")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
    if target == ".." or target.startswith("../"):
        raise ArchiveError(f"{path}: {name} is a link that leads out of it")
    return target


def _holds_a_tar(counted: _Counted) -> bool:
    return counted.peek(512)[257:262] == b"ustar"


class _Counted(io.RawIOBase):
    """What an archive unpacks to, counted: raises `ArchiveError` where it is too much."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._size = max(path.stat().st_size, 1)
        self._given = 0
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """The first bytes, which are read again afterwards."""
        self._ahead = self.read(size)
        return self._ahead

    def read(self, size: int = -1) -> bytes:
        """The next bytes, as a file gives them."""
        if size < 0 or size > MOST_KEPT:
            raise ArchiveError(f"{self._path}: has a header of more than {MOST_KEPT} bytes")
        if self._ahead:
            out, self._ahead = self._ahead[:size], self._ahead[size:]
            return out
        out = self._file.read(size)
        self._given += len(out)
        if self._given > MOST_BYTES:
            raise ArchiveError(f"{self._path}: unpacks to more than {MOST_BYTES} bytes")
        if self._given > TRUSTED_BYTES and self._given > self._size * MOST_RATIO:
            raise ArchiveError(f"{self._path}: unpacks to more than {MOST_RATIO} times its size")
        return out

    def readable(self) -> bool:
        """It is."""
        return True
