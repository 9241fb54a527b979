"""Every wording is known by a real line of its program, and by nothing that looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssemedic.log_classes import KINDS, SIGNATURES, classify
from ssemedic.log_classes.classify import hinted

LINES = Path(__file__).with_name("lines.txt")


def samples() -> list[tuple[str, str]]:
    rows = [row for row in LINES.read_text("utf-8").splitlines() if not row.startswith("#")]
    return list(zip(rows[::2], rows[1::2], strict=True))


@pytest.mark.parametrize(("said", "line"), samples(), ids=[line[:60] for _, line in samples()])
def test_a_line_of_a_program_is_known(said: str, line: str) -> None:
    found = classify(line.encode())
    assert found is not None
    reason = (found.reason,) if found.reason else ()
    assert " | ".join((found.kind, found.framework, found.name, *reason)) == said
    assert hinted(line.encode()), "the quick look would pass over it"


def test_every_signature_is_known_by_a_line() -> None:
    shown = {id(classify(line.encode())) for _, line in samples()}
    assert [s.id + " " + s.pattern for s in SIGNATURES if id(s) not in shown] == []


def test_every_line_is_known_behind_what_the_journal_and_syslog_put_before_it() -> None:
    for _, line in samples():
        if line.startswith("Nov "):
            continue  # it is a line of syslog already
        for before in ("1795493401.123456 web1 notify[812]: ", "Nov 24 04:10:01 web1 app[812]: "):
            found = classify((before + line).encode())
            assert found is not None and found is classify(line.encode()), before + line


def test_every_class_has_a_signature() -> None:
    assert {signature.kind for signature in SIGNATURES} == set(KINDS)


@pytest.mark.parametrize(
    "line",
    [
        "INFO:notify.app:no authentication failures in the last hour",
        "WARN 0 errors, 0 timeouts since the start",
        "INFO:notify.app:message accepted id=7 text='upstream timed out while reading upstream'",
        'INFO chat.7 text="QueuePool limit of size 5 overflow 10 reached, lol"',
        "2026/11/24 04:10:01 [info] 812#812: *8 client 192.0.2.7 closed keepalive connection",
        'he wrote: "upstream timed out (110: x) while reading upstream"',
        '192.0.2.7 - - [24/Nov/2026:04:10:01 +0000] "GET /health HTTP/1.1" 200 2 "-" "kube-probe"',
        '192.0.2.7 - - [24/Nov/2026:04:10:01 +0000] "GET /events?q=jwt+expired HTTP/1.1" 200 2',
        '127.0.0.1 - - [24/Nov/2026:04:10:01 +0000] "GET /events HTTP/1.1" 401 2 "-" "ssemedic"',
        "INFO:notify.stream:stream opened workspace=acme sub='error' client=192.0.2.7 replay=0",
        "INFO:notify.stream:stream closed workspace=acme reason='service stops' seconds=3 events=1",
        "INFO:notify.broker:broker connected url=nats://127.0.0.1:4222",
        'INFO:     192.0.2.7:53422 - "GET /events HTTP/1.1" 200 OK',
        'INFO:     192.0.2.7:53422 - "GET /health HTTP/1.1" 200 OK',
        '{"level":30,"time":1795493401123,"msg":"retry after timeout exceeded when polling"}',
        '{"level":"info","msg":"session expired, renewed"}',
        "DEBUG sqlalchemy.pool QueuePool limit of size 5 overflow 10 reached is what we test",
        "2026-11-24T04:10:01Z  INFO app::auth: token refreshed, not expired",
        'level=info msg="request timeout is 30s"',
        "proxy_read_timeout 60s; # upstream timed out otherwise",
        "the quick brown fox reached max_children",
        "password failed to load: see docs",
        "Loaded policy; CORS is allowed for https://app.example.org",
        "notify.service: Main process exited, code=exited, status=0/SUCCESS",
        "systemd[1]: Started notify.service - Notify.",
        "",
        "\x00\xff\xfe",
    ],
)
def test_what_looks_like_one_and_is_none(line: str) -> None:
    assert classify(line.encode("utf-8", "surrogateescape")) is None


@pytest.mark.parametrize("hour", range(24))
def test_an_hour_is_no_level(hour: int) -> None:
    line = (
        f"2026/11/24 {hour:02}:10:01 [error] 8#8: *1 no live upstreams while connecting to upstream"
    )
    assert classify(line.encode()) is not None


def test_a_line_of_a_megabyte_is_looked_at_where_it_begins() -> None:
    assert classify(b"Error: write EPIPE " + b"x" * (1 << 20)) is not None
    assert classify(b"x" * (1 << 20) + b" Error: write EPIPE") is None
