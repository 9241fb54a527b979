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


def add_fleet_arguments(parser: argparse.ArgumentParser) -> None:
    """One host or many: ``--host``, again and again, or ``--group``; ``--limit``, ``--forks``."""
    add = parser.add_argument
    add(
        "--host",
        action="append",
        default=[],
        help="a host of the inventory, or any name or address; again for more, the canary first",
    )
    add("--group", help="all hosts of a group of the inventory")
    add("--limit", metavar="PATTERN", help="of these hosts only some, as Ansible's --limit")
    add("--forks", type=int, default=20, metavar="N", help="look at N hosts at once (%(default)s)")
    add(
        "--inventory",
        action="append",
        type=Path,
        help="an Ansible inventory; may be repeated (default: the project's inventory/)",
    )


def is_fleet(arguments: argparse.Namespace) -> bool:
    """True for many hosts; of a single one ``arguments.host`` becomes its name.

    Raises `UsageError` where no host is named, or both hosts and a group are.
    """
    named = list(arguments.host)
    if bool(named) == bool(arguments.group):
        raise UsageError("--host or --group: must be one of them, --host may be repeated")
    for name in (*named, *([arguments.group] if arguments.group else [])):
        checked_name(name)
    if len(named) == 1 and not arguments.limit:
        [arguments.host] = named
        return False
    return True


def hosts_of(arguments: argparse.Namespace) -> str:
    """The hosts as Ansible's pattern; each name was checked by `is_fleet`."""
    return str(arguments.group) if arguments.group else ",".join(arguments.host)


def checked_name(name: str) -> str:
    """A host or a group; raises `UsageError` for what Ansible could take for a pattern."""
    if not _HOST.match(name):
        raise UsageError(f"--host: {name!r} is not a host name or address")
    return name


def host_of(arguments: argparse.Namespace) -> str:
    """The host as named; raises `UsageError` for what Ansible could take for a pattern."""
    return checked_name(str(arguments.host))


def inventories_of(arguments: argparse.Namespace) -> list[str]:
    """The inventories in which it is looked up; raises `UsageError` for one that is missing."""
    from ssemedic import runner

    chosen: list[Path] = arguments.inventory or [runner.ROOT / "inventory"]
    for path in chosen:
        if not path.exists():
            raise UsageError(f"--inventory: {path} does not exist")
    named = arguments.host if isinstance(arguments.host, list) else [arguments.host]
    # The last one makes a bare name or address a host, and is nothing new to a host that is known.
    return [str(path.resolve()) for path in chosen] + ([",".join(named) + ","] if named else [])
