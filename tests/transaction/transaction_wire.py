"""Faults of the kernel's answers, for the process that calls one: there is no way back.

``eio`` has every fsync answered with EIO, by a filter of the kernel (seccomp): the code under
test makes the real system call and gets the real error. It proves what is done about a disk that
does not take what is written; it does not prove what the disk holds then.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Callable, Mapping

_FSYNC = {"x86_64": (0xC000003E, 74), "aarch64": (0xC00000B7, 82)}  # AUDIT_ARCH, fsync(2)
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def eio() -> None:
    architecture, fsync = _FSYNC[platform.machine()]
    code = [
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_EQUAL, 0, 3, architecture),
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_EQUAL, 0, 1, fsync),
        (_RETURN, 0, 0, _ERRNO | errno.EIO),
        (_RETURN, 0, 0, _ALLOW),
    ]
    raw = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in code))
    program = _Program(len(code), ctypes.cast(raw, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_NO_NEW_PRIVS, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, ctypes.byref(program))):
        if libc.prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def efbig() -> None:
    """No file may grow beyond 16 bytes: write(2) itself fails, half way."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))


FAULTS: Mapping[str, Callable[[], None]] = {"kill": kill, "eio": eio, "efbig": efbig}
