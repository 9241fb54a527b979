"""Which units are looked at, from little that is known to much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.sse_host import matter, nginx, streams, units
from ansible.module_utils.sse_host.host import Host
from ansible.module_utils.sse_host.limits import Limits
from ansible.module_utils.sse_host.wanted import Wanted

NGINX = nginx.Instance("/usr/sbin/nginx", 71, None, None, (72,), (), "nginx.service")


def a_host(limits: Limits, **changes: Any) -> Host:
    host = Host(Wanted(limits, **changes))
    host.instance = NGINX
    host.way = streams.Way(target="127.0.0.1:8000")
    host.unit_files = {
        name: f"/lib/systemd/system/{name}"
        for name in ("nginx.service", "notify.service", "redis-server.service", "cron.service")
    }
    return host


def listening(port: int, process: str, unit: str | None) -> dict[str, Any]:
    place = {"family": "inet", "address": "127.0.0.1", "port": port}
    return place | {"pid": 9, "process": process, "unit": unit}


def test_the_unit_behind_the_socket_comes_first_whatever_its_name(limits: Limits) -> None:
    host = a_host(limits)
    host.listeners = [
        listening(8000, "node", "acme.service"),
        listening(4222, "nats-server", "nats.service"),
    ]
    assert matter.names(host) == [
        "acme.service",
        "nginx.service",
        "notify.service",
        "redis-server.service",
        "nats.service",
    ]


def test_the_unit_that_the_inventory_names_comes_before_all(limits: Limits) -> None:
    host = a_host(limits, unit="chat-api")
    host.listeners = []
    assert matter.names(host)[0] == "chat-api.service"


def test_when_nobody_listens_the_admins_unit_that_names_the_port_is_found(
    limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_ADMIN", (str(tmp_path),))
    for name, port in (("acme", 8000), ("backup", 9000)):
        (tmp_path / f"{name}.service").write_text(f"[Service]\nExecStart=/x --port {port}\n")
    host = a_host(limits)
    host.unit_files |= units.installed([str(tmp_path)])
    host.listeners = []
    assert matter.names(host)[-2:] == ["acme.service", "backup.service"]
    host.way = streams.Way(target="127.0.0.1:9000")
    assert matter.names(host)[-2:] == ["backup.service", "acme.service"]


def test_a_stopped_nginx_is_known_by_its_unit_file(limits: Limits) -> None:
    host = a_host(limits)
    host.instance = nginx.Instance("/usr/sbin/nginx", None, None, None)
    assert matter.nginx_unit(host) == "nginx.service"
    host.unit_files = {}
    assert matter.nginx_unit(host) is None


def test_a_unit_that_does_not_exist_counts_only_if_it_was_named(limits: Limits) -> None:
    blocks = [
        {"Id": "notify.service", "LoadState": "not-found"},
        {"Id": "gone.service", "LoadState": "not-found"},
        {"Id": "live-events.service", "LoadState": "loaded"},
        {"Id": "chrony.service", "LoadState": "loaded"},
    ]
    host = a_host(limits, unit="gone")
    found = matter.described(host, blocks, ["gone.service", "notify.service"])
    assert [unit["name"] for unit in found or []] == ["gone.service", "live-events.service"]
    assert matter.described(host, None, []) is None
    assert matter.time_services(blocks) == [blocks[3]]


def test_the_service_loses_no_password_while_its_broker_is_looked_for(limits: Limits) -> None:
    host = a_host(limits)
    block = {"Id": "notify.service", "LoadState": "loaded", "Environment": "N=nats://a:b@n:4222"}
    other = {"Id": "cron.service", "LoadState": "loaded", "Environment": "N=nats://a:b@m:4222"}
    assert list(matter.settings(host, [block, other])) == ["notify.service"]
    shown = matter.described(host, [block], [])
    assert shown is not None and shown[0]["properties"]["Environment"] == "N=nats://a:***@n:4222"
