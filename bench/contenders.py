"""Who takes part: a name, and the command that does the work."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.commands import COMMANDS
from bench.rival import PYINFRA
from bench.scene import Scene, ssh_options
from lab import ssh
from ssemedic.assignment import WINDOW

#: The shortest window the command line takes (seconds): the least can be hidden in it.
SHORT = 1.0
BIN = Path(sys.executable).parent
PLAIN = {"ANSIBLE_PIPELINING": "False", "ANSIBLE_SSH_PIPELINING": "False"}


@dataclass(frozen=True)
class Contender:
    """One way to look at hosts. `window` (seconds) is how long it watches streams."""

    id: str
    title: str
    command: Callable[[Scene], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    window: float = 0.0
    ours: bool = False
    most_hosts: int = 99


def _plain_ssh(scene: Scene) -> list[str]:
    """All hosts at once; the exit code is not 0 if any command fails on any host."""
    script = shlex.quote("set -e\n" + "\n".join(COMMANDS))
    shared = ["ssh", "-F", "/dev/null", *ssh_options(scene.lab), "-l", ssh.USER]
    lines = [
        shlex.join([*shared, host.name, f"sudo sh -c {script}"]) + ' & jobs="$jobs $!"'
        for host in scene.hosts
    ]
    lines.append('for job in $jobs; do wait "$job" || exit 1; done')
    return ["sh", "-c", "\n".join(lines)]


def _ping(scene: Scene) -> list[str]:
    return [str(BIN / "ansible"), "-i", str(scene.inventory), "all", "-m", "ping"]


def _naive(scene: Scene) -> list[str]:
    return [str(BIN / "ansible-playbook"), "-i", str(scene.inventory), str(scene.naive_playbook)]


def _pyinfra(scene: Scene) -> list[str]:
    return [str(PYINFRA), "-y", str(scene.pyinfra_hosts), str(scene.pyinfra_deploy)]


def _playbook(window: float) -> Callable[[Scene], list[str]]:
    def command(scene: Scene) -> list[str]:
        return [
            *[str(BIN / "ansible-playbook"), "-i", str(scene.inventory), "diagnose.yml"],
            *["-e", f"sse_evidence_window={window:g}"],
        ]

    return command


def _cli(window: float) -> Callable[[Scene], list[str]]:
    def command(scene: Scene) -> list[str]:
        return [
            *[sys.executable, "-m", "ssemedic", "diagnose", "--host", scene.hosts[0].name],
            *["--inventory", str(scene.inventory), "--for", f"{window:g}"],
        ]

    return command


CONTENDERS = (
    Contender("ssh", "plain ssh, 25 commands in one go", _plain_ssh),
    Contender("ping", "`ansible -m ping`, pipelined", _ping),
    Contender(
        "playbook", "`ansible-playbook diagnose.yml`", _playbook(WINDOW), window=WINDOW, ours=True
    ),
    Contender(
        "playbook_short",
        "`ansible-playbook diagnose.yml`, shortest window",
        _playbook(SHORT),
        window=SHORT,
        ours=True,
    ),
    Contender("cli", "`ssemedic diagnose`", _cli(WINDOW), window=WINDOW, ours=True, most_hosts=1),
    Contender(
        "cli_short",
        "`ssemedic diagnose`, shortest window",
        _cli(SHORT),
        window=SHORT,
        ours=True,
        most_hosts=1,
    ),
    Contender("pyinfra", "pyinfra, the 25 commands", _pyinfra),
    Contender("pipelined", "playbook of 25 tasks, pipelined", _naive),
    Contender("naive", "playbook of 25 tasks, as Ansible comes", _naive, environment=PLAIN),
)
