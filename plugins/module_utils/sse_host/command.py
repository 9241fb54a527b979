"""Run one external command: no shell, no input, bounded in time and in output."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Sequence

from .limits import UnavailableError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Output:
    """What a command printed. ``cut`` is true if it printed more than was read."""

    status: int
    stdout: bytes
    stderr: bytes
    cut: bool = False

    @property
    def complaint(self) -> str:
        """The first line of stderr, or of stdout where stderr is empty."""
        text = (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace")
        return text.splitlines()[0][:300] if text else "exit status %d" % self.status


def find(name: str) -> str | None:
    """The path of a program; the sbin folders count even where a login's PATH lacks them."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + _PATH)


def run(argv: Sequence[str], seconds: float = 5.0, limit: int = 4 * 1024 * 1024) -> Output:
    """Run ``argv``; raises `UnavailableError` if it is not installed or too slow.

    Reading stops after ``limit`` bytes of stdout; the command is then killed.
    """
    program = find(argv[0])
    if program is None:
        raise UnavailableError("%s is not installed" % argv[0])
    environment = dict(os.environ, LC_ALL="C", LANG="C", SYSTEMD_COLORS="0", SYSTEMD_PAGER="")
    try:
        process = subprocess.Popen(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise UnavailableError("%s could not be started: %s" % (argv[0], error.strerror)) from error
    with process:
        try:
            stdout, stderr, cut = _read(process, time.monotonic() + seconds, limit)
        except _TooSlowError:
            _kill(process)
            raise UnavailableError("%s did not finish in %g s" % (argv[0], seconds)) from None
        if cut:
            _kill(process)
        return Output(process.wait(), stdout, stderr, cut)


class _TooSlowError(Exception):
    pass


def _read(
    process: subprocess.Popen[bytes], deadline: float, limit: int
) -> tuple[bytes, bytes, bool]:
    assert process.stdout is not None
    assert process.stderr is not None
    parts: dict[int, list[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    out = process.stdout.fileno()
    size = 0
    poll = select.poll()
    for fd in parts:
        poll.register(fd, select.POLLIN | select.POLLHUP)
    waiting = set(parts)
    while waiting:
        left = deadline - time.monotonic()
        if left <= 0:
            raise _TooSlowError
        for fd, _event in poll.poll(left * 1000):
            data = os.read(fd, 65536)
            if not data:
                poll.unregister(fd)
                waiting.discard(fd)
                continue
            if fd == out:
                size += len(data)
            if fd == out or len(parts[fd]) < 16:
                parts[fd].append(data)
        if size > limit:
            return b"".join(parts.pop(out))[:limit], b"".join(next(iter(parts.values()))), True
    return b"".join(parts.pop(out)), b"".join(next(iter(parts.values()))), False


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
