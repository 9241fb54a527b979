"""Faults that real hosts have, one file each in lab/faults/, and how they are injected.

A fault is a list of steps. Steps say what they leave behind, not how it is done:

    replace:  {path, old, new}      the old text must be there exactly once
    write:    {path, content}       a whole file, folders made where missing
    copy:     {path, from}          a file of lab/site/, folders made where missing
    settings: {NAME: value}         lines of the service's environment file
    restart:  UNIT                  with its unit files read anew, until the service answers
    reload:   nginx.service         until only workers with the new settings take connections
    run:      [command, ...]        inside the host, as root
    wait:     {run: [...], prints}  until the command prints exactly that
    token:    {claim: value}        the lab's token of this host, minted anew
    tls:      {port: N}             a certificate in /etc/nginx/tls; from then on the endpoint is
                                    https at this port, where the next steps must make nginx listen
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import yaml

from lab import changes, host, state, tokens
from lab.errors import LabError, UsageError
from lab.layout import PROJECT, Host

FOLDER = PROJECT / "lab" / "faults"
SITE = PROJECT / "lab" / "site"
ENVIRONMENT_FILE = "/etc/notify/notify.env"
HEALTH_URL = "http://127.0.0.1:8000/health"
ASK_HEALTH = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", HEALTH_URL]
TLS_FOLDER = "/etc/nginx/tls"
WAIT_SECONDS = 20.0

Step = Mapping[str, object]

#: What a repair makes of a fault: mended; left untouched with advice; mended beside a cause that
#: only a person can mend; told without being to blame; a red herring beside the true cause.
OUTCOMES = ("repaired", "advised", "beside", "told", "red_herring")


@dataclass(frozen=True)
class Expected:
    """What a diagnosis and a repair must make of a fault.

    ``hop`` is where the first cause is; "" where ``cause``, another one, stands first.
    ``verdict`` is that of the broken host, "any" where it depends on who comes first, our streams
    or those of others. ``message`` is false where the service takes none.
    ``spread`` is true for those that `make test` tries; `make faults` tries all.
    """

    outcome: str
    hop: str = ""
    cause: str = ""
    verdict: str = "broken"
    message: bool = True
    spread: bool = False


@dataclass(frozen=True)
class Fault:
    """A way to break a host, and what looks like it without being one."""

    name: str
    summary: str
    endpoint: Mapping[str, str]
    steps: Sequence[Step]
    twin_summary: str
    twin_steps: Sequence[Step]
    expected: Expected
    twin_endpoint: Mapping[str, str] = field(default_factory=dict)


def names() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.yml"))


def read(name: str) -> Fault:
    """Read a fault's file. Raises UsageError where there is none or it is no fault."""
    if name not in names():
        raise UsageError(f"fault {name!r}: is unknown; `python -m lab faults` lists them")
    text = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    try:
        fault = Fault(
            name=name,
            summary=text["summary"],
            endpoint=text.get("endpoint", {}),
            steps=text["break"],
            twin_summary=text["healthy_twin"]["summary"],
            twin_steps=text["healthy_twin"]["steps"],
            twin_endpoint=text["healthy_twin"].get("endpoint", {}),
            expected=Expected(**text["expect"]),
        )
    except KeyError as missing:
        raise UsageError(f"fault {name}: has no {missing}, must have one") from None
    except TypeError as error:
        raise UsageError(f"fault {name}: expect: {error}") from None
    if (outcome := fault.expected.outcome) not in OUTCOMES:
        raise UsageError(
            f"fault {name}: outcome is {outcome}, must be one of {', '.join(OUTCOMES)}"
        )
    for step in [*fault.steps, *fault.twin_steps]:
        if len(step) != 1 or next(iter(step)) not in _STEPS:
            raise UsageError(
                f"fault {name}: step {list(step)} is unknown, must be one of {', '.join(_STEPS)}"
            )
    return fault


def inject(one: Host, fault: Fault, *, twin: bool = False) -> None:
    """Break the host. From then on `changed` tells what happened since. Raises LabError."""
    record = state.load(one)
    if record is None:
        raise LabError(f"host {one.name}: does not run; `python -m lab up {one.name}` starts it")
    if record.fault:
        raise LabError(
            f"host {one.name}: already has {record.fault}; `python -m lab mend {one.name}` first"
        )
    described = fault.twin_endpoint if twin else fault.endpoint
    named = {
        key: value.replace("{host}", one.name) if isinstance(value, str) else value
        for key, value in described.items()
    }
    endpoint = {**record.endpoint, **named}
    # Saved first: a host that was broken half-way is not taken for a healthy one.
    state.save(one, replace(record, fault=fault.name, healthy_twin=twin, endpoint=endpoint))
    for step in fault.twin_steps if twin else fault.steps:
        ((kind, value),) = step.items()
        try:
            _STEPS[kind](one, value)
        except LabError as error:
            raise LabError(f"fault {fault.name}: step {kind}: {error}") from None
    changes.remember(one)


