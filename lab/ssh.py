"""How ssh reaches a lab host from the machine's own network, where no lab address exists."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from lab.layout import PROJECT, SSH_KEY

if TYPE_CHECKING:
    from lab.layout import Lab

DIALER = PROJECT / "lab" / "dial.py"
USER = "medic"


def dial_command(lab: Lab) -> str:
    """The command that passes a connected socket; the caller puts in %h and %p."""
    command = [sys.executable, "-I", "-S", str(DIALER), "--fdpass", "--lab", lab.name]
    return shlex.join(part.replace("%", "%%") for part in command) + " %h %p"


def options(lab: Lab) -> list[str]:
    """Options for ssh, sftp and scp (ssh_config(5))."""
    settings = {
        "ProxyUseFdpass": "yes",
        "ProxyCommand": dial_command(lab),
        "UserKnownHostsFile": str(lab.known_hosts_file),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "IdentityFile": str(SSH_KEY),
        "IdentitiesOnly": "yes",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
