"""What Ansible needs to know about the running hosts (its script inventory protocol)."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

from lab import ssh, state
from lab.errors import UsageError
from lab.layout import SSH_KEY, current_lab

if TYPE_CHECKING:
    from lab.layout import Host, Lab
    from lab.state import Record

Variables = dict[str, object]

#: How a message is sent through the notify service; its id comes back on the stream.
MESSAGE = {"path": "/api/chats/1/messages", "body": {"text": "a message sent by ssemedic"}}


def lab_variables(lab: Lab) -> Variables:
    """Variables that all hosts of a lab share."""
    return {
        "ansible_user": ssh.USER,
        "ansible_become": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(SSH_KEY),
        "ansible_ssh_common_args": shlex.join(ssh.options(lab)),
        # Short: a master connection outlives its play by this much.
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=15s",
        "sse_probe_proxy_command": ssh.dial_command(lab),
    }


def host_variables(host: Host, record: Record) -> Variables:
    """Variables of one running host."""
    return {
        "ansible_host": host.name,
        # Below the host's own folder: a fresh host never meets a connection to its predecessor.
        "ansible_control_path_dir": str(host.run_dir / "ssh"),
        "sse_endpoint": {"message": MESSAGE, **record.endpoint},
    }


def inventory(lab: Lab) -> Variables:
    """The whole inventory, in the form of `--list`."""
    found = {host.name: (host, state.load(host)) for host in state.recorded_hosts(lab)}
    variables = {
        name: host_variables(host, record) for name, (host, record) in found.items() if record
    }
    return {
        "sse_servers": {"children": ["lab"]},
        "lab": {"hosts": list(variables), "vars": lab_variables(lab) if variables else {}},
        "_meta": {"hostvars": variables},
    }


def main(arguments: list[str]) -> int:
    """`--list` or `--host NAME`; anything else is a usage error (exit code 2)."""
    try:
        if arguments == ["--list"]:
            print(json.dumps(inventory(current_lab())))
            return 0
        if len(arguments) == 2 and arguments[0] == "--host":
            host = current_lab().host(arguments[1])
            record = state.load(host)
            print(json.dumps(host_variables(host, record) if record else {}))
            return 0
    except UsageError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    print("usage: lab.py --list | --host NAME", file=sys.stderr)
    return 2
