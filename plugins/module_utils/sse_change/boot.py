"""A restart of the host inside the window: the undo is the first thing it does then.

The timer is gone with the boot that it ran in. A service of our own, enabled while a change
is open, undoes it before nginx and the changed units start with files nobody confirmed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from . import files

_WANTS = "multi-user.target.wants"
_UNIT = """\
[Unit]
Description=Undo ssemedic change {identity}, which a restart of the host interrupted
ConditionPathExists={program}
RequiresMountsFor={program}
Before={before}

[Service]
Type=oneshot
ExecStart={python} -IB {program} --boot

[Install]
WantedBy=multi-user.target
"""


def unit_name(identity: str) -> str:
    """Not the timer's name: a file in /etc would hide the transient service behind it."""
    return f"ssemedic-undo-at-boot-{identity}.service"


def enable(identity: str, root: str, python: str, program: str, before: Sequence[str]) -> None:
    """Have the program run at the next boot, before these units; raises OSError.

    ``root`` is where systemd looks for an administrator's units (/etc/systemd/system).
    """
    text = _UNIT.format(identity=identity, python=python, program=program, before=" ".join(before))
    _write(os.path.join(root, unit_name(identity)), text)
    wants = os.path.join(root, _WANTS)
    if not os.path.isdir(wants):
        files.make_directory(wants)
    link = os.path.join(wants, unit_name(identity))
    if not os.path.lexists(link):
        os.symlink(os.path.join(root, unit_name(identity)), link)
    files.sync_directory(wants)


def disable(identity: str, root: str) -> None:
    """Take it away; nothing happens where it is not."""
    wants = os.path.join(root, _WANTS)
    for path in (os.path.join(wants, unit_name(identity)), os.path.join(root, unit_name(identity))):
        files.remove(path)
        if os.path.isdir(os.path.dirname(path)):
            files.sync_directory(os.path.dirname(path))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with files.named(path), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
