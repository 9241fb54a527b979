"""`ssemedic sudoers`: the least rights that a mode needs, as a file for sudo, and its gate."""

from __future__ import annotations

import argparse
import re
import sys

from ssemedic.commands.output import RefusedError, UsageError

FAILED = 3
#: useradd(8); what is more could say more in a sudoers file.
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_FOLDER = "/usr/local/lib/ssemedic"

_TEXT = """\
# What ssemedic needs as root to {mode}, and nothing else. Made by: ssemedic sudoers
#
#   ssemedic sudoers --mode {mode} --gate > gate-{mode}
#   install -D -o root -g root -m 0755 gate-{mode} {gate}
#   ssemedic sudoers --mode {mode} --user {user} > sudoers-ssemedic
#   visudo -c -f sudoers-ssemedic
#   install -o root -g root -m 0440 sudoers-ssemedic /etc/sudoers.d/ssemedic
#
# In the inventory, for these hosts:
#
#   ansible_user: {user}
#   ansible_python_interpreter: {gate}
#   ansible_pipelining: true
#
# The gate runs ssemedic's modules of the version it was made by; make it anew after an update of
# ssemedic or of Ansible. {warning}
# Needs sudo 1.9.10 or later, which knows regular expressions.
Defaults:{user} !requiretty
{user} ALL=(root) NOPASSWD: /bin/sh ^-c echo BECOME-SUCCESS-[a-z]+ ; {pattern}$
"""
_WARNINGS = {
    "diagnose": "It changes nothing, and reads logs below /var/log alone.",
    "remediate": (
        "It changes files below /etc/nginx and\n"
        "# /etc/systemd/system alone; but who may change those may become root by them."
    ),
}


def run(arguments: argparse.Namespace) -> int:
    """Print the sudoers file, or with ``--gate`` the program that it allows."""
    if not _USER.fullmatch(arguments.user):
        raise UsageError(f"--user: {arguments.user!r} is no user name, must be like ssemedic")
    if not arguments.gate:
        sys.stdout.write(text(arguments.mode, arguments.user))
        return 0
    from ssemedic.gate import make

    try:
        sys.stdout.write(make.program(arguments.mode))
    except make.GateError as error:
        raise RefusedError(str(error), FAILED) from error
    return 0


def text(mode: str, user: str) -> str:
    """The sudoers file: one command, the gate, as Ansible calls it (sudoers(5))."""
    gate = f"{_FOLDER}/gate-{mode}"
    return _TEXT.format(
        mode=mode, user=user, gate=gate, pattern=gate.replace(".", "\\."), warning=_WARNINGS[mode]
    )
