"""python -m bench: how fast a diagnosis is, how many streams the probe holds, how right it is."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType

from bench import accuracy, capacity, logs, machine, measure, nginx_reading, repair_cost, rival
from bench.contenders import CONTENDERS
from bench.document import Series, Setting, document
from bench.table import Entry, goals, table
from lab import fleet, requirements
from lab.errors import LabError
from lab.layout import PROJECT, Lab

PAGE = PROJECT / "docs" / "bench.md"
LAB = Lab("ssemedic-lab-bench")
#: Hosts and rounds of a full run; ten hosts take longer and wobble less.
FULL = ((1, 5), (10, 3))
QUICK = ((1, 1),)


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the page; the exit code is 0, 1 (failed) or 2 (not possible here)."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("diagnosis", "capacity", "accuracy", "nginx", "repair", "logs"),
        default="diagnosis",
        help="what to measure; the time of a diagnosis if left out",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one host, one round; shows a table, writes no page"
    )
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    try:
        if chosen.what == "capacity":
            return capacity.main()
        if chosen.what == "accuracy":
            return accuracy.main()
        if chosen.what == "nginx":
            return nginx_reading.main()
        if chosen.what == "logs":
            return logs.main()
        if chosen.what == "repair":
            return repair_cost.main()
        return _run(QUICK if chosen.quick else FULL, write=not chosen.quick)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("bench: interrupted, nothing was written", file=sys.stderr)
        return 130


def _run(plan: tuple[tuple[int, int], ...], *, write: bool) -> int:
    requirements.check_ready()
    rival.ensure()
    setting = Setting(time.strftime("%Y-%m-%d"), machine.load(), machine.description())
    try:
        series = [_series(hosts, rounds) for hosts, rounds in plan]
    finally:
        fleet.down(LAB, [])
    for one in series:
        print(f"\n{one.hosts} host(s)", *table(one.entries), sep="\n")
        for goal in goals(one.entries):
            print(f"goal {'met' if goal.met else 'NOT MET'}: {goal.sentence}")
    if write:
        PAGE.write_text(document(setting, series), encoding="utf-8")
        print(f"bench: wrote {PAGE.relative_to(PROJECT)}")
    return 0


def _series(count: int, rounds: int) -> Series:
    print(f"bench: {count} host(s), {rounds} round(s)", flush=True)
    hosts = fleet.up(LAB, [f"web{number}" for number in range(1, count + 1)])
    taking_part = [one for one in CONTENDERS if count <= one.most_hosts]
    times = measure.rounds(
        LAB, hosts, taking_part, rounds, lambda line: print(f"bench: {line}", flush=True)
    )
    entries = tuple(
        Entry(one.id, one.title, tuple(times[one.id]), one.window, one.ours) for one in taking_part
    )
    return Series(count, rounds, entries)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Leave by the way that takes the hosts down."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
