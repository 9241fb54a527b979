"""Whatever a server does, the record ends in time, in little memory, with one clear symptom."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
from h2_server import frame
from scripted_server import Script, Serve, answering, endless, held, send

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("hostile_driver.py")

#: The interpreter with httpx in it, and everything that is recorded, in MiB.
MEMORY = 64.0

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WINDOW = 0.8

Probe = Callable[..., dict[str, Any]]


class Recorder:
    """The recorder in a process of its own."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(DRIVER), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )

    def probe(self, url: str, **changes: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"url": url, "window": WINDOW, **changes}), file=self._process.stdin)
        self._process.stdin.flush()
        outcome: dict[str, Any] = json.loads(self._process.stdout.readline())
        return outcome

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module", params=["inside", "outside"])
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    """Each recorder in turn; what holds for every server is checked with each answer."""
    recorder = Recorder(request.param)

    def checked(url: str, **changes: Any) -> dict[str, Any]:
        outcome = recorder.probe(url, **changes)
        assert outcome["seconds"] < changes.get("window", WINDOW) + 1.0
        assert outcome["judged"] < 2.0
        assert outcome["peak"] < MEMORY
        return outcome

    yield checked
    recorder.close()


def bomb(byte: bytes, bits: int = 31) -> bytes:
    """200 MB of one byte."""
    coder = zlib.compressobj(9, wbits=bits)
    return b"".join(coder.compress(byte * 1_000_000) for _ in range(200)) + coder.flush()


def brotli_bomb() -> bytes:
    coder = brotli.Compressor(quality=9)
    return b"".join(coder.process(b"\0" * 1_000_000) for _ in range(200)) + coder.finish()


def zstd_bomb() -> bytes:
    """Blocks of 128 KiB in four bytes each; the frame may refer back 8 MiB (RFC 8878, 3.1.1)."""
    block = (1 << 1 | 131_072 << 3).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x68" + block * 2000


def coded(name: bytes, data: bytes) -> Script:
    head = HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    return send(head % (name, len(data)) + data)


