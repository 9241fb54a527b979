"""How right the recorders are: times against a known schedule, and no false alarm."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench import machine
from bench.capacity import sentence
from bench.front import source_behind_nginx
from bench.table import Goal
from bench.timed_source import CUTS, SHAPES
from lab.errors import LabError
from lab.layout import PROJECT
from ssemedic.probe import inside, outside
from ssemedic.probe.live import LiveView
from ssemedic.probe.request import Request
from ssemedic.report.page import page_on
from ssemedic.stream.detect import observe
from ssemedic.stream.parser import parse
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Expected

PAGE = PROJECT / "docs" / "bench-accuracy.md"

MOST_ARRIVAL_SECONDS = 0.002
MOST_CUT_SECONDS = 0.050

TIMED_STREAMS, TIMED_SECONDS = 10, 2.5
#: When a stream is cut, in seconds: so many of each kind, spread over the range.
CUTS_OF_A_KIND, FIRST_CUT, LAST_CUT = 8, 0.4, 2.2
HEALTHY_PAIRS, PAIRS_AT_ONCE = 500, 20
HEALTHY_SECONDS = 3.0
KEEPALIVE_SECONDS = 2.0

Record = Callable[[Request], Stream]
RECORDERS: dict[str, Record] = {"inside": inside.record, "outside": outside.record}
WATCHED = "outside, live view"


def watched(request: Request) -> Stream:
    """Recorded as `ssemedic probe` does on a terminal: the view draws beside it."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        screen = Console(file=nowhere, force_terminal=True, width=100, legacy_windows=False)
        with LiveView(page_on(screen), [request]) as live:
            return outside.record(request, live.watch(request.hop))


@dataclass(frozen=True)
class Errors:
    """Absolute errors in seconds of one recorder, and the longest time it got no processor."""

    recorder: str
    what: str
    seconds: tuple[float, ...]
    stalled: float

    @property
    def median(self) -> float:
        """Half of the errors are at most this."""
        return statistics.median(self.seconds)

    @property
    def worst(self) -> float:
        """The largest."""
        return max(self.seconds)


@dataclass(frozen=True)
class Healthy:
    """How many healthy streams were recorded, by shape, and the symptoms seen on them."""

    recorded: Counter[str]
    alarms: tuple[str, ...]


def main() -> int:
    """Measure and write the page. Raises LabError."""
    load = machine.load()
    with source_behind_nginx("bench.timed_source", 4096) as (nginx, path):
        port = int(path.with_name("source.log").read_text(encoding="ascii").split()[0])
        errors = [*_arrivals(port), *_cuts(port)]
        for one in errors:
            print(f"bench: {_brief(one)}", flush=True)
        healthy = _healthy(nginx, path)
    judged = goals(errors, healthy)
    lines = [*table(errors), "", *[sentence(goal) for goal in judged]]
    print(*lines, *healthy.alarms, sep="\n")
    PAGE.write_text(_page(lines, healthy, load), encoding="utf-8")
    print(f"bench: wrote {PAGE.relative_to(PROJECT)}")
    return 0


def _arrivals(port: int) -> Iterable[Errors]:
    """Each event says when it was sent: on one machine there is one clock."""
    for name, record in {**RECORDERS, WATCHED: watched}.items():
        request = Request(hop="app", url=f"http://127.0.0.1:{port}/timed", window=TIMED_SECONDS)
        streams = [record(request) for _ in range(TIMED_STREAMS)]
        off = [
            abs(stream.started + event.at - float(event.data))
            for stream in streams
            for event in parse(stream).events
            if event.at is not None
        ]
        yield Errors(name, "arrival", tuple(off), max(one.stalled for one in streams))


def _cuts(port: int) -> Iterable[Errors]:
    """The source remembers when it cut."""
    step = (LAST_CUT - FIRST_CUT) / (CUTS_OF_A_KIND - 1)
    for name, record in RECORDERS.items():
        streams: dict[str, Stream] = {}
        for how in CUTS:
            for number in range(CUTS_OF_A_KIND):
                key = f"{name}-{how}-{number}"
                seconds = FIRST_CUT + number * step
                url = f"http://127.0.0.1:{port}/cut/{how}/{key}/{seconds:.3f}"
                streams[key] = record(Request(hop="app", url=url, window=LAST_CUT + 2))
                if streams[key].end.kind != how:
                    raise LabError(f"{key}: recorded as {streams[key].end.kind}, must be {how}")
        asked = outside.record(Request(hop="app", url=f"http://127.0.0.1:{port}/cuts"))
        truth: dict[str, float] = json.loads(asked.body)
        off = [abs(one.started + one.end.at - truth[key]) for key, one in streams.items()]
        yield Errors(name, "cut", tuple(off), max(one.stalled for one in streams.values()))


