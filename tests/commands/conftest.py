"""The scripted servers of the recorders' tests, for the command that uses the recorders."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "probe"))

from ssemedic.cli import main
from tests.probe.conftest import certificate, serve, server_context

__all__ = ["certificate", "serve", "server_context"]


@dataclass(frozen=True)
class Ran:
    """What a command gave: its exit code and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("probe", url, ...)`` is the real command, in this process."""

    def command(*words: str, stdin: bytes | None = None) -> Ran:
        capsys.readouterr()
        before = sys.stdin
        if stdin is not None:
            sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
        try:
            code = main(list(words))
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        finally:
            sys.stdin = before
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return command


@pytest.fixture
def secret_file(tmp_path: Path) -> Callable[[str], Path]:
    """``secret_file(text)`` is a file of mode 0600 that holds it."""

    def write(text: str, name: str = "secret") -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write
