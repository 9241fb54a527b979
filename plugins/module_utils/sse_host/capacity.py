"""The limits that nginx needs for a number of streams, and the smallest edits that give them.

worker_connections stands in the events block, which nginx takes once: it can only be changed
where it is, in nginx.conf. The main level could have a file of its own (Debian reads
modules-enabled/*.conf there), but a value given twice is an error to nginx, so the others are
changed in place, too. A limit that is high enough stays, whoever set it.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import files, nginx, proc
from .command import run
from .limits import Limits, UnavailableError

if TYPE_CHECKING:
    from ..ssemedic.nginx import Tree

#: A proxied stream is two connections. nginx deals new ones out unevenly, and after a reload all
#: clients may come back to the worker that wakes first: so each worker can hold every stream.
PER_STREAM = 2
#: For pages, idle keep-alive connections and the like.
OTHERS = 512
#: Open files that are no connection: logs, listeners, pipes.
SPARE = 256
SHUTDOWN = "5m"
_CAP_SYS_RESOURCE = 24  # linux/capability.h


@dataclass(frozen=True)
class Needed:
    """Limits for so many streams: connections and open files of each worker."""

    connections: int
    files: int


def needed(streams: int) -> Needed:
    """What ``streams`` at once take."""
    connections = PER_STREAM * streams + OTHERS
    return Needed(connections, connections + SPARE)


def plan(streams: int, unit: str, limits: Limits) -> dict[str, Any]:
    """Version, changes for sse_transaction, and what else is to be known.

    Raises `UnavailableError` where nginx is not there, or cannot be changed safely.
    """
    instance = nginx.locate(proc.table())
    built = nginx.build(instance, limits)
    answer: dict[str, Any] = {"version": built.version, "changes": [], "daemon_reload": False}
    answer.update(restart=False, connections=None, files=None)
    if streams <= 0:
        return answer
    config = nginx.configuration(nginx.main_file(instance, built), limits)
    if config.tree is None:
        reason = config.missing.get("nginx.tree", "its configuration cannot be read")
        raise UnavailableError("nginx: " + reason)
    wish = needed(streams)
    answer.update(connections=wish.connections, files=wish.files)
    answer["changes"] = _edits(config.tree, wish)
    configured = _hard_limit(unit, limits)
    if configured is not None and configured < wish.files:
        answer["changes"].append(_drop_in(unit, wish.files, limits))
        answer["daemon_reload"] = True
    # Configured is not effective: what the master has is what its workers can get from it.
    hard = proc.file_limits(instance.master)[1] if instance.master is not None else None
    answer["restart"] = hard is not None and hard < wish.files and not _may_raise(instance.master)
    return answer


def _edits(tree: Tree, wish: Needed) -> list[dict[str, Any]]:
    from ..ssemedic.nginx.edit import UnsafeError
    from ..ssemedic.nginx.limits import limit_lines, process_edits

    wishes = {
        "worker_connections": str(wish.connections),
        "worker_rlimit_nofile": str(wish.files),
    }
    if not limit_lines(tree, "worker_shutdown_timeout"):
        wishes["worker_shutdown_timeout"] = SHUTDOWN  # nginx_reload_old_workers
    try:
        edits = process_edits(tree, wishes)
    except UnsafeError as error:
        raise UnavailableError("nginx: %s" % error) from error
    return [
        {
            "path": edit.path,
            "content_b64": base64.b64encode(edit.content).decode("ascii"),
            "expected_sha256": edit.before_sha256,
        }
        for edit in edits
    ]


def _hard_limit(unit: str, limits: Limits) -> int | None:
    """LimitNOFILE as systemd will give it at the next start; None where there is no systemd."""
    argv = ["systemctl", "show", "--property=LimitNOFILE", "--value", "--", unit]
    try:
        shown = run(argv, limits.command_seconds).stdout.strip()
    except UnavailableError:
        return None
    return int(shown) if shown.isdigit() else None


def _drop_in(unit: str, most: int, limits: Limits) -> dict[str, Any]:
    """Our drop-in of the unit with this limit; what else it sets stays."""
    path = "/etc/systemd/system/%s.d/zz-ssemedic.conf" % unit
    text = ""
    if os.path.lexists(path):
        text = files.read(path, limits.bytes).decode("utf-8", "surrogateescape")
    return {"path": path, "content": with_limit(text, most)}


def with_limit(text: str, most: int) -> str:
    """A drop-in's text with LimitNOFILE set in its last [Service] section."""
    kept = re.sub(r"(?m)^LimitNOFILE=.*\n?", "", text)
    line = "# sd_limitnofile, nginx_worker_connections: two for each stream.\nLimitNOFILE=%d\n"
    line %= most
    kept = kept.replace(line.split("\n", 1)[0] + "\n", "")
    if not kept:
        head = '# Written by ssemedic. Undo: delete this file, run "systemctl daemon-reload".'
        return "%s\n\n[Service]\n%s" % (head, line)
    before, section, after = kept.rpartition("[Service]\n")
    if not section:
        return "%s\n[Service]\n%s" % (kept.rstrip("\n") + "\n", line)
    return before + section + line + after


def _may_raise(master: int | None) -> bool:
    """True if the running master may set a limit above its own (setrlimit(2))."""
    try:
        with open("/proc/%d/status" % master, encoding="ascii", errors="replace") as status:
            found = re.search(r"^CapEff:\s*([0-9a-f]+)", status.read(), re.M)
    except OSError:
        return False
    return found is not None and bool(int(found.group(1), 16) >> _CAP_SYS_RESOURCE & 1)
