"""How fast a large nginx configuration is read, beside crossplane."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import machine
from bench.capacity import sentence
from bench.nginx_config import configuration
from bench.table import Goal
from lab.errors import LabError
from lab.layout import PROJECT
from ssemedic.endpoint import Endpoint
from ssemedic.lint import judge, read_configuration
from ssemedic.nginx import Directive, parse

PAGE = PROJECT / "docs" / "bench-nginx.md"
SERVERS, ROUNDS = 10_000, 5
LEAST_TIMES_FASTER = 5.0
MOST_ANSWER_SECONDS = 5.0
MOST_CHILD_SECONDS = 300


@dataclass(frozen=True)
class Read:
    """One contender's rounds: seconds and bytes that the process has more than before."""

    title: str
    seconds: tuple[float, ...]
    memory: tuple[int, ...]


def _parse(path: str) -> object:
    return parse(path, Path(path).read_bytes())


def _read_all(path: str) -> object:
    """Every name, word and line asked for, as crossplane gives them."""

    def told(directives: tuple[Directive, ...]) -> list[Any]:
        return [(d.name, d.args, d.line, told(d.block) if d.block else None) for d in directives]

    source = parse(path, Path(path).read_bytes())
    return source, told(source.directives)


def _analyze(path: str) -> object:
    url = f"https://site{SERVERS // 2}.example.org/events"
    (judged,) = judge(read_configuration(Path(path)).tree, [Endpoint(url)], "1.22.1")
    if judged.problems or judged.unknown:
        raise SystemExit(f"{url}: is not found healthy")
    return judged


def _crossplane(path: str) -> object:
    import crossplane

    payload = crossplane.parse(
        path, single=True, strict=False, check_ctx=False, check_args=False, comments=True
    )
    if payload["status"] != "ok":
        raise SystemExit(f"crossplane: {payload['errors']}")
    return payload


CONTENDERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "parse": ("**`ssemedic.nginx.parse`**", _parse),
    "all": ("**the same, and every word and line number asked for**", _read_all),
    "crossplane": ("crossplane, without its checks", _crossplane),
    "analyze": ("**`ssemedic analyze --url`: read, route, every rule**", _analyze),
}


def main() -> int:
    """Measure and write the page. Raises LabError."""
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="ssemedic-bench-") as folder:
        path = Path(folder, "nginx.conf")
        path.write_text(configuration(SERVERS), encoding="utf-8")
        size = path.stat().st_size
        found = _rounds(path)
    judged = goals(found)
    lines = [*table(found), "", *[sentence(goal) for goal in judged]]
    print(*lines, sep="\n")
    PAGE.write_text(_page(lines, size, load), encoding="utf-8")
    print(f"bench: wrote {PAGE.relative_to(PROJECT)}")
    return 0


def _rounds(path: Path) -> dict[str, Read]:
    """Each contender once, then each again; in a process of its own."""
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    memory: dict[str, list[int]] = {name: [] for name in CONTENDERS}
    for number in range(ROUNDS):
        for name in CONTENDERS:
            took, more = _child(name, path)
            seconds[name].append(took)
            memory[name].append(more)
            print(f"bench: round {number + 1}, {name}: {took:.2f} s", flush=True)
    return {
        name: Read(title, tuple(seconds[name]), tuple(memory[name]))
        for name, (title, _) in CONTENDERS.items()
    }


def _child(name: str, path: Path) -> tuple[float, int]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.nginx_reading", name, str(path)],
        cwd=PROJECT, capture_output=True, text=True, timeout=MOST_CHILD_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"bench: {name} failed: {done.stderr[-500:]}")
    took, more = json.loads(done.stdout)
    return float(took), int(more)


def _measured(name: str, path: str) -> None:
    """In the child: what one contender takes, imports aside."""
    work = CONTENDERS[name][1]
    small = Path(path).with_name("small.conf")
    small.write_text(configuration(1), encoding="utf-8")
    if name == "analyze":
        from ssemedic.rules import all_rules

        all_rules()
    else:
        work(str(small))
    before = _held()
    began = time.perf_counter()
    kept = work(path)
    took = time.perf_counter() - began
    after = _held()
    del kept
    print(json.dumps([took, after - before]))


def _held() -> int:
    """Bytes that the process has in memory (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def table(found: Mapping[str, Read]) -> list[str]:
    """A Markdown table; ratios are to crossplane of the same run."""
    rival = found["crossplane"]
    lines = [
        "| reader | seconds | fastest to slowest | crossplane takes | memory |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, one in found.items():
        times = statistics.median(rival.seconds) / statistics.median(one.seconds)
        cells = [
            one.title,
            f"{statistics.median(one.seconds):.2f}",
            f"{min(one.seconds):.2f} to {max(one.seconds):.2f}",
            "" if name == "crossplane" else f"{times:.1f} times as long",
            f"{statistics.median(one.memory) / 2**20:.0f} MiB",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def goals(found: Mapping[str, Read]) -> list[Goal]:
    """What the project asks of itself, and what was measured."""
    median = {name: statistics.median(one.seconds) for name, one in found.items()}
    times = median["crossplane"] / median["parse"]
    return [
        Goal(
            times >= LEAST_TIMES_FASTER,
            f"at least {LEAST_TIMES_FASTER:g} times as fast as crossplane: {times:.1f} times",
        ),
        Goal(
            median["analyze"] <= MOST_ANSWER_SECONDS,
            f"`ssemedic analyze` answers within {MOST_ANSWER_SECONDS:g} s: "
            f"{median['analyze']:.1f} s",
        ),
    ]


def _page(lines: Sequence[str], size: int, load: float) -> str:
    page = [
        "# How fast an nginx configuration is read",
        "",
        "Written by `python -m bench nginx`. Times differ from machine to machine; the ratios of",
        "one run are what counts.",
        "",
        *[f"- {line}" for line in machine.hardware()],
        f"- Python {sys.version.split()[0]}, crossplane {version('crossplane')}",
        f"- {time.strftime('%Y-%m-%d')}; load average before it began {load:.2f}",
        "",
        f"One nginx.conf with {SERVERS:,} server blocks, {size / 1e6:.1f} MB; median of {ROUNDS}:",
        "",
        *lines,
        "",
        "## How it was measured",
        "",
        "- In one run, interleaved; every reading in a process of its own, whose imports are not",
        "  counted. Memory is what the process has more than before, with the result at hand.",
        "- crossplane reads with its checks of names and contexts off, which favours it.",
        "- Words and line numbers are worked out when somebody asks; a linter asks for few. The",
        "  second row asks for all of them, and builds what crossplane builds.",
    ]
    return "\n".join(page) + "\n"


if __name__ == "__main__":
    _measured(sys.argv[1], sys.argv[2])
