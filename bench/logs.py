"""How fast logs are put into classes, beside grep -F with the same fixed strings."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.capacity import sentence
from bench.table import Goal
from lab.errors import LabError
from lab.layout import PROJECT
from ssemedic.log_classes import SIGNATURES, Scan

PAGE = PROJECT / "docs" / "bench-logs.md"
MEGABYTES, ROUNDS = 150, 5
MOST_TIMES_GREP = 8.0
MOST_MEMORY = 64 * 2**20
LONG_LINE = 2**30
HUGE = 10 * 2**30
MOST_CHILD_SECONDS = 300

_ACCESS = (
    '192.0.2.{a} - - [24/Nov/2026:{h:02}:{m:02}:{s:02} +0000] "GET /api/items/{n}?page={a} '
    'HTTP/1.1" 200 {n} "https://app.example.org/" "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) '
    'Gecko/20100101 Firefox/128.0"'
)
_APP = (
    "2026-11-24 {h:02}:{m:02}:{s:02},{n:03.0f} INFO notify.stream stream opened workspace=acme "
    "sub='u-{n}' client=192.0.2.{a} replay=0"
)
_FAULTS = (
    "2026/11/24 {h:02}:{m:02}:{s:02} [error] 8#8: *{n} upstream timed out (110: Connection timed "
    'out) while reading upstream, client: 192.0.2.{a}, request: "GET /events HTTP/1.1"',
    "2026-11-24 {h:02}:{m:02}:{s:02},123 WARNING notify.app auth failed status=401 reason=expired "
    "detail='exp is {n} s in the past' client=192.0.2.{a}",
    "2026-11-24 {h:02}:{m:02}:{s:02},123 ERROR sqlalchemy.exc.TimeoutError: QueuePool limit of "
    "size 5 overflow 10 reached, connection timed out, timeout 30.00",
)


@dataclass(frozen=True)
class Log:
    """A log that is read: its name in tables, and how many of a thousand lines are faults."""

    name: str
    faults: int


LOGS = (Log("quiet", 1), Log("troubled", 50))


@dataclass(frozen=True)
class Read:
    """One contender's rounds: seconds, and its peak of memory in bytes, 0 where not measured."""

    seconds: tuple[float, ...]
    memory: int

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def main() -> int:
    """Measure and write the page. Raises LabError."""
    load = machine.load()
    lines: list[str] = []
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory(prefix="ssemedic-bench-") as folder:
        needles = Path(folder, "needles")
        needles.write_text("\n".join(sorted({s.needle for s in SIGNATURES})) + "\n", "ascii")
        for log in LOGS:
            path = _written(Path(folder, log.name), log)
            found = _rounds(path, needles)
            lines += ["", f"## A {log.name} log", "", *_told(log, path), "", *table(path, found)]
            goals.append(_goal(log, found))
        one_line, huge = (
            _sparse(Path(folder, "line"), LONG_LINE),
            _sparse(Path(folder, "huge"), HUGE),
        )
        for path, what in (
            (one_line, "one line of 1 GB"),
            (huge, "a log of 10 GB, its newest part"),
        ):
            peak = _child("scan-file", path)[1]
            said = f"at most {MOST_MEMORY >> 20} MiB for {what}: {peak / 2**20:.0f} MiB"
            goals.append(Goal(peak <= MOST_MEMORY, said))
    print(*lines, *map(sentence, goals), sep="\n")
    PAGE.write_text(_page(lines, goals, load), encoding="utf-8")
    print(f"bench: wrote {PAGE.relative_to(PROJECT)}")
    return 0


def _written(path: Path, log: Log) -> Path:
    dice = random.Random(7)
    size = 0
    with path.open("w", encoding="ascii") as file:
        while size < MEGABYTES * 10**6:
            kind = _ACCESS if dice.random() < 0.6 else _APP
            if dice.randrange(1000) < log.faults:
                kind = dice.choice(_FAULTS)
            when = {"h": dice.randrange(24), "m": dice.randrange(60), "s": dice.randrange(60)}
            size += file.write(kind.format(a=dice.randrange(255), n=dice.randrange(1000), **when))
            size += file.write("\n")
    return path


def _sparse(path: Path, size: int) -> Path:
    """No line end in all of it, but for a last line."""
    with path.open("wb") as file:
        file.seek(size)
        file.write(b"\nError: write EPIPE\n")
    return path


def _rounds(path: Path, needles: Path) -> dict[str, Read]:
    seconds: dict[str, list[float]] = {"grep": [], "scan": []}
    memory = dict.fromkeys(seconds, 0)
    for number in range(ROUNDS + 1):
        for name in seconds:
            took, peak = (_grep(path, needles), 0) if name == "grep" else _child("scan", path)
            if number:  # the first brings the file into the page cache
                seconds[name].append(took)
            memory[name] = max(memory[name], peak)
    return {name: Read(tuple(seconds[name]), memory[name]) for name in seconds}


