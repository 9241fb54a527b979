"""python -m lab: boots real hosts, breaks them, mends them."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict

from lab import layout, requirements
from lab.errors import LabError, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Run one command of the lab; the exit code is 0, 1 (failed) or 2 (not possible here)."""
    chosen = _parser().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    setup = commands.add_parser("setup", help="install what the lab needs on this machine")
    setup.set_defaults(run=_setup)

    up = commands.add_parser("up", help="start hosts: a number, or names")
    up.add_argument("hosts", nargs="*", default=["1"], metavar="N|HOST")
    up.add_argument("--image", choices=("service", "base"), default="service")
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="remove hosts; all of them without a name")
    down.add_argument("hosts", nargs="*", metavar="HOST")
    down.set_defaults(run=_down)

    status = commands.add_parser("status", help="show the hosts")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)

    ssh = commands.add_parser("ssh", help="log in as medic, or run a command there")
    ssh.add_argument("host", metavar="[USER@]HOST")
    ssh.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD")
    ssh.set_defaults(run=_ssh)

    run = commands.add_parser("run", help="run a command of this machine inside the lab's network")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD")
    run.set_defaults(run=_run)

    broken = commands.add_parser("break", help="inject a fault")
    broken.add_argument("host", metavar="HOST")
    broken.add_argument("fault", metavar="FAULT")
    broken.add_argument(
        "--healthy-twin",
        "--twin",
        dest="twin",
        action="store_true",
        help="inject what looks like the fault and is none",
    )
    broken.set_defaults(run=_break)

    mend = commands.add_parser("mend", help="replace hosts by fresh ones")
    mend.add_argument("hosts", nargs="+", metavar="HOST")
    mend.set_defaults(run=_mend)

    faults = commands.add_parser("faults", help="list the faults")
    faults.set_defaults(run=_faults)

    changed = commands.add_parser("changed", help="list files a host changed since it was ready")
    changed.add_argument("host", metavar="HOST")
    changed.add_argument("--since-boot", action="store_true", help="also what booting wrote")
    changed.set_defaults(run=_changed)
    return parser


def _setup(_: argparse.Namespace) -> int:
    requirements.install()
    return 0


def _up(chosen: argparse.Namespace) -> int:
    from lab import fleet

    began = time.monotonic()
    hosts = fleet.up(layout.current_lab(), _names(chosen.hosts), chosen.image)
    names = ", ".join(host.name for host in hosts)
    print(f"lab: {names} ready after {time.monotonic() - began:.1f} s")
    return 0


def _names(words: list[str]) -> list[str]:
    """`3` stands for web1 web2 web3; anything else is a name."""
    if len(words) == 1 and words[0].isdecimal():
        count = int(words[0])
        if not 1 <= count <= layout.MAX_HOSTS:
            raise UsageError(f"number of hosts: is {count}, must be 1 to {layout.MAX_HOSTS}")
        return [f"web{number}" for number in range(1, count + 1)]
    return words


def _down(chosen: argparse.Namespace) -> int:
    from lab import fleet

    requirements.check_platform()
    fleet.down(layout.current_lab(), chosen.hosts)
    return 0


def _status(chosen: argparse.Namespace) -> int:
    from lab import host, state

    requirements.check_platform()
    rows = []
    for one in state.recorded_hosts(layout.current_lab()):
        if record := state.load(one):
            alive = "running" if host.supervised(one) else "killed"
            rows.append({**asdict(record), "state": alive})
    if chosen.json:
        print(json.dumps({"hosts": rows}, indent=2))
        return 0
    for row in rows:
        fault = row["fault"] + (" (healthy twin)" if row["healthy_twin"] else "")
        print(f"{row['name']:<6} {row['state']:<8} {row['endpoint']['url']:<32} {fault or '-'}")
    if not rows:
        print("lab: no host runs; `python -m lab up 1` starts one")
    return 0


def _ssh(chosen: argparse.Namespace) -> int:
    from lab import ssh, state

    requirements.check_platform()
    lab = layout.current_lab()
    user, _, name = chosen.host.rpartition("@")
    if state.load(lab.host(name)) is None:
        raise LabError(f"host {name}: does not run; `python -m lab up {name}` starts it")
    command = ["ssh", "-F", "/dev/null", *ssh.options(lab), "-l", user or ssh.USER, name]
    os.execvp("ssh", [*command, *chosen.command])


def _run(chosen: argparse.Namespace) -> int:
    from lab import network

    requirements.check_platform()
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    if not command:
        raise UsageError("command: is missing; `python -m lab run -- CMD...`")
    inside = network.command_inside(layout.current_lab(), command)
    os.execvp(inside[0], inside)


def _break(chosen: argparse.Namespace) -> int:
    from lab import faults

    requirements.check_platform()
    fault = faults.read(chosen.fault)
    faults.inject(layout.current_lab().host(chosen.host), fault, twin=chosen.twin)
    print(f"lab: {chosen.host}: {fault.twin_summary if chosen.twin else fault.summary}")
    return 0


def _mend(chosen: argparse.Namespace) -> int:
    from lab import fleet

    began = time.monotonic()
    lab = layout.current_lab()
    fleet.mend([lab.host(name) for name in chosen.hosts])
    took = time.monotonic() - began
    print(f"lab: {', '.join(chosen.hosts)} as good as new after {took:.1f} s")
    return 0


def _faults(_: argparse.Namespace) -> int:
    from lab import faults

    for name in faults.names():
        print(f"{name:<30} {faults.read(name).summary}")
    return 0


def _changed(chosen: argparse.Namespace) -> int:
    from lab import changes

    host = layout.current_lab().host(chosen.host)
    if not host.upper_dir.is_dir():
        raise LabError(f"host {host.name}: does not run; `python -m lab up {host.name}` starts it")
    for path in changes.changed(host, since_boot=chosen.since_boot):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
