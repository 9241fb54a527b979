"""A real Vite dev server on loopback, installed once from its lock file into the cache."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent / "vite"
INSTALLED = Path(__file__).resolve().parents[2] / ".cache" / "vite"


def install() -> Path:
    """The folder with the dev server in it. The lock file says which versions, to the byte."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = INSTALLED / "installed.json"
        wanted = (HERE / "package-lock.json").read_bytes()
        if not mark.exists() or mark.read_bytes() != wanted:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(HERE / name, INSTALLED / name)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            mark.write_bytes(wanted)
        for name in ("vite.config.js", "index.html"):
            shutil.copy(HERE / name, INSTALLED / name)
    return INSTALLED


@contextlib.contextmanager
def running(mode: str, target: str, public: Path) -> Iterator[str]:
    """The origin of a dev server that proxies /events as ``mode`` says."""
    folder = install()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "MODE": mode, "TARGET": target, "PORT": str(port)}
    environment |= {"CACHE": str(public / "cache")}
    program = ["node", str(folder / "node_modules" / "vite" / "bin" / "vite.js"), str(public)]
    program += ["--config", str(folder / "vite.config.js"), "--configLoader", "native"]
    with (public / "said").open("w+") as said:
        process = subprocess.Popen(
            program, cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        try:
            _wait(port, process, public / "said")
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the dev server did not start: {said.read_text()}")
