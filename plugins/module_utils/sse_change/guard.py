"""The dead-man timer: the host undoes a change that nobody confirms.

Armed before the first file changes. It needs neither the controller nor this module: the
program it runs lies, complete, in the transaction's own directory. Where systemd runs, the
next boot undoes the change too (boot.py): a timer does not survive a restart of the host.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from . import boot
from .errors import ChangeError
from .files import named, sync_directory
from .journal import Journal
from .process import one_line, run, started
from .units import systemd_runs

# All that undo.py imports, and undo.py itself; a test runs this bundle alone.
BUNDLE = (
    *("__init__", "errors", "process", "files", "journal", "units", "nginx", "boot", "guard"),
    "undo",
)
_LAUNCHER = '''\
"""Undo the change that this directory describes: undo.py [--after SECONDS | --boot]."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "undo"))
from sse_change.undo import main  # noqa: E402

sys.exit(main(here, sys.argv[1:]))
'''


def write_program(where: str) -> str:
    """Put the undo program into a transaction's directory and return its path."""
    package = os.path.join(where, "undo", "sse_change")
    os.makedirs(package, 0o700, exist_ok=True)
    for name in BUNDLE:
        full = __package__ if name == "__init__" else f"{__package__}.{name}"
        # From the running code itself, which may live in a zip file that is gone afterwards.
        spec: Any = importlib.import_module(full).__spec__
        _write(os.path.join(package, name + ".py"), spec.loader.get_source(full))
    sync_directory(package)
    program = os.path.join(where, "undo.py")
    _write(program, _LAUNCHER)
    sync_directory(where)
    return program


def unit_name(identity: str) -> str:
    return "ssemedic-undo-" + identity


def arm(program: str, state: Journal) -> dict[str, Any]:
    """Start the timer, and see to the next boot.

    ChangeError if neither systemd nor a process of ours can hold the timer; OSError if the
    boot's unit cannot be written.
    """
    identity, seconds = state.id, state.window
    # By the clock that the timer goes by: nobody can set it.
    until = time.monotonic() + round(seconds)
    refused = ""
    if systemd_runs():
        starting = (unit.name for unit in state.units if unit.start)
        before = dict.fromkeys((state.nginx_unit or "nginx.service", *starting))
        boot.enable(identity, state.systemd_root, _python(), program, tuple(before))
        done = run(
            [
                "systemd-run",
                "--quiet",
                "--collect",
                "--unit=" + unit_name(identity),
                f"--description=Undo ssemedic change {identity} unless it is confirmed",
                f"--on-active={round(seconds)}s",
                "--timer-property=AccuracySec=500ms",
                # Killed on its way it begins again; one that failed does not.
                "--property=Restart=on-abnormal",
                "--property=RestartSec=2s",
                _python(),
                "-IB",
                program,
            ],
            20,
        )
        if done.code == 0:
            return {"kind": "systemd", "unit": unit_name(identity), "until": until}
        refused = one_line(done.err)
    try:
        child = subprocess.Popen(
            [_python(), "-IB", program, "--after", str(round(seconds))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        raise ChangeError(f"timer: {refused} {error.strerror}") from error
    held = {"kind": "process", "pid": child.pid, "started": started(child.pid)}
    return dict(held, until=until)


def seconds_left(guard: Mapping[str, Any]) -> float:
    """How long an armed timer still waits, whatever was made of the host's clock meanwhile."""
    return max(0.0, float(guard.get("until") or 0.0) - time.monotonic())


def armed(guard: Mapping[str, Any]) -> bool:
    """Whether the host will still act by itself."""
    if guard.get("kind") == "systemd":
        return run(["systemctl", "is-active", "--quiet", guard["unit"] + ".timer"], 10).code == 0
    if guard.get("kind") == "process":
        start = started(guard["pid"])
        return start is not None and start == guard["started"] and _alive(guard["pid"])
    return False


def disarm(state: Journal) -> None:
    """Stop the timer; one that has fired, or is the caller itself, is left alone."""
    guard = state.guard
    if guard.get("kind") == "systemd":
        run(["systemctl", "stop", guard["unit"] + ".timer"], 20)
    elif guard.get("kind") == "process" and guard["pid"] != os.getpid() and armed(guard):
        with contextlib.suppress(ProcessLookupError):
            os.kill(guard["pid"], signal.SIGTERM)
    boot.disable(state.id, state.systemd_root)


def _alive(pid: int) -> bool:
    # A watchdog that ended is a zombie until its parent goes; it will do nothing any more.
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


def _python() -> str:
    return sys.executable or "/usr/bin/python3"


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with named(path), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
