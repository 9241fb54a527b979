"""Others change a file after the plan was made; a run is cut off and a person cleans up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssemedic.report.forms import FORMS
from ssemedic.report.model import exit_code
from ssemedic.report.schema import validate
from tests.e2e.conftest import LabHost, ssemedic
from tests.e2e.test_interruptions import playbook
from tests.transaction.transaction_tasks import PROVEN

pytestmark = [pytest.mark.lab, pytest.mark.exam]

FAULT = "nginx_http10_upstream"
SITE = "/etc/nginx/sites-available/notify"


def planned(host: LabHost, tmp_path: Path) -> dict[str, object]:
    """The variables of a repair whose plan a person has approved."""
    plan = tmp_path / "plan.json"
    variables: dict[str, object] = {"sse_evidence_window": 2, "sse_plan_file": str(plan)}
    done = playbook("diagnose", variables, tmp_path / "tasks")
    assert done.returncode == 0, done.stdout
    return {"sse_evidence_window": 2, "sse_approved_report": str(plan)}


def test_a_file_that_changed_since_the_plan_is_shown_in_three_views_and_nothing_is_changed(
    host: LabHost, tmp_path: Path
) -> None:
    host.lab("break", host.name, FAULT)
    variables = planned(host, tmp_path)
    host.ssh(f"echo '# certbot was here' | sudo tee -a {SITE}")
    tree = host.ssh("sudo find /etc -newermt '1 minute ago' -type f -exec sha256sum {} +")
    report_file = tmp_path / "report.json"
    done = playbook("apply", {**variables, "sse_report_file": str(report_file)}, tmp_path / "tasks")
    assert done.returncode != 0
    assert "it changed since the plan was made" in " ".join(done.stdout.split())
    report = json.loads(report_file.read_text("utf-8"))
    validate(report)
    assert exit_code(report) == 4
    assert report["changes"]["outcome"] == "refused"
    [drift] = report["changes"]["drift"]
    assert drift["path"] == SITE
    assert "# certbot was here" not in drift["saw"]
    assert drift["now"].endswith("# certbot was here\n")
    assert "include /etc/nginx/ssemedic/" in drift["wanted"]
    assert "+# certbot was here" in FORMS["markdown"][1](report)
    assert host.ssh("sudo find /etc -newermt '1 minute ago' -type f -exec sha256sum {} +") == tree
    assert host.ssh("sudo ls /var/lib/ssemedic | grep -v lock", check=False).strip() == ""


def test_what_a_run_left_half_done_is_finished_by_recover(host: LabHost, tmp_path: Path) -> None:
    host.lab("break", host.name, FAULT)
    before = host.ssh(f"sudo cat {SITE}")
    variables = {**planned(host, tmp_path), "sse_undo_seconds": 600}
    at = PROVEN.names.index("Compare with what was seen before") + 1
    playbook("apply", variables, tmp_path / "tasks", at, "kill")
    assert host.ssh(f"sudo cat {SITE}") != before
    asked = ("recover", "--host", host.name)
    refused = ssemedic(*asked)
    assert refused.returncode == 4
    assert "another run is proving it" in refused.stderr
    host.ssh("sudo sh -c 'systemctl stop \"ssemedic-undo-*.timer\"'")  # nobody will, then
    done = ssemedic(*asked)
    assert done.returncode == 0, done.stderr
    assert "was undone by a later run, which found it half done" in " ".join(done.stdout.split())
    assert host.ssh(f"sudo cat {SITE}") == before
    assert ssemedic(*asked).returncode == 1
