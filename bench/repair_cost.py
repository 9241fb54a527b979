"""What a repair costs the streams that are open: a reload, a restart, and what lies between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from lab import fleet, network, ssh, tokens
from lab.commands import must
from lab.errors import LabError
from lab.layout import PROJECT, Host, Lab

PAGE = PROJECT / "docs" / "bench-repair.md"
LAB = Lab("ssemedic-lab-bench")
STREAMS = 1_000
BEFORE_SECONDS, AFTER_SECONDS = 4.0, 12.0
_NGINX = "/etc/nginx/conf.d/zz-bench.conf"
_DROP_IN = "/etc/systemd/system/notify.service.d/zz-bench.conf"
_ROOM = (
    "sed -i 's/worker_connections .*/worker_connections 4096;/' /etc/nginx/nginx.conf;"
    " sed -i '1i worker_rlimit_nofile 10000;' /etc/nginx/nginx.conf; systemctl restart nginx"
)


@dataclass(frozen=True)
class Scene:
    """One way to bring a change to life."""

    title: str
    prepare: str
    change: Mapping[str, str]
    activation: Mapping[str, Any]


def _unit(name: str) -> dict[str, Any]:
    return {"units": [{"name": name, "daemon_reload": True, "state": "restarted"}]}


SCENES = (
    Scene(
        "reload of nginx",
        "",
        {"path": _NGINX, "content": "# bench\n"},
        {"nginx": {"reload": True}},
    ),
    Scene(
        "reload of nginx, `worker_shutdown_timeout 3s`",
        "sed -i '1i worker_shutdown_timeout 3s;' /etc/nginx/nginx.conf; systemctl reload nginx",
        {"path": _NGINX, "content": "# bench\n"},
        {"nginx": {"reload": True}},
    ),
    Scene(
        "restart of nginx",
        "",
        {
            "path": "/etc/systemd/system/nginx.service.d/zz-bench.conf",
            "content": "[Service]\nLimitNOFILE=20000\n",
        },
        _unit("nginx.service"),
    ),
    Scene(
        "restart of the service",
        "",
        {"path": _DROP_IN, "content": "[Service]\nLimitNOFILE=19000\n"},
        _unit("notify.service"),
    ),
)


def main() -> int:
    """Measure and write the page. Raises LabError."""
    load = machine.load()
    found: list[tuple[Scene, Mapping[str, Any]]] = []
    [host] = fleet.up(LAB, ["web1"])
    try:
        for scene in SCENES:
            figures = _measure(host, scene)
            print(f"bench: {scene.title}: {json.dumps(figures)}", flush=True)
            found.append((scene, figures))
    finally:
        fleet.down(LAB, [])
    PAGE.write_text(page(found, load), encoding="utf-8")
    print(f"bench: wrote {PAGE.relative_to(PROJECT)}")
    return 0


def _measure(host: Host, scene: Scene) -> Mapping[str, Any]:
    fleet.mend([host])
    _on(host, _ROOM)
    if scene.prepare:
        _on(host, scene.prepare)
    command = [sys.executable, "-m", "bench.crowd_watch", host.name, "8080", str(STREAMS)]
    watch = subprocess.Popen(
        network.command_inside(LAB, command),
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdin is not None
    assert watch.stdout is not None
    try:
        watch.stdin.write(tokens.mint() + "\n")
        watch.stdin.flush()
        if watch.stdout.readline() != "ready\n":
            raise LabError(f"{STREAMS} streams: could not be opened")
        time.sleep(BEFORE_SECONDS)
        done = _change(host, scene)
        time.sleep(AFTER_SECONDS)
        watch.stdin.close()
        figures: dict[str, Any] = json.loads(watch.stdout.readline())
    finally:
        watch.kill()
        watch.wait()
    return {**figures, "told": done["streams"], "seconds": done["seconds"]}


def _change(host: Host, scene: Scene) -> Mapping[str, Any]:
    """By the module that a repair uses, kept at once: what a proof adds costs no stream."""
    given = {"state": "activated", "id": "bench", "changes": [scene.change]}
    done = _module(host, {**given, "activation": scene.activation})
    _module(host, {"state": "committed", "id": "bench"})
    return done


def _module(host: Host, given: Mapping[str, Any]) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as told:
        return _asked(host, given, told)


def _asked(host: Host, given: Mapping[str, Any], told: str) -> Mapping[str, Any]:
    ansible = str(Path(sys.executable).with_name("ansible"))
    command = [ansible, host.name, "-t", told, "-m", "sse_transaction", "-a", json.dumps(given)]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={
            **os.environ,
            "SSEMEDIC_LAB": LAB.name.removeprefix("ssemedic-lab-"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise LabError(f"sse_transaction: {done.stdout[-1500:]}{done.stderr[-500:]}")
    answer: Mapping[str, Any] = json.loads(Path(told, host.name).read_text("utf-8"))
    return answer


def _on(host: Host, command: str) -> None:
    must(["ssh", "-F", "/dev/null", *ssh.options(LAB), "-l", ssh.USER, host.name,
          "sudo sh -c " + json.dumps(command)])  # fmt: skip


def page(found: Sequence[tuple[Scene, Mapping[str, Any]]], load: float) -> str:
    """The page as it must be."""
    least = found[0][1]["longest_gap"] or 1.0
    rows = [
        f"| {scene.title} | {f['dropped']:,} | {f['longest_gap']:.1f} s | "
        f"{f['longest_gap'] / least:.1f} | {f['resumed']:,} | {f['not_resumed']:,} | "
        f"{f['lost']:,} of {f['sent'] * f['streams']:,} | {f['seconds']:.1f} s |"
        for scene, f in found
    ]
    told = [f"- {scene.title}: {_told(figures['told'])}" for scene, figures in found]
    return "\n".join(
        [
            "# What a repair costs the streams that are open",
            "",
            "Written by `python -m bench repair`.",
            "",
            *[f"- {line}" for line in machine.hardware()],
            f"- {time.strftime('%Y-%m-%d')}; load average before it began {load:.2f}",
            f"- {STREAMS:,} streams, each by a client that comes back as a browser does",
            "",
            "| change | dropped | longest gap | to a reload | resumed | not resumed "
            "| messages lost | change took |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
            *rows,
            "",
            "A message goes to every stream each second, so a gap of one second is none.",
            "*Resumed*: the client came back with `Last-Event-ID` and the service sent what it had",
            "missed. *Not resumed*: the service no longer knew where the client stood; the",
            "reference service keeps its last events in memory, which a restart empties. *Lost*:",
            "messages that the service took and a stream never got.",
            "",
            "So ssemedic reloads where a reload does, restarts only what a change cannot reach",
            "otherwise (a limit of a running process), and says before how many connections stay",
            "or drop. What it told in these runs:",
            "",
            *told,
            "",
            "## How it was measured",
            "",
            "- On a lab host, nginx 1.22.1 in front of the reference notify service, over HTTP.",
            f"- {BEFORE_SECONDS:g} s after all streams were open, one change by the module that a",
            f"  repair uses; watched for {AFTER_SECONDS:g} s more.",
            "- A client whose stream ends waits as long as the server's `retry:` says, and comes",
            "  back with the id of the last event it had.",
        ]
    ) + "\n"  # fmt: skip


def _told(seen: Sequence[Mapping[str, Any]]) -> str:
    from ssemedic.report import words

    before = [words.crowd({**one, "kept": None}) for one in seen]
    return "; ".join([*before, *(words.crowd(one) for one in seen)]) or "nobody was connected"
