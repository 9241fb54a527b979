"""The connection is cut, or Ansible is killed, at each task: the host ends old or proven.

The tasks are those of tests/transaction/transaction_tasks.py, which is held to the run itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import host as lab_host
from lab.layout import Lab
from tests.e2e.conftest import HOST, LAB, PROJECT, environment, lab, ssemedic
from tests.transaction.transaction_tasks import (
    CHANGE,
    DIAGNOSING,
    DURING,
    EITHER,
    KEEP,
    KEPT,
    NOTHING,
    PROVEN,
    TIMER,
    UNDONE,
    UNPROVEN,
    Play,
)

pytestmark = pytest.mark.lab

FAULT = "nginx_http10_upstream"
WATCH = 2  # seconds: enough for a stream that ends at once
UNDO_SECONDS = 12
TREE = (
    "cd /etc && find . ! -type d -printf '%p %m %U %G %T@ %l\\n' | sort;"
    " find . -type f -exec sha256sum {} + | sort -k 2; ls /var/log/nginx"
)


@dataclass(frozen=True)
class Broken:
    """A broken host, and the plan that would mend it."""

    plan: Path
    tree: str

    def visit(self, command: str) -> str:
        """As root, past the sshd that may be gone."""
        done = lab_host.visit(Lab(f"ssemedic-lab-{LAB}").host(HOST), ["sh", "-c", command])
        return done.stdout

    def look(self) -> str:
        return self.visit(TREE)

    def run(
        self, play: Play, tasks: Path, at: int = 0, how: str = "", window: int = UNDO_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """One run of ansible-playbook, that dies before task number ``at``."""
        book = "diagnose" if play is DIAGNOSING else "apply"
        variables = {"sse_evidence_window": WATCH, "sse_undo_seconds": window}
        if play is not DIAGNOSING:
            variables["sse_approved_report"] = str(self.plan)
        tasks.unlink(missing_ok=True)
        return playbook(book, variables, tasks, at, how)


def playbook(
    book: str, variables: dict[str, object], tasks: Path, at: int = 0, how: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            f"playbooks/{book}.yml",
            *("-l", HOST),
            *("-e", json.dumps(variables)),
        ],
        cwd=PROJECT,
        env={
            **environment(),
            "PYTHONPATH": str(PROJECT),
            "ANSIBLE_CALLBACK_PLUGINS": str(PROJECT / "tests/e2e/interrupt"),
            "ANSIBLE_CALLBACKS_ENABLED": "interrupt",
            "SSEMEDIC_TASKS": str(tasks),
            "SSEMEDIC_HOST": HOST,
            "SSEMEDIC_AT": str(at),
            "SSEMEDIC_HOW": how,
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        start_new_session=True,  # so that a kill of the whole group spares the tests
    )


@pytest.fixture(scope="module")
def made(started_lab: None, tmp_path_factory: pytest.TempPathFactory) -> Broken:
    return make(tmp_path_factory.mktemp("plan") / "plan.json")


def make(plan: Path) -> Broken:
    """Break a pristine host, and have the repair planned."""
    lab("mend", HOST)
    lab("break", HOST, FAULT)
    variables = {"sse_evidence_window": WATCH, "sse_plan_file": str(plan)}
    done = playbook("diagnose", variables, plan.with_name("tasks"))
    assert done.returncode == 0, done.stdout
    return Broken(plan, Broken(plan, "").look())


@pytest.fixture
def broken(made: Broken) -> Iterator[Broken]:
    """The broken host, the same for each test: each must leave it so."""
    if made.look() != made.tree:
        made = make(made.plan)  # the test before has failed
    yield made
    made.visit("systemctl start ssh")


@pytest.fixture
def incurable(broken: Broken) -> Iterator[Broken]:
    """The app ends its streams by itself now: what was planned cannot be proven."""
    broken.visit("cp -p /etc/notify/notify.env /root/env")
    broken.visit("echo NOTIFY_RAISE_AFTER_200=on >> /etc/notify/notify.env")
    restart = "systemctl reset-failed notify; systemctl restart notify; sleep 1"
    broken.visit(restart)
    yield Broken(broken.plan, broken.look())
    broken.visit(f"cp -p /root/env /etc/notify/notify.env; {restart}")


def settle(broken: Broken, end: str) -> None:
    """Wait for the host, and hold it to what the list says, and the next run to tell it."""
    broken.visit("systemctl start ssh")
    deadline = time.monotonic() + UNDO_SECONDS + 30
    while at_work(broken) or unfinished(broken):
        assert time.monotonic() < deadline, "the change is still open"
        time.sleep(0.5)
    kept = end == KEPT or (end == EITHER and "committed" in phases(broken))
    assert (broken.look() == broken.tree) is not kept
    assert broken.visit("curl -sf -m 5 http://127.0.0.1:8080/health") != ""
    told = told_by_the_next_run(broken)
    assert (TIMER in (end, EITHER) and not kept) == bool(told) or end == EITHER, told
    if kept:
        assert ssemedic("rollback", "--host", HOST, "--yes").returncode == 0
    broken.visit("rm -rf /var/lib/ssemedic")
    assert broken.look() == broken.tree


def at_work(broken: Broken) -> bool:
    """A module goes on for a while when whoever called it is dead."""
    return bool(broken.visit("pgrep -f 'BECOME-SUCCES[S]'"))


def unfinished(broken: Broken) -> bool:
    return any(phase not in ("committed", "reverted") for phase in phases(broken))


def phases(broken: Broken) -> list[str]:
    shown = broken.visit("cat /var/lib/ssemedic/*/journal.json 2>/dev/null | grep '\"phase\"'")
    return [line.split('"')[3] for line in shown.splitlines()]


def told_by_the_next_run(broken: Broken) -> list[str]:
    report = broken.plan.with_name("next.json")
    asked = ("diagnose", "--host", HOST, "--for", "1", "--json", str(report))
    done = ssemedic(*asked)
    assert report.exists(), done.stdout + done.stderr
    notes = json.loads(report.read_text("utf-8"))["notes"]
    report.unlink()
    return [note for note in notes if "the host undid change" in note]


def numbered(play: Play, first: str = "") -> list[tuple[Play, int]]:
    start = play.names.index(first) if first else 0
    return [(play, number) for number in range(start + 1, len(play.tasks) + 1)]


#: Of what precedes the confirmation, a repair that is not proven has nothing of its own.
CASES = [*numbered(DIAGNOSING), *numbered(PROVEN), *numbered(UNPROVEN, KEEP)]
#: Two of them are enough for every day.
DAILY = [(PROVEN, PROVEN.names.index(KEEP) + 1, "cut"), (PROVEN, 18, "kill")]


def parameters() -> list[object]:
    return [
        pytest.param(
            *(play, number, how),
            id=f"{how}, {play.name} {number}: {play.names[number - 1]}"[:60],
            marks=[] if (play, number, how) in DAILY else [pytest.mark.exam],
        )
        for how in ("cut", "kill")
        for play, number in CASES
    ]


@pytest.mark.parametrize(("play", "number", "how"), parameters())
def test_a_run_that_dies_before_a_task_leaves_the_host_old_or_proven(
    request: pytest.FixtureRequest, tmp_path: Path, play: Play, number: int, how: str
) -> None:
    broken: Broken = request.getfixturevalue("incurable" if play is UNPROVEN else "broken")
    task = play.tasks[number - 1]
    # What was confirmed must have been so in time on a busy machine, too.
    window = 120 if task.end in (KEPT, UNDONE) else UNDO_SECONDS
    done = broken.run(play, tmp_path / "tasks", number, how, window)
    if how == "kill":
        assert done.returncode == -signal.SIGKILL, done.stdout
    settle(broken, task.end)


@pytest.mark.exam
@pytest.mark.parametrize("play", [DIAGNOSING, PROVEN, UNPROVEN], ids=lambda play: play.name)
def test_the_tasks_listed_are_all_the_tasks(
    request: pytest.FixtureRequest, tmp_path: Path, play: Play
) -> None:
    broken: Broken = request.getfixturevalue("incurable" if play is UNPROVEN else "broken")
    tasks = tmp_path / "tasks"
    done = broken.run(play, tasks, window=120)
    assert tasks.read_text("utf-8").splitlines() == play.names, done.stdout
    settle(broken, {"diagnose": NOTHING, "proven": KEPT, "unproven": UNDONE}[play.name])


@pytest.mark.exam
@pytest.mark.parametrize("how", ["cut", "kill"])
@pytest.mark.parametrize("name", DURING)
def test_a_run_that_dies_while_a_task_works_on_the_host_leaves_it_old_or_proven(
    broken: Broken, tmp_path: Path, name: str, how: str
) -> None:
    number = PROVEN.names.index(name) + 1
    broken.run(PROVEN, tmp_path / "tasks", number, how + " meanwhile")
    settle(broken, {CHANGE: EITHER, KEEP: EITHER}.get(name, TIMER))


@pytest.mark.exam
def test_the_command_line_killed_while_the_host_is_changed_leaves_it_old_or_proven(
    broken: Broken,
) -> None:
    command = [sys.executable, "-m", "ssemedic", "remediate", "--host", HOST, "--yes", "--for", "2"]
    run = subprocess.Popen(
        command, cwd=PROJECT, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not phases(broken):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    # Its window is three minutes: the host is asked to recover instead, once nobody holds it.
    time.sleep(5)
    for identity in broken.visit("ls /var/lib/ssemedic | grep -v lock").split():
        if phases(broken) != ["committed"]:
            broken.visit(f"systemctl start --wait ssemedic-undo-{identity}.service")
    settle(broken, EITHER)
