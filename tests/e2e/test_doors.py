"""The ways in: ansible-playbook as written, --check, no answer, a repair that does not prove."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import PROJECT, LabHost, environment, ssemedic

pytestmark = pytest.mark.lab

FAULT = "nginx_http10_upstream"


def playbook(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_playbooks_diagnose_repair_prove_and_roll_back(host: LabHost) -> None:
    host.lab("break", host.name, FAULT)
    pristine = host.ssh("sudo cat /etc/nginx/sites-available/notify")

    seen = playbook("diagnose.yml", "-l", host.name)
    assert seen.returncode == 0, seen.stdout
    assert FAULT in seen.stdout
    assert host.ssh("sudo cat /etc/nginx/sites-available/notify") == pristine

    checked = playbook("remediate.yml", "-l", host.name, "--check", "--diff")
    assert checked.returncode == 0, checked.stdout
    assert "include /etc/nginx/ssemedic/" in checked.stdout
    assert host.ssh("sudo cat /etc/nginx/sites-available/notify") == pristine

    done = playbook("remediate.yml", "-l", host.name)
    assert done.returncode == 0, done.stdout
    assert "repaired and proven" in done.stdout
    assert host.ssh("sudo cat /etc/nginx/sites-available/notify") != pristine

    again = playbook("remediate.yml", "-l", host.name)
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout

    back = playbook("rollback.yml", "-e", f"sse_hosts={host.name}")
    assert back.returncode == 0, back.stdout
    assert host.ssh("sudo cat /etc/nginx/sites-available/notify") == pristine


@pytest.mark.parametrize("arguments", [["--check"], []], ids=["check", "nobody to ask"])
def test_nothing_changes_unless_it_is_approved(host: LabHost, arguments: list[str]) -> None:
    host.lab("break", host.name, FAULT)
    before = host.ssh("sudo cat /etc/nginx/sites-available/notify")
    run = host.ssemedic("remediate", *arguments)
    assert run.code == 1
    assert "+        include /etc/nginx/ssemedic/" in run.output
    assert host.ssh("sudo cat /etc/nginx/sites-available/notify") == before
    assert host.ssh("sudo ls /var/lib/ssemedic 2>/dev/null", check=False).strip() == ""


def test_a_repair_that_does_not_prove_is_undone(host: LabHost) -> None:
    """The unit can be started, and dies of its own settings before the proof is over."""
    host.lab("break", host.name, "sd_unit_dead_or_disabled")
    host.ssh(
        "sudo mkdir -p /etc/systemd/system/notify.service.d;"
        " printf '[Service]\\nRuntimeMaxSec=3\\nRestart=no\\n'"
        " | sudo tee /etc/systemd/system/notify.service.d/short.conf;"
        " sudo systemctl daemon-reload"
    )
    enabled = host.ssh("systemctl is-enabled notify", check=False)
    run = host.ssemedic("remediate", "--yes")
    assert run.code == 4, run.output
    assert run.report is not None
    assert run.report["changes"]["outcome"] == "undone"
    assert not run.report["proof"] or not run.report["proof"]["proven"]
    assert host.ssh("systemctl is-enabled notify", check=False) == enabled
    assert "inactive" in host.ssh("systemctl is-active notify", check=False) or "failed" in (
        host.ssh("systemctl is-active notify", check=False)
    )


def test_a_cause_that_hides_another_is_repaired_with_it(host: LabHost) -> None:
    host.lab("break", host.name, "nginx_read_timeout_idle")
    host.ssh("sudo systemctl disable --now notify")
    run = host.ssemedic("remediate", "--yes", "--for", "8")
    assert run.code == 0, run.output
    assert run.report is not None
    assert {cause["rule"] for cause in run.report["causes"]} == {
        "sd_unit_dead_or_disabled",
        "nginx_read_timeout_idle",
    }
    assert run.report["changes"]["outcome"] == "committed"


def test_without_a_url_the_candidates_are_listed(host: LabHost, tmp_path: Path) -> None:
    inventory = tmp_path / "bare.yml"
    inventory.write_text(f"lab: {{hosts: {{{host.name}: {{sse_endpoint: {{}}}}}}}}\n", "utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ssemedic",
            "diagnose",
            "--host",
            host.name,
            "--inventory",
            "inventory",
            "--inventory",
            str(inventory),
        ],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "/events" in done.stdout
    assert "--url" in done.stdout


def test_the_report_of_a_repair_fits_its_schema(host: LabHost) -> None:
    from ssemedic.report.schema import validate

    host.lab("break", host.name, FAULT)
    run = host.ssemedic("remediate", "--yes")
    assert run.code == 0, run.output
    assert run.report is not None
    validate(run.report)


def test_a_repair_touches_nothing_but_what_it_says(host: LabHost) -> None:
    host.lab("break", host.name, FAULT)
    run = host.ssemedic("remediate", "--yes")
    assert run.code == 0, run.output
    touched = {
        line.split()[-1]
        for line in host.lab("changed", host.name).splitlines()
        if line.strip() and "/var/log/" not in line and "/var/lib/ssemedic" not in line
    }
    folders = {"/etc/nginx", "/etc/nginx/sites-available", "/etc/nginx/ssemedic"}
    assert touched - folders == {
        "/etc/nginx/sites-available/notify",
        f"/etc/nginx/ssemedic/{host.name}-events.conf",
    }


def test_a_change_is_listed_shown_and_undone_by_its_number(host: LabHost) -> None:
    site = "sudo cat /etc/nginx/sites-available/notify"
    host.lab("break", host.name, FAULT)
    pristine = host.ssh(site)
    asked = ("--host", host.name)
    assert ssemedic("history", *asked).returncode == 1
    assert host.ssemedic("remediate", "--yes").code == 0
    listed = ssemedic("history", *asked)
    assert listed.returncode == 0, listed.stderr
    assert "in force" in listed.stdout
    assert "/etc/nginx/sites-available/notify" in listed.stdout
    shown = ssemedic("show", "1", *asked)
    assert "+        include /etc/nginx/ssemedic/" in shown.stdout
    beyond = ssemedic("show", "2", *asked)
    assert beyond.returncode == 2
    assert "no change 2, must be 1 to 1, or an id" in beyond.stderr

    changed = host.ssh(site)
    asked_nobody = ssemedic("rollback", *asked)
    assert asked_nobody.returncode == 4
    assert "-        include /etc/nginx/ssemedic/" in asked_nobody.stdout
    assert host.ssh(site) == changed

    host.ssh("echo '# mine' | sudo tee -a /etc/nginx/sites-available/notify")
    refused = ssemedic("rollback", *asked, "--yes")
    assert refused.returncode == 4
    assert "notify: changed by others after change" in refused.stderr
    assert host.ssh(site).endswith("# mine\n")

    forced = ssemedic("rollback", *asked, "--yes", "--force")
    assert forced.returncode == 0, forced.stderr
    assert host.ssh(site) == pristine
    aside = forced.stdout.rstrip().rpartition(" ")[2]
    assert host.ssh(f"sudo tail -n 1 {aside}") == "# mine\n"
    assert "undone" in ssemedic("history", *asked).stdout


def test_going_back_says_who_keeps_nginx_from_loading_and_can_be_finished(host: LabHost) -> None:
    host.lab("break", host.name, FAULT)
    assert host.ssemedic("remediate", "--yes").code == 0
    host.ssh("echo 'no_such_thing on;' | sudo tee /etc/nginx/conf.d/broken.conf")
    back = ssemedic("rollback", "--host", host.name, "--yes")
    assert back.returncode == 5
    assert "no_such_thing" in back.stderr
    assert "/etc/nginx/conf.d/broken.conf:1" in back.stderr
    host.ssh("sudo rm /etc/nginx/conf.d/broken.conf")
    again = ssemedic("rollback", "--host", host.name, "--yes")
    assert again.returncode == 0, again.stderr
    assert "include" not in host.ssh(
        "sudo grep -A9 'location /events' /etc/nginx/sites-available/notify"
    )


def test_the_clock_of_the_host_is_compared_with_ours(host: LabHost) -> None:
    """Both are the same machine's here, so any real difference is a fault of the comparison."""
    answer = playbook(
        "-e",
        f"sse_hosts={host.name}",
        "-e",
        f"sse_report_file={host.scratch / 'seen.json'}",
        "diagnose.yml",
    )
    assert answer.returncode == 0, answer.stdout
    seen = json.loads((host.scratch / "seen.json").read_text("utf-8"))
    assert seen["verdict"]["before"] == "healthy"
    assert seen["causes"] == []
