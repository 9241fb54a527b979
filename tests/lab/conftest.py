"""A lab of the tests' own: other labs on this machine are not disturbed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lab import fleet, network, state
from lab.layout import Host, Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = Lab("ssemedic-lab-tests")


@dataclass(frozen=True)
class Seen:
    """What one request for the stream showed within the time it was watched."""

    status: int | None
    content_type: str
    body: bytes
    ended: bool

    @property
    def healthy(self) -> bool:
        return self.status == 200 and self.content_type == "text/event-stream" and bool(self.body)


def watch(host: Host, seconds: float, *, until_first_byte: bool) -> Seen:
    """Ask nginx on the host for the stream, as a browser in the lab's network would."""
    token = host.token_file.read_text(encoding="ascii").strip()
    request = (
        f"GET /events?access_token={token} HTTP/1.1\r\nHost: {host.name}\r\n"
        "Accept: text/event-stream\r\n\r\n"
    )
    received, ended = b"", False
    deadline = time.monotonic() + seconds
    with network.connect(host, 8080) as connection:
        connection.sendall(request.encode())
        while not ended and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                part = connection.recv(65536)
            except TimeoutError:
                break
            received += part
            # An answer with chunks is over when the empty chunk comes.
            ended = not part or received.endswith(b"\r\n0\r\n\r\n")
            if until_first_byte and _split(received).body:
                break
    seen = _split(received)
    return Seen(seen.status, seen.content_type, seen.body, ended)


def _split(received: bytes) -> Seen:
    head, blank, body = received.partition(b"\r\n\r\n")
    if not blank:
        return Seen(None, "", b"", ended=False)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    chunked = headers.get("transfer-encoding") == "chunked"
    body = b"" if chunked and body in (b"", b"0\r\n\r\n") else body
    kind = headers.get("content-type", "").partition(";")[0]
    return Seen(int(first.split()[1]), kind, body, ended=False)


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """Two running hosts, web1 and web2."""
    fleet.down(LAB, [])
    fleet.up(LAB, ["web1", "web2"])
    yield LAB
    fleet.down(LAB, [])


@pytest.fixture
def hosts(lab: Lab) -> Iterator[list[Host]]:
    """web1 and web2 without a fault, also after a test that failed half-way."""
    found = [lab.host("web1"), lab.host("web2")]
    broken = [one for one in found if (record := state.load(one)) is None or record.fault]
    if broken:
        fleet.down(lab, [one.name for one in broken])
        fleet.up(lab, [one.name for one in found])
    yield found
