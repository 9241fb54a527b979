"""A host's file tree without processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_PROJECT), str(_PROJECT / "plugins" / "module_utils")]

from transaction_host import NAME, PROJECT, Host  # noqa: E402
from transaction_tree import SITE, watchdogs  # noqa: E402


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """/etc with an nginx site that is enabled by a link, and things that are easily lost."""
    if os.geteuid() != 0:
        pytest.skip("owners can only be kept and put back by root")
    nginx = tmp_path / "root/etc/nginx"
    (nginx / "sites-available").mkdir(parents=True)
    (nginx / "sites-enabled").mkdir()
    (tmp_path / "root/etc/systemd/system").mkdir(parents=True)
    (tmp_path / "root/var/lib").mkdir(parents=True)
    site = nginx / "sites-available/site"
    site.write_bytes(SITE)
    os.chown(site, 33, 4)
    site.chmod(0o640)
    os.setxattr(site, "user.owner", b"ops\0team")
    os.utime(site, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    (nginx / "sites-enabled/site").symlink_to("../sites-available/site")
    (nginx / "sites-enabled/old").symlink_to("../sites-available/gone")
    (nginx / "legacy.conf").write_bytes(b"# to be removed\n")
    yield tmp_path / "root"
    for pid in watchdogs(tmp_path):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def lab_host() -> Iterator[Host]:
    """A fresh lab host with the transaction's code on it."""
    lab = [sys.executable, "-m", "lab"]
    subprocess.run([*lab, "up", NAME], check=True, cwd=PROJECT, timeout=600)
    host = Host(NAME)
    host.install()
    yield host
    subprocess.run([*lab, "down", NAME], check=True, cwd=PROJECT, timeout=60)
