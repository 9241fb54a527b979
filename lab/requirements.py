"""What a machine needs to run the lab, and how it gets it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from lab.commands import must, run
from lab.errors import SetupError

# command -> Debian package
COMMANDS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setsid": "util-linux",
    "curl": "curl",
}


def os_release() -> dict[str, str]:
    """The fields of /etc/os-release (os-release(5)); empty where there is none."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: value.strip().strip('"') for key, value in pairs}


def missing_packages() -> list[str]:
    return sorted({package for name, package in COMMANDS.items() if not shutil.which(name)})


def check_platform() -> None:
    """Raise SetupError unless this is Linux and we are root."""
    if platform.system() != "Linux":
        raise SetupError(
            f"system: is {platform.system()}, must be Linux; a Debian 12 virtual machine would do"
        )
    if os.geteuid() != 0:
        raise SetupError(
            "user: is not root, must be root to start hosts; `sudo -E` before the command would do"
        )


def check_ready() -> None:
    """Raise SetupError unless `up` can work here."""
    check_platform()
    if missing := missing_packages():
        raise SetupError(
            f"packages: {', '.join(missing)} missing; `python -m lab setup` installs them"
        )
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="utf-8"):
        run(["modprobe", "overlay"])
        if "overlay" not in Path("/proc/filesystems").read_text(encoding="utf-8"):
            raise SetupError("kernel: knows no overlay file system, a Debian kernel would do")


def install() -> None:
    """Install the Debian packages that are missing. Raises SetupError."""
    check_platform()
    missing = missing_packages()
    if missing:
        if not shutil.which("apt-get"):
            name = os_release().get("PRETTY_NAME", "unknown")
            raise SetupError(
                f"system: is {name} without apt-get; a Debian 12 machine, or "
                f"installing {', '.join(missing)} by hand, would do"
            )
        print(f"lab: installing {', '.join(missing)}", flush=True)
        must(["apt-get", "--quiet=2", "update"], seconds=300)
        must(
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "--quiet=2",
                "--yes",
                "--no-install-recommends",
                "install",
                *missing,
            ],
            seconds=600,
        )
    check_ready()
    print(f"lab: this machine is ready (Python {sys.version.split()[0]})", flush=True)
