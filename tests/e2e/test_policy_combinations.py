"""Causes of policy and limits at once, or at another place, on a real host: told apart."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.conftest import LabHost

pytestmark = pytest.mark.lab

SITE = "/etc/nginx/sites-available/notify"

TWO_MORE = f"""
sed -i 's/proxy_read_timeout 1h;/proxy_read_timeout 3s; limit_conn streams 1;/' {SITE}
sed -i '1i limit_conn_zone $binary_remote_addr zone=streams:1m;' {SITE}
systemctl reload nginx.service
"""

FEW_FILES = """
mkdir -p /etc/systemd/system/nginx.service.d
printf '[Service]\\nLimitNOFILE=40\\n' >/etc/systemd/system/nginx.service.d/limits.conf
systemctl daemon-reload
systemctl restart nginx.service
cd /opt/notify/app
/opt/notify/venv/bin/python -m notify.mint --workspace tabs --out /root/token
echo "url = \\"http://127.0.0.1:8080/events?access_token=$(cat /root/token)\\"" >/root/tab
cat >/root/tabs <<'END'
tab() {
  while :; do curl --silent --no-buffer --output /dev/null --config /root/tab; sleep 0.5; done
}
for number in $(seq 40); do tab & done
wait
END
systemd-run --quiet --unit=tabs sh /root/tabs
for second in 1 2 3 4 5 6 7 8 9 10; do
  grep --quiet 'Too many open files' /var/log/nginx/*error.log && exit
  sleep 1
done
exit 1
"""


def change(host: LabHost, script: str) -> None:
    host.ssh(f"sudo sh -euc {shlex.quote(script)}")


def test_two_are_repaired_and_proven_and_the_third_is_left_to_a_person(host: LabHost) -> None:
    host.lab("break", host.name, "nginx_duplicate_cors")
    change(host, TWO_MORE)
    run = host.ssemedic("remediate", "--yes")
    assert run.report is not None, run.output
    assert {(c["rule"], c["status"]) for c in run.report["causes"]} == {
        ("nginx_duplicate_cors", "confirmed"),
        ("nginx_limit_conn", "confirmed"),
        ("nginx_read_timeout_idle", "confirmed"),
    }
    assert run.report["unexplained"] == []
    assert run.report["changes"]["outcome"] == "committed", run.output
    assert run.report["proof"]["proven"]
    assert run.report["proof"]["stayed"] == ["few_streams@nginx"]
    assert "further streams by a limit of its own" in run.output.splitlines()[-2]
    assert run.code == 1


def test_where_the_unit_limits_nginx_it_is_the_unit_that_is_changed(host: LabHost) -> None:
    change(host, FEW_FILES)
    run = host.ssemedic("remediate", "--yes")
    assert run.report is not None, run.output
    first = run.report["causes"][0]
    assert (first["rule"], first["status"]) == ("nginx_worker_connections", "confirmed")
    (unit,) = run.report["plan"]["units"]
    assert (unit["unit"], unit["state"]) == ("nginx.service", "restarted")
    assert unit["settings"] == {"Service": {"LimitNOFILE": "65536"}}
    assert run.report["plan"]["nginx"] is None
    assert run.report["proof"]["proven"], run.output
    assert run.code == 0
