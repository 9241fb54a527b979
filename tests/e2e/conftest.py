"""Real hosts for whole repairs: a host for each worker, every test on a pristine one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import faults, state
from lab.layout import Lab
from ssemedic.rules import all_rules
from tests.e2e import sheet

PROJECT = Path(__file__).resolve().parents[2]
#: Never the lab that a person works in: its hosts would be mended under their hands.
LAB = f"e2e{os.environ.get('SSEMEDIC_LAB', '')}"[:12]
#: Tests that run side by side (pytest -n) each have a host of their own.
HOST = f"web{int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:]) + 1}"
WATCH_SECONDS = "6"  # longer than the shortest timeout among the faults


@dataclass(frozen=True)
class Run:
    """What a command left behind."""

    code: int
    output: str
    report: dict[str, Any] | None
    diagnosed: float | None = None  # seconds until the verdict was on the screen
    took: float = 0.0  # seconds in all


@dataclass(frozen=True)
class LabHost:
    """One lab host and the commands a person would type for it."""

    name: str
    scratch: Path

    @property
    def url(self) -> str:
        """The URL of the stream; a fault may move it to https."""
        record = state.load(Lab(f"ssemedic-lab-{LAB}").host(self.name))
        assert record is not None
        return record.endpoint["url"]

    def lab(self, *arguments: str, check: bool = True) -> str:
        return lab(*arguments, check=check)

    def ssh(self, command: str, check: bool = True) -> str:
        return lab("ssh", self.name, command, check=check)

    def ssemedic(self, command: str, *arguments: str, url: str | None = None) -> Run:
        file = self.scratch / "report.json"
        file.unlink(missing_ok=True)
        began, diagnosed, lines = time.monotonic(), None, []
        with subprocess.Popen(
            [
                *[sys.executable, "-m", "ssemedic", command],
                *["--host", self.name, "--url", url or self.url],
                *["--json", str(file), "--for", WATCH_SECONDS],
                *arguments,
            ],
            cwd=PROJECT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                lines.append(line)
                # The verdict is the first thing that a report says.
                if diagnosed is None and line.startswith(f"{self.name}: "):
                    diagnosed = time.monotonic() - began
        report = json.loads(file.read_text("utf-8")) if file.exists() else None
        took = time.monotonic() - began
        return Run(running.returncode, "".join(lines), report, diagnosed, took)


def environment() -> dict[str, str]:
    return {**os.environ, "SSEMEDIC_LAB": LAB, "NO_COLOR": "1", "COLUMNS": "100"}


def lab(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=600,
        check=False,
    )
    if check and done.returncode:
        pytest.fail(f"lab {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def ssemedic(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ssemedic", *arguments],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture(scope="session")
def started_lab() -> Iterator[None]:
    lab("down", HOST)
    lab("up", HOST)
    yield
    lab("down", HOST)


@pytest.fixture
def host(started_lab: None, tmp_path: Path) -> LabHost:
    """The worker's host, as pristine as it was built."""
    lab("mend", HOST)
    return LabHost(HOST, tmp_path)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sheet", metavar="FILE", help="write what every fault came to, as Markdown")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What the faults came to, below the usual lines; and as a page where one is wished."""
    parts = {
        json.dumps(dict(report.user_properties)[sheet.KEY], sort_keys=True)
        for reports in terminalreporter.stats.values()
        for report in reports
        if sheet.KEY in dict(getattr(report, "user_properties", ()))
    }
    lines = sheet.merged(json.loads(part) for part in sorted(parts))
    if not lines:
        return
    terminalreporter.section("the faults of the lab")
    for figure in sheet.summary(lines):
        terminalreporter.write_line(figure)
    if page := config.getoption("--sheet"):
        bare = {rule.id: rule.title for rule in all_rules() if rule.id not in faults.names()}
        file = Path(page).with_suffix(".json")
        earlier = sheet.kept(file, faults.names(), (line.fault for line in lines))
        every = sheet.merged([*earlier, *map(asdict, lines)])
        data = json.dumps([asdict(line) for line in every], indent=1)
        file.write_text(f"{data}\n", encoding="utf-8")
        Path(page).write_text(sheet.markdown(every, bare), encoding="utf-8")