def _inside(one: Host, command: Sequence[str], stdin: str | None = None) -> str:
    done = host.visit(one, command, stdin)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-800:]
        raise LabError(f"{' '.join(command)}: exit code is {done.returncode}, must be 0: {said}")
    return done.stdout


def _store(one: Host, path: str, text: str) -> None:
    # Into the same file: its owner, its mode and the links to it stay.
    _inside(one, ["sh", "-euc", 'mkdir -p "${1%/*}"; cat >"$1"', "sh", path], text)


def _replace(one: Host, value: object) -> None:
    spec = cast("Mapping[str, str]", value)
    text = _inside(one, ["cat", spec["path"]])
    if (count := text.count(spec["old"])) != 1:
        raise LabError(f"{spec['path']}: has the old text {count} times, must have it once")
    _store(one, spec["path"], text.replace(spec["old"], spec["new"]))


def _write(one: Host, value: object) -> None:
    spec = cast("Mapping[str, str]", value)
    _store(one, spec["path"], spec["content"])


def _copy(one: Host, value: object) -> None:
    spec = cast("Mapping[str, str]", value)
    _store(one, spec["path"], (SITE / spec["from"]).read_text(encoding="utf-8"))


def _settings(one: Host, value: object) -> None:
    text = _inside(one, ["cat", ENVIRONMENT_FILE])
    for name, setting in cast("Mapping[str, object]", value).items():
        line = f'{name}="{setting}"'
        kept = [old for old in text.splitlines() if not old.startswith(f"{name}=")]
        text = "\n".join([*kept, line, ""])
    _store(one, ENVIRONMENT_FILE, text)


def _restart(one: Host, value: object) -> None:
    _inside(one, ["systemctl", "daemon-reload"])
    _inside(one, ["systemctl", "restart", str(value)])
    _wait(one, {"run": ASK_HEALTH, "prints": "200"})


def _workers(one: Host) -> set[str]:
    # A worker of the old settings that still serves is called "... is shutting down".
    return set(host.visit(one, ["pgrep", "-xf", "nginx: worker process"]).stdout.split())


def _reload(one: Host, value: object) -> None:
    before = _workers(one)
    _inside(one, ["systemctl", "reload", str(value)])
    deadline = time.monotonic() + WAIT_SECONDS
    while before & (now := _workers(one)) or not now:
        if time.monotonic() > deadline:
            raise LabError(f"{value}: has the workers from before the reload, must have new ones")
        time.sleep(0.02)


def _run(one: Host, value: object) -> None:
    _inside(one, [str(word) for word in cast("Sequence[object]", value)])


def _wait(one: Host, value: object) -> None:
    spec = cast("Mapping[str, object]", value)
    command = [str(word) for word in cast("Sequence[object]", spec["run"])]
    deadline = time.monotonic() + WAIT_SECONDS
    while (printed := host.visit(one, command).stdout.strip()) != spec["prints"]:
        if time.monotonic() > deadline:
            raise LabError(f"{' '.join(command)}: prints {printed!r}, must be {spec['prints']!r}")
        time.sleep(0.1)


def _token(one: Host, value: object) -> None:
    tokens.write_token(one.token_file, cast("Mapping[str, str | int]", value))


def _tls(one: Host, value: object) -> None:
    spec = cast("Mapping[str, int]", value)
    key, certificate = f"{TLS_FOLDER}/key.pem", f"{TLS_FOLDER}/cert.pem"
    _inside(one, ["mkdir", "-p", "-m", "0755", TLS_FOLDER])
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    make += ["-nodes", "-days", "30", "-subj", f"/CN={one.name}"]
    make += ["-addext", f"subjectAltName=DNS:{one.name}", "-keyout", key, "-out", certificate]
    _inside(one, make)
    trusted = one.run_dir / "tls.pem"
    state.write_atomically(trusted, _inside(one, ["cat", certificate]))
    record = state.load(one)
    assert record is not None  # inject() has just saved it
    endpoint = {
        **record.endpoint,
        "url": f"https://{one.name}:{spec['port']}/events",
        "ca_file": str(trusted),
    }
    state.save(one, replace(record, endpoint=endpoint))


_STEPS: Mapping[str, Callable[[Host, object], None]] = {
    "replace": _replace,
    "write": _write,
    "copy": _copy,
    "settings": _settings,
    "restart": _restart,
    "reload": _reload,
    "run": _run,
    "wait": _wait,
    "token": _token,
    "tls": _tls,
}
