"""Who answers: name, release, init system, our rights."""

from __future__ import annotations

import os
import platform
import socket
from typing import Any

from . import tuning
from .command import run
from .limits import UnavailableError


def read() -> dict[str, Any]:
    """`System` data, without the virtualization, which costs a process."""
    kernel = os.uname()
    return {
        "hostname": socket.gethostname(),
        "release": _release(),
        "kernel": "%s %s" % (kernel.sysname, kernel.release),
        "init": _line("/proc/1/comm"),
        "python": platform.python_version(),
        "privileged": os.geteuid() == 0,
        "virtualization": None,
        "addresses": tuning.addresses(),
        "selinux": selinux(),
        "apparmor": apparmor(),
    }


def selinux(path: str = "/sys/fs/selinux/enforce") -> str:
    """ "enforcing" or "permissive", "" where the kernel runs without SELinux."""
    return {"1": "enforcing", "0": "permissive"}.get(_line(path), "")


def apparmor(path: str = "/sys/module/apparmor/parameters/enabled") -> bool | None:
    """Whether AppArmor is on, None where the kernel does not have it."""
    return {"Y": True, "N": False}.get(_line(path))


def virtualization(seconds: float) -> str | None:
    """What systemd-detect-virt says, "none" on bare metal, None where it is not installed."""
    try:
        return run(["systemd-detect-virt"], seconds, 1024).stdout.decode("ascii", "replace").strip()
    except UnavailableError:
        return None


def _release() -> str:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith("PRETTY_NAME="):
                        return line.partition("=")[2].strip().strip("\"'")
        except OSError:
            continue
    return ""


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""
