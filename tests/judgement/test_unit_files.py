"""Which line of a unit is in force, and times as systemd prints them."""

from __future__ import annotations

import hashlib
import math

import pytest

from ssemedic.clues.unit_settings import in_force, place
from ssemedic.clues.unit_times import seconds
from ssemedic.evidence import TextFile, Unit

UNIT = "/etc/systemd/system/notify.service"
LATER = "/etc/systemd/system/notify.service.d/zz.conf"


def _file(path: str, text: str) -> TextFile:
    data = text.encode()
    return TextFile(path, data, hashlib.sha256(data).hexdigest(), 0o644, "root", "root")


def _unit(text: str, later: str = "") -> Unit:
    files = (_file(LATER, later), _file(UNIT, text))  # as they were read, not as they count
    return Unit(
        name="notify.service",
        load_state="loaded",
        active_state="active",
        sub_state="running",
        unit_file_state="enabled",
        result="success",
        main_pid=1,
        restarts=0,
        exit_status=None,
        exit_code="",
        fragment=UNIT,
        drop_ins=(LATER,),
        need_reload=False,
        active_since=None,
        properties={},
        files=files,
    )


def test_a_drop_in_counts_after_the_unit_itself() -> None:
    unit = _unit("[Service]\nLimitNOFILE=1024\n", "# ours\n[Service]\nLimitNOFILE = 64\n")
    assert place(unit, "LimitNOFILE") == f"{LATER}:3"
    assert [s.value for s in in_force(unit, "LimitNOFILE")] == ["1024", "64"]


def test_an_empty_value_takes_back_what_came_before() -> None:
    unit = _unit(
        "[Service]\nExecStart=/usr/bin/a\n", "[Service]\nExecStart=\nExecStart=/usr/bin/b\n"
    )
    assert [(s.value, s.line) for s in in_force(unit, "ExecStart")] == [("/usr/bin/b", 3)]
    emptied = _unit("[Service]\nExecStart=/usr/bin/a\n", "[Service]\nExecStart=\n")
    assert in_force(emptied, "ExecStart") == ()


def test_joined_lines_are_one_and_comments_within_them_are_passed_over() -> None:
    unit = _unit("[Service]\nExecStart=/usr/bin/a \\\n# not this\n  --port 8000\nUser=x\n")
    (start,) = in_force(unit, "ExecStart")
    assert (start.value, start.line) == ("/usr/bin/a --port 8000", 2)
    assert place(unit, "User") == f"{UNIT}:5"


def test_what_no_file_sets_is_placed_at_the_unit() -> None:
    assert place(_unit("[Service]\n"), "MemoryMax") == "notify.service"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1min 30s", 90.0),
        ("10s", 10.0),
        ("500ms", 0.5),
        ("2h", 7200.0),
        ("infinity", math.inf),
        ("", None),
        ("soon", None),
    ],
)
def test_times_are_read_as_systemd_prints_them(text: str, expected: float | None) -> None:
    assert seconds(text) == expected
