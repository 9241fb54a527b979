"""The process table and the units behind it, read from text that /proc printed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible.module_utils.sse_host import proc, sockets

STAT = (
    "71 (nginx) S 1 71 71 0 -1 4194368 28 0 0 0 0 0 0 0 20 0 1 0 198796 10702848 377 "
    "18446744073709551615 94351843295232 94351844078705 140728133338400 0 0 0 0 1073745920\n"
)


def test_a_stat_line_gives_parent_start_and_memory() -> None:
    process = proc.parse_stat(STAT, boot=1795470170.69, ticks=100, page=4096)
    assert process == proc.Proc(71, 1, "nginx", 1795472158.65, 1, 377 * 4096)


def test_a_process_may_be_called_anything() -> None:
    process = proc.parse_stat(STAT.replace("(nginx)", "(a) R 9 (b)"), 0.0, 100, 4096)
    assert process is not None
    assert (process.name, process.parent) == ("a) R 9 (b", 1)


def test_a_stat_line_that_is_cut_off_is_no_process() -> None:
    assert proc.parse_stat(STAT[:40], 0.0, 100, 4096) is None


V1 = "9:name=systemd:/system.slice/nginx.service\n8:pids:/\n7:blkio:/\n0::/\n"
V2 = "0::/system.slice/notify.service\n"


@pytest.mark.parametrize(
    ("text", "init", "unit"),
    [
        (V1, "9:name=systemd:/init.scope\n", "nginx.service"),
        (V2, "0::/init.scope\n", "notify.service"),
        ("0::/system.slice/system-notify.slice/notify@2.service\n", "", "notify@2.service"),
        ("0::/user.slice/user-0.slice/session-1.scope\n", "", "session-1.scope"),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n",
            "",
            "user@1000.service",
        ),
        (
            "0::/machine.slice/systemd-nspawn@w.service/system.slice/notify.service\n",
            "0::/machine.slice/systemd-nspawn@w.service/init.scope\n",
            "notify.service",
        ),
        ("0::/\n", "0::/init.scope\n", None),
        ("", "", None),
    ],
)
def test_the_control_group_names_the_unit(text: str, init: str, unit: str | None) -> None:
    assert proc.unit_of(proc.cgroup_path(text), proc.cgroup_path(init)) == unit


def test_the_limits_in_force_are_read(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    limits = tmp_path / "7" / "limits"
    limits.write_text(
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max processes             96364                96364                processes \n"
        "Max open files            1024                 20000                files     \n"
    )
    assert proc.file_limits(7, str(tmp_path)) == (1024, 20000)
    limits.write_text("Max open files            unlimited            unlimited            files\n")
    assert proc.file_limits(7, str(tmp_path)) == (None, None)
    assert proc.file_limits(8, str(tmp_path)) == (None, None)


def test_our_own_process_is_in_the_table_with_its_start_and_sockets() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(7)
        table = proc.table()
        mine = table[os.getpid()]
        assert mine.parent == os.getppid()
        opened = proc.open_files({mine.pid: mine})
        found = sockets.listeners(sockets.tcp(), [], table, opened)
        port = listening.getsockname()[1]
        (item,) = [item for item in found if item["port"] == port]
        assert (item["pid"], item["address"], item["family"]) == (os.getpid(), "127.0.0.1", "inet")
        states = sockets.states_by_pid(sockets.tcp(), opened)
        assert states[os.getpid()]["LISTEN"] >= 1
        assert opened.count[os.getpid()] == len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - one file fewer