def _grep(path: Path, needles: Path) -> float:
    """grep's own fastest way: fixed strings, bytes, and nothing but a count to print.

    To a pipe: with /dev/null it would stop at the first line.
    """
    command = ["grep", "-c", "-F", "-f", str(needles), str(path)]
    began = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}, check=False
    )
    if done.returncode > 1:
        raise LabError("bench: grep failed")
    return time.perf_counter() - began


def _child(name: str, path: Path) -> tuple[float, int]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.logs", name, str(path)],
        cwd=PROJECT, capture_output=True, text=True, timeout=MOST_CHILD_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"bench: {name} failed: {done.stderr[-500:]}")
    took, peak = json.loads(done.stdout)
    return float(took), int(peak)


def _measured(name: str, path: str) -> None:
    """In the child: the classes of a whole file, or of what the host reads of it."""
    began = time.perf_counter()
    if name == "scan":
        with Path(path).open("rb") as file:
            Scan(_stamp()).feed(file.read)
    else:
        _as_on_a_host(path)
    took = time.perf_counter() - began
    print(json.dumps([took, _peak()]))


def _peak() -> int:
    """The most memory that this process ever held, in bytes (proc(5), VmHWM)."""
    status = Path("/proc/self/status").read_text("ascii")
    found = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(found.split()[1]) * 1024


def _stamp() -> Callable[[str], float | None]:
    stamp: Callable[[str, float], float | None] = _host_code().times.stamp
    now = time.time()
    return lambda line: stamp(line, now)


def _as_on_a_host(path: str) -> None:
    scans = _host_code().log_scans
    since = time.time() - scans.LOOK_BACK
    around = scans.Around(since, (0.0, 0.0), time.monotonic() + MOST_CHILD_SECONDS)
    scans.file(scans.Source(path), around, ())


def _host_code() -> Any:
    """The modules of the host's side, imported as Ansible imports them."""
    import ansible.module_utils

    ansible.module_utils.__path__.append(str(PROJECT / "plugins" / "module_utils"))
    from ansible.module_utils import sse_host
    from ansible.module_utils.sse_host import log_scans, times

    assert log_scans and times
    return sse_host


def _told(log: Log, path: Path) -> list[str]:
    return [
        f"{path.stat().st_size / 1e6:.0f} MB, {log.faults} of 1000 lines are of a class; median of "
        f"{ROUNDS}:"
    ]


def table(path: Path, found: Mapping[str, Read]) -> list[str]:
    """A Markdown table; the ratio is to grep of the same run."""
    size = path.stat().st_size / 1e6
    titles = {"grep": "`grep -c -F -f`", "scan": "**`ssemedic.log_classes`**"}
    lines = [
        "| reader | seconds | fastest to slowest | MB/s | to grep | peak memory |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, one in found.items():
        cells = [
            titles[name],
            f"{one.median:.2f}",
            f"{min(one.seconds):.2f} to {max(one.seconds):.2f}",
            f"{size / one.median:.0f}",
            f"{one.median / found['grep'].median:.1f}",
            f"{one.memory / 2**20:.0f} MiB" if one.memory else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _goal(log: Log, found: Mapping[str, Read]) -> Goal:
    times = found["scan"].median / found["grep"].median
    return Goal(
        times <= MOST_TIMES_GREP,
        f"a {log.name} log in at most {MOST_TIMES_GREP:g} times grep's time: {times:.1f} times",
    )


def _page(lines: Sequence[str], goals: Sequence[Goal], load: float) -> str:
    needles = len({signature.needle for signature in SIGNATURES})
    page = [
        "# How fast logs are put into classes",
        "",
        "Written by `python -m bench logs`. Times differ from machine to machine; the ratios of",
        "one run are what counts.",
        "",
        *[f"- {line}" for line in machine.hardware()],
        f"- Python {sys.version.split()[0]}, {_version()}",
        f"- {time.strftime('%Y-%m-%d')}; load average before it began {load:.2f}",
        *lines,
        "",
        "## Goals",
        "",
        *[sentence(goal) for goal in goals],
        "",
        "## How it was measured",
        "",
        "- In one run, interleaved; each reading in a process of its own, the file in the page",
        "  cache. Python's start is not counted; grep's is, and takes a millisecond.",
        f"- grep looks for the {needles} fixed strings of the {len(SIGNATURES)} signatures and",
        "  counts lines. The classifier finds the lines, tells which signature fits, leaves out",
        "  what only looks like one, and keeps count, first and last time and samples of a class.",
        "- The host's own reading is bounded besides: a day back, 256 MiB of a file, and a few",
        "  seconds for all logs together; what was not read stands in the report.",
        "- The line of 1 GB and the log of 10 GB are sparse files, read as on a host.",
    ]
    return "\n".join(page) + "\n"


def _version() -> str:
    done = subprocess.run(["grep", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.split("\n", 1)[0].replace("grep (GNU grep)", "GNU grep")


if __name__ == "__main__":
    _measured(sys.argv[1], sys.argv[2])
