"""What nginx's error log says of an upstream, from real lines."""

from __future__ import annotations

import pytest

from ssemedic.clues.upstream_log import upstream_errors
from tests.rules.cases import HERE, CaseFile

URL = "http://web1:8080/events"
ABOUT = 'client: 127.0.0.1, server: _, request: "GET {path} HTTP/1.1", upstream: "{up}", host: "x"'
#: As nginx 1.22.1 writes them (Debian 12).
LINES = {
    "connect() failed (111: Connection refused) while connecting to upstream": (
        "http://127.0.0.1:8001/events",
        "127.0.0.1:8001",
        "127.0.0.1",
    ),
    "upstream timed out (110: Connection timed out) while connecting to upstream": (
        "http://[2001:db8::7]:8000/",
        "[2001:db8::7]:8000",
        "2001:db8::7",
    ),
    "connect() to unix:/run/app.sock failed (2: No such file or directory) while connecting to "
    "upstream": ("http://unix:/run/app.sock:/events", "unix:/run/app.sock", ""),
    "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name) while "
    "SSL handshaking to upstream": ("https://192.0.2.9:443/events", "192.0.2.9:443", "192.0.2.9"),
    "upstream sent too big header while reading response header from upstream": (
        "http://127.0.0.1:8000/events?access_token=***",
        "127.0.0.1:8000",
        "127.0.0.1",
    ),
}


def case(*lines: str, worker: int = 11) -> CaseFile:
    text = [f"2027/01/15 08:00:00 [error] {worker}#{worker}: *7 {line}" for line in lines]
    return CaseFile(HERE / "x" / "broken.yml", {"logs": {"/var/log/nginx/error.log": text}})


def line(message: str, up: str, path: str = "/events") -> str:
    return f"{message}, {ABOUT.format(path=path, up=up)}"


@pytest.mark.parametrize("message", sorted(LINES))
def test_a_line_gives_its_message_and_the_address(message: str) -> None:
    up, address, host = LINES[message]
    (error,) = upstream_errors(case(line(message, up)).evidence(), URL)
    assert (error.message, error.address, error.host) == (message, address, host)


def test_lines_of_other_urls_and_other_workers_do_not_count() -> None:
    message, up = "connect() failed (111: Connection refused)", "http://127.0.0.1:1/"
    assert upstream_errors(case(line(message, up, "/events/7")).evidence(), URL) == ()
    assert upstream_errors(case(line(message, up), worker=9).evidence(), URL) == ()
    assert len(upstream_errors(case(line(message, up, "/events?a=1")).evidence(), URL)) == 1


def test_a_line_without_an_upstream_says_nothing_of_one() -> None:
    closed = "client 127.0.0.1 closed keepalive connection, client: 127.0.0.1, server: _"
    assert upstream_errors(case(closed).evidence(), URL) == ()
