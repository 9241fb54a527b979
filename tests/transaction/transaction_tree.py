"""A file tree as a value, and the processes that guard it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

SITE = b"server {\n\tlisten 8080; # caf\xe9, {{ lookup('pipe', 'touch /tmp/x') }}\r\n}\n"


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
            found[name] = (*rights, str(path.readlink()))
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
            ours = any(word.startswith(os.fsencode(below)) for word in words)
            if ours and b"--after" in words and not _is_ending(entry):
                found.append(int(entry.name))
    return found


def _is_ending(process: Path) -> bool:
    """True if it was told to end and only waits for a processor to do so (proc(5))."""
    try:
        flags = int((process / "stat").read_text().rpartition(")")[2].split()[6])
        status = dict(x.split(":", 1) for x in (process / "status").read_text().splitlines())
    except (FileNotFoundError, ProcessLookupError):
        return True
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return bool(flags & 0x4 or pending & 1 << (signal.SIGTERM - 1))  # 0x4: PF_EXITING
