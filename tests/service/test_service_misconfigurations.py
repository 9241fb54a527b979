"""Each switch of misconfigurations.py shows its signature on the wire, and only its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sse_service_wire import Nats, Service, Stream, gunzip_so_far, token, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    Connect = Callable[..., Stream]
    Serve = Callable[..., Service]


def test_the_headers_are_as_wrong_as_told(serve: Serve, connect: Connect) -> None:
    service = serve(
        NOTIFY_X_ACCEL_BUFFERING="off",
        NOTIFY_CONTENT_TYPE="text/plain",
        NOTIFY_CACHE_CONTROL="",
        NOTIFY_UPGRADE_HEADER="on",
    )
    stream = connect(service, token())
    assert stream.next().event == "connected"
    assert stream.header("x-accel-buffering") == []
    assert stream.header("content-type") == ["text/plain"]
    assert stream.header("cache-control") == []
    assert stream.header("upgrade") == ["h2c"]
    assert "misconfigured on purpose: x_accel_buffering=False" in service.log


def test_http10_is_chunked_by_default_and_ends_with_the_connection_under_h11(
    service: Service, serve: Serve, connect: Connect
) -> None:
    chunked = connect(service, token(), version="1.0")
    assert chunked.next().event == "connected"
    assert chunked.header("transfer-encoding") == ["chunked"]
    until_close = connect(serve(NOTIFY_HTTP_PARSER="h11"), token(), version="1.0")
    assert until_close.next().event == "connected"
    assert until_close.header("transfer-encoding") == []


def test_http10_close_gives_http10_a_stream_of_no_bytes_and_http11_a_good_one(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_HTTP10="close")
    old = connect(service, token(), version="1.0")
    old.read_to_end()
    assert old.status == 200
    assert old.header("content-type") == ["text/event-stream"]
    assert old.body == b""
    assert connect(service, token()).next().event == "connected"


def test_raising_after_200_tears_every_stream_and_leaves_a_traceback(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_RAISE_AFTER_200="on")
    stream = connect(service, token())
    stream.read_to_end()
    assert stream.status == 200
    assert stream.header("content-type") == ["text/event-stream"]
    assert stream.body == b""
    assert not stream.terminated
    assert time.monotonic() - stream.opened < 3
    assert "Exception in ASGI application" in service.log
    assert "LookupError: cannot subscribe: no membership row" in service.log


def test_raising_after_200_for_refused_tokens_alone_hides_the_401(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_RAISE_AFTER_200="token")
    expired = token(exp=-60)
    torn = connect(service, expired)
    torn.read_to_end()
    assert (torn.status, torn.body, torn.terminated) == (200, b"", False)
    assert "TokenError: token refused: expired" in service.log
    assert not any(part in service.log for part in expired.split("."))
    assert connect(service, token()).next().event == "connected"


def test_without_a_first_event_the_headers_come_and_then_only_pings(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_FIRST_EVENT="off", NOTIFY_PING_SECONDS="0.3")
    stream = connect(service, token())
    stream.read_head()
    assert stream.body == b""
    assert stream.next().fields == {"": "ping"}


def test_without_flushed_headers_not_a_byte_comes_before_the_first_message(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_FLUSH_HEADERS="off", NOTIFY_PING_SECONDS="0.1")
    stream = connect(service, token())
    stream.read(0.5)
    assert stream.received == b""
    message_id = service.post(token()).json()["id"]
    assert stream.next().fields["id"] == message_id
    assert stream.next("message_status").data["status"] == "delivered"
    assert stream.next().fields == {"": "ping"}


def test_without_pings_an_idle_stream_is_silent(serve: Serve, connect: Connect) -> None:
    service = serve(NOTIFY_PING="off", NOTIFY_PING_SECONDS="0.1")
    stream = connect(service, token())
    stream.next("connected")
    length = len(stream.received)
    stream.read(0.4)
    assert len(stream.received) == length


def test_gzip_holds_events_back_from_clients_that_ask_for_it_alone(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_GZIP="on", NOTIFY_TICK_SECONDS="0.05")
    zipped = connect(service, token(), headers={"Accept-Encoding": "gzip"})
    plain = connect(service, token())
    for _ in range(4):
        plain.next("tick")
    zipped.read(0.1)
    assert zipped.header("content-encoding") == ["gzip"]
    assert gunzip_so_far(zipped.body) == b""


def test_a_time_limit_cuts_a_busy_stream_all_the_same(serve: Serve, connect: Connect) -> None:
    service = serve(NOTIFY_CLOSE_AFTER_SECONDS="0.6", NOTIFY_TICK_SECONDS="0.1")
    stream = connect(service, token())
    wait_for("the stream ended", lambda: stream.read(0.1) or stream.terminated)
    assert 0.6 <= time.monotonic() - stream.opened < 4
    assert stream.body.count(b"event: tick") >= 2
    assert "reason='time limit of the service'" in service.log


def test_broken_framing_brings_bytes_but_never_an_event(serve: Serve, connect: Connect) -> None:
    service = serve(NOTIFY_FRAMING="no-blank-line", NOTIFY_TICK_SECONDS="0.05")
    stream = connect(service, token())
    stream.read(0.4)
    assert stream.body.count(b"event: tick\n") >= 2
    assert b"\n\n" not in stream.body


def test_a_wrong_subject_leaves_a_stream_of_pings(serve: Serve, connect: Connect) -> None:
    service = serve(NOTIFY_SUBJECT="notify.ws.{workspace}.>", NOTIFY_PING_SECONDS="0.1")
    stream = connect(service, token())
    stream.next("connected")
    assert service.post(token()).status_code == 202
    stream.read(0.4)
    assert b"event: message" not in stream.body
    assert stream.body.count(b": ping") >= 2


def test_a_listener_that_died_with_the_broker_is_deaf_and_a_blind_health_hides_it(
    own_nats: Nats, serve: Serve, connect: Connect
) -> None:
    deaf = serve(nats_port=own_nats.port, NOTIFY_RESUBSCRIBE="off")
    blind = serve(nats_port=own_nats.port, NOTIFY_RESUBSCRIBE="off", NOTIFY_HEALTH="blind")
    stream = connect(deaf, token())
    stream.next("connected")
    own_nats.stop()
    wait_for("the loss is seen", lambda: "broker connection lost" in deaf.log)
    own_nats.start()
    for service in (deaf, blind):
        wait_for("the broker is back", lambda log=service: log.log.count("broker connected") == 2)
    assert deaf.post(token()).status_code == 202
    stream.read(0.3)
    assert b"event: message" not in stream.body
    assert "dead" in deaf.health().json()["broker"]["reason"]
    assert blind.health().json()["status"] == "ok"


def test_a_message_on_another_subject_is_taken_and_never_arrives(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_PUBLISH_SUBJECT="fechatter.realtime.chat.{chat}")
    stream = connect(service, token())
    stream.next("connected")
    assert service.post(token()).status_code == 202
    stream.read(0.4)
    assert b"event: message" not in stream.body
    assert service.health().json()["status"] == "ok"


def test_a_message_in_memory_reaches_the_streams_of_its_process_without_the_broker(
    serve: Serve, connect: Connect
) -> None:
    service, other = serve(NOTIFY_FAN_OUT="memory"), serve()
    near, far = connect(service, token()), connect(other, token())
    near.next("connected")
    far.next("connected")
    number = service.post(token()).json()["id"]
    assert near.next("message").data["id"] == number
    far.read(0.4)
    assert number.encode() not in far.body


def test_a_blocked_loop_delays_every_request_at_once(serve: Serve, connect: Connect) -> None:
    service = serve(NOTIFY_TICK_SECONDS="0.05", NOTIFY_BLOCK_LOOP_SECONDS="0.3")
    connect(service, token()).next("tick")
    began = time.monotonic()
    for _ in range(6):
        service.health()
    # Each answer needs a turn of a loop that is blocked for most of the time.
    assert time.monotonic() - began > 0.3


def test_a_service_that_hangs_at_stop_has_to_be_killed(serve: Serve, connect: Connect) -> None:
    service = serve(NOTIFY_STOP="hang")
    connect(service, token()).next("connected")
    service.process.terminate()
    wait_for("it waits", lambda: "Waiting for connections to close" in service.log)
    time.sleep(0.5)
    assert service.process.poll() is None


def test_a_host_that_is_not_allowed_is_refused_and_localhost_streams(
    serve: Serve, connect: Connect
) -> None:
    refused = connect(serve(NOTIFY_ALLOWED_HOSTS="localhost"), token())
    assert "421" in refused.read_head()
    refused.read(0.2)
    assert refused.body == b"Invalid Host header"
    allowed = connect(serve(NOTIFY_ALLOWED_HOSTS="localhost, chat.test"), token())
    assert allowed.next().event == "connected"


def test_a_strict_service_refuses_an_upgrade_and_nothing_else(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_CONNECTION="strict")
    pasted = connect(service, token(), headers={"Connection": "upgrade"})
    assert "400" in pasted.read_head()
    assert connect(service, token(), headers={"Connection": "close"}).next().event == "connected"


def test_a_large_header_is_as_large_as_told(serve: Serve, connect: Connect) -> None:
    stream = connect(serve(NOTIFY_HEADER_BYTES="6000"), token())
    assert stream.next().event == "connected"
    assert [len(value) for value in stream.header("x-trace")] == [6000]


def test_a_session_cookie_for_another_path_is_set_everywhere_but_on_the_stream_that_wants_it(
    serve: Serve, connect: Connect
) -> None:
    service = serve(NOTIFY_SESSION_COOKIE="Path=/api; HttpOnly", NOTIFY_SESSION_ONLY="on")
    assert service.health().headers["set-cookie"] == "session=guest; Path=/api; HttpOnly"
    refused = connect(service, token())
    refused.read_to_end()
    assert (refused.status, refused.header("set-cookie")) == (401, [])
    assert b"missing_cookie" in refused.body
