"""Let a new file and the one that is there change places in one step of the kernel.

``renameat2(2)`` takes what is there away and keeps it, so that it can be looked at afterwards:
a file that someone else wrote in the last moment is not lost, it is put back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os

from .files import ABSENT, Look, look, remove, swap, sync_directory

_NOREPLACE, _EXCHANGE = 1, 2  # RENAME_* (rename(2))
_AT_FDCWD = -100
#: A kernel, a C library or a file system that does not know it.
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


class NotSupportedError(Exception):
    """This host cannot do it in one step."""


def exchange(one: str, other: str) -> None:
    """Let two paths change places; OSError if one is missing, NotSupportedError."""
    _rename(one, other, _EXCHANGE)


def move(one: str, other: str) -> None:
    """Rename, and never over anything: FileExistsError; NotSupportedError."""
    _rename(one, other, _NOREPLACE)


def _rename(one: str, other: str, flags: int) -> None:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError as error:  # a C library before glibc 2.28
        raise NotSupportedError("renameat2") from error
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), flags) == 0:
        return
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        raise NotSupportedError(os.strerror(number))
    raise OSError(number, os.strerror(number), one, None, other)


def install(after: Look, temporary: str, where: str, before: Look) -> bool:
    """Put ``after``, which waits at ``temporary``, in the place of ``before``.

    False, with what is there left alone, if that is not ``before`` any more. Where the kernel
    knows no exchange, a write between the last look and the rename would be lost.
    """
    if look(where) != before:
        return False
    try:
        if before.kind == ABSENT:
            move(temporary, where)
        elif after.kind == ABSENT:
            move(where, temporary)
        else:
            exchange(temporary, where)
    except (FileExistsError, FileNotFoundError):
        return False  # it came, or went, in this moment
    except NotSupportedError:
        _replace(after, temporary, where)
        return True
    if before.kind != ABSENT:
        if look(temporary) != before:
            _give_back(after, temporary, where)
            return False
        remove(temporary)
    sync_directory(os.path.dirname(where))
    return True


def _replace(after: Look, temporary: str, where: str) -> None:
    if after.kind == ABSENT:
        remove(where)
        sync_directory(os.path.dirname(where))
    else:
        swap(temporary, where)


def _give_back(after: Look, temporary: str, where: str) -> None:
    """Someone wrote between the look and the exchange: theirs takes its place again."""
    if after.kind != ABSENT:
        exchange(temporary, where)
        return
    with contextlib.suppress(FileExistsError):  # they have made a newer one already
        move(temporary, where)
