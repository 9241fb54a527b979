"""Many streams at once, against real servers on loopback."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from crowd_server import STREAM, Writer, chunk, crowd, hold, reset

from ssemedic.probe import capacity
from ssemedic.probe.capacity import CapacityError, CapacityResult, Load, Progress
from ssemedic.probe.capacity_events import EventCounter
from ssemedic.probe.capacity_tally import Latencies, Spread

#: They find the first limit of this machine: another test must not be it.
pytestmark = pytest.mark.alone

EVENT = b"data: hello\n\n"


async def healthy(_number: int, writer: Writer) -> None:
    writer.write(STREAM)
    while True:
        sent = json.dumps({"sent_at": round(time.time(), 6)})
        writer.write(chunk(f": ping\n\ndata: {sent}\n\n".encode()))
        await asyncio.sleep(0.2)


def hold_streams(url: str, streams: int, **settings: float) -> CapacityResult:
    return capacity.run(Load(url, streams, **{"seconds": 1.5, "ramp": 0.2, **settings}))  # type: ignore[arg-type]


def checksums(counter: EventCounter, data: bytes) -> list[int]:
    found: list[int] = []
    counter.feed(data, lambda checksum, _piece: found.append(checksum))
    return found


def limit_of(result: CapacityResult) -> str:
    return result.limit.name if result.limit else ""


def test_two_hundred_streams_are_held_counted_and_closed_on_time() -> None:
    heard: list[Progress] = []
    with crowd(healthy) as server:
        began = time.monotonic()
        result = capacity.run(Load(server.url, 200, 2.0, 0.2), progress=heard.append)
        took = time.monotonic() - began
        time.sleep(0.3)
        assert server.here == 0
    assert (result.opened, result.most_held, result.held) == (200, 200, 200)
    assert (result.refused, result.dropped, result.limit) == ((), (), None)
    assert result.stopped == "the time was up"
    assert 2.0 <= took < 4.0
    assert result.events > 800
    assert result.event_latency is not None
    assert 0 < result.event_latency.p50 < 0.2
    assert "time that each event carries" in result.latency_basis
    assert result.first_event is not None
    assert result.first_event.count == 200
    assert heard[0].held == 200
    assert result.own.bytes_per_stream is not None


def test_events_without_a_time_are_compared_across_streams() -> None:
    async def broadcast(number: int, writer: Writer) -> None:
        writer.write(STREAM)
        while True:
            now = time.time()
            turn = int(now * 4) + 1
            await asyncio.sleep(turn / 4 - now + (0.1 if number % 2 else 0.0))
            writer.write(chunk(b"id: %d\ndata: news\n\n" % turn))

    with crowd(broadcast) as server:
        result = hold_streams(server.url, 40, seconds=2.5)
    assert "behind the first stream" in result.latency_basis
    assert result.event_latency is not None
    assert 0.09 < result.event_latency.p95 < 0.2


def test_streams_that_count_from_their_own_start_are_no_broadcast() -> None:
    async def counting(_number: int, writer: Writer) -> None:
        writer.write(STREAM)
        for turn in range(100):
            writer.write(chunk(b"data: %d\n\n" % turn))
            await asyncio.sleep(0.1)

    with crowd(counting) as server:
        result = hold_streams(server.url, 40, ramp=1.0, seconds=2.0)
    assert result.event_latency is None
    assert result.latency_basis == "not measurable: every stream counts from its own start"


def test_where_nobody_listens_one_connection_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = hold_streams(f"http://127.0.0.1:{port}/", 500)
    assert result.attempted == 1
    assert [one.kind for one in result.refused] == ["connection_refused"]
    assert result.limit is not None
    assert (result.limit.name, result.limit.sentence) == ("not_a_limit", "nobody listens there")
    assert result.stopped == "the first stream did not open"


def test_an_endpoint_that_answers_401_is_asked_once() -> None:
    async def deny(_number: int, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()

    with crowd(deny) as server:
        result = hold_streams(server.url, 500)
        assert server.came == 1
    assert limit_of(result) == "not_a_limit"


def test_a_server_that_accepts_fifty_and_resets_the_rest_is_left_alone() -> None:
    async def fifty(number: int, writer: Writer) -> None:
        if number >= 50:
            reset(writer)
            return
        await healthy(number, writer)

    with crowd(fifty) as server:
        result = hold_streams(server.url, 2000, ramp=1.0, seconds=10.0)
        assert server.came < 300
    assert result.opened == 50
    assert result.limit is not None
    assert (result.limit.name, result.limit.certain) == ("worker_connections", False)
    assert result.limit.held == 50
    assert "could harm the server's users" in result.stopped
    assert result.seconds < 5.0


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (b"<html><hr><center>nginx/1.22.1</center></html>", "limit_conn"),
        (b'{"error": "too many streams"}', "app_cap"),
    ],
)
def test_503_after_thirty_streams_names_who_answers(page: bytes, name: str) -> None:
    async def thirty(number: int, writer: Writer) -> None:
        if number < 30:
            await healthy(number, writer)
        head = f"HTTP/1.1 503 Busy\r\nContent-Length: {len(page)}\r\n\r\n"
        writer.write(head.encode() + page)
        await writer.drain()

    with crowd(thirty) as server:
        result = hold_streams(server.url, 200)
    assert result.opened == 30
    assert limit_of(result) == name
    assert result.limit is not None
    assert result.limit.held == 30
    assert any(page.decode() in line for line in result.limit.evidence)


def test_streams_cut_at_one_age_are_a_time_limit_not_a_lack_of_room() -> None:
    async def cut(_number: int, writer: Writer) -> None:
        writer.write(STREAM + chunk(EVENT))
        await asyncio.sleep(1.8)

    with crowd(cut) as server:
        result = hold_streams(server.url, 30, seconds=5.0)
    assert [one.kind for one in result.dropped] == ["truncated"]
    assert result.dropped[0].count >= 20
    assert limit_of(result) == "time_limit"
    assert result.seconds < 4.0


def test_streams_that_all_break_at_once_name_the_server() -> None:
    async def dies(_number: int, writer: Writer) -> None:
        writer.write(STREAM)
        await asyncio.sleep(dies_at - time.monotonic())
        reset(writer)

    dies_at = time.monotonic() + 4.0
    with crowd(dies) as server:
        result = hold_streams(server.url, 60, ramp=2.5, seconds=8.0)
    assert [one.kind for one in result.dropped] == ["reset"]
    assert limit_of(result) == "server_gone"


def test_no_descriptors_left_is_our_own_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with crowd(healthy) as server:
        script = (
            "import resource, sys\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
            "from ssemedic.probe import capacity\n"
            f"r = capacity.run(capacity.Load({server.url!r}, 500, 1.5, 0.2))\n"
            "print(r.opened, r.limit.name, r.limit.held)\n"
        )
        said = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
        ).stdout.split()
    assert 100 <= int(said[0]) < 200
    assert said[1:] == ["own_fds", said[0]]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


@pytest.mark.parametrize(
    "settings",
    [{"streams": 9501}, {"streams": 0}, {"seconds": 4000.0}, {"ramp": 60.0}, {"seconds": 0.5}],
)
def test_more_than_the_cap_cannot_be_asked_for(settings: dict[str, Any]) -> None:
    with pytest.raises(CapacityError, match="must be"):
        Load("http://127.0.0.1:1/", **settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_all_but_loopback_needs_consent_and_is_not_touched_without(host: str) -> None:
    # The kernel takes these for this machine, the rule does not: nothing can leave it.
    with crowd(healthy) as server:
        load = Load(f"http://{host}:{server.port}/", 2, 1.0, 0.1)
        with pytest.raises(CapacityError, match="--yes"):
            capacity.run(load)
        assert server.came == 0
        if host == "0.0.0.0":
            assert capacity.run(load, yes=True).opened == 2


def test_consent_goes_by_where_the_connection_goes_not_by_the_name() -> None:
    with pytest.raises(CapacityError, match="--yes"):
        capacity.run(Load("http://localhost/", 2, 1.0, 0.1, connect="0.0.0.0:1"))
    with crowd(healthy) as server:
        load = Load("http://chat.example.org/", 2, 1.0, 0.1, connect=f"127.0.0.1:{server.port}")
        assert capacity.run(load).opened == 2


def test_an_endless_line_is_read_for_the_time_and_not_kept() -> None:
    async def endless(_number: int, writer: Writer) -> None:
        writer.write(STREAM)
        piece = chunk(b"x" * 60_000)
        while True:
            writer.write(piece)
            await writer.drain()

    with crowd(endless) as server:
        script = (
            "import resource\n"
            "from ssemedic.probe import capacity\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"r = capacity.run(capacity.Load({server.url!r}, 20, 1.5, 0.0))\n"
            "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "print(r.bytes, after - before, r.seconds)\n"
        )
        said = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
        ).stdout.split()
    assert int(said[0]) > 20_000_000
    assert int(said[1]) < 8_192  # KiB
    assert float(said[2]) < 2.5


def test_endless_headers_end_the_attempt() -> None:
    async def endless(_number: int, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: again\r\n" * 100)
            await writer.drain()

    with crowd(endless) as server:
        result = hold_streams(server.url, 10)
    assert [one.kind for one in result.refused] == ["not_http"]
    assert result.bytes < 200_000


@pytest.mark.parametrize(("seconds", "given"), [(1.0, 1.0), (20.0, 5.0)])
def test_a_server_that_never_answers_is_asked_once(seconds: float, given: float) -> None:
    async def silent(_number: int, _writer: Writer) -> None:
        await hold()

    with crowd(silent) as server:
        result = hold_streams(server.url, 300, seconds=seconds)
        assert server.came == 1
    assert [one.kind for one in result.refused] == ["no_answer"]
    assert given <= result.seconds < given + 2.0


def test_streams_that_wait_when_the_time_is_up_count_as_not_answered() -> None:
    async def forty(number: int, writer: Writer) -> None:
        await (healthy(number, writer) if number < 40 else hold())

    with crowd(forty) as server:
        result = hold_streams(server.url, 100, seconds=2.5)
    assert [(one.kind, one.count) for one in result.refused] == [("no_answer", 60)]
    assert limit_of(result) == "server_fds"


def test_an_interrupted_run_closes_its_streams_and_gives_its_result() -> None:
    with crowd(healthy) as server:
        script = (
            "from ssemedic.probe import capacity\n"
            f"r = capacity.run(capacity.Load({server.url!r}, 50, 60.0, 0.0))\n"
            "print(r.opened, r.stopped)\n"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            until = time.monotonic() + 10.0
            while server.here < 50 and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(0.5)  # what the server has answered must have been read
            process.send_signal(signal.SIGINT)
            said, _nothing = process.communicate(timeout=10)
        time.sleep(0.3)
        assert server.here == 0
    assert said.split() == [b"50", b"interrupted"]


def test_tls_streams_are_held_and_verified(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with crowd(healthy, context) as server:
        url = f"https://stream.test:{server.port}/events"
        at = f"127.0.0.1:{server.port}"
        trusted = capacity.run(Load(url, 60, 2.0, 0.2, connect=at, ca_file=str(certificate)))
        refused = capacity.run(Load(url, 60, 2.0, 0.2, connect=at))
    assert (trusted.opened, trusted.held, trusted.refused) == (60, 60, ())
    assert trusted.events > 60
    assert refused.attempted == 1
    assert [one.kind for one in refused.refused] == ["tls_error"]


def test_neither_result_nor_lines_hold_a_token_the_server_repeats() -> None:
    async def gossip(_number: int, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 24\r\n\r\nbad tok-3n \x1b[31m token!..")
        await writer.drain()

    with crowd(gossip) as server:
        result = capacity.run(Load(server.url, 5, 1.0, 0.1, token="tok-3n"))
    shown = json.dumps(result.to_dict()) + "\n".join(capacity.render_lines(result))
    assert "bad" in shown
    assert "tok-3n" not in shown
    assert "\x1b" not in "\n".join(capacity.render_lines(result))


def test_a_stream_cut_at_any_byte_is_counted_alike() -> None:
    whole = (
        b"\xef\xbb\xbfdata: one\n\n: ping\r\n\r\nevent: x\rdata: two\r\rid: 3\n\n"
        b"database: no\n\ndata\n\ndata: last, not finished\n"
    )
    for cut in range(len(whole)):
        counter = EventCounter()
        events = [*checksums(counter, whole[:cut]), *checksums(counter, whole[cut:])]
        assert (len(events), counter.blocks) == (3, 3), cut
        assert len(set(events)) == 3
        assert events == checksums(EventCounter(), whole), cut


def test_an_event_that_comes_again_has_the_same_checksum() -> None:
    first, second, other = checksums(EventCounter(), EVENT + b": x\n\n" + EVENT + b"data: y\n\n")
    assert first == second != other


def test_a_line_without_an_end_leaves_only_its_start() -> None:
    counter = EventCounter()
    for _ in range(10_000):
        counter.feed(b"x", lambda _checksum, _piece: None)
    assert sum(sys.getsizeof(getattr(counter, name)) for name in counter.__slots__) < 500


def test_the_same_bytes_again_are_compared_with_their_own_turn() -> None:
    latencies = Latencies(3)
    for turn in range(10):
        for stream, behind in ((0, 0.0), (1, 0.1), (2, 0.3)):
            latencies.event(stream, 0.01 * stream, 7, b"data: tick", 1.0 + turn + behind)
    found, _words = latencies.best()
    assert found is not None
    assert found.count == 20
    assert found.longest == pytest.approx(0.3)


def test_percentiles_are_those_of_the_values() -> None:
    spread = Spread()
    for number in range(1, 1001):
        spread.add(number / 1000)
    found = spread.quantiles()
    assert found is not None
    assert found.p50 == pytest.approx(0.5, rel=0.03)
    assert found.p99 == pytest.approx(0.99, rel=0.03)
    assert found.longest == 1.0


def test_compressed_streams_are_held_and_said_to_be_uncounted() -> None:
    coded = STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")

    async def zipped(_number: int, writer: Writer) -> None:
        writer.write(coded)
        while True:
            writer.write(chunk(b"data: not counted\n\n"))
            await asyncio.sleep(0.2)

    with crowd(zipped) as server:
        result = hold_streams(server.url, 5)
    assert (result.opened, result.coded, result.events) == (5, 5, 0)
    assert result.bytes > 0
    told = "\n".join(capacity.render_lines(result))
    assert "compressed: 5 streams; events in them are not counted" in told
