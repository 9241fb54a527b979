"""Logs are data: bounded, masked, timed, and never trusted."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible.module_utils.sse_host import logs
from ansible.module_utils.sse_host.limits import Limits, UnavailableError

HOSTILE = (
    b"{{ lookup('pipe', 'touch /tmp/pwned') }} {% for x in [] %}\n"
    b"\x1b[2J\x1b]0;title\x07 caf\xe9 \xff\x00\n"
)


def lines(log: dict[str, object]) -> list[str]:
    entries = log["lines"]
    assert isinstance(entries, list)
    return [entry["text"] for entry in entries]


def test_hostile_lines_come_through_as_data(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(HOSTILE)
    assert lines(logs.file(str(path), limits, [])) == [
        "{{ lookup('pipe', 'touch /tmp/pwned') }} {% for x in [] %}",
        "\x1b[2J\x1b]0;title\x07 caf\ufffd \ufffd\x00",
    ]


def test_of_a_huge_log_only_the_end_is_read(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "huge.log"
    with path.open("wb") as file:
        file.truncate(3 << 30)  # sparse: three gigabytes that must not be read
        file.seek(0, os.SEEK_END)
        file.write(b"cut token=half\n" + b"".join(b"line %d\n" % n for n in range(100000)))
    began = time.monotonic()
    log = logs.file(str(path), replace(limits, lines=50, bytes=65536), [])
    assert time.monotonic() - began < 1.0
    assert lines(log) == [f"line {n}" for n in range(99950, 100000)]
    assert log["truncated"] is True


def test_one_endless_line_is_refused_with_a_reason(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "endless.log"
    path.write_bytes(b"x" * 20000)
    with pytest.raises(UnavailableError, match="hold no line end"):
        logs.file(str(path), replace(limits, bytes=8192), [])


def test_a_long_line_is_cut_after_it_was_masked(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "long.log"
    path.write_text("x" * 95 + " access_token=SECRETSECRETSECRET " + "y" * 5000 + "\n")
    (text,) = lines(logs.file(str(path), replace(limits, line_chars=115), []))
    assert text.endswith(" ... (cut)") and "SECRET" not in text


def test_a_pipe_in_place_of_a_log_does_not_block(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(UnavailableError, match="is not a regular file"):
        logs.file(str(path), limits, [])


def test_a_missing_log_is_named_with_the_reason(tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(UnavailableError, match=r"gone\.log: no such file"):
        logs.file(str(tmp_path / "gone.log"), limits, [])


def test_of_old_lines_only_the_newest_few_are_kept(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "old.log"
    path.write_text("".join(f"2020-01-01T00:00:{n:02}Z old\n" for n in range(60)))
    fresh = replace(limits, since=time.time() - 3600)
    assert len(lines(logs.file(str(path), fresh, []))) == fresh.old_lines
    with path.open("a") as file:
        file.writelines(f"2099-01-01T00:00:{n:02}Z new\n" for n in range(30))
    assert lines(logs.file(str(path), fresh, [])) == [
        f"2099-01-01T00:00:{n:02}Z new" for n in range(30)
    ]


def test_of_an_access_log_only_the_requests_of_the_endpoint_are_kept(
    tmp_path: Path, limits: Limits
) -> None:
    path = tmp_path / "access.log"
    path.write_text('"GET / HTTP/1.1" 200\n' * 1000 + '"GET /events HTTP/1.1" 401\n')
    kept = lines(logs.file(str(path), limits, [], "/events"))
    assert kept == ['"GET /events HTTP/1.1" 401']


def test_just_after_a_rotation_the_rotated_log_is_read_too(tmp_path: Path, limits: Limits) -> None:
    (tmp_path / "error.log.1").write_text("before\n")
    (tmp_path / "error.log").write_text("after\n")
    assert lines(logs.file(str(tmp_path / "error.log"), limits, [])) == ["before", "after"]


JOURNAL = (
    b'{"MESSAGE":"[64] 2026/11/23 22:15:58.675968 [INF] Server is ready",'
    b'"__MONOTONIC_TIMESTAMP":"1987985027","_SYSTEMD_UNIT":"nats-server.service",'
    b'"__REALTIME_TIMESTAMP":"1795472158676339","_BOOT_ID":"f0e2"}\n'
)


def test_a_journal_entry_gives_its_text_and_time() -> None:
    (entry,) = logs.parse_journal(JOURNAL + b'{"MESSAGE":"cut o')
    assert logs.journal_time(entry) == 1795472158.676339
    assert logs.message(entry["MESSAGE"]).endswith("[INF] Server is ready")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (list(b"caf\xe9 \x1b[31m"), "caf\ufffd \x1b[31m"),
        (["one", "two"], "one\ntwo"),
        (None, "(a message longer than the journal prints)"),
    ],
)
def test_every_form_of_a_journal_message_is_text(value: object, text: str) -> None:
    assert logs.message(json.loads(json.dumps(value))) == text


def test_what_systemd_says_of_a_unit_belongs_to_the_unit() -> None:
    by_unit: dict[str, list[tuple[float | None, str]]] = {"notify.service": []}
    logs._distribute(
        [
            {
                "MESSAGE": "notify.service: Start request repeated too quickly.",
                "UNIT": "notify.service",
                "_SYSTEMD_UNIT": "init.scope",
                "__REALTIME_TIMESTAMP": "3000000",
            },
            {
                "MESSAGE": "Traceback\n  ValueError",
                "_SYSTEMD_UNIT": "notify.service",
                "__REALTIME_TIMESTAMP": "2000000",
            },
            {"MESSAGE": "of another", "_SYSTEMD_UNIT": "other.service"},
        ],
        by_unit,
    )
    assert by_unit["notify.service"] == [
        (2.0, "Traceback"),
        (2.0, "  ValueError"),
        (3.0, "notify.service: Start request repeated too quickly."),
    ]


def test_kernel_records_are_read_in_both_forms() -> None:
    record = b"6,339,5140900,-;Out of memory: Killed process 70 (python3)\n SUBSYSTEM=mm\n"
    assert logs.parse_kmsg(record) == (5.1409, "Out of memory: Killed process 70 (python3)")
    assert logs.parse_kmsg(b"nonsense") is None
    assert logs.parse_dmesg(b"<6>[    5.140900] oom-kill:x\n<4>no time\n") == [
        (5.1409, "oom-kill:x")
    ]
