"""Tokens kept out of a real host's logs: the admin's log masked on request, a whole site owned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import PROJECT, LabHost, environment

pytestmark = pytest.mark.lab

CANARY = "CANARY0123456789"


def test_a_log_that_keeps_tokens_is_masked_on_request_and_stays_so(host: LabHost) -> None:
    host.lab("break", host.name, "nginx_token_in_access_log")
    told = host.ssemedic("diagnose")
    assert told.report is not None, told.output
    (cause,) = told.report["causes"]
    assert (cause["rule"], cause["status"]) == ("nginx_token_in_access_log", "latent")
    assert (
        "3 different tokens, 1 still valid, 1 expired, 1 of unknown validity" in cause["observed"]
    ), (told.report["missing"], cause["evidence"])
    assert told.report["verdict"]["before"] == "healthy"
    assert told.code == 0

    run = host.ssemedic("remediate", "--yes", "--mask-log")
    assert run.report is not None, run.output
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    assert run.code == 0

    host.ssh("sudo truncate -s 0 /var/log/nginx/notify.access.log")
    host.ssh(f"curl -s -o /dev/null 'localhost:8080/events?access_token={CANARY}&tab=1'")
    log = host.ssh("sudo cat /var/log/nginx/notify.access.log")
    assert "GET /events?access_token=***&tab=1 HTTP/1.1" in log
    assert CANARY not in log
    everything = run.output + json.dumps(run.report) + told.output + json.dumps(told.report)
    assert "c2lnbmF0dXJl" not in everything and "opaque-0123456789" not in everything

    again = host.ssemedic("remediate", "--yes", "--mask-log")
    assert again.report is not None, again.output
    assert again.report["changes"] is None
    # The valid one is still in the rotated log: that is for a person to remove.
    (left,) = again.report["causes"]
    assert "takes no new tokens" in left["observed"]
    assert again.code == 0


def test_an_owned_site_carries_the_stream_by_https_and_has_no_finding(
    host: LabHost, tmp_path: Path
) -> None:
    """The role writes the whole site; our own rules find nothing wrong with it."""
    host.ssh(
        "sudo openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-keyout /etc/ssl/private/own.key -out /etc/ssl/certs/own.pem -subj /CN={host.name} "
        f"-addext subjectAltName=DNS:{host.name} 2>/dev/null"
    )
    certificate = tmp_path / "own.pem"
    certificate.write_text(host.ssh("cat /etc/ssl/certs/own.pem"))
    url = f"https://{host.name}:8443/events"
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps(_inventory(host, url, certificate)))

    first = _own(host, tmp_path)
    assert "changed=0 " not in first
    assert "changed=0 " in _own(host, tmp_path)

    run = host.ssemedic(
        "diagnose",
        "--inventory",
        str(PROJECT / "inventory"),
        "--inventory",
        str(inventory),
        url=url,
    )
    assert run.report is not None, run.output
    assert [cause["rule"] for cause in run.report["causes"]] == []
    assert run.report["unexplained"] == []
    assert [hop["name"] for hop in run.report["hops"] if hop["stream"]] == [
        "app",
        "nginx",
        "public",
    ]
    assert run.report["verdict"]["before"] == "healthy", run.output
    assert run.code == 0
    # Two of the streams were watched through this site, with a token in each URL.
    log = host.ssh("sudo cat /var/log/nginx/own.access.log")
    assert log.count("GET /events?access_token=*** HTTP/") >= 2
    assert "eyJ" not in log


def _inventory(host: LabHost, url: str, certificate: Path) -> dict[str, object]:
    """The lab's endpoint of the host, at its new address."""
    told = subprocess.run(
        [sys.executable, PROJECT / "inventory" / "lab.py", "--host", host.name],
        env=environment(), capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    endpoint = json.loads(told.stdout)["sse_endpoint"]
    endpoint = {**endpoint, "url": url, "ca_file": str(certificate)}
    return {"all": {"hosts": {host.name: {"sse_endpoint": endpoint}}}}


def _own(host: LabHost, folder: Path) -> str:
    """Run the role; its recap."""
    site = {
        "sse_nginx_mode": "own",
        "sse_nginx_site": "own",
        "sse_nginx_server_names": [host.name],
        "sse_nginx_listen": ["8443"],
        "sse_nginx_redirect_listen": ["8081"],
        "sse_nginx_tls_certificate": "/etc/ssl/certs/own.pem",
        "sse_nginx_tls_key": "/etc/ssl/private/own.key",
        "sse_nginx_upstreams": ["127.0.0.1:8000"],
        "sse_nginx_origins": ["https://app.example"],
        "sse_nginx_cors_credentials": True,
        "sse_nginx_expected_streams": 1000,
    }
    play = [{"hosts": host.name, "gather_facts": False, "vars": site, "roles": ["sse_nginx"]}]
    file = folder / "own.yml"
    file.write_text(json.dumps(play))
    ansible = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [ansible, "-i", PROJECT / "inventory" / "lab.py", file],
        cwd=PROJECT, env={**environment(), "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
