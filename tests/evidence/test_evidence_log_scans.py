"""Logs of any size by classes: counted in constant memory, timed and masked."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.sse_host import log_files, log_scans
from ansible.module_utils.sse_host.limits import UnavailableError
from ansible.module_utils.sse_host.log_scans import Around, Source

NOW = time.time()
TIMED_OUT = (
    "{at} [error] 8#8: *{n} upstream timed out (110: Connection timed out) while reading upstream, "
    'client: 192.0.2.7, request: "GET /events?access_token=SECRETSECRET HTTP/1.1"\n'
)


def nginx_time(at: float) -> str:
    return time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(at))


def line(ago: float, n: int = 1) -> str:
    return TIMED_OUT.format(at=nginx_time(NOW - ago), n=n)


def around(seconds: float = 30.0, near: float = 10.0) -> Around:
    return Around(NOW - 86400, (NOW - near, NOW + 5), time.monotonic() + seconds)


def only(scan: Any) -> Any:
    (found,) = scan["classes"]
    return found


def test_count_first_last_and_what_was_near_are_told(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text(line(7200) + "2026 something else\n" + line(3600) + line(3))
    found = only(log_scans.file(Source(str(path)), around(), ()))
    assert (found["kind"], found["count"], found["near"]) == ("upstream_idle", 3, 1)
    assert abs(found["first"] - (NOW - 7200)) < 1.5
    assert abs(found["last"] - (NOW - 3)) < 1.5
    assert found["wordings"] == {"nginx: the app's stream went idle": 3}


def test_samples_are_few_and_hold_no_token(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text("".join(line(60 + n, n) for n in range(50)))
    found = only(log_scans.file(Source(str(path)), around(), ()))
    assert 1 <= len(found["samples"]) <= 3
    assert "SECRET" not in json.dumps(found)
    assert "access_token=***" in found["samples"][0]["text"]


def test_rotated_files_count_and_older_ones_than_a_day_do_not(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text(line(10))
    (tmp_path / "error.log.1").write_text(line(4000) + line(3000))
    (tmp_path / "error.log.2.gz").write_bytes(gzip.compress((line(9000) * 3).encode()))
    (tmp_path / "error.log.3").write_text(line(90000) * 7)
    os.utime(tmp_path / "error.log.3", (NOW - 90000, NOW - 90000))
    scan = log_scans.file(Source(str(path)), around(), ())
    assert (scan["files"], only(scan)["count"], scan["unread"]) == (3, 6, "")


def test_lines_of_before_yesterday_are_left_out_though_their_file_is_new(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text(line(200000) * 5 + line(10))
    assert only(log_scans.file(Source(str(path)), around(), ()))["count"] == 1


def test_a_log_of_ten_gigabytes_is_entered_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.log"
    with path.open("wb") as file:
        file.truncate(10 << 30)  # sparse
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + (line(10) * 100).encode())
    tracemalloc.start()
    began = time.monotonic()
    scan = log_scans.file(Source(str(path)), around(20), ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert time.monotonic() - began < 20
    assert only(scan)["count"] == 100
    assert scan["bytes"] <= 256 << 20
    assert "only its newest 256 MiB" in scan["unread"]


def test_the_day_is_found_by_halves_in_a_log_of_a_month(tmp_path: Path) -> None:
    path = tmp_path / "month.log"
    with path.open("w") as file:
        for hour in range(30 * 24, 0, -1):
            file.write(line(hour * 3600 - 60) * 40)
    scan = log_scans.file(Source(str(path)), around(), ())
    assert only(scan)["count"] == 24 * 40
    assert scan["bytes"] < path.stat().st_size / 8
    assert scan["unread"] == ""


def test_one_line_without_an_end_costs_no_memory_and_hides_nothing_behind_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "line.log"
    with path.open("wb") as file:
        file.write(line(20).encode() + b"Error: write EPIPE ")
        file.seek(64 << 20, os.SEEK_CUR)
        file.write(b"x\n" + line(10).encode())
    tracemalloc.start()
    scan = log_scans.file(Source(str(path)), around(), ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert {c["kind"]: c["count"] for c in scan["classes"]} == {"upstream_idle": 2, "stream": 1}
    assert "longer than is read" in scan["unread"]


def test_a_small_file_that_unpacks_to_a_huge_one_is_left_in_time(tmp_path: Path) -> None:
    path = tmp_path / "bomb.log"
    path.write_text("")
    (tmp_path / "bomb.log.1.gz").write_bytes(gzip.compress(b"\n" * (400 << 20), 1))
    began = time.monotonic()
    scan = log_scans.file(Source(str(path)), around(0.2), ())
    assert time.monotonic() - began < 3
    assert "to be quick" in scan["unread"]


def test_what_is_no_regular_file_is_a_reason_and_never_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    with pytest.raises(UnavailableError, match="is not a regular file"):
        log_scans.file(Source(str(tmp_path / "pipe.log")), around(), ())


def test_a_broken_rotated_file_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text(line(10))
    (tmp_path / "error.log.1.gz").write_bytes(b"\x1f\x8b\x08\x00no gzip at all")
    scan = log_scans.file(Source(str(path)), around(), ())
    assert only(scan)["count"] == 1
    assert "error.log.1.gz" in scan["unread"]


def test_a_traceback_is_shown_with_its_point(tmp_path: Path) -> None:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOW - 5))
    path = tmp_path / "app.log"
    path.write_text(
        f"{at},123 ERROR app: stream failed\nTraceback (most recent call last):\n"
        '  File "/srv/app/main.py", line 3, in events\n    rows = next(it)\n'
        "LookupError: no membership row\nnext line\n"
    )
    found = only(log_scans.file(Source(str(path)), around(), ()))
    assert found["samples"][0]["text"].endswith("LookupError: no membership row")
    assert found["near"] == 1, "the traceback has the time of the line before it"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('192.0.2.7 - - [{at}] "GET /events?t=1 HTTP/1.1" 401 12 "-" "Mozilla/5.0"', {"auth": 1}),
        ('192.0.2.7 [{at}] "GET /events HTTP/1.1" 502 12 0.001 "Mozilla"', {"rejected": 1}),
        ('{{"t":"[{at}]","request":"GET /events HTTP/1.1","status":504}}', {"upstream_headers": 1}),
        ('192.0.2.7 - - [{at}] "GET /events HTTP/1.1" 401 12 "-" "ssemedic"', {}),
        ('192.0.2.7 - - [{at}] "GET /events HTTP/1.1" 200 401 "-" "Mozilla/5.0"', {}),
        ('192.0.2.7 - - [{at}] "GET /events-old HTTP/1.1" 401 12 "-" "Mozilla/5.0"', {}),
        ('192.0.2.7 - - [{at}] "GET /x HTTP/1.1" 401 12 "https://a/GET /events" "M"', {}),
    ],
)
def test_of_an_access_log_what_was_answered_to_the_stream_counts(
    tmp_path: Path, written: str, expected: dict[str, int]
) -> None:
    path = tmp_path / "access.log"
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(NOW - 5))
    path.write_text(written.format(at=at) + "\n")
    scan = log_scans.file(Source(str(path), requests="/events"), around(), ())
    assert {c["kind"]: c["count"] for c in scan["classes"]} == expected


def test_lines_that_were_collected_are_counted_too() -> None:
    lines = [{"at": NOW - 5, "text": "Out of memory: Killed process 7 (python3) total-vm:1kB"}]
    assert only(log_scans.lines(Source("kernel"), lines, around(), ()))["kind"] == "oom"


def test_hostile_bytes_come_through_as_data(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"\xff\x00 Error: write EPIPE {{ lookup('pipe','x') }} \x1b[2J\n")
    (sample,) = only(log_scans.file(Source(str(path)), around(), ()))["samples"]
    assert "{{ lookup('pipe','x') }}" in sample["text"]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A process whose output goes to a log, and that holds another and a database open."""
    held = "a = open('more.log', 'a'); b = open('x.db', 'a'); c = open('read.log')"
    (tmp_path / "read.log").write_text("")
    with (tmp_path / "out.txt").open("w") as out:
        command = [sys.executable, "-c", f"{held}\nprint('ready', flush=True)\ninput()"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, cwd=tmp_path) as process:
            while (tmp_path / "out.txt").read_text() != "ready\n":
                time.sleep(0.01)
            yield process.pid, tmp_path
            process.communicate(b"\n")


def test_the_logs_that_a_process_writes_are_found(writer: tuple[int, Path]) -> None:
    pid, folder = writer
    assert set(log_files.written_by([pid])) == {str(folder / "out.txt"), str(folder / "more.log")}


def test_the_file_that_a_unit_names_for_its_output_is_found() -> None:
    texts = [
        "[Service]\nStandardOutput=append:/var/log/app.log\nStandardError=inherit\n",
        "[Service]\n# StandardOutput=file:/no.log\nStandardError = file:/var/log/app.err\n",
        "[Service]\nStandardOutput=append:/var/log/%i.log\n",
    ]
    assert log_files.named_by_unit(texts) == ["/var/log/app.log", "/var/log/app.err"]
