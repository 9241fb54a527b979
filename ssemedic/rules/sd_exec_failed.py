"""Cause: sd_exec_failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ssemedic.case import Case
from ssemedic.clues.unit_journal import lines_of, shortened
from ssemedic.clues.unit_settings import in_force, place
from ssemedic.evidence import Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind


@dataclass(frozen=True)
class _Step:
    """A step between fork and exec: the settings it comes from, and what to do about it."""

    keys: tuple[str, ...]
    what: str
    mend: str


#: Exit statuses that systemd gives to a process before it becomes the service (systemd.exec(5)).
_STEPS = {
    200: _Step(
        ("WorkingDirectory",),
        "the working directory cannot be entered",
        "make the folder, or name the one that is there",
    ),
    202: _Step(("Sockets",), "its file descriptors cannot be passed on", "look at its sockets"),
    203: _Step(
        ("ExecStart", "ExecStartPre"),
        "the program cannot be run",
        "name the program's full path; it must exist, be executable (ls -l), be for this machine "
        "(file), and the interpreter in its first line must exist too (head -1)",
    ),
    205: _Step(
        ("LimitNOFILE", "LimitNPROC", "LimitCORE"),
        "a limit cannot be set",
        "ask for no more than the machine allows",
    ),
    208: _Step(("StandardInput",), "its input cannot be opened", "name a file that is there"),
    209: _Step(
        ("StandardOutput",),
        "its output cannot be opened",
        "name a folder that is there, or journal",
    ),
    210: _Step(("RootDirectory",), "its root directory cannot be entered", "make the folder"),
    214: _Step(("CPUSchedulingPolicy",), "its scheduling cannot be set", "take the setting out"),
    216: _Step(("Group", "SupplementaryGroups"), "its group does not exist", "groupadd --system"),
    217: _Step(
        ("User",),
        "its user does not exist",
        "name a user that is there, or make it: useradd --system",
    ),
    218: _Step(
        ("AmbientCapabilities", "CapabilityBoundingSet"),
        "its capabilities cannot be set",
        "ask for none that the machine does not have",
    ),
    222: _Step(
        ("StandardError",), "its error output cannot be opened", "name a folder that is there"
    ),
    225: _Step(
        ("NetworkNamespacePath", "PrivateNetwork"),
        "its network namespace cannot be entered",
        "make the namespace before the service starts",
    ),
    226: _Step(
        (
            "ReadWritePaths",
            "BindPaths",
            "BindReadOnlyPaths",
            "InaccessiblePaths",
            "ReadOnlyPaths",
            "RootDirectory",
            "ProtectSystem",
            "PrivateTmp",
        ),
        "its view of the file system cannot be made",
        "make the folder that is missing, or put a minus before its path so that it may be missing",
    ),
    228: _Step(("SystemCallFilter",), "its system call filter cannot be set", "take it out"),
    231: _Step(("AppArmorProfile",), "its AppArmor profile cannot be entered", "load the profile"),
    233: _Step(("RuntimeDirectory",), "its runtime folder cannot be made", "free the path"),
    238: _Step(("StateDirectory",), "its state folder cannot be made", "free the path"),
    240: _Step(("LogsDirectory",), "its log folder cannot be made", "free the path"),
    243: _Step(
        ("LoadCredential", "LoadCredentialEncrypted", "SetCredential"),
        "its credentials cannot be loaded",
        "put the file where the setting says",
    ),
}
_NAMES = {200: "CHDIR", 203: "EXEC", 216: "GROUP", 217: "USER", 226: "NAMESPACE"}
_AT_STEP = re.compile(r": Failed at step (\w+) spawning (.+?): (.+)$")
_ENDED = re.compile(r": (?:Main|Control) process exited, code=exited, status=(\d+)/([A-Z_]+)")
_FAILED = re.compile(
    r": (?:Failed to (?!start|run)|Changing to the requested|Failed to run 'start' task)"
)
_BAD_LINE = re.compile(r"^(/\S+\.(?:service|conf)):(\d+): (.+)")
_FATAL = re.compile(
    r"Neither a valid executable|not absolute|Executable path|has no ExecStart|bad unit file|"
    r"more than one ExecStart|Unbalanced quoting|Failed to (?:parse|resolve)|fatal error",
    re.IGNORECASE,
)


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(Kind.REFUSED, Sign(Kind.WRONG_STATUS, (502, 503, 504))),
    needs=("units", "streams"),
)
def sd_exec_failed(case: Case) -> Iterator[Finding]:
    """systemd cannot even begin to run the service: its unit names what is not there.

    A program, a working directory, an environment file, a user or a folder that the unit
    names does not exist or may not be used. The service's own code never runs, so its own
    log is silent, nobody listens, and the proxy answers 502 within milliseconds. The exit
    status tells the step: 200 the directory, 203 the program, 217 the user, 226 the file
    system. Starting it again fails again, until the line is mended.
    """
    unit = case.unit
    failure = exec_failure(case, unit)
    if failure is None:
        return
    yield Finding(
        hop="app",
        where=failure.where,
        observed=failure.observed,
        expected=failure.expected,
        evidence=failure.evidence,
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"{failure.mend}. Then: systemctl daemon-reload && "
                f"systemctl reset-failed {unit.name} && systemctl restart {unit.name}",
            ),
        ),
    )


@dataclass(frozen=True)
class Failure:
    """Why systemd cannot begin to run a unit."""

    where: str
    observed: str
    expected: str
    mend: str
    evidence: tuple[str, ...]


def exec_failure(case: Case, unit: Unit) -> Failure | None:
    """What keeps systemd from running the unit; None where its program did run, or nothing does."""
    if unit.active_state == "active":
        return None
    texts = [line.text for line in lines_of(case, unit)]
    if unit.load_state in ("bad-setting", "error"):
        return _not_loaded(unit, texts)
    if unit.result == "resources":
        return _no_environment(unit, texts)
    ended = [match for text in texts if (match := _ENDED.search(text))]
    status = int(ended[-1][1]) if ended else unit.exit_status
    if status not in _STEPS or not (ended or unit.exit_code == "exited"):
        return None
    at_step = [m for text in texts[-20:] if (m := _AT_STEP.search(text))]
    if not at_step and (not ended or ended[-1][2] not in (_NAMES.get(status), "")):
        return None  # a program may choose such a status itself
    return _at_step(unit, _STEPS[status], status, texts, at_step)


def _at_step(
    unit: Unit, step: _Step, status: int, texts: list[str], at_step: list[re.Match[str]]
) -> Failure:
    key = next((key for key in step.keys if in_force(unit, key)), step.keys[0])
    line = in_force(unit, key)
    value = line[-1].value if line else ""
    said = [text for text in texts[-20:] if _FAILED.search(text)]
    why = at_step[-1][3] if at_step else ""
    evidence = [f"systemd ended it with status {status}/{at_step[-1][1]}" if at_step else ""]
    evidence[0] = evidence[0] or f"systemd ended it with status {status}/{_NAMES.get(status, '')}"
    evidence += [f"journal of {unit.name}: {shortened(said[-1])}"] if said else []
    if at_step:
        evidence.append(f"journal of {unit.name}: {shortened(at_step[-1][0].lstrip(': '))}")
    shown = f"{key}={value}" if value else key
    return Failure(
        where=place(unit, *step.keys),
        observed=f"{step.what} ({shown}{': ' + why if why else ''})",
        expected=f"{key}= names what is there and may be used",
        mend=f"{place(unit, *step.keys)}: {shown}. {step.mend[0].upper()}{step.mend[1:]}",
        evidence=tuple(evidence),
    )


def _not_loaded(unit: Unit, texts: list[str]) -> Failure:
    lines = [m for text in texts if (m := _BAD_LINE.match(text))]
    fatal = [m for m in lines if _FATAL.search(m[3])]
    said = [text for text in texts if _FATAL.search(text)]
    at = fatal[-1] if fatal else (lines[-1] if lines else None)
    where = f"{at[1]}:{at[2]}" if at else unit.fragment or unit.name
    return Failure(
        where=where,
        observed=f"the unit cannot be loaded ({unit.load_state}"
        + (f": {shortened(at[3])})" if at else ")"),
        expected="a unit that systemd can load",
        mend=f"{where}: mend what systemd-analyze verify {unit.name} says",
        evidence=tuple(f"journal of {unit.name}: {shortened(text)}" for text in said[-2:])
        or (f"LoadState={unit.load_state}, LoadError={unit.prop('LoadError')}",),
    )


def _no_environment(unit: Unit, texts: list[str]) -> Failure | None:
    said = [text for text in texts[-20:] if _FAILED.search(text)]
    if not any("environment file" in text for text in said):
        return None
    wanted = re.findall(r"(?m)^(/.*) \(ignore_errors=no\)$", unit.prop("EnvironmentFiles"))
    read = {file.path for file in unit.files}
    missing = [path for path in wanted if path not in read] or wanted
    named = ", ".join(missing) or "its EnvironmentFile"
    lines = [x for x in in_force(unit, "EnvironmentFile") if x.value in missing]
    where = lines[-1].where if lines else place(unit, "EnvironmentFile")
    return Failure(
        where=where,
        observed=f"its environment file cannot be read (EnvironmentFile={named})",
        expected="EnvironmentFile= names a file that is there",
        mend=f"{where}: bring {named} back, or name the file that holds the settings (with a "
        "minus before its path if the service runs without it)",
        evidence=tuple(f"journal of {unit.name}: {shortened(text)}" for text in said[-2:]),
    )