@pytest.mark.parametrize(
    ("script", "end", "kind"),
    [
        (endless(b"HTTP/1.1 200 ", b"x" * 9000), "limit_line", "not_http"),
        (endless(HEAD + b"X: ", b"x" * 9000), "limit_headers", "not_http"),
        (endless(HEAD, b"X-Again: 1\r\n" * 900), "limit_headers", "not_http"),
        (send(HEAD + b"A: 1\r\n" * 1_000_000 + b"\r\n"), "limit_headers", "not_http"),
        (endless(b"HTTP/1.1 103 x\r\n", b"\r\nHTTP/1.1 103 x\r\n" * 99), "limit_time", "no_answer"),
        (endless(CHUNKED + b"9;", b"x" * 9000), "limit_line", "not_http"),
        (endless(CHUNKED + b"0\r\n", b"X-Again: 1\r\n" * 900), "limit_line", "not_http"),
        (endless(HEAD + b"\r\ndata: ", b"x" * 9000), "limit_event", "not_parsable"),
        (endless(HEAD + b"\r\n", b'{"no": "event"}\n' * 900), "limit_bytes", "not_parsable"),
        (held(b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"), "protocol_error", "not_http"),
        (held(b"HTTP/1.1 200 O\0K\r\n\r\n"), "protocol_error", "not_http"),
        (endless(b"", b"\0" * 9000), "protocol_error", "not_http"),
        (endless(HEAD + b"\r\n", b"\0" * 9000), "limit_event", "not_parsable"),
        (held(CHUNKED + b"-1\r\n"), "protocol_error", "not_http"),
        (held(CHUNKED + b"fffffffffffffffffffff\r\n"), "protocol_error", "not_http"),
        (held(CHUNKED + b"\xff\r\n"), "protocol_error", "not_http"),
        (
            held(HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n"),
            "protocol_error",
            "not_http",
        ),
        (held(), "limit_time", "no_answer"),
        (held(*[part for _ in range(9) for part in (b"H", 0.3)]), "protocol_error", "not_http"),
        (held(*[p for byte in HEAD for p in (bytes([byte]), 0.1)]), "limit_time", "no_answer"),
    ],
    ids=[
        "endless status line",
        "endless header line",
        "endless headers",
        "a million headers",
        "endless interim answers",
        "endless chunk size",
        "endless trailers",
        "endless event",
        "endless lines that are no event",
        "NUL in a header",
        "NUL in the status line",
        "NUL for HTTP",
        "NUL for events",
        "a negative chunk size",
        "a chunk size too long",
        "a chunk size that is no number",
        "a length too long",
        "a connection held silent",
        "the first byte again and again",
        "a head byte by byte",
    ],
)
def test_a_hostile_answer(probe: Probe, serve: Serve, script: Script, end: str, kind: str) -> None:
    outcome = probe(serve(script).url)
    assert (outcome["end"], outcome["kinds"]) == (end, [kind])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (b"gzip", bomb(b"\0")),
        (b"gzip", bomb(b"\n")),
        (b"deflate", bomb(b"x", 15)),
        (b"br", brotli_bomb()),
        (b"br", b"\x8b\xff\x3f\x00" + b"\xf8\xff" * 30_000),
        (b"zstd", zstd_bomb()),
    ],
    ids=["gzip of NUL", "gzip of blank lines", "deflate", "br", "br of nothing", "zstd"],
)
def test_a_compressed_bomb(probe: Probe, serve: Serve, name: bytes, data: bytes) -> None:
    outcome = probe(serve(coded(name, data)).url)
    assert outcome["kinds"] == ["compressed"]


def test_a_compressed_bomb_of_comments_takes_no_memory(probe: Probe, serve: Serve) -> None:
    coder = zlib.compressobj(9, wbits=31)
    data = b"".join(coder.compress(b":\n" * 500_000) for _ in range(20)) + coder.flush()
    assert probe(serve(coded(b"gzip", data)).url)["kinds"] == ["closed_at_once"]


def test_events_that_flood_are_healthy_up_to_the_limit(probe: Probe, serve: Serve) -> None:
    outcome = probe(serve(endless(HEAD + b"\r\n", b"data: x\n\n" * 900)).url)
    assert (outcome["end"], outcome["kinds"]) == ("limit_bytes", [])


def test_an_event_one_byte_a_second_never_forms(probe: Probe, serve: Serve) -> None:
    drip = [part for byte in b"data: hello" for part in (bytes([byte]), 0.5)]
    outcome = probe(serve(held(HEAD + b"\r\n", *drip)).url, window=3.7)
    assert (outcome["end"], outcome["kinds"]) == ("limit_time", ["not_parsable"])


def test_chunks_of_one_byte_cost_no_more_than_the_window(probe: Probe, serve: Serve) -> None:
    outcome = probe(serve(endless(CHUNKED, b"1\r\nx\r\n" * 3000)).url)
    assert outcome["kinds"] in ([], ["not_parsable"])
    assert outcome["end"] in ("limit_time", "limit_event")


def test_a_circle_of_redirects(probe: Probe, serve: Serve) -> None:
    served = serve(send(b"HTTP/1.1 302 x\r\nLocation: /events\r\nContent-Length: 0\r\n\r\n"))
    outcome = probe(served.url)
    assert (outcome["end"], outcome["kinds"]) == ("limit_redirects", ["redirect_loop"])


def test_a_redirect_to_another_origin_takes_no_token_along(probe: Probe, serve: Serve) -> None:
    heard: list[bytes] = []

    def choose(head: bytes) -> Script:
        heard.append(head)
        return held(CHUNKED)

    other = serve(answering(choose), read_request=False)
    away = b"HTTP/1.1 302 x\r\nLocation: http://%s/?access_token=t0ken-t0ken\r\n"
    served = serve(send(away % other.address.encode() + b"Content-Length: 0\r\n\r\n"))
    outcome = probe(served.url, token="t0ken-t0ken")
    assert (outcome["end"], outcome["kinds"]) == ("limit_time", [])
    assert b"t0ken" in served.heard[0]
    assert b"t0ken" not in heard[0]


def test_a_handshake_that_stalls(probe: Probe, serve: Serve) -> None:
    served = serve(held(), read_request=False)
    outcome = probe(f"https://{served.address}/")
    assert (outcome["end"], outcome["kinds"]) == ("limit_time", ["no_answer"])
    assert outcome["detail"] == "no answer to the TLS handshake"


def test_a_handshake_answered_with_rubbish(probe: Probe, serve: Serve) -> None:
    served = serve(endless(b"", b"\x16\x03\x01\xff\xff" * 999), read_request=False)
    outcome = probe(f"https://{served.address}/")
    assert (outcome["end"], outcome["kinds"]) == ("tls_error", ["tls_error"])


# --- HTTP/2 -----------------------------------------------------------------------------

SETTINGS = frame(4, 0, 0, b"")
ANSWER = SETTINGS + frame(1, 4, 1, b"\x88\x0f\x10\x11text/event-stream\x0f\x09\x08no-cache")
PING = frame(6, 0, 0, b"12345678")


@pytest.mark.parametrize(
    ("script", "end", "kinds"),
    [
        (
            endless(SETTINGS + frame(1, 0, 1, b"\x88"), frame(9, 0, 1, b"\0\x01x\x01y" * 900)),
            "limit_headers",
            ["not_http"],
        ),
        (
            endless(SETTINGS + frame(1, 0, 1, b""), frame(9, 0, 1, b"") * 900),
            "limit_headers",
            ["not_http"],
        ),
        (endless(SETTINGS, PING * 200), "limit_headers", ["not_http"]),
        (endless(SETTINGS, SETTINGS * 200), "limit_headers", ["not_http"]),
        (endless(SETTINGS, frame(0xEE, 0, 0, b"x" * 16384)), "limit_headers", ["not_http"]),
        (held(SETTINGS, frame(1, 4, 1, b"\xff" * 200)), "protocol_error", ["not_http"]),
        (held(SETTINGS, b"\xff" * 9000), "protocol_error", ["not_http"]),
        (held(SETTINGS, b"\0\x40\0\1"), "limit_time", ["no_answer"]),
        (endless(ANSWER, PING * 200), "limit_time", []),
        (endless(ANSWER, frame(0, 0, 1, b"") * 900), "limit_time", []),
        (endless(ANSWER, frame(0, 0, 1, b"x" * 16384)), "limit_event", ["not_parsable"]),
        (endless(ANSWER, frame(0, 8, 1, b"\xff" + b"\0" * 255) * 60), "limit_time", []),
        (endless(ANSWER, frame(8, 0, 0, b"\0\x10\0\0") * 900), "protocol_error", ["not_http"]),
    ],
    ids=[
        "headers without end",
        "empty continuations",
        "a flood of pings",
        "a flood of settings",
        "a flood of frames of no type",
        "bad HPACK",
        "a frame too large",
        "a frame that never ends",
        "a flood of pings in the stream",
        "a flood of empty frames",
        "an endless event",
        "nothing but padding",
        "credit without end",
    ],
)
def test_hostile_http2(
    probe: Probe, serve: Serve, script: Script, end: str, kinds: list[str]
) -> None:
    def drained(connection: socket.socket) -> None:
        # Answers to a flood must be read, or both sides wait for each other.
        threading.Thread(target=drain, args=(connection,), daemon=True).start()
        script(connection)

    outcome = probe(serve(drained, read_request=False).url, version="2")
    assert (outcome["end"], outcome["kinds"]) == (end, kinds)


def test_a_flood_that_reads_no_answer_ends_with_the_window(probe: Probe, serve: Serve) -> None:
    outcome = probe(serve(endless(ANSWER, PING * 900), read_request=False).url, version="2")
    assert outcome["end"] == "limit_time"


def drain(connection: socket.socket) -> None:
    try:
        while connection.recv(65536):
            pass
    except OSError:
        return
