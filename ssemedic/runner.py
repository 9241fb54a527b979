"""Run a playbook and hear what it says of each host. The only file that imports ansible_runner."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

from ssemedic.report.secret_words import key_of_tags

ROOT = Path(__file__).resolve().parent.parent

#: What to do about what Ansible says.
_HINTS = {
    "interpreter": "; install python3 there, or set ansible_python_interpreter in the inventory",
    "Could not resolve": "; is it spelled right, or in an inventory that --inventory must name?",
    "Permission denied (publickey": "; set ansible_user and a key in the inventory",
    "Host key verification failed": "; add its key to known_hosts after checking it",
}

#: Called with (host, what is being done) as a run goes on.
Progress = Callable[[str, str], None]


class RunError(RuntimeError):
    """The playbook could not be run at all; the message says what to do."""


@dataclass
class Outcome:
    """What a run said. Each mapping is by host; the values are one sentence or plain data."""

    reported: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the task that failed
    order: list[str] = field(default_factory=list)  # every host, as Ansible came to it


def run(
    playbook: str,
    inventories: Sequence[str],
    variables: Mapping[str, Any],
    progress: Progress,
    reporter: str = "sse_report",
    *,
    ended: Callable[[str], None] = lambda _: None,
    forks: int = 0,
    limit: str | None = None,
) -> Outcome:
    """Run a playbook of this project; raises `RunError` if it did not begin.

    ``reporter`` is the action whose last result tells what the run found; ``ended`` hears of each
    host when it has. ``forks`` is how many hosts are worked at at once (0: as ansible.cfg says),
    ``limit`` a pattern of Ansible's.

    ``variables`` hold what the operator said, never what a host said: Ansible
    treats them as templates.
    """
    if not (ROOT / playbook).is_file():
        raise RunError(f"{playbook}: is not in {ROOT}; run from a checkout of the project")
    outcome = Outcome()

    def hear(event: Mapping[str, Any]) -> bool:
        known = len(outcome.reported)
        _hear(event, outcome, progress, reporter)
        if len(outcome.reported) > known:
            ended(list(outcome.reported)[-1])
        return False  # event data may hold host text: it stays off the disk

    with tempfile.TemporaryDirectory(prefix="ssemedic-") as private:
        ansible_runner.run(
            private_data_dir=private,
            project_dir=str(ROOT),
            playbook=playbook,
            inventory=list(inventories),
            extravars=dict(variables),
            event_handler=hear,
            quiet=True,
            **({"forks": forks} if forks else {}),
            **({"limit": limit} if limit else {}),
            envvars={
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                # ansible-runner finds ansible-playbook by PATH alone.
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
                "ANSIBLE_NOCOLOR": "1",
                **key_of_tags(),
            },
        )
    if not (outcome.reported or outcome.failed or outcome.unreachable):
        reason = next((line for line in outcome.output if "ERROR" in line), "")
        raise RunError(reason.strip() or "the playbook reached no host: is it in the inventory?")
    return outcome


def _hear(event: Mapping[str, Any], outcome: Outcome, progress: Progress, reporter: str) -> None:
    data = event.get("event_data") or {}
    host = str(data.get("host", ""))
    answer = data.get("res") or {}
    kind = event.get("event")
    if host and host not in outcome.order:
        outcome.order.append(host)
    if kind == "runner_on_start":
        progress(host, str(data.get("task", "")))
    elif kind == "runner_on_ok" and data.get("task_action") == reporter:
        outcome.reported[host] = answer
        outcome.failed.pop(host, None)
    elif kind == "runner_on_unreachable":
        outcome.unreachable[host] = one_line(answer.get("msg"))
    elif kind == "runner_on_failed" and not data.get("ignore_errors"):
        outcome.results[host] = answer
        outcome.failed[host] = one_line(answer.get("msg") or answer.get("module_stderr"))
    elif event.get("stdout"):
        outcome.output += str(event["stdout"]).splitlines()


def one_line(message: object) -> str:
    """The gist of an Ansible message: its last line that says something."""
    lines = [line.strip() for line in str(message or "").splitlines() if line.strip()]
    gist = lines[-1].removeprefix("Task failed: ") if lines else "no reason given"
    hint = next((text for sign, text in _HINTS.items() if sign in gist), "")
    return f"{gist.rstrip('.')}{hint}"
