"""The inventory where no lab runs: Ansible must be able to start all the same."""

from __future__ import annotations

import json
import os
import subprocess

from lab.layout import PROJECT


def ask(*arguments: str, lab: str = "absent") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SSEMEDIC_LAB": lab}
    script = str(PROJECT / "inventory" / "lab.py")
    return subprocess.run(
        [script, *arguments], env=environment, capture_output=True, text=True, timeout=30
    )


def test_without_a_lab_the_groups_are_empty() -> None:
    assert json.loads(ask("--list").stdout) == {
        "sse_servers": {"children": ["lab"]},
        "lab": {"hosts": [], "vars": {}},
        "_meta": {"hostvars": {}},
    }


def test_a_host_that_does_not_run_has_no_variables() -> None:
    assert json.loads(ask("--host", "web1").stdout) == {}


def test_a_lab_name_that_could_be_a_path_is_refused() -> None:
    done = ask("--list", lab="../x")
    assert done.returncode == 2
    assert "SSEMEDIC_LAB: is '../x', must be" in done.stderr
