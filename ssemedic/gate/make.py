"""Make the gate for the modules of this version, as this Ansible sends them."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

#: The modules that a diagnosis or a repair runs as root.
MODULES = ("sse_evidence", "sse_transaction")
PROGRAM = Path(__file__).with_name("program.py")
_SECONDS = 60
_INVENTORY = """\
all:
  hosts:
    here: {ansible_connection: local, ansible_pipelining: true, ansible_become: false,
           ansible_python_interpreter: INTERPRETER}
"""


class GateError(RuntimeError):
    """The gate cannot be made; the message says why."""


def program(mode: str) -> str:
    """The text of the gate for one mode; raises `GateError`."""
    known = {name: fingerprint(sent(name)) for name in MODULES}
    text = PROGRAM.read_text("utf-8")
    text = text.replace('\nMODE = ""\n', f'\nMODE = "{mode}"\n')
    return text.replace(
        "\nKNOWN: dict[str, Any] = {}\n", f"\nKNOWN: dict[str, Any] = {json.dumps(known)}\n"
    )


def fingerprint(source: str) -> dict[str, Any]:
    """What the gate compares of a module's program, by the gate's own functions."""
    names = runpy.run_path(str(PROGRAM), run_name="gate")
    taken_apart = cast("Callable[[str], tuple[str, dict[str, Any]]]", names["taken_apart"])
    around, given = taken_apart(source)
    return {
        "wrapper": names["digest"](around.encode("utf-8")),
        "parts": names["parts"](given["zip_data"]),
    }


def sent(module: str) -> str:
    """The program that Ansible would send to a host for a module; nothing is run."""
    from ssemedic.runner import ROOT

    with tempfile.TemporaryDirectory(prefix="ssemedic-") as private:
        caught, interpreter = Path(private, "sent"), Path(private, "interpreter")
        interpreter.write_text(f"#!/bin/sh\ncat > {caught}\necho '{{}}'\n", "utf-8")
        interpreter.chmod(0o700)
        inventory = Path(private, "inventory.yml")
        inventory.write_text(_INVENTORY.replace("INTERPRETER", str(interpreter)), "utf-8")
        given = "{}" if module == "sse_evidence" else '{"state": "status"}'
        play = _play(module, given)
        Path(private, "play.json").write_text(json.dumps(play), "utf-8")
        command = [_ansible(), "-i", str(inventory), str(Path(private, "play.json"))]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if not caught.exists():
            raise GateError(f"{module}: Ansible did not send it: {done.stdout[-300:]}")
        return caught.read_text("utf-8")


def _play(module: str, given: str) -> list[dict[str, Any]]:
    task = {"action": {"module": module, **json.loads(given)}}
    return [{"hosts": "here", "gather_facts": False, "tasks": [task]}]


def _ansible() -> str:
    return str(Path(sys.executable).with_name("ansible-playbook"))
