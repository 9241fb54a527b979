"""Whatever is wrong with what we are given: one sentence, the right exit code, nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import PROJECT, LabHost, environment, ssemedic

pytestmark = pytest.mark.lab

TOKEN_CANARY = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJwbGFudGVkIn0.c2lnbmF0dXJlLW9mLWEtY2FuYXJ5"


def sentences(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("ssemedic: ")]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--host", "nosuch.invalid", "--url", "http://nosuch.invalid/events"], 3, "resolve"),
        (["--host", "web1;id"], 2, "not a host name"),
        (["--host", "web1", "--url", "ftp://web1/events"], 2, "url:"),
        (["--host", "web1", "--url", "http://web1/{{ 7*7 }}"], 2, "url:"),
        (["--host", "web1", "--url", f"http://web1/?access_token={TOKEN_CANARY}"], 2, "token"),
        (["--host", "web1", "--token-file", "/nowhere/token"], 2, "No such file"),
        (["--host", "web1", "--inventory", "/nowhere"], 2, "does not exist"),
        (["--host", "web1", "--for", "0"], 2, "--for"),
    ],
)
def test_a_wrong_argument_gives_one_sentence(arguments: list[str], code: int, says: str) -> None:
    done = ssemedic("diagnose", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    (sentence,) = sentences(done.stderr)
    assert says in sentence
    assert TOKEN_CANARY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"", 0o600, "is empty"),
        (b"two words\n", 0o600, "must be one token"),
        (b"\xff\xfe\x00", 0o600, "not text"),
        (TOKEN_CANARY.encode(), 0o644, "must be 0600"),
        (b"a" * 20_000, 0o600, "must be one token"),
    ],
)
def test_a_malformed_token_file_is_refused(
    tmp_path: Path, content: bytes, mode: int, says: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    file.chmod(mode)
    done = ssemedic("diagnose", "--host", "web1", "--token-file", str(file))
    assert done.returncode == 2
    (sentence,) = sentences(done.stderr)
    assert says in sentence
    assert TOKEN_CANARY not in done.stdout + done.stderr


def test_refused_ssh_is_unreachable(host: LabHost) -> None:
    soon = "sudo systemd-run --on-active=1 --timer-property=AccuracySec=100ms"
    host.ssh(f"{soon} systemctl stop ssh.service")
    subprocess.run(["sleep", "3"], check=True)
    run = host.ssemedic("diagnose")
    assert run.code == 3
    (sentence,) = sentences(run.output)
    assert "cannot be reached" in sentence


def test_a_host_without_python_is_told_what_to_do(host: LabHost, tmp_path: Path) -> None:
    inventory = tmp_path / "no-python.yml"
    inventory.write_text(
        f"lab: {{hosts: {{{host.name}: {{ansible_python_interpreter: /nowhere/python3}}}}}}\n",
        "utf-8",
    )
    run = host.ssemedic(
        "diagnose", "--inventory", str(PROJECT / "inventory"), "--inventory", str(inventory)
    )
    assert run.code == 3
    (sentence,) = sentences(run.output)
    assert "install python3" in sentence


def test_without_root_rights_it_sees_less_and_says_so(host: LabHost, tmp_path: Path) -> None:
    inventory = tmp_path / "plain.yml"
    inventory.write_text(f"lab: {{hosts: {{{host.name}: {{ansible_user: plain}}}}}}\n", "utf-8")
    run = host.ssemedic(
        "diagnose",
        "--inventory",
        str(PROJECT / "inventory"),
        "--inventory",
        str(inventory),
    )
    assert run.code == 0, run.output
    assert run.report is not None
    assert "root" in " ".join(run.report["missing"].values())
    assert "sd_limitnofile" in run.report["skipped"]


def test_a_url_that_matches_no_server_is_unknown(host: LabHost) -> None:
    run = host.ssemedic("diagnose", url=f"http://{host.name}:9999/events")
    assert run.code == 3
    assert "no server listens on port 9999" in run.output


def test_a_broken_nginx_configuration_is_named_and_left_alone(host: LabHost) -> None:
    host.ssh("echo 'server { listen 8080 oops' | sudo tee /etc/nginx/conf.d/broken.conf")
    before = host.lab("changed", host.name)
    run = host.ssemedic("remediate", "--yes")
    assert run.code == 3
    assert "/etc/nginx/conf.d/broken.conf:1" in run.output
    assert run.report is not None
    assert run.report["plan"]["empty"]
    assert _etc(host.lab("changed", host.name)) == _etc(before)


def test_a_host_without_nginx_is_judged_by_what_answers(host: LabHost) -> None:
    host.ssh("sudo systemctl stop nginx && sudo rm -r /etc/nginx && sudo rm /usr/sbin/nginx")
    run = host.ssemedic("diagnose")
    assert run.code == 3
    assert run.report is not None
    assert run.report["verdict"]["before"] == "broken"
    assert "nginx" in run.report["missing"]


def test_hostile_log_lines_are_shown_inert_and_never_executed(host: LabHost) -> None:
    marker = host.scratch / "executed"
    template = f"{{{{ lookup('pipe', 'touch {marker}') }}}}"
    line = f"PermissionError: {template} \\033]0;evil\\007 \\377\\376 [red]"
    host.lab("break", host.name, "app_raise_after_200")
    host.ssh(f'printf "%b\\n" "{line}" | sudo tee -a /var/log/nginx/notify.error.log /noise')
    host.ssh(
        "sudo mkdir -p /etc/systemd/system/notify.service.d;"
        " printf '[Service]\\nExecStartPre=/bin/cat /noise\\n'"
        " | sudo tee /etc/systemd/system/notify.service.d/noise.conf;"
        " sudo systemctl daemon-reload; sudo systemctl restart notify"
    )
    assert "lookup" in host.ssh("sudo journalctl -u notify -n 50 -o cat --all --no-pager")
    run = host.ssemedic("remediate", "--yes")
    assert run.code == 1, run.output
    assert not marker.exists()
    assert "\x1b" not in run.output
    assert "\x07" not in run.output


def test_nothing_shows_the_token(host: LabHost) -> None:
    """Neither what we print, nor the report, nor Ansible at its most talkative, nor the host."""
    signature = signature_of_the_token(host)

    run = host.ssemedic("diagnose", "-v")
    assert run.code == 0, run.output
    report = (host.scratch / "report.json").read_text("utf-8")

    playbook = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-vvvv",
            "diagnose.yml",
            "-l",
            host.name,
        ],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert playbook.returncode == 0, playbook.stdout[-2000:]
    # The pattern goes by standard input: as an argument it would find itself in the journal.
    journal = host.ssh("sudo journalctl --no-pager -o cat; sudo cat /var/log/nginx/*.log")
    for place in (run.output, report, playbook.stdout, playbook.stderr, journal):
        assert signature not in place


def test_the_journal_check_above_would_see_a_token(host: LabHost) -> None:
    host.ssh(f"echo {TOKEN_CANARY} | sudo systemd-cat -t canary")
    assert TOKEN_CANARY in host.ssh("sudo journalctl --no-pager -o cat")


def test_no_argument_of_any_process_holds_the_token(host: LabHost) -> None:
    """Watched while a diagnosis runs: every command line of this machine and of the host."""
    signature = signature_of_the_token(host).encode()
    running = subprocess.Popen(
        [sys.executable, "-m", "ssemedic", "diagnose", "--host", host.name],
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    looks = 0
    while running.poll() is None:
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            for name in ("cmdline", "environ"):
                try:
                    content = Path(entry.path, name).read_bytes()
                except OSError:
                    continue  # the process is gone
                assert signature not in content, (entry.name, name)
        looks += 1
    assert running.returncode == 0
    assert looks > 10


def signature_of_the_token(host: LabHost) -> str:
    """The last part of the lab's token: the part that no report may hold even in pieces."""
    described = subprocess.run(
        [sys.executable, str(PROJECT / "inventory" / "lab.py"), "--host", host.name],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    file = Path(json.loads(described.stdout)["sse_endpoint"]["token_file"])
    return file.read_text("utf-8").strip().rsplit(".", 1)[1]


def _etc(changed: str) -> list[str]:
    return [line for line in changed.splitlines() if "/etc/" in line]
