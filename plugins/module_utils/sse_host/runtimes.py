"""What an executable was made from, and what a server's own configuration file sets.

Only the settings that bear on streams are read, as literals: nothing of the file is run, and
nothing else of it leaves the host.
"""

from __future__ import annotations

import ast
import os
import re
import struct
from typing import Dict, List, Mapping, Optional, Sequence

from . import files
from .limits import UnavailableError
from .proc import PROC

#: Names of executables, as a prefix, and what runs in them.
_NAMES = (
    ("python", "python"),
    ("node", "node"),
    ("bun", "node"),
    ("deno", "node"),
    ("java", "java"),
    ("dotnet", "dotnet"),
    ("php", "php"),
    ("ruby", "ruby"),
)
_MOST_SECTIONS = 200
_COMMENT_BYTES = 4096
_FILE_BYTES = 262144

_GUNICORN = (
    "worker_class",
    "workers",
    "threads",
    "timeout",
    "graceful_timeout",
    "keepalive",
    "worker_connections",
)
_PHP = (
    "output_buffering",
    "zlib.output_compression",
    "max_execution_time",
    "implicit_flush",
    "session.auto_start",
)
_POOL = ("request_terminate_timeout", "pm.max_children", "pm")


def runtime(pid: int, root: str = PROC) -> str:
    """ "go", "rust", "node", "python", ...; "" where the executable does not tell or be read."""
    link = os.path.join(root, str(pid), "exe")
    try:
        name = os.path.basename(os.readlink(link))
    except OSError:
        return ""
    for prefix, found in _NAMES:
        if re.match(prefix + r"[\d.]*( \(deleted\))?$", name) or name.startswith(prefix + "-fpm"):
            return found
    try:
        with open(link, "rb") as file:
            return _made_from(file)
    except (OSError, struct.error):
        return ""


def _made_from(file) -> str:  # type: ignore[no-untyped-def]
    """By the sections of an ELF file, which survive stripping (elf(5)); a few short reads."""
    head = file.read(64)
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[4] != 2 or head[5] != 1:
        return ""  # 64 bits, little endian: all else is too rare to look into
    start = struct.unpack_from("<Q", head, 0x28)[0]
    size, count, names = struct.unpack_from("<HHH", head, 0x3A)
    if size < 64 or count > _MOST_SECTIONS or names >= count:
        return ""
    file.seek(start)
    table = file.read(size * count)
    rows = [struct.unpack_from("<IIQQQQ", table, size * i) for i in range(count)]
    file.seek(rows[names][4])
    strings = file.read(min(rows[names][5], 65536))
    sections = {strings[row[0] :].split(b"\0", 1)[0]: row for row in rows if row[0] < len(strings)}
    if b".go.buildinfo" in sections or b".gopclntab" in sections:
        return "go"
    if b".comment" in sections:
        file.seek(sections[b".comment"][4])
        if b"rustc version" in file.read(min(sections[b".comment"][5], _COMMENT_BYTES)):
            return "rust"
    return ""


def settings(argv: Sequence[str], folder: Optional[str]) -> Dict[str, str]:
    """What the server's own file sets; ``folder`` is the process's working directory."""
    title = " ".join(argv)
    if "php-fpm" in title:
        found = re.search(r"php-fpm: master process \((/[^)]+)\)", title)
        return php(found.group(1)) if found else {}
    if not any(os.path.basename(word).startswith("gunicorn") for word in argv[:3]):
        return {}
    path = _named(argv, ("-c", "--config")) or "gunicorn.conf.py"
    path = path[len("file:") :] if path.startswith("file:") else path
    if folder is None and not os.path.isabs(path):
        return {}
    text = _text(os.path.join(folder or "/", path))
    return gunicorn(text) if text else {}


def gunicorn(text: str) -> Dict[str, str]:
    """The literal settings of a gunicorn.conf.py, and of others how they are written."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        if name in _GUNICORN:
            written = ast.get_source_segment(text, node.value) or ""
            found[name] = written.strip("\"'")[:80]
    return found


def php(main: str) -> Dict[str, str]:
    """The settings of php.ini beside php-fpm.conf, of conf.d, and of the pools, the last wins."""
    folder = os.path.dirname(main)
    found: Dict[str, str] = {}
    for path in [os.path.join(folder, "php.ini"), *_inside(os.path.join(folder, "conf.d"))]:
        found.update(_assigned(_text(path), _PHP))
    for path in _inside(os.path.join(folder, "pool.d")):
        text = _text(path)
        found.update(_assigned(text, _POOL))
        for name, value in re.findall(
            r"(?m)^[ \t]*php(?:_admin)?_(?:value|flag)\[([\w.]{1,80})\][ \t]*=[ \t]*(.{0,80})$",
            text,
        ):
            if name in _PHP:
                found[name] = value.strip().strip("\"'")
    return found


def _assigned(text: str, names: Sequence[str]) -> Dict[str, str]:
    pairs = re.findall(r"(?m)^[ \t]*([\w.]{1,80})[ \t]*=[ \t]*([^;\n]{0,80})", text)
    return {name: value.strip().strip("\"'") for name, value in pairs if name in names}


def _inside(folder: str) -> List[str]:
    try:
        names = sorted(os.listdir(folder))[:64]
    except OSError:
        return []
    return [os.path.join(folder, n) for n in names if n.endswith((".ini", ".conf"))]


def _named(argv: Sequence[str], options: Sequence[str]) -> str:
    for place, word in enumerate(argv):
        if word in options:
            return argv[place + 1] if place + 1 < len(argv) else ""
        for option in options:
            if option.startswith("--") and word.startswith(option + "="):
                return word[len(option) + 1 :]
    return ""


def _text(path: str) -> str:
    try:
        return files.read(path, _FILE_BYTES).decode("utf-8", "replace")
    except UnavailableError:
        return ""


def folder(pid: int, root: str = PROC) -> Optional[str]:
    """The working directory, None where we may not see it."""
    try:
        return os.readlink(os.path.join(root, str(pid), "cwd"))
    except OSError:
        return None


def described(pid: int, argv: Sequence[str]) -> Mapping[str, object]:
    """The two fields of `Process` that this module fills."""
    return {"runtime": runtime(pid), "settings": settings(argv, folder(pid))}
