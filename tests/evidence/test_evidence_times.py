"""Every log says its time in its own way; each is read as what it means."""

from __future__ import annotations

import time

import pytest
from ansible.module_utils.sse_host.times import stamp

NOW = 1795471417.0  # 2026-11-23 22:03:37 UTC


@pytest.fixture(autouse=True)
def _vienna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()


@pytest.mark.parametrize(
    ("line", "epoch"),
    [
        ("2026/11/23 21:43:37 [error] 71#71: *5 connect() failed", 1795466617.0),
        ('1.2.3.4 - - [23/Nov/2026:21:43:37 +0000] "GET /events HTTP/1.1" 200', 1795470217.0),
        ('1.2.3.4 - - [23/Nov/2026:21:43:37 +0130] "GET / HTTP/1.1" 200', 1795464817.0),
        ("2026-11-23T21:43:37.250Z INFO stream opened", 1795470217.25),
        ("2026-11-23T22:43:37+01:00 INFO stream opened", 1795470217.0),
        ("2026-11-23 22:43:37,125 uvicorn.error", 1795470217.125),
        ('{"level":"info","time":"2026-11-23T21:43:37Z","msg":"x"}', 1795470217.0),
        ("Nov 23 22:43:37 web1 notify[70]: stream opened", 1795470217.0),
        ("<30>Nov  3 22:43:37 web1 notify[70]: stream opened", 1793742217.0),
        ("Dec 24 22:43:37 web1 notify[70]: a year ago", 1766612617.0),
    ],
)
def test_the_time_of_a_line_is_read(line: str, epoch: float) -> None:
    assert stamp(line, NOW) == epoch


@pytest.mark.parametrize(
    "line",
    [
        "",
        "INFO:     Started server process [70]",
        "2026/13/99 21:43:37 [error] no such day",
        "2026-11-23 29:43:37 no such hour",
        "Xyz 23 22:43:37 no such month",
        "x" * 500 + " 2026-11-23T21:43:37Z too far right to be the time of the line",
    ],
)
def test_a_line_without_a_time_has_none(line: str) -> None:
    assert stamp(line, NOW) is None
