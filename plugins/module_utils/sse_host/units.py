"""systemd units: which ones there are, and what `systemctl show` says of those that matter."""

from __future__ import annotations

import fnmatch
import os
import re
import time
from typing import Any, Iterable, Mapping, Sequence

from . import cgroups, files
from .command import run
from .limits import Limits, UnavailableError
from .masking import assignments, environment_text, mask

#: Where systemd looks for system units, the strongest first (systemd.unit(5)).
FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
#: The units that run nginx, by the name that packages give them.
NGINX = ("nginx.service", "openresty.service", "angie.service")
_ADMIN = ("/etc/systemd/system", "/usr/local/lib/systemd/system")
_NOT_OURS = ("systemd-*", "dbus*", "user@*", "getty@*", "serial-getty@*", "emergency*", "rescue*")

PROPERTIES = (
    "Id,Names,Type,LoadState,ActiveState,SubState,UnitFileState,UnitFilePreset,"
    "Result,MainPID,ControlPID,NRestarts,ExecMainStatus,ExecMainCode,FragmentPath,"
    "DropInPaths,NeedDaemonReload,ConditionResult,StatusText,InvocationID,ControlGroup,"
    "ActiveEnterTimestamp,ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic,"
    "ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic,ExecStart,ExecStartPre,"
    "ExecStop,ExecReload,WorkingDirectory,RootDirectory,Environment,EnvironmentFiles,User,"
    "Group,Restart,RestartUSec,StartLimitBurst,StartLimitIntervalUSec,StartLimitAction,"
    "TimeoutStartUSec,TimeoutStopUSec,RuntimeMaxUSec,WatchdogUSec,KillMode,KillSignal,"
    "LimitNOFILE,LimitNOFILESoft,LimitNPROC,TasksMax,TasksCurrent,MemoryMax,MemoryHigh,"
    "MemoryCurrent,CPUQuotaPerSecUSec,OOMPolicy,PrivateNetwork,RestrictAddressFamilies,"
    "IPAddressAllow,IPAddressDeny,SocketBindDeny,ProtectSystem,ProtectHome,PrivateTmp,"
    "ReadWritePaths,NoNewPrivileges,SystemCallFilter,NetworkNamespacePath,Requires,Wants,"
    "BindsTo,PartOf,TriggeredBy,WantedBy,RequiredBy,After,Slice,Job,SendSIGKILL,UMask,"
    "StateDirectory,RuntimeDirectory,InaccessiblePaths,ReadOnlyPaths,TimeoutStopFailureMode,"
    "Conditions,ConditionTimestampMonotonic,StateChangeTimestampMonotonic,LoadError"
)

_EXIT_CODES = {"1": "exited", "2": "killed", "3": "dumped"}  # CLD_* of wait(2)


def installed(folders: Sequence[str] = FOLDERS) -> dict[str, str]:
    """Name -> unit file of every service on disk, masked and disabled ones too."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".service"):
                found.setdefault(name, os.path.join(folder, name))
    return found


def matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The services that match a pattern; templates and systemd's own are left out."""
    return sorted(
        name
        for name in names
        if not name.endswith("@.service")
        and any(fnmatch.fnmatchcase(name, service(pattern)) for pattern in patterns)
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in _NOT_OURS)
    )


def service(name: str) -> str:
    """The full name of a service: systemctl's rule for names without a suffix."""
    return name if re.search(r"\.(service|socket|scope|target|timer)$", name) else name + ".service"


def made_by_admin(unit_files: Mapping[str, str]) -> list[str]:
    """Services whose file an admin wrote, in contrast to a package's."""
    return sorted(
        name
        for name, path in unit_files.items()
        if os.path.dirname(path) in _ADMIN
        and not os.path.islink(path)
        and not name.endswith("@.service")
    )


def mentioning(unit_files: Mapping[str, str], names: Iterable[str], word: str) -> list[str]:
    """Of these services, those whose file or environment file holds ``word``, say a port."""
    pattern = re.compile(r"(?<![\w.])%s(?![\w.])" % re.escape(word))
    return [name for name in names if pattern.search(_definition(unit_files[name]))]


def _definition(path: str) -> str:
    text = _read_text(path)
    for name in re.findall(r"(?m)^EnvironmentFile=-?(/\S+)", text):
        text += _read_text(name)
    return text


def _read_text(path: str) -> str:
    try:
        return files.read(path, 65536).decode("utf-8", "replace")
    except UnavailableError:
        return ""


