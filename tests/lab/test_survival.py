"""Whatever is killed, and whenever: the next `up` works, and `down` leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cgroup, fleet, host, network, state
from lab.layout import IMAGES, PROJECT, Host, Lab

pytestmark = pytest.mark.lab
LAB = Lab("ssemedic-lab-killed")


@pytest.fixture
def victim() -> Iterator[Lab]:
    """A lab that nobody else uses, down before and after."""
    fleet.down(LAB, [])
    yield LAB
    fleet.down(LAB, [])


def command_lines() -> dict[int, str]:
    """Every process of this machine with its arguments."""
    lines: dict[int, str] = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines[int(file.parent.name)] = file.read_bytes().replace(b"\0", b" ").decode("latin-1")
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended while we were looking.
    return lines


def leftovers(lab: Lab) -> list[str]:
    """Everything on this machine that carries the lab's name; locks and images aside."""
    found = [line for line in command_lines().values() if lab.name in line]
    found += [str(path) for path in network.namespaces(lab.name)]
    found += [str(tree.path(lab.name)) for tree in cgroup.hierarchies() if cgroup.exists(lab.name)]
    found += [str(path) for path in (lab.run_dir, lab.store_dir) if path.exists()]
    mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    return found + [line for line in mounts if lab.name in line]


def nspawn(one: Host) -> int:
    (pid,) = (
        pid
        for pid in cgroup.members(f"{one.cgroup}/guest")
        if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd-nspawn"
    )
    return pid


def test_down_leaves_nothing_but_the_images(victim: Lab) -> None:
    run_before = {path.name for path in Path("/run").iterdir()}
    fleet.up(victim, ["web1"])
    images = {path.name for path in IMAGES.iterdir()}
    assert leftovers(victim) != []
    fleet.down(victim, [])
    assert leftovers(victim) == []
    assert {path.name for path in IMAGES.iterdir()} >= images
    assert {path.name for path in Path("/run").iterdir()} - run_before <= {"netns"}


def test_a_host_whose_nspawn_was_killed_is_noticed_and_replaced(victim: Lab) -> None:
    (one,) = fleet.up(victim, ["web1"])
    guest = host.leader(one)
    assert guest is not None
    os.kill(nspawn(one), signal.SIGKILL)
    deadline = time.monotonic() + 5
    while host.supervised(one):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    fleet.up(victim, ["web1"])
    assert host.supervised(one)
    assert host.leader(one) != guest
    assert guest not in cgroup.members(one.cgroup)


def test_down_removes_a_guest_that_outlived_its_nspawn(victim: Lab) -> None:
    (one,) = fleet.up(victim, ["web1"])
    os.kill(nspawn(one), signal.SIGKILL)
    fleet.down(victim, [])
    assert leftovers(victim) == []


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.4])
def test_up_works_after_an_up_that_was_killed(victim: Lab, delay: float) -> None:
    environment = {**os.environ, "SSEMEDIC_LAB": victim.name.removeprefix("ssemedic-lab-")}
    up = subprocess.Popen(
        [sys.executable, "-m", "lab", "up", "2"], cwd=PROJECT, env=environment, text=True
    )
    deadline = time.monotonic() + 30
    while not cgroup.exists(f"{victim.name}/web1"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(delay)
    up.kill()
    assert up.wait() == -signal.SIGKILL
    fleet.up(victim, ["web1", "web2"])
    assert [one.name for one in state.recorded_hosts(victim)] == ["web1", "web2"]
    fleet.down(victim, [])
    assert leftovers(victim) == []


def test_a_host_reboots_and_keeps_its_address(victim: Lab) -> None:
    (one,) = fleet.up(victim, ["web1"])
    before = host.leader(one)
    host.visit(one, ["systemctl", "--no-block", "reboot"])
    deadline = time.monotonic() + 20
    while host.leader(one) in (before, None):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    host.wait_until_ready(one, (22, 8080))
    network.connect(one, 8080).close()
