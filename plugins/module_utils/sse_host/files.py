"""Read files of the host without trusting them: regular files only, a bounded part."""

from __future__ import annotations

import base64
import errno
import functools
import grp
import hashlib
import os
import pwd
import stat
from typing import Any, Callable

from .limits import UnavailableError


def reason(path: str, error: OSError) -> str:
    """One sentence for a file that cannot be read."""
    if error.errno in (errno.EACCES, errno.EPERM):
        who = "root" if os.geteuid() else "more rights than root has here"
        return "%s: permission denied, reading it needs %s" % (path, who)
    return "%s: %s" % (path, (error.strerror or str(error)).lower())


def read(path: str, limit: int) -> bytes:
    """At most ``limit`` bytes from the start of a regular file.

    Raises `UnavailableError` for what is missing, forbidden, too large or not a regular
    file (a pipe would block, a device would never end).
    """
    content, size = read_end(path, limit)
    if size > limit:
        raise UnavailableError("%s: is %d bytes, at most %d are read" % (path, size, limit))
    return content


def read_end(path: str, limit: int) -> tuple[bytes, int]:
    """The last ``limit`` bytes of a regular file, and the file's size."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise UnavailableError(reason(path, error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            if os.path.realpath(path) == os.devnull:
                return b"", 0
            raise UnavailableError("%s: is not a regular file" % path)
        if status.st_size > limit:
            os.lseek(descriptor, status.st_size - limit, os.SEEK_SET)
        parts, left = [], limit
        while left > 0:
            data = os.read(descriptor, min(left, 262144))
            if not data:
                break
            parts.append(data)
            left -= len(data)
        return b"".join(parts), status.st_size
    except OSError as error:
        raise UnavailableError(reason(path, error)) from error
    finally:
        os.close(descriptor)


def describe(
    path: str, content: bytes, show: Callable[[bytes], bytes] | None = None
) -> dict[str, Any]:
    """A file as `TextFile` data. The hash is of ``content``; ``show`` masks what is sent."""
    try:
        status = os.stat(path)
        mode, owner, group = status.st_mode & 0o7777, user(status.st_uid), _group(status.st_gid)
    except OSError:  # removed since it was read: the content is still what was seen
        mode, owner, group = 0, "", ""
    return {
        "path": path,
        "content": base64.b64encode(show(content) if show else content).decode("ascii"),
        "sha256": hashlib.sha256(content).hexdigest(),
        "mode": mode,
        "owner": owner,
        "group": group,
        "link": os.readlink(path) if os.path.islink(path) else None,
    }


@functools.lru_cache(maxsize=256)
def user(number: int) -> str:
    """The name of a user id, or the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@functools.lru_cache(maxsize=256)
def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