def _healthy(nginx: int, path: Path) -> Healthy:
    """Pairs of one shape, at the source from inside and through nginx from outside."""
    expected = Expected(window=HEALTHY_SECONDS, keepalive_seconds=KEEPALIVE_SECONDS)
    alarms: list[str] = []
    recorded: Counter[str] = Counter()
    shapes = [SHAPES[number % len(SHAPES)] for number in range(HEALTHY_PAIRS)]
    with (
        ThreadPoolExecutor(PAIRS_AT_ONCE) as pairs,
        ThreadPoolExecutor(PAIRS_AT_ONCE) as partners,
    ):

        def pair(shape: str) -> list[Stream]:
            app = _request("app", f"http://stream.test/{shape}", shape, f"unix:{path}")
            public = _request("public", f"http://127.0.0.1:{nginx}/{shape}", shape, None)
            within = partners.submit(inside.record, app)
            return [outside.record(public), within.result()]

        for shape, streams in zip(shapes, pairs.map(pair, shapes), strict=True):
            recorded[shape] += len(streams)
            alarms += [f"{shape}: {one.text}" for one in observe(streams, expected)]
            alarms += [f"{shape}: {one.hop}: no byte" for one in streams if not one.size]
            if sum(recorded.values()) % 200 == 0:
                count = sum(recorded.values())
                print(f"bench: {count} healthy streams, {len(alarms)} symptoms", flush=True)
    return Healthy(recorded, tuple(alarms))


def _request(hop: str, url: str, shape: str, connect: str | None) -> Request:
    post = shape == "post"
    return Request(
        hop=hop,
        url=url,
        connect=connect,
        window=HEALTHY_SECONDS,
        method="POST" if post else "GET",
        body=b'{"prompt": "hello"}' if post else None,
    )


def table(errors: Sequence[Errors]) -> list[str]:
    """A Markdown table of errors in milliseconds."""
    lines = [
        "| recorder | time of | measured | median error | 95 % | worst | held up for |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for one in errors:
        cells = [
            one.recorder,
            one.what,
            f"{len(one.seconds)}",
            f"{1000 * one.median:.2f} ms",
            f"{1000 * statistics.quantiles(one.seconds, n=20)[-1]:.2f} ms",
            f"{1000 * one.worst:.2f} ms",
            f"{1000 * one.stalled:.0f} ms",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def goals(errors: Sequence[Errors], healthy: Healthy) -> list[Goal]:
    """What the project asks of itself, and what was measured."""
    arrival = max(one.median for one in errors if one.what == "arrival")
    cut = max(one.worst for one in errors if one.what == "cut")
    count = sum(healthy.recorded.values())
    return [
        Goal(
            arrival < MOST_ARRIVAL_SECONDS,
            f"arrivals err by less than 2 ms at the median: {1000 * arrival:.2f} ms",
        ),
        Goal(
            cut < MOST_CUT_SECONDS,
            f"cuts err by less than 50 ms: {1000 * cut:.2f} ms is the worst",
        ),
        Goal(
            not healthy.alarms and count >= 1000,
            f"no symptom on 1,000 healthy streams: {len(healthy.alarms)} on {count:,}",
        ),
    ]


def _brief(one: Errors) -> str:
    return (
        f"{one.recorder}: time of {one.what}: median error {1000 * one.median:.2f} ms,"
        f" worst {1000 * one.worst:.2f} ms of {len(one.seconds)}"
    )


def _page(lines: Sequence[str], healthy: Healthy, load: float) -> str:
    shapes = ", ".join(f"{count} {shape}" for shape, count in healthy.recorded.items())
    alarms = [f"- {text}, {count} times" for text, count in Counter(healthy.alarms).items()]
    page = [
        "# How right the recorders are",
        "",
        "Written by `python -m bench accuracy`.",
        "",
        *[f"- {line}" for line in machine.hardware()],
        f"- {time.strftime('%Y-%m-%d')}; load average before it began {load:.2f}",
        "",
        *lines,
        *(["", "Symptoms seen on healthy streams:", "", *alarms] if alarms else []),
        "",
        "## How it was measured",
        "",
        "- A source on this machine, so that there is one clock. An event says when it was sent;",
        "  of a cut the source remembers when it was made. The error is what the recorder says",
        "  minus that, and has the way over loopback and every delay of both processes in it.",
        f"- Arrivals: {TIMED_STREAMS} streams of {TIMED_SECONDS:g} s for each recorder, one after",
        "  the other, with an event every 40 ms. The live view is drawn as on a terminal, five",
        "  times a second, beside the recorder.",
        f"- Cuts: {CUTS_OF_A_KIND} of each kind ({', '.join(CUTS)}), {FIRST_CUT:g} to"
        f" {LAST_CUT:g} s after the headers.",
        f"- Healthy streams: {shapes}; half of them recorded inside at the source and half at the",
        f"  same time outside through a real nginx, {2 * PAIRS_AT_ONCE} at once for"
        f" {HEALTHY_SECONDS:g} s each, and judged as pairs, with a",
        f"  keep-alive promised every {KEEPALIVE_SECONDS:g} s.",
    ]
    return "\n".join(page) + "\n"
