"""A host's file tree without processes, and what is needed to compare it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "plugins" / "module_utils"))

SITE = b"server {\n\tlisten 8080; # caf\xe9, {{ lookup('pipe', 'touch /tmp/x') }}\r\n}\n"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """/etc with an nginx site that is enabled by a link, and things that are easily lost."""
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
    _end_watchdogs(tmp_path)


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path below ``root`` but the state directory, with all that can be told of it."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith("var/lib/ssemedic"):
            continue
        info = path.lstat()
        rights: tuple[object, ...] = (oct(info.st_mode), info.st_uid, info.st_gid)
        if path.is_symlink():
            found[name] = (*rights, os.readlink(path))
        elif path.is_dir():
            found[name] = rights
        else:
            attributes = {key: os.getxattr(path, key) for key in os.listxattr(path)}
            found[name] = (*rights, path.read_bytes(), info.st_mtime_ns, attributes)
    return found


def watchdogs(below: Path) -> list[int]:
    """Processes that will undo a change below a path when their time is over."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if any(word.startswith(os.fsencode(below)) for word in words) and b"--after" in words:
                found.append(int(entry.name))
    return found


def _end_watchdogs(below: Path) -> None:
    for pid in watchdogs(below):
        os.kill(pid, signal.SIGKILL)
