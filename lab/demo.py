"""make demo: two real faults on a real host, each diagnosed, repaired and proven."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time

from rich.console import Console

from lab import requirements
from lab.errors import LabError
from lab.layout import PROJECT

#: The first users' symptom first: it opens, and fails within milliseconds.
FAULTS = (
    ("web1", "nginx_http10_upstream", "EventSource opens, then fails within milliseconds"),
    ("web2", "sd_start_limit", "EventSource fails at once and for good (readyState 2)"),
)
WATCH_SECONDS = 3  # both faults show at once; a repair in earnest watches longer


def main() -> int:
    """Run the demonstration; 0 if every repair was proven."""
    console = Console(highlight=False)
    started = time.monotonic()
    try:
        requirements.check_ready()
        _lab(console, "up", *(host for host, _, _ in FAULTS))
        for number, (host, fault, seen) in enumerate(FAULTS, 1):
            console.rule(f"[bold]fault {number} of {len(FAULTS)}: {fault}")
            console.print(f"What the browser shows: {seen}.\n")
            _lab(console, "break", host, fault)
            code = _remediate(console, host)
            if code != 0:
                console.print(f"demo: the repair of {fault} ended with exit code {code}")
                return 1
        console.rule()
        console.print(
            f"Both faults were found, repaired and proven in {time.monotonic() - started:.0f} s. "
            "Try one yourself: python -m lab up, python -m lab break web1 FAULT, then remediate.py."
        )
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        _lab(console, "down")
    return 0


def _lab(console: Console, *arguments: str) -> None:
    console.print(f"[dim]$ python -m lab {' '.join(arguments)}")
    command = [sys.executable, "-m", "lab", *arguments]
    if subprocess.run(command, cwd=PROJECT, check=False).returncode:
        raise LabError(f"python -m lab {' '.join(arguments)}: failed, see above")


def _remediate(console: Console, host: str) -> int:
    url = f"http://{host}:8080/events"
    arguments = ["remediate.py", "--host", host, "--url", url, "--for", str(WATCH_SECONDS), "--yes"]
    console.print(f"[bold]$ python {shlex.join(arguments)}")
    sys.stdout.flush()
    return subprocess.run([sys.executable, *arguments], cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
