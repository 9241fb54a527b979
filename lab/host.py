"""Boot a host, look into it, stop it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cgroup, network
from lab.commands import run
from lab.errors import LabError
from lab.layout import PROJECT, Host

if TYPE_CHECKING:
    from collections.abc import Sequence

READY_SECONDS = 60.0
SUPERVISOR = PROJECT / "lab" / "supervise.sh"


@dataclass(frozen=True)
class Root:
    """The read-only layers of a host, uppermost first."""

    name: str
    layers: tuple[Path, ...]
    ports: tuple[int, ...]


def _supervise(host: Host, root: Root) -> list[str]:
    options = ",".join(
        [
            "lowerdir=" + ":".join(str(layer) for layer in root.layers),
            f"upperdir={host.upper_dir}",
            f"workdir={host.overlay_dir / 'work'}",
            # An upper folder can serve as a lower one later only without these.
            "index=off,redirect_dir=off,metacopy=off",
        ]
    )
    boot = [
        *["unshare", "--mount", "--propagation", "private", "sh", str(SUPERVISOR)],
        *[host.name, host.machine_uuid, host.netns, str(host.run_dir / "root"), options],
        *cgroup.entry_files(host.cgroup, "guest"),
    ]
    return cgroup.entering(host.cgroup, "supervisor", boot)


def start(host: Host, root: Root) -> None:
    """Boot the host on a fresh overlay. `wait_until_ready` tells when it is up."""
    remove(host)
    (host.overlay_dir / "work").mkdir(parents=True)
    host.upper_dir.mkdir()
    (host.run_dir / "root").mkdir(parents=True)
    cgroup.create(host.cgroup)
    network.create_host_network(host)
    with host.console_file.open("wb") as console:
        supervisor = subprocess.Popen(
            _supervise(host, root),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # From the moment it is in its cgroup, the host can be found and removed by anyone.
    while not cgroup.members(host.cgroup):
        if supervisor.poll() is not None:
            raise LabError(f"host {host.name}: did not start: {console_tail(host)}")
        time.sleep(0.005)


def remove(host: Host) -> None:
    """Kill the host and remove everything it had; harmless where nothing is left."""
    cgroup.destroy(host.cgroup)
    network.remove_host_network(host)
    for folder in (host.run_dir, host.overlay_dir):
        if folder.exists():
            shutil.rmtree(folder)


def power_off(host: Host, seconds: float = 30) -> None:
    """Shut the host down as a person would, keeping its overlay. Raises LabError."""
    visit(host, ["systemctl", "--no-block", "poweroff"])
    deadline = time.monotonic() + seconds
    while cgroup.members(host.cgroup):
        if time.monotonic() > deadline:
            raise LabError(f"host {host.name}: still runs {seconds:g} s after poweroff")
        time.sleep(0.05)


def leader(host: Host) -> int | None:
    """The process that is PID 1 inside the host; None where none is running."""
    for pid in sorted(cgroup.residents(host.cgroup)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            if len(numbers.split()) == 3 and numbers.split()[2] == "1":
                return pid
    return None


def supervised(host: Host) -> bool:
    """Whether systemd-nspawn still looks after the host; false after a kill -9."""
    return leader(host) is not None and bool(cgroup.residents(f"{host.cgroup}/supervisor"))


def visit(
    host: Host, command: Sequence[str], stdin: str | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command inside the host as root, past its sshd and without a trace in its journal.

    Raises LabError where the host does not run.
    """
    pid = leader(host)
    if pid is None:
        raise LabError(f"host {host.name}: does not run; `python -m lab up {host.name}` starts it")
    enter = ["nsenter", f"--target={pid}", "--all", "--", *command]
    return run(cgroup.entering(host.cgroup, "visitor", enter), stdin=stdin, seconds=seconds)


def wait_until_ready(host: Host, ports: Sequence[int], seconds: float = READY_SECONDS) -> None:
    """Return when systemd has finished booting and every port accepts. Raises LabError."""
    deadline = time.monotonic() + seconds
    observed = "not started"
    while time.monotonic() < deadline:
        if not cgroup.residents(host.cgroup):
            raise LabError(f"host {host.name}: died while booting: {console_tail(host)}")
        observed = _boot_progress(host, ports)
        if observed == "ready":
            return
        time.sleep(0.05)
    raise LabError(f"host {host.name}: is {observed} after {seconds:g} s: {console_tail(host)}")


def _boot_progress(host: Host, ports: Sequence[int]) -> str:
    if leader(host) is None:
        return "not started"
    # --wait returns when booting has ended, well or not; it fails while D-Bus is not up yet.
    look = ["sh", "-c", "systemctl is-system-running --wait; ss --no-header -ltn"]
    state, *sockets = visit(host, look).stdout.splitlines() or ["without systemd"]
    if state not in ("running", "degraded"):
        return state
    # Asked inside: a connection that says nothing would leave lines in the host's logs.
    listening = {line.split()[3].rpartition(":")[2] for line in sockets}
    closed = [port for port in ports if str(port) not in listening]
    return f"not listening on port {closed[0]}" if closed else "ready"


def console_tail(host: Host, characters: int = 600) -> str:
    """The last that the host wrote to its console, without control characters."""
    try:
        text = host.console_file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "(no console output)"
    clean = "".join(c if c.isprintable() else " " for c in text[-characters:])
    return clean.strip() or "(no console output)"