def show(names: Sequence[str], limits: Limits) -> list[dict[str, str]]:
    """The properties of these units (names or patterns) by one call of systemctl.

    Raises `UnavailableError` where systemd does not answer.
    """
    if not names:
        return []
    argv = ["systemctl", "show", "--no-pager", "--property=" + PROPERTIES, "--", *names]
    output = run(argv, limits.command_seconds)
    blocks = parse_show(output.stdout.decode("utf-8", "replace"))
    if not blocks and output.status:
        raise UnavailableError("systemctl show: " + output.complaint)
    return blocks


def parse_show(text: str) -> list[dict[str, str]]:
    """Blocks of name=value lines, one block per unit; a unit that is named twice counts once."""
    found: dict[str, dict[str, str]] = {}
    for block in re.split(r"\n{2,}", text.strip("\n")):
        properties: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            key, equals, value = line.partition("=")
            if equals and re.fullmatch(r"[A-Z]\w*", key):
                # ExecStart appears once per command
                properties[key] = properties[key] + "\n" + value if key in properties else value
                name = key
            elif name:
                properties[name] += "\n" + line
        if properties.get("Id"):
            found.setdefault(properties["Id"], properties)
    return list(found.values())


def describe(
    properties: Mapping[str, str], limits: Limits, secrets: Sequence[str] = ()
) -> dict[str, Any]:
    """One unit as `Unit` data, with its files; secrets are masked."""
    shown = {key: _masked(key, value, secrets)[:4000] for key, value in properties.items()}
    drop_ins = properties.get("DropInPaths", "").split()
    code = properties.get("ExecMainCode", "0")
    return {
        "name": properties["Id"],
        "load_state": properties.get("LoadState", ""),
        "active_state": properties.get("ActiveState", ""),
        "sub_state": properties.get("SubState", ""),
        "unit_file_state": properties.get("UnitFileState", ""),
        "result": properties.get("Result", ""),
        "main_pid": _number(properties.get("MainPID")) or 0,
        "restarts": _number(properties.get("NRestarts")) or 0,
        "exit_status": _number(properties.get("ExecMainStatus")) if code in _EXIT_CODES else None,
        "exit_code": _EXIT_CODES.get(code, ""),
        "fragment": properties.get("FragmentPath") or None,
        "drop_ins": drop_ins,
        "need_reload": properties.get("NeedDaemonReload") == "yes",
        "active_since": _since(properties),
        "properties": shown,
        "files": _files(properties, drop_ins, limits, secrets),
        "cgroup": cgroups.describe(properties.get("ControlGroup", "")),
    }


def _files(
    properties: Mapping[str, str], drop_ins: Sequence[str], limits: Limits, secrets: Sequence[str]
) -> list[dict[str, Any]]:
    def masked(content: bytes) -> bytes:
        text = content.decode("utf-8", "surrogateescape")
        return environment_text(text, secrets).encode("utf-8", "surrogateescape")

    paths = [properties.get("FragmentPath", ""), *drop_ins]
    paths += [path for path, _optional in environment_files(properties)]
    found = []
    for path in paths[:32]:
        try:
            found.append(files.describe(path, files.read(path, limits.bytes), masked))
        except UnavailableError:
            continue  # FragmentPath and EnvironmentFiles name it, so its absence is visible
    return found


def environment_files(properties: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Path of each EnvironmentFile and whether the unit starts without it."""
    text = properties.get("EnvironmentFiles", "")
    return [
        (path, ignored == "yes")
        for path, ignored in re.findall(r"(?m)^(/.*) \(ignore_errors=(yes|no)\)$", text)
    ]


def environment(properties: Mapping[str, str], text: str = "") -> str:
    """Everything that may hold a setting of the service: for finding addresses, never sent."""
    parts = [properties.get("Environment", ""), properties.get("ExecStart", ""), text]
    parts += [_read_text(path) for path, _optional in environment_files(properties)]
    return "\n".join(parts)


def _masked(key: str, value: str, secrets: Sequence[str]) -> str:
    return assignments(value, secrets) if key == "Environment" else mask(value, secrets)


def _since(properties: Mapping[str, str]) -> float | None:
    usec = _number(properties.get("ActiveEnterTimestampMonotonic"))
    if not usec:
        return None
    return round(time.time() - time.monotonic() + usec / 1e6, 3)


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?\d{1,18}", text) else None
