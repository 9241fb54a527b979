"""Which host, by which inventory: what every command that reaches a host has in common."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ssemedic.commands.output import UsageError

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*\Z")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--host`` and ``--inventory``."""
    parser.add_argument(
        "--host", required=True, help="a host of the inventory, or any name or address"
    )
    parser.add_argument(
        "--inventory",
        action="append",
        type=Path,
        help="an Ansible inventory; may be repeated (default: the project's inventory/)",
    )


def host_of(arguments: argparse.Namespace) -> str:
    """The host as named; raises `UsageError` for what Ansible could take for a pattern."""
    if not _HOST.match(arguments.host):
        raise UsageError(f"--host: {arguments.host!r} is not a host name or address")
    return str(arguments.host)


def inventories_of(arguments: argparse.Namespace) -> list[str]:
    """The inventories in which it is looked up; raises `UsageError` for one that is missing."""
    from ssemedic import runner

    chosen: list[Path] = arguments.inventory or [runner.ROOT / "inventory"]
    for path in chosen:
        if not path.exists():
            raise UsageError(f"--inventory: {path} does not exist")
    # The last one makes a bare name or address a host, and is nothing new to a host that is known.
    return [str(path.resolve()) for path in chosen] + [f"{arguments.host},"]
