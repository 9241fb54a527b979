"""nginx: what runs, how it was built, and every file of its configuration."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from . import files, proc
from .command import find, run
from .limits import Limits, UnavailableError

if TYPE_CHECKING:
    from ..ssemedic.nginx import Tree

_NAMES = ("nginx", "openresty", "angie")
_LOG = re.compile(
    r"(?m)^[^#\n]*?(?<![\w$])(error_log|access_log)\s+(\"[^\"\n]+\"|'[^'\n]+'|[^\s;\"']+)"
)

_PID = re.compile(r"(?m)^[ \t]*pid\s+(\"[^\"\n]+\"|'[^'\n]+'|[^\s;\"']+)")


@dataclass(frozen=True)
class Instance:
    """The nginx of this host. ``master`` is None while it does not run."""

    binary: str
    master: int | None
    main: str | None  # -c of the running master
    prefix: str | None  # -p of the running master
    workers: tuple[int, ...] = ()
    shutting_down: tuple[int, ...] = ()
    unit: str | None = None


@dataclass(frozen=True)
class Build:
    """What nginx -V prints, and the paths that were compiled in."""

    version: str
    text: str
    options: Mapping[str, str]

    @property
    def prefix(self) -> str:
        """The compiled-in prefix; nginx's own default where configure named none."""
        return self.options.get("prefix", "/usr/local/nginx")

    def path(self, option: str, default: str) -> str:
        """A compiled-in path; relative ones count from the prefix."""
        return os.path.join(self.prefix, self.options.get(option, default))


def locate(table: Mapping[int, proc.Proc]) -> Instance:
    """The running master of this host, or the binary that would run.

    Raises `UnavailableError` where there is neither.
    """
    titles = {
        pid: " ".join(proc.cmdline(pid))
        for pid, process in table.items()
        if process.name.startswith(_NAMES) and not proc.nested(pid)
    }
    for pid in sorted(titles):
        if table[pid].parent in titles or "worker process" in titles[pid]:
            continue
        words = titles[pid].partition("master process ")[2].split() or titles[pid].split()
        children = [p for p in sorted(titles) if table[p].parent == pid and "worker" in titles[p]]
        gone = tuple(p for p in children if "shutting down" in titles[p])
        return Instance(
            binary=_binary(pid, words),
            master=pid,
            main=_option(words, "-c"),
            prefix=_option(words, "-p"),
            workers=tuple(children) or (pid,),
            shutting_down=gone,
            unit=proc.unit(pid),
        )
    binary = next((path for path in map(find, _NAMES) if path), None)
    if binary is None:
        raise UnavailableError("nginx is not installed and does not run")
    return Instance(binary, None, None, None)


def _binary(pid: int, words: list[str]) -> str:
    try:
        path = os.readlink("/proc/%d/exe" % pid)
    except OSError:
        path = words[0] if words and words[0].startswith("/") else ""
    # After an upgrade the running program's file is gone; the new one reads the same files.
    path = path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path
    return path if os.access(path, os.X_OK) else find("nginx") or "nginx"


def _option(words: list[str], name: str) -> str | None:
    for position, word in enumerate(words[:-1]):
        if word == name:
            return words[position + 1]
    return None


def build(instance: Instance, limits: Limits) -> Build:
    """``nginx -V``; raises `UnavailableError`."""
    output = run([instance.binary, "-V"], limits.command_seconds)
    return parse_build((output.stderr or output.stdout).decode("utf-8", "replace"))


def parse_build(text: str) -> Build:
    """The version without its vendor's suffix, and configure's --name=value arguments."""
    found = re.search(r"^nginx version: [^/\s]+/([0-9][\w.]*)", text, re.M)
    if found is None:
        raise UnavailableError("nginx -V printed no version")
    options = dict(re.findall(r"--([\w-]+)=('[^']*'|\S+)", text))
    return Build(found.group(1), text.strip()[:8000], options)


def main_file(instance: Instance, built: Build) -> str:
    """nginx.conf: -c of the master, else the compiled-in path."""
    prefix = instance.prefix or built.prefix
    if instance.main:
        return os.path.join(prefix, instance.main)
    return os.path.join(prefix, built.options.get("conf-path", "conf/nginx.conf"))


