"""What a host says goes through Ansible, roles and reports of ours, and nothing of it executes.

The tasks are those of the playbooks; only the module that would ask a host is another. Runs with
every ansible-core that is supported (scripts/newer.sh).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest
import yaml

from ssemedic.evidence import Evidence
from ssemedic.stream.record import Stream
from tests.hostile.planting import ALL, JINJA, planted
from tests.hostile.test_hostile_evidence import BASES, STEERING
from tests.report.conftest import SITE, URL, file

PROJECT = Path(__file__).resolve().parents[2]
ansible.module_utils.__path__.append(str(PROJECT / "plugins" / "module_utils"))

from ansible.module_utils.sse_change.utf8 import sendable  # noqa: E402


def play(tmp_path: Path, seen: Evidence) -> subprocess.CompletedProcess[str]:
    """diagnose.yml as it is written, from the judgement on: render, compare, report."""
    answer = tmp_path / "answer.json"
    # Escaped as the module does it: Ansible refuses an answer that is not UTF-8.
    answer.write_text(json.dumps({"evidence": sendable(seen.to_dict())}), "utf-8")
    tasks: list[dict[str, Any]] = [
        {"planted_result": {"path": str(answer)}, "register": "sse_evidence_result"},
        {
            "sse_diagnose": {
                "endpoint": {"url": URL},
                "evidence": "{{ sse_evidence_result.evidence }}",
            },
            "register": "sse_diagnosis",
        },
        {
            "ansible.builtin.include_tasks": str(PROJECT / "playbooks/tasks/render.yml"),
            "vars": {"sse_plan": "{{ sse_diagnosis.report.plan }}"},
            "when": "not sse_diagnosis.report.plan.empty",
        },
        {
            "ansible.builtin.copy": {
                "content": "{{ sse_changes | default([]) | to_json }}",
                "dest": str(tmp_path / "changes.json"),
                "mode": "0600",
            }
        },
        {"ansible.builtin.debug": {"var": "sse_evidence_result.evidence.host"}},
        {
            "sse_report": {
                "endpoint": {"url": URL},
                "report": "{{ sse_diagnosis.report }}",
                "file": str(tmp_path / "report.json"),
            },
            "register": "sse_reported",
        },
        {
            "ansible.builtin.assert": {
                "that": "false",
                "fail_msg": "{{ sse_reported.sentence }}",
            }
        },
    ]
    book = tmp_path / "play.yml"
    book.write_text(
        yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), "utf-8"
    )
    beside = Path(sys.executable).parent
    inventory = (
        "all: {hosts: {here: {ansible_connection: local,"
        " ansible_python_interpreter: '{{ ansible_playbook_python }}'}}}"
    )
    (tmp_path / "inventory.yml").write_text(inventory, "utf-8")
    return subprocess.run(
        [beside / "ansible-playbook", "-i", tmp_path / "inventory.yml", book, "--diff"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=120,
        env={
            **os.environ,
            "PATH": f"{beside}:{os.environ['PATH']}",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LIBRARY": f"{PROJECT}/tests/hostile/modules:{PROJECT}/plugins/modules",
        },
        check=False,
    )


def words(text: str, proof: Path) -> str:
    return text.replace("@PROOF@", str(proof))


def test_a_plan_repeats_the_admins_words_byte_for_byte_and_executes_none(tmp_path: Path) -> None:
    """A header of the server's is lost where the location sets one, so ours repeats it."""
    proof = tmp_path / "executed"
    note = words(JINJA, proof)
    line = f'    proxy_set_header X-Note "{note}";\n    # the stream\n'
    admins = file(
        "/etc/nginx/sites-enabled/notify", SITE.replace(b"    # the stream\n", line.encode())
    )
    nginx = BASES["broken"].nginx
    assert nginx is not None
    seen = replace(BASES["broken"], nginx=replace(nginx, files=(nginx.files[0], admins)))
    done = play(tmp_path, seen)
    assert not proof.exists()
    changes = json.loads((tmp_path / "changes.json").read_text("utf-8"))
    assert changes, done.stdout[-3000:]
    ours = next(one["content"] for one in changes if "content" in one)
    assert f'proxy_set_header X-Note "{note}";' in ours


@pytest.mark.parametrize("base", ["broken", "healthy"])
def test_hostile_words_behind_every_text_execute_nowhere(tmp_path: Path, base: str) -> None:
    proof = tmp_path / "executed"
    seen = planted(
        BASES[base],
        lambda text: text + words(ALL, proof),
    )
    streams = zip(BASES[base].streams or (), seen.streams or (), strict=True)
    seen = replace(seen, streams=tuple(end_as_it_was(old, new) for old, new in streams))
    done = play(tmp_path, seen)
    assert done.returncode == 2, done.stdout[-2000:]  # the last task fails, and says the verdict
    assert not proof.exists()
    assert "touch" in (tmp_path / "report.json").read_text("utf-8"), done.stdout[-2000:]
    # From the report on: what ours prints, and what Ansible prints of it.
    assert not STEERING.search(done.stdout.partition("TASK [sse_report]")[2])


def end_as_it_was(old: Stream, new: Stream) -> Stream:
    """How a stream ended is a word of ours: a host that invents one is refused as a whole."""
    return replace(new, end=replace(new.end, kind=old.end.kind), hop=old.hop, variant=old.variant)
