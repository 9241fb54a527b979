"""Which files of a host differ from its image: the overlay's upper folder knows."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from lab.state import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.layout import Host

Trace = list[int]


def _entries(upper: Path) -> Iterator[tuple[str, Trace]]:
    for where, folders, files in os.walk(upper):
        folder = Path(where)
        # An upper folder exists for each file below it; it says something only when it is bare.
        bare = [name for name in folders if _is_new(folder / name)]
        for name in [*files, *bare]:
            found = (folder / name).lstat()
            # Copying a folder up does not count as a change of the folder.
            moment = 0 if stat.S_ISDIR(found.st_mode) else found.st_mtime_ns
            trace = [found.st_mode, found.st_uid, found.st_gid, found.st_size, moment]
            yield "/" + str((folder / name).relative_to(upper)), trace


def _is_new(folder: Path) -> bool:
    """True if an empty upper folder is the host's own, or hides one of the image.

    One in which a file came and went is a copy of the image's, and nothing else.
    """
    return not any(folder.iterdir()) and "trusted.overlay.origin" not in os.listxattr(folder)


def remember(host: Host) -> None:
    """Take what the host wrote until now as its baseline."""
    write_atomically(host.baseline_file, json.dumps(dict(_entries(host.upper_dir))) + "\n")


def changed(host: Host, *, since_boot: bool = False) -> list[str]:
    """Paths written, changed or deleted since the baseline, sorted; logs included.

    With `since_boot`, since the host's first boot.
    """
    baseline: dict[str, Trace] = {}
    if not since_boot and host.baseline_file.exists():
        baseline = json.loads(host.baseline_file.read_text(encoding="utf-8"))
    now = dict(_entries(host.upper_dir))
    differing = {path for path in now if now[path] != baseline.get(path)}
    # What the host wrote and then removed again leaves no trace in the folder.
    return sorted(differing | (baseline.keys() - now.keys()))
