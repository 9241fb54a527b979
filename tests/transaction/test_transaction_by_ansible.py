"""Called by Ansible: hostile text stays text, nothing leaks, check mode tells the truth."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from transaction_host import PROJECT, Host

pytestmark = pytest.mark.lab

SITE = "/etc/nginx/sites-available/notify"


@pytest.fixture
def host(lab_host: Host) -> Iterator[Host]:
    lab_host.must("rm -rf /var/lib/ssemedic")
    before = lab_host.look()
    yield lab_host
    for one in reversed(lab_host.perform("status")["transactions"]):
        lab_host.perform("revert", id=one["id"])
    assert lab_host.look() == before


def play(tmp_path: Path, tasks: list[dict[str, Any]], *options: str) -> str:
    """Run tasks on the lab host and return all that was printed."""
    book = tmp_path / "play.yml"
    book.write_text(yaml.safe_dump([{"hosts": "web9", "gather_facts": False, "tasks": tasks}]))
    beside = Path(sys.executable).parent
    done = subprocess.run(
        [beside / "ansible-playbook", "-i", "inventory", book, *options],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PATH": f"{beside}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def role(name: str, **variables: Any) -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": name}, "vars": variables}


def test_jinja_in_the_admins_file_and_in_a_plan_stays_text(host: Host, tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    jinja = "{{ lookup('ansible.builtin.pipe', 'touch " + str(proof) + "') }}"
    hostile = f"# {jinja} {{% raw %}}\n".encode() + b"# caf\xe9 \x1b[31m\n"
    host.must(f"cp -p {SITE} /root/site && cat >> {SITE}", hostile)
    try:
        content = host.run(f"cat {SITE}").stdout
        # The plan reaches the roles as a module's result does: read from a file, not templated.
        plan = tmp_path / "plan.json"
        line = {"name": "add_header", "args": ["X-Note", jinja], "cause": "inherited", "why": jinja}
        edit = {
            "path": SITE,
            "expected_sha256": hashlib.sha256(content).hexdigest(),
            "content_b64": base64.b64encode(content + b"# our include\n").decode(),
        }
        unit = {"Unit": {"Description": jinja}}
        plan.write_text(json.dumps({"lines": [line], "edits": [edit], "unit": unit}))
        read = "{{ lookup('ansible.builtin.file', '" + str(plan) + "') | from_json }}"
        tasks = [
            {"ansible.builtin.set_fact": {"plan": read}},
            role(
                "sse_nginx",
                sse_nginx_mode="adopt",
                sse_nginx_ours="/etc/nginx/ssemedic/hostile.conf",
                sse_nginx_directives="{{ plan.lines }}",
                sse_nginx_edits="{{ plan.edits }}",
            ),
            role(
                "sse_unit",
                sse_unit_name="notify.service",
                sse_unit_settings="{{ plan.unit }}",
            ),
        ]
        shown = play(tmp_path, tasks, "--diff")
        assert not proof.exists()
        assert host.run(f"test -e {proof}").returncode == 1
        assert host.run(f"cat {SITE}").stdout == content + b"# our include\n"
        assert jinja in host.must("cat /etc/nginx/ssemedic/hostile.conf")
        drop_in = host.must("cat /etc/systemd/system/notify.service.d/*-ssemedic.conf")
        assert f"Description={jinja}\n" in drop_in
        assert "\x1b" not in shown
    finally:
        for one in reversed(host.perform("status")["transactions"]):
            host.perform("revert", id=one["id"])
        host.must(f"mv /root/site {SITE}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Service": {"Environment": "A=1\nExecStartPre=/bin/touch /x"}}, "a line break in"),
        ({"Service": {"Environment": "A=1\\"}}, "a backslash at the end of"),
        ({"Service": {"Bad Name": "1"}}, "a setting has a name"),
        ({"Service]\n[Install": {"A": "1"}}, "a section has a name"),
    ],
)
def test_a_setting_that_breaks_out_of_its_line_is_refused(
    host: Host, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    task = role("sse_unit", sse_unit_name="notify.service", sse_unit_settings=settings)
    with pytest.raises(AssertionError, match=said):
        play(tmp_path, [task])


def test_configuration_text_is_not_copied_into_the_hosts_journal(
    host: Host, tmp_path: Path
) -> None:
    change = {"path": "/etc/nginx/ssemedic/x.conf", "content": "# password: squirrel-7\n"}
    task = {"sse_transaction": {"state": "activated", "changes": [change]}}
    play(tmp_path, [task])
    assert "squirrel-7" in host.must("cat /etc/nginx/ssemedic/x.conf")
    assert "squirrel-7" not in host.must("journalctl --no-pager")


def test_ssh_that_is_cut_before_the_confirmation_leaves_the_undo_to_the_host(
    host: Host, tmp_path: Path
) -> None:
    before = host.look()
    change = {"path": "/etc/nginx/ssemedic/cut.conf", "content": "# cut\n"}
    # No session lives on and no new one begins; the host opens the door again by itself.
    cut = "systemctl stop ssh.socket ssh; pkill sshd; sleep 8; systemctl start ssh"
    # A timer is a minute late at most unless told otherwise.
    when = ["--on-active=1s", "--timer-property=AccuracySec=100ms"]
    later = ["systemd-run", *when, "sh", "-c", cut]
    tasks: list[dict[str, Any]] = [
        {"sse_transaction": {"state": "activated", "changes": [change], "window": 3, "id": "cut"}},
        {"ansible.builtin.command": {"argv": later}},
        {"ansible.builtin.pause": {"seconds": 3}},
        {"sse_transaction": {"state": "committed", "id": "cut"}},
    ]
    with pytest.raises(AssertionError, match="unreachable=1"):
        play(tmp_path, tasks)
    end = time.monotonic() + 40
    while host.run("true").returncode != 0 or host.look() != before:
        assert time.monotonic() < end
        time.sleep(0.5)
    [told] = host.perform("status")["undone_by_host"]
    assert (told["id"], told["by"]) == ("cut", "timer")


def test_check_mode_shows_the_diff_and_the_host_stays_as_it_is(host: Host, tmp_path: Path) -> None:
    before = host.look()
    task = role(
        "sse_unit",
        sse_unit_name="notify.service",
        sse_unit_state="restarted",
        sse_unit_settings={"Service": {"LimitNOFILE": "4321"}},
    )
    shown = play(tmp_path, [task], "--check", "--diff")
    assert "+LimitNOFILE=4321" in shown
    assert "+state: active (restarted)" in shown
    assert "changed=1" in shown
    assert host.look() == before
    assert host.run("test -e /var/lib/ssemedic").returncode == 1


def test_a_percent_sign_and_a_list_reach_the_process_as_written(host: Host, tmp_path: Path) -> None:
    task = role(
        "sse_unit",
        sse_unit_name="notify.service",
        sse_unit_state="restarted",
        sse_unit_settings={"Service": {"Environment": ["A=50%n", "B=two"]}},
    )
    play(tmp_path, [task])
    pid = host.must("systemctl show notify -p MainPID --value").strip()
    environment = host.must(f"cat /proc/{pid}/environ").split("\0")
    assert "A=50%n" in environment
    assert "B=two" in environment
