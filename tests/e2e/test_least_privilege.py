"""What a user may do who is not root: see less, say what is not seen, change nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import LabHost, ssemedic

pytestmark = [pytest.mark.lab, pytest.mark.exam]

FAULT = "nginx_http10_upstream"
Gated = Callable[[str], tuple[str, ...]]


def inventory(host: LabHost, tmp_path: Path, **variables: object) -> tuple[str, ...]:
    """The lab's inventory, and the host with other variables."""
    lines = "".join(f"      {name}: {value}\n" for name, value in variables.items())
    (tmp_path / "user.yml").write_text(f"lab:\n  hosts:\n    {host.name}:\n{lines}", "utf-8")
    return ("--inventory", "inventory", "--inventory", str(tmp_path / "user.yml"))


def touched(host: LabHost) -> set[str]:
    logs = ("/var/log/", "/home/plain", "/run/", "/tmp/")
    return {line for line in host.lab("changed", host.name).split() if not line.startswith(logs)}


@pytest.mark.parametrize(
    "rights",
    [
        {"ansible_user": "plain", "ansible_become": "false"},
        {"ansible_user": "plain", "ansible_become": "true"},  # sudo refuses it
    ],
    ids=["become off", "sudo refused"],
)
def test_a_diagnosis_without_root_finds_the_cause_and_says_what_it_could_not_see(
    host: LabHost, tmp_path: Path, rights: dict[str, object]
) -> None:
    host.lab("break", host.name, FAULT)
    before = touched(host)
    run = host.ssemedic("diagnose", *inventory(host, tmp_path, **rights))
    assert run.report is not None, run.output
    assert run.report["causes"][0]["rule"] == FAULT
    missing = run.report["missing"]
    for source in ("listeners.owners", "nginx.test", "processes.open_files"):
        assert "root" in missing[source], missing
    assert any("only root can test it" in note for note in run.report["notes"])
    assert {Path(item["path"]).name for item in run.report["plan"]["diff"]} == {
        "notify",
        f"{host.name}-events.conf",
    }
    assert touched(host) == before


def test_a_repair_without_root_is_refused_and_the_host_stays_as_it_was(
    host: LabHost, tmp_path: Path
) -> None:
    host.lab("break", host.name, FAULT)
    before = touched(host)
    rights = inventory(host, tmp_path, ansible_user="plain", ansible_become="false")
    run = host.ssemedic("remediate", "--yes", *rights)
    assert run.code == 4, run.output
    assert run.report is not None
    assert run.report["changes"]["outcome"] == "refused"
    assert "this user: is not root, must be root to change a host" in run.output
    assert touched(host) == before


def test_nothing_is_left_on_the_host_but_the_state_directory_and_the_changed_files(
    host: LabHost,
) -> None:
    host.lab("break", host.name, FAULT)
    before = touched(host)
    assert host.ssemedic("remediate", "--yes").code == 0
    left = {path for path in touched(host) - before if not path.startswith("/var/lib/ssemedic")}
    assert left - {"/etc/nginx", "/etc/nginx/sites-available", "/etc/nginx/ssemedic"} <= {
        "/etc/nginx/sites-available/notify",
        f"/etc/nginx/ssemedic/{host.name}-events.conf",
    }


@pytest.fixture
def gated(host: LabHost, tmp_path: Path) -> Gated:
    """``gated(mode)`` gives the user plain the rights of a mode, and returns the inventory."""

    def give(mode: str) -> tuple[str, ...]:
        program = ssemedic("sudoers", "--mode", mode, "--user", "plain", "--gate")
        rules = ssemedic("sudoers", "--mode", mode, "--user", "plain")
        assert program.returncode == rules.returncode == 0, program.stderr + rules.stderr
        path = f"/usr/local/lib/ssemedic/gate-{mode}"
        put(host, program.stdout, path, "0755")
        put(host, rules.stdout, "/etc/sudoers.d/ssemedic", "0440")
        assert "parsed OK" in host.ssh("sudo visudo -c")
        rights = {"ansible_user": "plain", "ansible_become": "true"}
        return inventory(host, tmp_path, **rights, ansible_python_interpreter=path)

    return give


def put(host: LabHost, text: str, path: str, mode: str) -> None:
    packed = base64.b64encode(text.encode()).decode()
    host.ssh(f"echo {packed} | base64 -d > /tmp/put; sudo install -D -m {mode} /tmp/put {path}")
    host.ssh("rm /tmp/put")


def test_a_diagnosis_with_the_rights_of_a_diagnosis_sees_everything_and_may_do_nothing_else(
    host: LabHost, tmp_path: Path, gated: Gated
) -> None:
    host.lab("break", host.name, FAULT)
    rights = gated("diagnose")
    run = host.ssemedic("diagnose", *rights)
    assert run.report is not None, run.output
    assert run.report["causes"][0]["rule"] == FAULT
    assert {"listeners.owners", "nginx.test", "processes.open_files"} & set(
        run.report["missing"]
    ) == set()
    assert not any("not validated" in note for note in run.report["notes"])
    before = touched(host)
    refused = host.ssemedic("remediate", "--yes", *rights)
    assert refused.code == 4, refused.output
    assert "is not a part of a diagnosis" in " ".join(refused.output.split())
    assert touched(host) == before


def test_with_the_rights_of_a_repair_it_is_made_and_undone(host: LabHost, gated: Gated) -> None:
    host.lab("break", host.name, FAULT)
    rights = gated("remediate")
    done = host.ssemedic("remediate", "--yes", *rights)
    assert done.code == 0, done.output
    back = ssemedic("rollback", "--host", host.name, "--yes", *rights)
    assert back.returncode == 0, back.stderr


@pytest.mark.parametrize("mode", ["diagnose", "remediate"])
def test_the_rights_allow_no_other_command(host: LabHost, gated: Gated, mode: str) -> None:
    gated(mode)
    gate = f"/usr/local/lib/ssemedic/gate-{mode}"
    for command in (
        "id",
        gate,
        "/bin/sh -c id",
        f"/bin/sh -c 'echo BECOME-SUCCESS-x ; {gate}; id'",
        f"/bin/sh -c 'echo BECOME-SUCCESS-x ; id ; {gate}'",
        f"/bin/sh -c 'echo BECOME-SUCCESS-$(id) ; {gate}'",
        f"/bin/sh -c 'echo BECOME-SUCCESS-x ; {gate} -c id'",
    ):
        said = host.lab("ssh", f"plain@{host.name}", f"sudo -n {command} 2>&1", check=False)
        assert "uid=0" not in said
        assert "password is required" in said or "not allowed" in said, (command, said)
    allowed = f"sudo -n /bin/sh -c 'echo BECOME-SUCCESS-x ; {gate}'"
    for source in ("import os; os.system('id')", "_ansiballz_main()", ""):
        said = host.lab("ssh", f"plain@{host.name}", f'echo "{source}" | {allowed}', check=False)
        assert f"gate ({mode}): " in said, said
        assert "uid=0" not in said
