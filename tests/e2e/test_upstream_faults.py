"""Between nginx and the app on a real host: what one fault file cannot show, and two at once."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.e2e.conftest import LabHost, Run

pytestmark = pytest.mark.lab

SITE = "/etc/nginx/sites-available/notify"
PASS = "proxy_pass         http://127.0.0.1:8000;"
#: Takes TLS for the app, from clients alone that name it; 8443 is its port.
TLS_FRONT = """
import socket, ssl, threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/opt/front.pem", "/opt/front.key")
context.sni_callback = lambda _sock, name, _context: (
    None if name == "notify.internal" else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
)

def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    sink.shutdown(socket.SHUT_WR)

def serve(raw):
    try:
        client = context.wrap_socket(raw, server_side=True)
        app = socket.create_connection(("127.0.0.1", 8000))
    except OSError:
        return
    threading.Thread(target=pump, args=(app, client), daemon=True).start()
    pump(client, app)

listener = socket.create_server(("127.0.0.1", 8443))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def settings(**values: str) -> str:
    """A command that adds switches to the service and restarts it."""
    lines = "\\n".join(f"{name}={value}" for name, value in values.items())
    return (
        f"printf '{lines}\\n' | sudo tee -a /etc/notify/notify.env; sudo systemctl restart notify; "
        "until curl -s -o /dev/null 127.0.0.1:8000/health; do sleep 0.1; done"
    )


def site(*edits: str) -> str:
    """A command that edits the site by sed and reloads nginx."""
    script = " ".join(f"-e '{edit}'" for edit in edits)
    return f"sudo sed -i {script} {SITE}; sudo systemctl reload nginx; sleep 0.3"


def causes(run: Run) -> list[dict[str, Any]]:
    assert run.report is not None, run.output
    found: list[dict[str, Any]] = run.report["causes"]
    return found


def repaired(run: Run, *rules: str) -> None:
    assert [cause["rule"] for cause in causes(run)] == list(rules)
    assert run.report is not None
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"] and run.code == 0


def test_a_name_is_sent_in_tls_to_an_app_that_wants_one(host: LabHost) -> None:
    front = base64.b64encode(TLS_FRONT.encode()).decode()
    host.ssh(
        f"echo {front} | base64 -d | sudo tee /opt/front.py; sudo openssl req -x509 -nodes "
        "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout /opt/front.key -out /opt/front.pem "
        "-subj /CN=notify.internal; echo 127.0.0.1 notify.internal | sudo tee -a /etc/hosts; "
        "sudo systemd-run --unit=front /usr/bin/python3 /opt/front.py; "
        + site(f"s#{PASS}#proxy_pass https://notify.internal:8443;#")
    )
    run = host.ssemedic("remediate", "--yes")
    repaired(run, "nginx_host_header_rejected")
    assert "proxy_ssl_server_name on;" in host.ssh("sudo cat /etc/nginx/ssemedic/*.conf")


def test_the_public_name_is_sent_to_an_app_that_refuses_that_of_the_upstream(
    host: LabHost,
) -> None:
    host.ssh(
        settings(NOTIFY_ALLOWED_HOSTS=host.name)
        + "; "
        + site(f"s#{PASS}#proxy_pass http://notify_api;#", "/Host  *.host;$/d")
    )
    repaired(host.ssemedic("remediate", "--yes"), "nginx_host_header_rejected")


def test_a_prefix_is_mended_for_the_stream_and_for_no_other_path(host: LabHost) -> None:
    push = PASS.replace("8000;", "8000/;")
    host.ssh(site("s#location /events {#location /push {#", f"s#{PASS}#{push}#"))
    url = f"http://{host.name}:8080/push/events"
    run = host.ssemedic("remediate", "--yes", url=url)
    repaired(run, "nginx_uri_rewrite")
    assert push in host.ssh(f"sudo cat {SITE}")
    ours = host.ssh("sudo cat /etc/nginx/ssemedic/*.conf")
    assert "location = /push/events {" in ours
    assert "proxy_pass http://127.0.0.1:8000/events;" in ours
    assert "proxy_read_timeout 1h;" in ours


def test_an_upgrade_that_is_refused_hides_a_query_that_is_lost(host: LabHost) -> None:
    host.ssh(
        settings(NOTIFY_CONNECTION="strict")
        + "; "
        + site(
            f"s#{PASS}#set $app 127.0.0.1:8000; proxy_pass http://$app/events;#",
            '/location .events/,/}/s#Connection "";#Connection upgrade;#',
        )
    )
    run = host.ssemedic("remediate", "--yes")
    repaired(run, "nginx_upgrade_connection", "nginx_args_dropped")


def test_a_dead_service_and_an_old_address_are_told_and_mended_together(host: LabHost) -> None:
    host.ssh(
        "echo 127.0.0.9 notify.internal | sudo tee -a /etc/hosts; "
        + site(f"s#{PASS}#proxy_pass http://notify.internal:8000;#")
        + "; sudo sed -i 's/^127.0.0.9 notify/127.0.0.1 notify/' /etc/hosts"
        "; sudo systemctl stop notify"
    )
    run = host.ssemedic("remediate", "--yes")
    repaired(run, "sd_unit_dead_or_disabled", "nginx_stale_upstream_dns")


def test_a_wrong_port_and_a_dead_service_are_both_named(host: LabHost) -> None:
    host.ssh(site("/location .events/,/}/s#8000#8001#") + "; sudo systemctl stop notify")
    run = host.ssemedic("remediate", "--yes")
    repaired(run, "sd_unit_dead_or_disabled", "nginx_upstream_wrong_target")


def test_a_bad_token_is_not_blamed_on_a_query_that_is_lost_as_well(host: LabHost) -> None:
    host.lab("break", host.name, "auth_token_expired_url")
    host.ssh(site(f"s#{PASS}#set $app 127.0.0.1:8000; proxy_pass http://$app/events;#"))
    run = host.ssemedic("diagnose")
    assert [cause["rule"] for cause in causes(run)] == ["auth_token_expired_url"]