def test(
    instance: Instance, main: str, opens: Sequence[str], limits: Limits
) -> tuple[bool | None, str]:
    """``nginx -t`` on the files as they are; (None, reason) where it cannot be run.

    nginx creates what it ``opens`` (its pid and log files) even for a test. A stopped
    nginx may lack them, and then they are taken away again.
    """
    if os.geteuid():
        return None, "nginx -t needs root to read keys and logs"
    argv = [instance.binary, "-t", "-c", main]
    argv += ["-p", instance.prefix] if instance.prefix else []
    absent = [path for path in opens if not os.path.lexists(path)]
    try:
        output = run(argv, limits.command_seconds, 65536)
    except UnavailableError as error:
        return None, str(error)
    if absent and instance.master is None and not _started_meanwhile():
        _take_away(absent)
    return output.status == 0, output.stderr.decode("utf-8", "replace")[:8000]


def _started_meanwhile() -> bool:
    running = [pid for pid, process in proc.table().items() if process.name.startswith(_NAMES)]
    return any(not proc.nested(pid) for pid in running)


def _take_away(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            if os.path.getsize(path) == 0 and not os.path.islink(path):
                os.unlink(path)
        except OSError:
            continue  # nginx did not create this one


@dataclass
class Config:
    """The configuration as read. ``tree`` is None where it does not parse; ``missing`` says why."""

    main: str
    contents: dict[str, bytes]
    tree: Tree | None
    missing: dict[str, str]


def configuration(main: str, limits: Limits) -> Config:
    """Every file that nginx would read from ``main`` on, byte for byte."""
    from ..ssemedic.nginx import ConfigError, files_on_disk, read_tree

    config = Config(main, {}, None, {})

    def read(path: str) -> bytes:
        if path not in config.contents:
            if len(config.contents) >= limits.config_files:
                raise OSError(errno.EMFILE, "more than %d files" % limits.config_files)
            try:
                config.contents[path] = files.read(path, limits.bytes)
            except UnavailableError as error:
                config.missing[path] = str(error)
                raise OSError(errno.EACCES, str(error)) from error
        return config.contents[path]

    try:
        config.tree = read_tree(main, read, files_on_disk)
    except ConfigError as error:
        config.missing.setdefault(
            "nginx.tree", "nginx would not load its configuration: %s" % error
        )
    return config


def describe(
    instance: Instance,
    built: Build,
    config: Config,
    tested: tuple[bool | None, str],
    table: Mapping[int, proc.Proc],
    opened: proc.OpenFiles,
) -> dict[str, Any]:
    """`Nginx` data."""
    logs = log_paths(config.contents, built, instance.prefix)
    return {
        "version": built.version,
        "build": built.text,
        "unit": instance.unit,
        "running": instance.master is not None,
        "workers": [
            {
                "pid": pid,
                "started": table[pid].started if pid in table else None,
                "shutting_down": pid in instance.shutting_down,
                "fds_used": opened.count.get(pid),
                "fds_soft": proc.file_limits(pid)[0],
            }
            for pid in instance.workers
        ],
        "main": config.main,
        "files": [files.describe(path, content) for path, content in config.contents.items()],
        "test_ok": tested[0],
        "test_output": tested[1],
        "error_logs": logs["error_log"],
        "access_logs": logs["access_log"],
    }


def opened_files(config: Config, built: Build, prefix: str | None) -> list[str]:
    """The pid file and the logs, which nginx creates as soon as it reads this configuration."""
    text = b"\n".join(config.contents.values()).decode("utf-8", "surrogateescape")
    named = _PID.search(text)
    pid = named.group(1).strip("\"'") if named else built.options.get("pid-path", "logs/nginx.pid")
    logs = log_paths(config.contents, built, prefix)
    paths = [pid, *logs["error_log"], *logs["access_log"]]
    return [os.path.join(prefix or built.prefix, path) for path in paths]


def log_paths(
    contents: Mapping[str, bytes], built: Build, prefix: str | None
) -> dict[str, list[str]]:
    """The log files that the configuration names, and the compiled-in ones where it names none.

    Read from the text, not from the tree: a configuration that does not parse is where
    logs matter most.
    """
    named: dict[str, list[str]] = {"error_log": [], "access_log": []}
    for content in contents.values():
        for kind, word in _LOG.findall(content.decode("utf-8", "surrogateescape")):
            path = word.strip("\"'")
            if path in ("off", "stderr") or path.startswith(("syslog:", "memory:")) or "$" in path:
                continue
            path = os.path.normpath(os.path.join(prefix or built.prefix, path))
            if path not in named[kind] and path != os.devnull:
                named[kind].append(path)
    for kind, option, default in (
        ("error_log", "error-log-path", "logs/error.log"),
        ("access_log", "http-log-path", "logs/access.log"),
    ):
        if not named[kind] and built.options.get(option) != "stderr":
            named[kind].append(built.path(option, default))
    return named
