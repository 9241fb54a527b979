"""Check the whole configuration as it would be, before a single file of the host changes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from . import files
from .change import Planned
from .errors import ChangeError
from .files import ABSENT
from .nginx import Installed
from .process import Done, one_line, run
from .units import properties

SYSTEMD_ROOTS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_TEST_SECONDS = 60.0
_NO_MOUNT = 97
# Pairs of (shadow, real) come first, the command after "--".
_BIND_AND_RUN = """
while [ "$1" != -- ]; do
  mount --bind "$1" "$2" || exit 97
  shift 2
done
shift
exec "$@"
"""


def is_systemd(path: str) -> bool:
    return any(path.startswith(root + "/") for root in SYSTEMD_ROOTS)


def check_nginx(changes: Sequence[Planned], installed: Installed) -> tuple[str, bool]:
    """Run ``nginx -t`` on the configuration as it would be.

    Returns how it was checked, and whether the configuration was valid before. Raises
    ChangeError with nginx's first complaint if it would not be valid.
    """
    wanted = [one for one in changes if not is_systemd(one.path)]
    with _scratch() as scratch, _nothing_left(installed, wanted):
        before = _test(installed)
        pairs = _shadow(wanted, installed, scratch)
        how = "nginx -t on the whole tree, mounted in a private namespace"
        done = _test_mounted(installed, pairs)
        if done.code == _NO_MOUNT:
            how = "nginx -t on a copy of the tree (private mounts are not allowed here)"
            done = _test_rewritten(installed, pairs)
    if done.code != 0:
        complaint = _complaint(done, pairs)
        if before.code != 0:
            raise ChangeError(
                "nginx: its configuration was broken before this change and still would be: "
                + complaint
            )
        raise ChangeError("nginx: refuses the new configuration: " + complaint)
    return how, before.code == 0


def check_systemd(changes: Sequence[Planned]) -> list[str]:
    """Run ``systemd-analyze verify`` on every unit whose files change, as it would be.

    Only complaints that the change causes count. Returns how it was checked.
    """
    units = sorted({unit_of(one.path) for one in changes if is_systemd(one.path)})
    if units and shutil.which("systemd-analyze", path="/usr/bin:/bin") is None:
        return ["systemd: not checked, systemd-analyze is missing"]
    for unit in units:
        complaints = _complaints(unit, changes)
        new = (
            [line for line in complaints if line not in _complaints(unit, ())] if complaints else []
        )
        if new:
            raise ChangeError(f"systemd: refuses the new {unit}: {one_line(new[0])}")
    return [f"systemd-analyze verify {unit}" for unit in units]


def unit_of(path: str) -> str:
    """The unit a unit file or drop-in belongs to."""
    folder, name = os.path.split(path)
    return os.path.basename(folder)[:-2] if folder.endswith(".d") else name


def _shadow(changes: Sequence[Planned], installed: Installed, scratch: str) -> dict[str, str]:
    """Copy what must change for the test; real path -> copy, directories and single files."""
    top = os.path.realpath(os.path.dirname(installed.main))
    copy = os.path.join(scratch, "tree")
    # Links stay links: under the mounted copy they lead to the copy.
    shutil.copytree(top, copy, symlinks=True, ignore=_only_files_and_folders)
    pairs = {top: copy}
    for number, one in enumerate(changes):
        inside = one.where.startswith(top + "/")
        if inside:
            target = copy + one.where[len(top) :]
        elif one.before.kind == ABSENT and one.after.kind == ABSENT:
            continue
        elif one.before.kind == files.FILE and one.after.kind == files.FILE:
            target = os.path.join(scratch, f"file-{number}")
            pairs[one.where] = target
        else:
            raise ChangeError(
                f"{one.path}: lies outside {top}, only files that are there can be changed"
            )
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if one.after.kind == ABSENT:
            files.remove(target)
        else:
            files.write_aside(one.after, target)
    return pairs


def _test(installed: Installed) -> Done:
    return run([installed.binary, *installed.options, "-t", "-c", installed.main], _TEST_SECONDS)


def _test_mounted(installed: Installed, pairs: dict[str, str]) -> Done:
    if shutil.which("unshare", path="/usr/bin:/bin") is None:
        return Done(_NO_MOUNT, "", "")
    mounts = [path for real, copy in pairs.items() for path in (copy, real)]
    test = [installed.binary, *installed.options, "-t", "-c", installed.main]
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _BIND_AND_RUN, "sh"]
    done = run([*enter, *mounts, "--", *test], _TEST_SECONDS)
    # unshare itself fails with 1 where namespaces are forbidden; nginx names itself.
    refused = done.code != 0 and done.err.startswith("unshare:")
    return Done(_NO_MOUNT, "", done.err) if refused else done


def _test_rewritten(installed: Installed, pairs: dict[str, str]) -> Done:
    top = os.path.realpath(os.path.dirname(installed.main))
    copy = pairs[top]
    include = re.compile(rb"(\binclude\s+[\"']?)" + re.escape(os.fsencode(top)) + rb"(?=/)")
    for folder, _, names in os.walk(copy):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                target = os.readlink(path)
                if target.startswith(top + "/"):
                    os.unlink(path)
                    os.symlink(copy + target[len(top) :], path)
                continue
            with open(path, "rb") as file:
                text = file.read()
            changed = include.sub(lambda found: found.group(1) + os.fsencode(copy), text)
            for real, one in pairs.items():
                if real != top:
                    changed = changed.replace(os.fsencode(real), os.fsencode(one))
            if changed != text:
                with open(path, "wb") as file:
                    file.write(changed)
    main = os.path.join(copy, os.path.basename(installed.main))
    return run([installed.binary, *installed.options, "-t", "-c", main], _TEST_SECONDS)


def _complaint(done: Done, pairs: dict[str, str]) -> str:
    lines = [line for line in done.err.splitlines() if "[emerg]" in line or "[alert]" in line]
    text = (lines or done.err.splitlines() or ["no reason given"])[0]
    for real, copy in pairs.items():
        text = text.replace(copy, real)
    return one_line(re.sub(r"^.*?\[(emerg|alert)\] ?(\d+#\d+: )?", "", text))


def _complaints(unit: str, changes: Sequence[Planned]) -> list[str]:
    """What systemd says of a unit, its changed files in a folder that comes before all others."""
    with _scratch() as scratch:
        fragment = properties(unit).get("FragmentPath", "")
        file_name = os.path.basename(fragment) if fragment else unit
        if os.path.isfile(fragment):
            shutil.copyfile(fragment, os.path.join(scratch, file_name))
        for one in changes:
            if is_systemd(one.path):
                _write_unit_file(one, os.path.join(scratch, _below_root(one.path)))
        path = os.path.join(scratch, file_name)
        if not os.path.isfile(path):
            return []  # there is no such unit on this side of the change
        done = run(
            ["systemd-analyze", "verify", "--man=no", path],
            _TEST_SECONDS,
            {"SYSTEMD_UNIT_PATH": scratch + ":"},
        )
        lines = done.err.replace(scratch, SYSTEMD_ROOTS[0]).splitlines()
        said = [line for line in lines if line.strip()]
        if done.code == 0:
            # Exit code 0 with a file named: a setting that systemd would ignore.
            return [line for line in said if line.startswith("/")]
        return said or [f"exit code {done.code}, no reason given"]


def _write_unit_file(one: Planned, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    files.remove(target)
    if one.after.kind != ABSENT:
        files.write_aside(one.after, target)
    elif target.endswith(".conf"):
        os.symlink("/dev/null", target)  # hides the drop-in of the same name


def _below_root(path: str) -> str:
    root = next(root for root in SYSTEMD_ROOTS if path.startswith(root + "/"))
    return path[len(root) + 1 :]


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="ssemedic-")
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def _nothing_left(installed: Installed, changes: Sequence[Planned]) -> Iterator[None]:
    """``nginx -t`` makes the pid file and the log files that are missing: take them away again."""
    absent = missing_logs(changes)
    with open(installed.main, "rb") as file:
        named = [installed.pid_file, *_paths(rb"pid", file.read())]
    absent += tuple(path for path in named if not os.path.exists(path))
    try:
        yield
    finally:
        for path in absent:
            files.remove_if_empty(path)


def missing_logs(changes: Sequence[Planned]) -> tuple[str, ...]:
    """Log files that a change names and nginx will make."""
    named = {
        path
        for one in changes
        if not is_systemd(one.path)
        for path in _paths(rb"(?:access|error)_log", one.after.content)
    }
    return tuple(sorted(path for path in named if not os.path.exists(path)))


def _paths(directive: bytes, text: bytes) -> list[str]:
    found = re.findall(rb"^\s*" + directive + rb"\s+[\"']?(/[^;\"'\s$]+)[\"';\s]", text, re.M)
    return [os.fsdecode(path) for path in found]


def _only_files_and_folders(folder: str, names: list[str]) -> set[str]:
    """copytree would wait for ever on a named pipe."""
    paths = {name: os.path.join(folder, name) for name in names}
    return {
        name
        for name, path in paths.items()
        if not (os.path.islink(path) or os.path.isfile(path) or os.path.isdir(path))
    }
