"""Real sockets: a client that does not read, and the thread that waits for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from ansible.module_utils.sse_host import proc, stuck

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="other processes' calls need root")

_SENDER = """
import socket, sys
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
client, _ = listening.accept()
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
for _ in range(200):
    client.sendall(b"x" * 50_000)
"""


@pytest.fixture
def sender() -> Iterator[tuple[int, socket.socket]]:
    with subprocess.Popen([sys.executable, "-c", _SENDER], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        client = socket.create_connection(("127.0.0.1", int(process.stdout.readline())))
        time.sleep(0.8)  # until the kernel has given the reader all the room it gives
        yield process.pid, client
        client.close()
        process.kill()


def _look() -> stuck.Queues:
    table = proc.table()
    return stuck.Queues(table, proc.open_files(table))


def test_a_thread_that_waits_for_a_client_is_counted(sender: tuple[int, socket.socket]) -> None:
    pid, _client = sender
    queues = _look()
    (mine,) = [one for one in queues.since() if one["pid"] == pid]
    assert (mine["clients"], mine["blocked"], mine["gone"]) == (1, 1, 0)
    assert mine["queued_bytes"] > 0
    assert not mine["ended"]


def test_a_client_that_reads_again_is_not_stuck(sender: tuple[int, socket.socket]) -> None:
    pid, client = sender
    queues = _look()
    client.settimeout(5)
    for _ in range(100):
        client.recv(1 << 16)
    assert [one for one in queues.since() if one["pid"] == pid and not one["ended"]] == []


def test_what_a_peer_has_taken_is_read_from_ss() -> None:
    text = (
        "0 16384 127.0.0.1:8000 127.0.0.1:50001 uid:998 ino:201 sk:2 <-> cubic wscale:7,7 rto:204 "
        "bytes_sent:81920 bytes_acked:65536 bytes_received:120 segs_out:9\n"
        "0 9 127.0.0.1:8000 127.0.0.1:50002 ino:202 sk:3 <-> cubic bytes_sent:9\n"
    )
    assert stuck.parse_taken(text) == {201: 65536}
