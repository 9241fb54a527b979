"""Run the contenders in turn, each from a cold start, and take the time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.contenders import Contender
from bench.scene import Scene, set_up
from lab import network
from lab.errors import LabError
from lab.layout import PROJECT, Host, Lab

#: Wall times in seconds by the contender's id, in the order of the rounds.
Times = dict[str, list[float]]
MOST_SECONDS = 900.0


def rounds(
    lab: Lab,
    hosts: Sequence[Host],
    contenders: Sequence[Contender],
    count: int,
    say: Callable[[str], None],
) -> Times:
    """Time `count` rounds of A, B, C, ... after one that does not count.

    Interleaved, so that a slow minute of the machine meets all contenders alike. Raises
    LabError where a contender fails: a wrong answer has no speed.
    """
    times: Times = {contender.id: [] for contender in contenders}
    for number in range(count + 1):
        for contender in contenders:
            seconds = _once(lab, hosts, contender)
            say(f"{_name(number, count)}: {contender.title}: {seconds:.2f} s")
            if number:
                times[contender.id].append(seconds)
    return times


def _name(number: int, count: int) -> str:
    return f"round {number} of {count}" if number else "warm-up"


def _once(lab: Lab, hosts: Sequence[Host], contender: Contender) -> float:
    # A short path: a socket's name has room for 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
    scene = Scene(lab, tuple(hosts), folder)
    set_up(scene)
    log = folder / "output"
    try:
        command = network.command_inside(lab, contender.command(scene))
        environment = {**os.environ, "NO_COLOR": "1", **contender.environment}
        with log.open("wb") as output:
            began = time.monotonic()
            code = subprocess.run(
                command,
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=MOST_SECONDS,
                check=False,
            ).returncode
            seconds = time.monotonic() - began
        if code:
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise LabError(f"{contender.title}: exit code is {code}, must be 0: {said}")
        return seconds
    except subprocess.TimeoutExpired:
        raise LabError(f"{contender.title}: still runs after {MOST_SECONDS:g} s") from None
    finally:
        _hang_up(scene)
        shutil.rmtree(folder)


def _hang_up(scene: Scene) -> None:
    """End the master connections of this run: nobody starts with another's."""
    for control in scene.control_dir.iterdir():
        subprocess.run(
            ["ssh", "-F", "/dev/null", "-o", f"ControlPath={control}", "-O", "exit", "any"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
