"""How many streams one process can hold, side by side with aiohttp and httpx."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import clients, machine
from bench.crowd_source import SECONDS_BETWEEN_EVENTS
from bench.front import source_behind_nginx
from bench.table import Goal
from lab.errors import LabError
from lab.layout import PROJECT

PAGE = PROJECT / "docs" / "bench-capacity.md"
ROUNDS = 3
STREAMS = 9_000
#: httpx needs half a minute for 5,000, so it is asked for fewer and judged per stream.
STREAMS_OF_HTTPX = 1_000
HOLD_SECONDS = 12.0
#: Ours is told how long the whole run takes, so the time to open is added.
RAMP_ALLOWED = 5.0
DESCRIPTORS = 20_000
_MOST_SECONDS = 300.0

MOST_BYTES = 4096
MOST_SHARE = 0.10
_LIBRARY = Path(__file__).with_name("hold_with_library.py")


@dataclass(frozen=True)
class Client:
    """Who takes part, and with how many streams."""

    id: str
    title: str
    streams: int
    command: Callable[[str, int], list[str]]


def _ours(url: str, streams: int) -> list[str]:
    seconds = HOLD_SECONDS + RAMP_ALLOWED
    return [sys.executable, "-m", "bench.hold_with_ours", url, str(streams), f"{seconds:g}"]


def _library(name: str) -> Callable[[str, int], list[str]]:
    def command(url: str, streams: int) -> list[str]:
        return [str(clients.PYTHON), str(_LIBRARY), name, url, str(streams), f"{HOLD_SECONDS:g}"]

    return command


CLIENTS = (
    Client("ours", "**`ssemedic probe --streams`**", STREAMS, _ours),
    Client("aiohttp", "aiohttp, one session", STREAMS, _library("aiohttp")),
    Client("httpx", "httpx, one client", STREAMS_OF_HTTPX, _library("httpx")),
)

#: One figure by its name: opened, ramp, bytes_per_stream, cpu_share, events_per_second, ...
Figures = Mapping[str, float]


def main() -> int:
    """Measure and write the page. Raises LabError."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < DESCRIPTORS:
        raise LabError(f"file descriptors: the hard limit is {hard}, must be {DESCRIPTORS}")
    clients.ensure()
    load = machine.load()
    rounds: dict[str, list[Figures]] = {client.id: [] for client in CLIENTS}
    for number in range(1, ROUNDS + 1):
        for client in CLIENTS:
            figures = _once(client)
            rounds[client.id].append(figures)
            print(f"bench: round {number} of {ROUNDS}: {client.id}: {_brief(figures)}", flush=True)
    medians = {name: _median(figures) for name, figures in rounds.items()}
    lines = [*table(medians), "", *[sentence(goal) for goal in goals(medians)]]
    print(*lines, sep="\n")
    PAGE.write_text(_page(lines, load, rounds), encoding="utf-8")
    print(f"bench: wrote {PAGE.relative_to(PROJECT)}")
    return 0


