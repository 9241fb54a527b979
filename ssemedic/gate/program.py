#!/usr/bin/python3 -I
"""Runs as root what ssemedic's Ansible modules ask for, and nothing else.

Ansible sends a Python program to the interpreter it is told of, and this is that interpreter. As
root it compares the program with the one it was made for, part by part, holds its parameters to
what the mode allows, and only then runs it. Without root it is Python.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import os
import re
import sys
import zipfile
from typing import Any

MODE = ""
#: Module -> the sha256 of the program around its arguments, and of each part it brings.
KNOWN: dict[str, Any] = {}

LARGEST = 64 * 1024 * 1024
#: Where a repair may change something; what is read to show a difference lies there, too.
BELOW = ("/etc/nginx/", "/etc/systemd/system/")
LOGS = ("/var/log/",)
LOOKS = ("status", "described")
#: Its literal alone: nothing else is evaluated before the program was compared.
TIME = re.compile(r"datetime\.datetime\([0-9, ]*(tzinfo=datetime\.timezone\.utc)?\)")


class RefusedError(Exception):
    """What was sent is not what this program is for."""


def main() -> int:
    """Check what stands on standard input, and run it."""
    if os.geteuid() != 0:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606 - it is Python
    try:
        text = checked(sys.stdin.buffer.read(LARGEST + 1))
    except (RefusedError, SyntaxError, ValueError, LookupError, TypeError) as error:
        return refuse(str(error))
    except zipfile.BadZipFile as error:
        return refuse(str(error))
    # Every part of it was compared: as Ansible has it run, a program from standard input.
    exec(compile(text, "<stdin>", "exec"), {"__name__": "__main__"})  # noqa: S102
    return 0


def refuse(why: str) -> int:
    """Answer as a module that failed."""
    print(json.dumps({"failed": True, "msg": f"gate ({MODE}): {why[:300]}", "undone": None}))
    return 1


def checked(source: bytes) -> str:
    """The program as text; raises RefusedError for any other than this one was made for."""
    if len(source) > LARGEST:
        raise RefusedError(f"what was sent is longer than {LARGEST} bytes")
    text = source.decode("utf-8")
    around, given = taken_apart(text)
    name = str(given["ansible_module"])
    known = KNOWN.get(name)
    if known is None:
        raise RefusedError(f"module {name[:60]!r}: must be one of {', '.join(sorted(KNOWN))}")
    if digest(around.encode("utf-8")) != known["wrapper"]:
        raise RefusedError(f"{name}: Ansible sends it in another way: make this gate anew")
    if given["module_fqn"] != f"ansible.legacy.{name}" or given["extensions"]:
        raise RefusedError(f"{name}: runs under another name, or with an extension")
    if parts(given["zip_data"]) != known["parts"]:
        raise RefusedError(f"{name}: is not the version this gate was made for: make it anew")
    allow(name, json.loads(given["params"])["ANSIBLE_MODULE_ARGS"])
    return text


def taken_apart(text: str) -> tuple[str, dict[str, Any]]:
    """The program without the arguments of its last call, and those arguments."""
    if text.startswith("#!"):  # names the interpreter, which is this program
        text = "\n" + text.partition("\n")[2]
    last: Any = ast.parse(text).body[-1]
    if isinstance(last, ast.If) and len(last.body) == 1 and not last.orelse:
        last = last.body[0]
    call = last.value if isinstance(last, ast.Expr) else None
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "_ansiballz_main":
        raise RefusedError("this is no module of Ansible's")
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        raise RefusedError("its arguments have no names")
    given: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg == "date_time":
            if not TIME.fullmatch(ast.get_source_segment(text, keyword.value) or ""):
                raise RefusedError("its time is no time")
        else:
            given[str(keyword.arg)] = ast.literal_eval(keyword.value)
    rows = [row.encode("utf-8") for row in text.split("\n")]
    before = [*rows[: call.lineno - 1], rows[call.lineno - 1][: call.col_offset]]
    end = int(call.end_lineno or 0)
    after = [rows[end - 1][call.end_col_offset :], *rows[end:]]
    return b"\n".join(before + after).decode("utf-8"), given


def parts(zip_data: str) -> dict[str, str]:
    """The hash of every file in the archive; a name that stands twice is refused."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(zip_data))) as archive:
        for info in archive.infolist():
            if info.filename in found or info.file_size > LARGEST:
                raise RefusedError(f"{info.filename[:60]!r} stands twice, or is too large")
            found[info.filename] = digest(archive.read(info))
    return found


def digest(content: bytes) -> str:
    """The sha256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def allow(name: str, given: dict[str, Any]) -> None:
    """Hold a module's parameters to what this mode is for."""
    if name == "sse_evidence":
        for path in listed(given.get("log_files")):
            inside(path, LOGS)
        return
    for change in listed(given.get("changes")):
        inside(change["path"], BELOW)
    state, check = given.get("state"), given.get("_ansible_check_mode") is True
    if MODE != "remediate" and state not in LOOKS and not (state == "activated" and check):
        raise RefusedError(f"{state}: is not a part of a diagnosis")


def listed(value: Any) -> list[Any]:
    """A list that was given, or none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RefusedError("a list is none")
    return value


def inside(path: str, folders: tuple[str, ...]) -> None:
    """The path, and what it leads to by every link on the way, lies in one of the folders."""
    for one in (path, os.path.realpath(path)):
        if os.path.normpath(one) != one or not one.startswith(folders):
            raise RefusedError(f"{path[:120]!r}: must lie below {' or '.join(folders)}")


if __name__ == "__main__":
    sys.exit(main())
