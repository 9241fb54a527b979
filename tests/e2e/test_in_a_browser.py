"""A real browser and a real host: the page served from nginx for a while, and the final proof."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab import ssh
from lab.layout import Lab
from ssemedic.page.chromium import Chromium
from ssemedic.page.forward import forwarded
from ssemedic.probe.request import Request
from tests.browser.conftest import diagnose
from tests.e2e.conftest import LAB, PROJECT, LabHost, environment

pytestmark = pytest.mark.lab


def page_playbook(host: LabHost, *more: str) -> str:
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/page.yml"]
    command += ["-e", f"sse_hosts={host.name}", *more]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_is_served_from_the_host_for_a_while(host: LabHost) -> None:
    before = host.ssh("sudo sha256sum /etc/nginx/sites-available/notify")
    page_playbook(host, "-e", "sse_page_minutes=5", "-e", "sse_page_path=/tools")
    where = host.ssh("grep -o '/tools/.*html' /etc/nginx/ssemedic/page.conf").strip()
    assert host.ssh("systemctl list-timers --all --no-legend 'ssemedic-undo-*'").strip()
    lab = Lab(f"ssemedic-lab-{LAB}")
    token = lab.host(host.name).token_file.read_text("ascii").strip()
    dial = Request(hop="public", url=host.url, proxy_command=ssh.dial_command(lab))
    with forwarded(dial) as at, Chromium(hosts={host.name: at}) as browser, browser.page() as tab:
        ran = diagnose(tab, host.url.replace("/events", where), token=token, window=2)
    assert ran.verdict == "good", ran.text
    assert ran.symptoms == set()
    assert ran.result["url"] == host.url  # filled in; nobody had to type it
    assert token not in json.dumps(ran.result)
    assert where not in host.ssh("sudo cat /var/log/nginx/*.log")
    page_playbook(host, "-e", "sse_page_state=absent")
    assert host.ssh("sudo sha256sum /etc/nginx/sites-available/notify") == before
    assert host.ssh("sudo ls /etc/nginx/ssemedic/page.html", check=False).count("No such file")


def test_a_repair_is_proven_by_a_plain_event_source(host: LabHost) -> None:
    host.lab("break", host.name, "nginx_proxy_buffering")
    run = host.ssemedic("remediate", "--yes", "--browser")
    assert run.report is not None, run.output
    assert run.report["proof"]["proven"], run.output
    (hop,) = [hop for hop in run.report["proof"]["hops"] if hop["hop"] == "browser"]
    assert hop["before"]["status"] is None  # CONNECTING all the time
    assert hop["after"]["is_event_stream"]
    assert hop["after"]["end"]["kind"] == "limit_time"
    assert hop["after"]["reads"]
