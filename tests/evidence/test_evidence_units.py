"""Units as `systemctl show` of Debian 12 printed them."""

from __future__ import annotations

import base64
from pathlib import Path

from ansible.module_utils.sse_host import units
from ansible.module_utils.sse_host.limits import Limits

SHOWN = """\
Restart=no
RestartUSec=100ms
MainPID=71
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
ExecStart={ path=/usr/sbin/nginx ; argv[]=/usr/sbin/nginx -g daemon on; master_process on; ; ignore_errors=no ; start_time=[Mon 2026-11-23 22:15:58 UTC] ; stop_time=[Mon 2026-11-23 22:15:58 UTC] ; pid=69 ; code=exited ; status=0 }
Environment=
LimitNOFILE=524288
Id=nginx.service
WantedBy=multi-user.target
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/nginx.service
DropInPaths=
UnitFileState=enabled
ActiveEnterTimestampMonotonic=1987969457
NeedDaemonReload=no

Restart=on-failure
MainPID=0
Result=start-limit-hit
NRestarts=5
ExecMainCode=1
ExecMainStatus=3
Environment=PORT=8000 JWT_SECRET=hunter2
EnvironmentFiles=/etc/notify/env (ignore_errors=no)
EnvironmentFiles=/etc/notify/local env (ignore_errors=yes)
Id=notify.service
LoadState=loaded
ActiveState=failed
SubState=failed
FragmentPath=
DropInPaths=/etc/systemd/system/notify.service.d/10-a.conf /etc/systemd/system/notify.service.d/20-b.conf
UnitFileState=enabled
ActiveEnterTimestampMonotonic=0
NeedDaemonReload=yes

Id=nginx.service
LoadState=loaded

MainPID=0
Id=nosuch.service
LoadState=not-found
ActiveState=inactive
"""  # noqa: E501


def test_blocks_are_told_apart_and_a_unit_named_twice_counts_once() -> None:
    blocks = units.parse_show(SHOWN)
    assert [block["Id"] for block in blocks] == [
        "nginx.service",
        "notify.service",
        "nosuch.service",
    ]
    assert blocks[0]["MainPID"] == "71"


def test_a_failed_unit_says_how_it_ended(limits: Limits) -> None:
    unit = units.describe(units.parse_show(SHOWN)[1], limits)
    assert (unit["active_state"], unit["result"], unit["restarts"]) == (
        "failed",
        "start-limit-hit",
        5,
    )
    assert (unit["exit_code"], unit["exit_status"], unit["main_pid"]) == ("exited", 3, 0)
    assert unit["need_reload"] is True and unit["fragment"] is None and unit["active_since"] is None
    assert [Path(path).name for path in unit["drop_ins"]] == ["10-a.conf", "20-b.conf"]


def test_secrets_in_the_environment_are_masked_and_settings_are_not(limits: Limits) -> None:
    unit = units.describe(units.parse_show(SHOWN)[1], limits)
    assert unit["properties"]["Environment"] == "PORT=8000 JWT_SECRET=***"


def test_each_environment_file_says_whether_it_may_be_absent() -> None:
    assert units.environment_files(units.parse_show(SHOWN)[1]) == [
        ("/etc/notify/env", False),
        ("/etc/notify/local env", True),
    ]


def test_the_files_of_a_unit_come_with_it_and_without_its_secrets(
    tmp_path: Path, limits: Limits
) -> None:
    fragment = tmp_path / "notify.service"
    fragment.write_bytes(b"[Service]\nEnvironment=API_TOKEN=hunter2\n# caf\xe9\n")
    block = {"Id": "notify.service", "FragmentPath": str(fragment), "DropInPaths": "/nonexistent"}
    (file,) = units.describe(block, limits)["files"]
    assert base64.b64decode(file["content"]) == b"[Service]\nEnvironment=API_TOKEN=***\n# caf\xe9\n"


def test_units_on_disk_are_found_by_pattern_masked_ones_too(tmp_path: Path) -> None:
    strong, weak = tmp_path / "etc", tmp_path / "lib"
    strong.mkdir()
    weak.mkdir()
    (weak / "notify-api.service").write_text("[Service]\n")
    (weak / "systemd-events.service").write_text("[Service]\n")
    (weak / "chat@.service").write_text("[Service]\n")
    (weak / "web.service").write_text("[Service]\n")
    (strong / "notify-api.service").symlink_to("/dev/null")
    found = units.installed([str(strong), str(weak), str(tmp_path / "absent")])
    assert found["notify-api.service"] == str(strong / "notify-api.service")
    assert units.matching(found, ["notify*", "*event*", "chat*"]) == ["notify-api.service"]
    assert units.matching(found, ["web.service"]) == ["web.service"]


def test_a_unit_that_names_the_port_is_found_by_it(tmp_path: Path) -> None:
    settings = tmp_path / "env"
    settings.write_text("PORT=8000\n")
    one, two, three = (tmp_path / f"{name}.service" for name in ("one", "two", "three"))
    one.write_text(f"[Service]\nEnvironmentFile=-{settings}\nExecStart=/x\n")
    two.write_text("[Service]\nExecStart=/y --port 18000\n")
    three.write_text("[Service]\nExecStart=/y --bind 127.0.0.1:8000\n")
    files = {path.name: str(path) for path in (one, two, three)}
    assert units.mentioning(files, files, "8000") == ["one.service", "three.service"]
