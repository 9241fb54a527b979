"""What every contender is given: the same hosts, the same login, nothing left from before."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.commands import COMMANDS
from lab import inventory, ssh, state
from lab.layout import SSH_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.layout import Host, Lab


@dataclass(frozen=True)
class Scene:
    """The files of one run of one contender; `folder` is new and empty each time."""

    lab: Lab
    hosts: tuple[Host, ...]
    folder: Path

    @property
    def control_dir(self) -> Path:
        """Where this run's ssh master connections listen."""
        return self.folder / "ssh"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.json"

    @property
    def naive_playbook(self) -> Path:
        return self.folder / "naive.json"

    @property
    def pyinfra_hosts(self) -> Path:
        return self.folder / "hosts.py"

    @property
    def pyinfra_deploy(self) -> Path:
        return self.folder / "deploy.py"


def ssh_options(lab: Lab) -> list[str]:
    """The lab's options without its proxy: contenders run inside the lab's network.

    A proxy command costs each connection the start of a process, and not every contender
    could use it.
    """
    options = ssh.options(lab)
    pairs = zip(options[::2], options[1::2], strict=True)
    return [part for pair in pairs if not pair[1].startswith("Proxy") for part in pair]


def set_up(scene: Scene) -> None:
    """Write what the contenders read."""
    scene.control_dir.mkdir()
    scene.inventory.write_text(json.dumps(_inventory(scene)), encoding="utf-8")
    scene.naive_playbook.write_text(json.dumps(_naive_playbook()), encoding="utf-8")
    scene.pyinfra_hosts.write_text(_pyinfra_hosts(scene), encoding="utf-8")
    scene.pyinfra_deploy.write_text(_pyinfra_deploy(COMMANDS), encoding="utf-8")


def _inventory(scene: Scene) -> dict[str, object]:
    shared = inventory.lab_variables(scene.lab)
    del shared["sse_probe_proxy_command"]
    del shared["ansible_ssh_args"]  # those of ansible.cfg are what a user has
    shared["ansible_ssh_common_args"] = shlex.join(ssh_options(scene.lab))
    hosts = {}
    for host in scene.hosts:
        record = state.load(host)
        assert record is not None, f"{host.name} does not run"
        hosts[host.name] = {
            **inventory.host_variables(host, record),
            "ansible_control_path_dir": str(scene.control_dir),
        }
    return {"sse_servers": {"hosts": hosts, "vars": shared}}


def _naive_playbook() -> list[dict[str, object]]:
    tasks = [
        {"name": f"Run {command}", "ansible.builtin.command": command, "changed_when": False}
        for command in COMMANDS
    ]
    # Gathering facts would cost another second; a naive playbook that does without is the
    # stronger contender.
    return [{"name": "Look", "hosts": "all", "gather_facts": False, "tasks": tasks}]


def _pyinfra_hosts(scene: Scene) -> str:
    data = {
        "ssh_user": ssh.USER,
        "ssh_key": str(SSH_KEY),
        "ssh_known_hosts_file": str(scene.lab.known_hosts_file),
        "ssh_strict_host_key_checking": "yes",
    }
    return f"hosts = ({[host.name for host in scene.hosts]!r}, {data!r})\n"


def _pyinfra_deploy(commands: Sequence[str]) -> str:
    lines = [
        "from pyinfra.operations import server",
        "",
        f"for command in {list(commands)!r}:",
        "    server.shell(name=command, commands=[command], _sudo=True)",
    ]
    return "\n".join(lines) + "\n"