def _once(client: Client) -> Figures:
    # A new nginx and a new source for everybody: nobody meets what another has left.
    with source_behind_nginx("bench.crowd_source", DESCRIPTORS) as (port, _socket):
        done = subprocess.run(
            client.command(f"http://127.0.0.1:{port}/events", client.streams),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
    if done.returncode:
        raise LabError(f"{client.id}: exit code is {done.returncode}: {done.stderr[-2000:]}")
    found: Figures = json.loads(done.stdout)
    return found


def _median(rounds: Sequence[Figures]) -> Figures:
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def _brief(figures: Figures) -> str:
    return (
        f"{figures['opened']:,.0f} streams in {figures['ramp']:.1f} s,"
        f" {figures['bytes_per_stream'] / 1024:.1f} KiB each, {100 * figures['cpu_share']:.1f} %"
        f" of a core at {figures['events_per_second']:,.0f} events/s"
    )


def table(medians: Mapping[str, Figures]) -> list[str]:
    """A Markdown table; the ratio is ours to theirs."""
    lines = [
        "| client | streams | opened in | memory per stream | ours to it | of a core | events/s |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    ours = medians["ours"]
    for client in CLIENTS:
        found = medians[client.id]
        ratio = ours["bytes_per_stream"] / found["bytes_per_stream"]
        cells = [
            client.title,
            f"{found['opened']:,.0f} of {client.streams:,}",
            f"{found['ramp']:.1f} s",
            f"{found['bytes_per_stream'] / 1024:.1f} KiB",
            f"{ratio:.3f}" if client.id != "ours" else "",
            f"{100 * found['cpu_share']:.1f} %",
            f"{found['events_per_second']:,.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def goals(medians: Mapping[str, Figures]) -> list[Goal]:
    """What the project asks of itself, and what was measured."""
    ours = medians["ours"]
    each = ours["bytes_per_stream"]
    to_aiohttp = each / medians["aiohttp"]["bytes_per_stream"]
    to_httpx = each / medians["httpx"]["bytes_per_stream"]
    share, rate = ours["cpu_share"], ours["events_per_second"]
    wanted = 0.95 * STREAMS / SECONDS_BETWEEN_EVENTS
    return [
        Goal(ours["opened"] >= STREAMS, f"{STREAMS:,} streams: {ours['opened']:,.0f} were held"),
        Goal(ours["ramp"] < RAMP_ALLOWED, f"opened in under 5 s: {ours['ramp']:.1f} s"),
        Goal(each <= MOST_BYTES, f"at most 4 KiB per stream: {each / 1024:.1f} KiB"),
        Goal(to_aiohttp <= 1 / 4, f"at most a quarter of aiohttp's memory: {to_aiohttp:.3f}"),
        Goal(to_httpx <= 1 / 8, f"at most an eighth of httpx's memory: {to_httpx:.3f}"),
        Goal(
            share < MOST_SHARE and rate >= wanted,
            f"under 10 % of a core at 1,800 events/s: {100 * share:.1f} % at {rate:,.0f}",
        ),
    ]


def sentence(goal: Goal) -> str:
    """One goal as a list item."""
    return f"- Goal {'met' if goal.met else '**not met**'}: {goal.sentence}."


def _page(lines: Sequence[str], load: float, rounds: Mapping[str, Sequence[Figures]]) -> str:
    ours = rounds["ours"]
    p50 = statistics.median(one["latency_p50"] for one in ours)
    p99 = statistics.median(one["latency_p99"] for one in ours)
    spread = [
        f"- {client.id}: "
        + "; ".join(
            f"{one['ramp']:.1f} s, {one['bytes_per_stream'] / 1024:.1f} KiB" for one in found
        )
        for client, found in ((client, rounds[client.id]) for client in CLIENTS)
    ]
    page = [
        "# How many streams one process can hold",
        "",
        "Written by `python -m bench capacity`. Times differ from machine to machine; the ratios",
        "of one run are what counts.",
        "",
        *[f"- {line}" for line in machine.hardware()],
        f"- {clients.versions()}",
        f"- {time.strftime('%Y-%m-%d')}; load average before the first round {load:.2f}",
        "",
        f"Median of {ROUNDS} rounds:",
        "",
        *lines,
        "",
        f"Events reached ours {1000 * p50:.1f} ms after they were sent at the median,"
        f" {1000 * p99:.1f} ms at the 99th percentile.",
        "",
        "## How it was measured",
        "",
        "- A source of our own behind a real nginx (two workers, buffering off), all on loopback,",
        "  new for every run. Every stream gets an event of about 120 bytes every",
        f"  {SECONDS_BETWEEN_EVENTS:g} s; they are spread evenly.",
        "- In one run, interleaved. Everybody opens as fast as it can with 64 connections being",
        f"  made at once, then holds for {HOLD_SECONDS:g} s; CPU and events are those of the hold.",
        "- Memory is what the process has more than before the first stream; the kernel's socket",
        "  buffers are not in it.",
        "- The libraries only count blank lines. Ours also parses the framing and the events, and",
        "  measures how late each one came.",
        f"- httpx opens {STREAMS_OF_HTTPX:,} streams: its time grows with their square.",
        "",
        "Each round, time to open and memory per stream:",
        "",
        *spread,
    ]
    return "\n".join(page) + "\n"
