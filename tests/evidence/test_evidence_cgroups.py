"""Control groups as the kernel lays them out, v1 and v2."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.sse_host import cgroups

PATH = "/system.slice/notify.service"


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_v2_counts_kills_refused_tasks_and_throttling(tmp_path: Path) -> None:
    _write(tmp_path, cgroup__controllers="cpu memory pids")
    _write(
        tmp_path / "system.slice/notify.service",
        memory__current="50000000",
        memory__peak="61000000",
        memory__max="67108864",
        memory__events="low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0",
        pids__current="9",
        pids__max="64",
        pids__events="max 5",
        cpu__stat="usage_usec 5000000\nnr_throttled 3\nthrottled_usec 2500000",
    )
    group = cgroups.describe(PATH, str(tmp_path))
    assert group is not None
    assert (group["memory_bytes"], group["memory_max"], group["oom_kills"]) == (
        50000000,
        67108864,
        2,
    )
    assert (group["memory_peak_bytes"], group["memory_max_of"]) == (61000000, "notify.service")
    assert (group["tasks"], group["tasks_max"], group["tasks_refused"]) == (9, 64, 5)
    assert group["throttled_seconds"] == 2.5


def test_the_lowest_limit_counts_and_names_the_slice_that_sets_it(tmp_path: Path) -> None:
    _write(tmp_path, cgroup__controllers="memory pids")
    _write(tmp_path / "system.slice", memory__max="33554432", pids__max="max")
    _write(
        tmp_path / "system.slice/notify.service",
        memory__current="1",
        memory__max="67108864",
        pids__max="max",
    )
    group = cgroups.describe(PATH, str(tmp_path))
    assert group is not None
    assert (group["memory_max"], group["memory_max_of"]) == (33554432, "system.slice")
    assert (group["tasks_max"], group["tasks_max_of"]) == (None, "")


def test_v1_has_a_number_for_no_limit_and_nanoseconds(tmp_path: Path) -> None:
    _write(
        tmp_path / "memory/system.slice/notify.service",
        memory__usage_in_bytes="27914240",
        memory__max_usage_in_bytes="28180480",
        memory__limit_in_bytes="9223372036854771712",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 4",
    )
    _write(
        tmp_path / "pids/system.slice/notify.service",
        pids__current="1",
        pids__max="28909",
        pids__events="max 0",
    )
    _write(
        tmp_path / "cpu/system.slice/notify.service",
        cpu__stat="nr_periods 10\nnr_throttled 2\nthrottled_time 1500000000",
    )
    group = cgroups.describe(PATH, str(tmp_path))
    assert group is not None
    assert (group["memory_max"], group["memory_max_of"]) == (None, "")
    assert (group["oom_kills"], group["tasks_max"]) == (4, 28909)
    assert group["throttled_seconds"] == 1.5


def test_a_unit_that_does_not_run_has_no_group(tmp_path: Path) -> None:
    assert cgroups.describe("", str(tmp_path)) is None
    assert cgroups.describe(PATH, str(tmp_path)) is None


def test_a_path_of_the_host_does_not_lead_out_of_the_tree(tmp_path: Path) -> None:
    _write(tmp_path / "secret", memory__current="1")
    assert cgroups.describe("/system.slice/../../secret", str(tmp_path / "cgroup")) is None
