"""The healthy service on the wire."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from sse_service_wire import Nats, Service, Stream, token, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    Connect = Callable[..., Stream]
    Serve = Callable[..., Service]

ORIGIN = "https://chat.example.org"


def test_a_stream_begins_at_once_with_its_headers_and_a_first_event(
    service: Service, connect: Connect
) -> None:
    stream = connect(service, token(), headers={"Origin": ORIGIN})
    first = stream.next()
    assert stream.status == 200
    assert stream.header("content-type") == ["text/event-stream"]
    assert stream.header("cache-control") == ["no-cache"]
    assert stream.header("x-accel-buffering") == ["no"]
    assert stream.header("access-control-allow-origin") == [ORIGIN]
    assert stream.header("access-control-allow-credentials") == ["true"]
    assert first.event == "connected"
    assert first.fields["id"]
    assert first.fields["retry"] == "3000"
    assert first.data["workspace"] == "acme"


def test_an_origin_that_is_not_allowed_is_given_nothing_and_logged(
    service: Service, connect: Connect
) -> None:
    stream = connect(service, token(), headers={"Origin": "https://evil.example"})
    stream.next("connected")
    assert stream.header("access-control-allow-origin") == []
    assert "cors origin refused origin='https://evil.example'" in service.log


def test_an_idle_stream_carries_pings_and_a_busy_one_does_not_need_them(
    service: Service, connect: Connect
) -> None:
    stream = connect(service, token(workspace="idle"))
    stream.next("connected")
    pings = [stream.next() for _ in range(3)]
    assert all(ping.fields == {"": "ping"} for ping in pings)
    # 0.3 s apart by the setting; the machine may stall, so only "not sooner" is firm.
    assert pings[2].at - pings[0].at > 0.45


def test_a_message_goes_from_sent_to_delivered_on_every_stream_of_its_workspace_alone(
    service: Service, connect: Connect
) -> None:
    here, there = connect(service, token(workspace="w1")), connect(service, token(workspace="w1"))
    stranger = connect(service, token(workspace="w2"))
    for stream in (here, there, stranger):
        stream.next("connected")
    answer = service.post(token(workspace="w1"), text="line\nend")
    assert answer.status_code == 202
    assert answer.json()["status"] == "sent"
    for stream in (here, there):
        message = stream.next("message")
        assert message.fields["id"] == message.data["id"] == answer.json()["id"]
        assert message.data["text"] == "line\nend"
        status = stream.next("message_status")
        assert status.data == {"id": answer.json()["id"], "status": "delivered"}
    here.read(0.3)
    assert here.body.count(b"message_status") == 1
    stranger.read(0.1)
    assert b"message" not in stranger.body


def test_a_message_that_nobody_hears_is_not_called_delivered(
    service: Service, connect: Connect
) -> None:
    answer = service.post(token(workspace="empty"))
    late = connect(service, token(workspace="empty"))
    late.next("connected")
    late.read(0.2)
    assert answer.json()["id"].encode() not in late.body


def test_a_reconnect_gets_what_it_missed_and_nothing_twice(
    service: Service, connect: Connect
) -> None:
    bearer = token(workspace="replay")
    stream = connect(service, bearer)
    start = stream.next("connected").fields["id"]
    ids = [service.post(bearer).json()["id"] for _ in range(3)]
    assert [stream.next("message").fields["id"] for _ in ids] == ids
    stream.close()

    again = connect(service, bearer, headers={"Last-Event-ID": ids[0]})
    assert again.next("connected").fields["id"] == ids[0]
    assert [again.next("message").fields["id"] for _ in ids[1:]] == ids[1:]

    from_start = connect(service, bearer, headers={"Last-Event-ID": start})
    from_start.next("connected")
    assert [from_start.next("message").fields["id"] for _ in ids] == ids

    lost = connect(service, bearer, headers={"Last-Event-ID": "never-seen"})
    assert lost.next("connected").data["replay"] == "unknown"


def test_a_preflight_is_answered_for_allowed_origins_only(service: Service) -> None:
    def preflight(origin: str) -> httpx.Response:
        return httpx.options(
            f"{service.url}/api/chats/c1/messages",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )

    allowed = preflight(ORIGIN)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in preflight("https://evil.example").headers


@pytest.mark.parametrize(
    ("chat", "body", "status"),
    [
        ("c1", b"", 400),
        ("c1", b"{", 400),
        ("c1", b'{"text": 1}', 400),
        ("c1", b'{"text": ""}', 400),
        ("c1", b"[" * 9000, 400),
        ("c1", b'{"text": "' + b"x" * 20000 + b'"}', 413),
        ("a.b", b'{"text": "x"}', 400),
        ("%3E", b'{"text": "x"}', 400),
    ],
    ids=["empty", "cut", "number", "blank", "deep", "large", "dot", "wildcard"],
)
def test_a_message_that_cannot_be_one_is_refused_with_a_reason(
    service: Service, chat: str, body: bytes, status: int
) -> None:
    answer = httpx.post(
        f"{service.url}/api/chats/{chat}/messages",
        headers={"Authorization": f"Bearer {token()}"},
        content=body,
    )
    assert (answer.status_code, answer.json()["error"]) == (status, "rejected")


def test_what_is_no_event_is_dropped_and_logged_by_its_size(
    service: Service, nats: Nats, connect: Connect
) -> None:
    stream = connect(service, token(workspace="junk"))
    stream.next("connected")
    subject = "notify.workspace.junk.chat.c1"
    for junk in (b"\xff\xfe", b"{}", b'{"event": "a\\nb", "id": "1", "data": 1}'):
        nats.publish(subject, junk)
    nats.publish(subject, json.dumps({"event": "note", "id": "n1", "data": "a\nb"}).encode())
    assert stream.next("note").data == "a\nb"
    assert "message dropped workspace=junk bytes=2" in service.log


def test_opening_and_closing_a_stream_is_logged_with_its_duration(
    service: Service, connect: Connect
) -> None:
    stream = connect(service, token(workspace="logs", sub="a\nb"))
    stream.next("connected")
    stream.close()
    wait_for("the closing line", lambda: "stream closed workspace=logs" in service.log)
    line = next(line for line in service.log.splitlines() if "closed workspace=logs" in line)
    assert "sub='a\\nb'" in line
    assert "reason='client went away'" in line
    assert "events=1" in line


def test_health_is_what_a_round_trip_through_the_broker_says(
    own_nats: Nats, serve: Serve, connect: Connect
) -> None:
    service = serve(nats_port=own_nats.port, NOTIFY_PING_SECONDS="0.2")
    assert service.health().json()["status"] == "ok"
    stream = connect(service, token())
    stream.next("connected")
    own_nats.stop()
    wait_for("health flips", lambda: service.health().status_code == 503)
    assert service.health().json()["broker"]["connected"] is False
    refused = httpx.get(f"{service.url}/events", headers={"Authorization": f"Bearer {token()}"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert service.post(token()).status_code == 503
    wait_for("the loss is logged", lambda: "broker connection lost" in service.log)

    own_nats.start()
    wait_for("health recovers", lambda: service.health().status_code == 200)
    message_id = service.post(token()).json()["id"]
    # The stream that was open all the time hears again.
    assert stream.next("message").fields["id"] == message_id


def test_the_service_starts_without_a_broker_and_finds_it_later(
    own_nats: Nats, serve: Serve
) -> None:
    own_nats.stop()
    service = serve(nats_port=own_nats.port)
    assert service.health().status_code == 503
    own_nats.start()
    wait_for("health recovers", lambda: service.health().status_code == 200)


def test_a_stop_ends_the_streams_cleanly_and_soon(serve: Serve, connect: Connect) -> None:
    service = serve()
    streams = [connect(service, token()) for _ in range(3)]
    for stream in streams:
        stream.next("connected")
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 4
    for stream in streams:
        stream.read_to_end()
        assert stream.terminated
    assert service.log.count("reason='service stops'") == 3


def publish_large(nats: Nats, number: int) -> str:
    event = {"event": "large", "id": f"n{number}", "data": "x" * 60_000}
    nats.publish("notify.workspace.acme.chat.c1", json.dumps(event).encode())
    return f"n{number}"


def test_a_client_that_does_not_read_is_closed_and_the_others_are_not(
    serve: Serve, nats: Nats, connect: Connect
) -> None:
    service = serve(NOTIFY_SEND_TIMEOUT_SECONDS="0.5")
    reading, stuck = connect(service, token()), connect(service, token())
    reading.next("connected")
    stuck.next("connected")
    number = 0
    while "stream closed" not in service.log:
        number += 1
        assert number < 500, "30 MB are more than the sockets of both sides hold"
        sent = publish_large(nats, number)
        assert reading.next("large").fields["id"] == sent
    # Its socket is full, or on a slow machine its queue is full before that.
    assert re.search(r"reason='client (does not read|too slow)'", service.log)
    last = service.post(token()).json()["id"]
    assert reading.next("message").fields["id"] == last


def test_a_client_that_falls_a_whole_queue_behind_is_told_to_start_over(
    serve: Serve, nats: Nats, connect: Connect
) -> None:
    service = serve(NOTIFY_QUEUE_EVENTS="5")
    reading, slow = connect(service, token()), connect(service, token())
    reading.next("connected")
    slow.next("connected")
    for number in range(150):
        sent = publish_large(nats, number)
        assert reading.next("large").fields["id"] == sent
    # 9 MB: the sockets hold a part of it, the queue five events, and the rest was too much.
    wait_for("the slow stream ended", lambda: slow.read(0.1) or slow.terminated)
    assert "reason='client too slow'" in service.log


def test_streams_beyond_the_limit_are_told_to_come_later(serve: Serve, connect: Connect) -> None:
    service = serve(NOTIFY_MAX_STREAMS="1")
    connect(service, token()).next("connected")
    second = connect(service, token())
    second.read_head()
    assert second.status == 503
    assert second.header("retry-after") == ["2"]
