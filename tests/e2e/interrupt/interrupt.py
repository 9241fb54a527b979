"""A callback of Ansible that ends the connection, or Ansible itself, right before one task.

``SSEMEDIC_TASKS`` names a file that gets the name of each task as it begins. ``SSEMEDIC_AT``
is the number of the task, ``SSEMEDIC_HOW`` what happens then: ``cut`` (the host's sshd and all its
sessions die) or ``kill`` (kill -9 of Ansible and all that it started); with `` meanwhile`` not
before the task, but while its module works on the host.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

from lab import cgroup, host
from lab.layout import current_lab

CUT = "systemctl stop ssh.socket ssh 2>/dev/null; pkill -9 -x sshd; true"


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Called in Ansible's main process, before the task is given to a worker."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "interrupt"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._begun = 0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Count the tasks; do it when the one comes."""
        with Path(os.environ["SSEMEDIC_TASKS"]).open("a", encoding="utf-8") as file:
            file.write(f"{task.get_name().rpartition(' : ')[2]}\n")
        self._begun += 1
        if str(self._begun) != os.environ.get("SSEMEDIC_AT"):
            return
        how, _, meanwhile = os.environ["SSEMEDIC_HOW"].partition(" ")
        if meanwhile:
            threading.Thread(target=_end_meanwhile, args=(how,), daemon=True).start()
        else:
            _end(how)


def _end_meanwhile(how: str) -> None:
    group = current_lab().host(os.environ["SSEMEDIC_HOST"]).cgroup
    while not any(_is_a_module(pid) for pid in cgroup.residents(group)):
        time.sleep(0.01)
    time.sleep(0.4)  # python has started and read the module
    _end(how)


def _is_a_module(pid: int) -> bool:
    try:
        return b"BECOME-SUCCESS" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _end(how: str) -> None:
    if how == "kill":
        os.killpg(0, signal.SIGKILL)
    host.visit(current_lab().host(os.environ["SSEMEDIC_HOST"]), ["sh", "-c", CUT])
