"""Where the times were taken: without it, they say little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from bench import rival
from lab.commands import run
from lab.requirements import os_release


def description() -> list[str]:
    """The machine and the versions that took part, one line each."""
    openssh = run(["ssh", "-V"]).stderr.strip().partition(",")[0]
    return [
        *[f"{line}; the hosts share them" for line in hardware()],
        f"Python {platform.python_version()}, ansible-core {version('ansible-core')}, "
        f"ansible-runner {version('ansible-runner')}, pyinfra {rival.version()}, {openssh}",
    ]


def hardware() -> list[str]:
    """The machine alone."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = os_release().get("PRETTY_NAME", platform.system())
    return [
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {system}, "
        f"Linux {platform.release().partition('-')[0]}",
    ]


def load() -> float:
    """How many processes wanted a core in the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.partition(":")[2] for line in text.splitlines() if line.startswith("model name")]
    return " ".join(names[0].split()) if names else platform.machine()
