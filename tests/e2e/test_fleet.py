"""Many hosts: all are diagnosed, then repaired one by one; after one not proven, nobody is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import PROJECT

pytestmark = [pytest.mark.lab, pytest.mark.exam]

#: A lab of its own: the hosts of the others are called the same.
LAB = f"fl{os.environ.get('SSEMEDIC_LAB', '')}"[:12]
HOSTS = ("web1", "web2", "web3")
SITE = "sudo cat /etc/nginx/sites-available/notify"
#: The service starts, and ends by itself before any proof is over.
DYING = (
    "sudo mkdir -p /etc/systemd/system/notify.service.d;"
    " printf '[Service]\\nRuntimeMaxSec=2\\nRestart=no\\n'"
    " | sudo tee /etc/systemd/system/notify.service.d/short.conf; sudo systemctl daemon-reload"
)


def run(*words: str, module: str = "lab") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=PROJECT,
        env={**os.environ, "SSEMEDIC_LAB": LAB, "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=280,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def on(host: str, command: str) -> str:
    return run("ssh", host, command).stdout


@pytest.fixture
def fleet() -> Iterator[None]:
    run("down")
    assert run("up", *HOSTS).returncode == 0
    yield
    run("down")


def test_the_fleet_stops_at_the_first_host_that_is_not_proven(fleet: None, tmp_path: Path) -> None:
    for host in ("web1", "web3"):
        run("break", host, "nginx_http10_upstream")
    run("break", "web2", "sd_unit_dead_or_disabled")
    on("web2", DYING)
    before = {host: on(host, SITE) for host in HOSTS}
    named = [word for host in HOSTS for word in ("--host", host)]
    done = run(
        *("remediate", *named, "--yes", "--for", "4", "--report", str(tmp_path)), module="ssemedic"
    )
    assert done.returncode == 4, done.stdout + done.stderr
    outcome = {
        host: json.loads((tmp_path / host / "report.json").read_text("utf-8"))["changes"]
        for host in HOSTS
    }
    # The canary stays repaired, the second is as it was, the third was never begun.
    assert outcome["web1"]["outcome"] == "committed"
    assert "include /etc/nginx/ssemedic/" in on("web1", SITE)
    assert outcome["web2"]["outcome"] == "undone"
    assert on("web2", "systemctl is-active notify").strip() in ("inactive", "failed")
    assert outcome["web3"] is None
    assert on("web3", SITE) == before["web3"]
    assert on("web3", "sudo ls /var/lib/ssemedic 2>&1").count("No such file") == 1
    summary = done.stdout.partition("Summary")[2]
    assert "web3 left as it was: the run ended before it" in summary
    assert "3 hosts, 1 left alone" in summary
    # What was left is found by the next run, which goes on where this one ended.
    on("web2", "sudo rm /etc/systemd/system/notify.service.d/short.conf")
    on("web2", "sudo systemctl daemon-reload")
    again = run("remediate", "--group", "lab", "--yes", "--for", "4", module="ssemedic")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "web1 healthy" in again.stdout.partition("Summary")[2]
