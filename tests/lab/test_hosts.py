"""A lab host is a real host, and only the lab can reach it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import changes, host, network
from lab.dial import DialError
from lab.layout import BRIDGE, NETWORK, PROJECT, Host, Lab

pytestmark = pytest.mark.lab


def run(command: list[str], lab: Lab) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SSEMEDIC_LAB": lab.name.removeprefix("ssemedic-lab-")}
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60
    )


def lab_command(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "lab", *arguments], lab)


def test_systemd_is_pid_1_and_all_units_started(hosts: list[Host]) -> None:
    look = ["sh", "-c", "cat /proc/1/comm; systemctl is-system-running"]
    assert host.visit(hosts[0], look).stdout.split() == ["systemd", "running"]


def test_medic_logs_in_and_becomes_root_without_a_password(lab: Lab, hosts: list[Host]) -> None:
    done = lab_command(lab, "ssh", "web1", "whoami; hostname; sudo -n whoami")
    assert done.stdout.split() == ["medic", "web1", "root"]


def test_plain_logs_in_and_never_becomes_root(lab: Lab, hosts: list[Host]) -> None:
    done = lab_command(lab, "ssh", "plain@web1", "whoami; sudo -n whoami")
    assert done.stdout.split() == ["plain"]
    assert "password is required" in done.stderr


def test_a_memory_limit_of_a_unit_is_enforced(hosts: list[Host]) -> None:
    def allocate(*limit: str) -> int:
        unit = ["systemd-run", "--quiet", "--wait", "--collect", *limit]
        return host.visit(hosts[0], [*unit, "python3", "-c", "bytearray(100 << 20)"]).returncode

    assert allocate() == 0
    assert allocate("--property=MemoryMax=30M") != 0


def test_hosts_have_their_own_machine_id_and_see_each_other_by_name(hosts: list[Host]) -> None:
    first, second = (host.visit(one, ["cat", "/etc/machine-id"]).stdout for one in hosts)
    assert len(first.strip()) == 32
    assert first != second
    ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://web2:8080/health"]
    assert host.visit(hosts[0], ask).stdout == "200"


def test_this_machine_has_no_address_in_the_lab_and_no_route_to_it(hosts: list[Host]) -> None:
    routes = json.loads(run(["ip", "-json", "route", "show", "table", "all"], hosts[0].lab).stdout)
    links = json.loads(run(["ip", "-json", "address", "show"], hosts[0].lab).stdout)
    addresses = [entry.get("local", "") for link in links for entry in link["addr_info"]]
    seen = [*addresses, *(route["dst"] for route in routes)]
    assert seen
    assert [place for place in seen if place.startswith(NETWORK)] == []


def test_the_network_of_the_lab_has_no_way_out(hosts: list[Host]) -> None:
    for namespace in (hosts[0].lab.netns, hosts[0].netns):
        route = run(["ip", "-netns", namespace, "route", "show", "default"], hosts[0].lab)
        assert (route.returncode, route.stdout) == (0, "")
    links = json.loads(
        run(["ip", "-netns", hosts[0].lab.netns, "-json", "link"], hosts[0].lab).stdout
    )
    assert {link["ifname"] for link in links} == {"lo", BRIDGE, "web1", "web2"}


def test_the_dialer_refuses_a_name_that_is_no_host_of_the_lab(hosts: list[Host]) -> None:
    with pytest.raises(DialError, match="not running in the lab"):
        network.connect(Host(hosts[0].lab, "example"), 80)


def test_a_command_in_the_lab_reaches_hosts_by_name(lab: Lab, hosts: list[Host]) -> None:
    ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://web2:8080/health"]
    assert lab_command(lab, "run", "--", *ask).stdout == "200"
    assert run(["getent", "hosts", "web2"], lab).returncode != 0


def test_changed_lists_what_was_written_since_the_host_was_ready(hosts: list[Host]) -> None:
    assert [path for path in changes.changed(hosts[0]) if path.startswith("/etc")] == []
    came_and_went = "touch /etc/systemd/system/x; rm /etc/systemd/system/x"
    host.visit(hosts[0], ["sh", "-c", came_and_went])
    assert [path for path in changes.changed(hosts[0]) if path.startswith("/etc")] == []
    host.visit(hosts[0], ["sh", "-c", "echo x >/etc/new; rm /etc/issue; mkdir /etc/bare"])
    try:
        assert {"/etc/new", "/etc/issue", "/etc/bare"} <= set(changes.changed(hosts[0]))
    finally:
        host.visit(hosts[0], ["rm", "-r", "/etc/new", "/etc/bare"])


def test_the_inventory_lists_the_running_hosts(lab: Lab, hosts: list[Host]) -> None:
    listed = json.loads(run(["inventory/lab.py", "--list"], lab).stdout)
    assert listed["lab"]["hosts"] == ["web1", "web2"]
    assert listed["sse_servers"]["children"] == ["lab"]
    endpoint = listed["_meta"]["hostvars"]["web1"]["sse_endpoint"]
    assert endpoint["url"] == "http://web1:8080/events"
    assert hosts[0].token_file.stat().st_mode & 0o777 == 0o600
    assert endpoint["token_file"] == str(hosts[0].token_file)


def test_ansible_reaches_the_hosts_by_the_inventory_alone(lab: Lab, hosts: list[Host]) -> None:
    ansible = str(Path(sys.executable).with_name("ansible"))
    command = [ansible, "lab", "--one-line", "-m", "command", "-a", "id -un"]
    done = run([*command, "-i", "inventory/lab.py"], lab)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("root") == 2
