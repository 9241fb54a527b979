"""The host's clock: what the kernel says about its synchronization (adjtimex(2))."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any, Iterable, Mapping

#: Time services by preference; the first that is active, else installed, is reported.
SERVICES = (
    "chrony.service",
    "chronyd.service",
    "systemd-timesyncd.service",
    "ntpsec.service",
    "ntp.service",
    "ntpd.service",
    "openntpd.service",
)
_MAX_ERROR_USEC = 16_000_000  # the same bound as timedatectl's NTPSynchronized


class _Timex(ctypes.Structure):
    """The head of struct timex; the kernel fills more, hence the room at the end."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 256),
    )


def synchronized() -> bool | None:
    """What timedatectl calls "System clock synchronized", without starting its daemon.

    None where the kernel may not be asked.
    """
    try:
        timex = _Timex(modes=0)  # modes 0 reads and sets nothing
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return bool(0 <= timex.maxerror < _MAX_ERROR_USEC)


def read(units: Iterable[Mapping[str, str]] | None) -> dict[str, Any]:
    """`Clock` data. ``units`` are the time services as systemd shows them, None if unknown."""
    service = active = installed = None
    if units is not None:
        loaded = [unit for unit in units if unit.get("LoadState") in ("loaded", "masked")]
        loaded.sort(key=lambda unit: unit.get("ActiveState") != "active")
        installed = any(unit.get("LoadState") == "loaded" for unit in loaded)
        active = bool(loaded) and loaded[0].get("ActiveState") == "active"
        service = loaded[0].get("Id") if loaded else None
    return {
        "now": time.time(),
        "synchronized": _synchronized(),
        "service": service,
        "service_active": active,
        "service_installed": installed,
        "ahead": None,
        "ahead_error": None,
    }


def _synchronized() -> bool | None:
    # The kernel forgets across a step; timesyncd's own mark survives until its restart.
    kernel = synchronized()
    if kernel is None and os.path.exists("/run/systemd/timesync/synchronized"):
        return True
    return kernel
