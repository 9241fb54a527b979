"""The program that sudo allows runs ssemedic's modules as they are, and nothing that is sent."""

from __future__ import annotations

import ast
import base64
import io
import json
import runpy
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from ssemedic.commands import sudoers
from ssemedic.gate import make

Gate = dict[str, Any]
STATUS = {"state": "status"}


@pytest.fixture(scope="module")
def sent() -> str:
    """The program as Ansible sends it."""
    return make.sent("sse_transaction")


@pytest.fixture(scope="module")
def gates(sent: str) -> Callable[[str], Gate]:
    known = {"sse_transaction": make.fingerprint(sent)}

    def gate(mode: str) -> Gate:
        names = runpy.run_path(str(make.PROGRAM), run_name="gate")
        names["checked"].__globals__.update(MODE=mode, KNOWN=known)
        return names

    return gate


def with_argument(sent: str, name: str, value: object) -> str:
    """The same program, called with another argument."""
    last: Any = ast.parse(sent).body[-1]
    call = (last.body[0] if isinstance(last, ast.If) else last).value
    [old] = [k.value for k in call.keywords if k.arg == name]
    segment = ast.get_source_segment(sent, old)
    assert segment
    return sent.replace(f"{name}={segment}", f"{name}={value!r}")


def asking(sent: str, **given: object) -> bytes:
    params = json.dumps({"ANSIBLE_MODULE_ARGS": given})
    return with_argument(sent, "params", params).encode()


def test_what_ansible_sends_is_let_through_unchanged(
    sent: str, gates: Callable[[str], Gate]
) -> None:
    assert gates("diagnose")["checked"](asking(sent, **STATUS)).endswith("\n)\n")
    assert gates("remediate")["checked"](asking(sent, state="committed", id="x"))


CHANGE = {"path": "/etc/nginx/x.conf", "content": ""}


@pytest.mark.parametrize(
    ("mode", "given", "said"),
    [
        ("diagnose", {"state": "activated", "changes": [CHANGE]}, "not a part of a diagnosis"),
        ("diagnose", {"state": "reverted", "id": "x"}, "not a part of a diagnosis"),
        ("diagnose", {"state": "activated", "_ansible_check_mode": "true"}, "not a part"),
        *[
            ("remediate", {"state": "activated", "changes": [{"path": path}]}, "must lie below")
            for path in ("/etc/shadow", "/etc/nginx/../shadow", "/etc/nginx", "etc/nginx/x", "")
        ],
        (
            "diagnose",
            {"state": "activated", "_ansible_check_mode": True, "changes": [{"path": "/root/x"}]},
            "must lie below",
        ),
        ("remediate", {"state": "activated", "changes": {"path": "/etc/shadow"}}, "is none"),
    ],
)
def test_parameters_are_held_to_the_mode(
    sent: str, gates: Callable[[str], Gate], mode: str, given: dict[str, object], said: str
) -> None:
    gate = gates(mode)
    with pytest.raises(gate["RefusedError"], match=said):
        gate["checked"](asking(sent, **given))


def repacked(sent: str) -> str:
    """The archive with one more line in the module."""
    last: Any = ast.parse(sent).body[-1]
    call = (last.body[0] if isinstance(last, ast.If) else last).value
    [data] = [ast.literal_eval(k.value) for k in call.keywords if k.arg == "zip_data"]
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(base64.b64decode(data))) as old,
        zipfile.ZipFile(packed, "w") as new,
    ):
        for info in old.infolist():
            more = b"\nimport os\n" if info.filename.endswith("sse_transaction.py") else b""
            new.writestr(info.filename, old.read(info) + more)
    return with_argument(sent, "zip_data", base64.b64encode(packed.getvalue()).decode())


TAMPERED: dict[str, Callable[[str], str]] = {
    "another module": lambda sent: with_argument(sent, "ansible_module", "command"),
    "another name": lambda sent: with_argument(sent, "module_fqn", "ansible.modules.command"),
    "an extension": lambda sent: with_argument(sent, "extensions", {"_debugpy": {"host": "x"}}),
    "a changed archive": repacked,
    "a line before": lambda sent: sent.replace("import datetime\n", "import datetime, os\n", 1),
    "a line after": lambda sent: sent + "import os\n",
    "a first line": lambda sent: "#!/bin/sh\nimport os\n" + sent,
    "a time that acts": lambda sent: sent.replace("date_time=", "date_time=print() or ", 1),
    "a call in an argument": lambda sent: sent.replace(
        "rlimit_nofile=", "rlimit_nofile=print() or "
    ),
    "no program": lambda _: "id\n",
    "no Python": lambda _: "(((",
    "nothing": lambda _: "",
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_program_that_is_another_is_refused(
    sent: str, gates: Callable[[str], Gate], how: str
) -> None:
    gate = gates("remediate")
    changed = TAMPERED[how](sent)
    assert changed != sent
    with pytest.raises((gate["RefusedError"], SyntaxError, ValueError, LookupError)):
        gate["checked"](changed.encode())


@pytest.mark.parametrize("mode", ["diagnose", "remediate"])
def test_sudo_takes_the_file(mode: str) -> None:
    visudo = shutil.which("visudo", path="/usr/sbin:/usr/bin")
    if visudo is None:
        pytest.skip("sudo is not on this machine; the lab's hosts have it")
    said = subprocess.run(
        [visudo, "-c", "-f", "-"],
        input=sudoers.text(mode, "ops"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("user", ["a b", "ALL", "%wheel", "x\ny ALL=(ALL) ALL", "", "-x", "#0"])
def test_a_user_that_is_none_never_reaches_the_file(
    user: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from ssemedic.cli import main

    assert main(["sudoers", "--mode", "diagnose", f"--user={user}"]) == 2
    assert capsys.readouterr().out == ""
