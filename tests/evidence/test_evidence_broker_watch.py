"""Brokers are watched within limits, their clients are told apart, and no secret comes back."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible.module_utils.sse_host import broker_clients, broker_files, broker_login, canary
from ansible.module_utils.sse_host.broker_login import Login
from ansible.module_utils.sse_host.broker_watch import MESSAGES, Watch

from ssemedic.evidence import Broker, BrokerClient, Canary, Published, decode

Talk = Callable[[socket.socket], None]
INFO = b'INFO {"version":"2.9.10"}\r\n'


@pytest.fixture
def speak() -> Iterator[Callable[[Talk], str]]:
    """A server that talks as it is told to, on every connection; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def start(talk: Talk) -> str:
        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(3)
                    try:
                        talk(connection)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield start
    listening.close()


def until(connection: socket.socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        part = connection.recv(4096)
        if not part:
            raise ConnectionError
        data += part
    return data


def nats(
    messages: bytes, heard: list[bytes] | None = None, info: bytes = INFO
) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(info)
        first = until(connection, b"PING\r\n")
        connection.sendall(b"PONG\r\n")
        second = until(connection, b"PING\r\n")
        connection.sendall(b"PONG\r\n" + messages)
        if heard is not None:
            heard.extend((first, second))
        time.sleep(1.5)

    return talk


def watched(kind: str, address: str, login: Login | None = None) -> Watch:
    watch = Watch(kind, address, login, time.monotonic() + 3.0)
    assert watch.ready.wait(2.0)
    return watch


def test_subjects_are_counted_and_the_canary_is_found_by_its_payload(
    speak: Callable[[Talk], str],
) -> None:
    passed = b"MSG a.b 1 3\r\nx42\r\nMSG a.b 1 1\r\ny\r\n"
    passed += b"MSG _INBOX.q 1 1\r\nz\r\nMSG c 1 r.1 2\r\nuv\r\n"
    watch = watched("nats", speak(nats(passed)))
    time.sleep(0.4)
    watch.end()
    seen = watch.seen("42")
    assert seen is not None
    assert [(s["subject"], s["count"], s["canary"]) for s in seen] == [
        ("a.b", 2, True),
        ("c", 1, False),
    ]
    assert "x42" not in json.dumps(seen)
    decode(Published, seen[0], "published")


def test_nats_itself_ends_the_subscription_after_so_many_messages(
    speak: Callable[[Talk], str],
) -> None:
    heard: list[bytes] = []
    watched("nats", speak(nats(b"", heard))).end()
    assert heard[1].startswith(b"SUB > 1\r\nUNSUB 1 %d\r\n" % MESSAGES)


def test_what_the_broker_refuses_is_a_reason_and_no_empty_list(
    speak: Callable[[Talk], str],
) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(INFO)
        until(connection, b"PING\r\n")
        connection.sendall(b"PONG\r\n")
        until(connection, b"PING\r\n")
        connection.sendall(b"-ERR 'Permissions Violation for Subscription to \">\"'\r\n")

    watch = watched("nats", speak(talk))
    assert watch.seen("x") is None
    assert "Permissions Violation" in watch.refused


def test_credentials_go_to_the_broker_alone(speak: Callable[[Talk], str]) -> None:
    heard: list[bytes] = []
    login = broker_login.logins({"x.service": "URL=nats://me:s3cr3t%21@localhost:4222"})
    mine = login[("nats", "127.0.0.1:4222")]
    info = b'INFO {"version":"2.9.10","auth_required":true}\r\n'
    watch = watched("nats", speak(nats(b"", heard, info)), mine)
    watch.end()
    assert b'"pass": "s3cr3t!"' in heard[0]
    assert "s3cr3t" not in repr(mine) + repr(watch.seen("")) + watch.refused


def test_without_credentials_a_broker_that_wants_some_is_left_alone(
    speak: Callable[[Talk], str],
) -> None:
    sent: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b'INFO {"auth_required":true}\r\n')
        sent.append(connection.recv(100))

    watch = watched("nats", speak(talk))
    assert "wants credentials" in watch.refused
    time.sleep(0.2)  # until the server has seen that we left
    assert sent == [b""]


def test_a_broker_that_says_nothing_does_not_hold_us(speak: Callable[[Talk], str]) -> None:
    began = time.monotonic()
    watch = Watch("redis", speak(lambda c: time.sleep(4)), None, time.monotonic() + 2.5)
    watch.ready.wait(4.0)
    assert time.monotonic() - began < 3.0
    assert watch.refused


def redis(answers: dict[str, bytes]) -> Talk:
    """Answers each command by its first words, in RESP."""

    def talk(connection: socket.socket) -> None:
        data = b""
        while True:
            part = connection.recv(4096)
            if not part:
                return
            data += part
            words = [w for w in data.split(b"\r\n") if w and w[:1] not in b"*$"]
            if data.count(b"\r\n") < 1 + 2 * int(data[1 : data.index(b"\r\n")]):
                continue
            data = b""
            said = b" ".join(words).decode()
            best = max((k for k in answers if said.startswith(k)), key=len, default="")
            connection.sendall(answers.get(best, b"+OK\r\n"))

    return talk


CLIENTS = (
    b"id=3 addr=127.0.0.1:40001 name= age=9 sub=1 psub=0 ssub=0 omem=0 cmd=subscribe\n"
    b"id=4 addr=127.0.0.1:40002 name=ssemedic age=0 sub=0 psub=0 omem=0 cmd=client\n"
)


def test_redis_tells_who_subscribes_to_how_much(speak: Callable[[Talk], str]) -> None:
    address = speak(
        redis(
            {
                "PING": b"+PONG\r\n",
                "CLIENT LIST": b"$%d\r\n%s\r\n" % (len(CLIENTS), CLIENTS),
                "PUBSUB CHANNELS": b"*1\r\n$6\r\nevents\r\n",
                "PUBSUB NUMSUB": b"*2\r\n$6\r\nevents\r\n:1\r\n",
                "PUBSUB NUMPAT": b":0\r\n",
                "CONFIG GET": b"-NOPERM no\r\n",
            }
        )
    )
    place = broker_clients.Place("redis", address, None, "x")
    held = {40001: (7, "python3", "relay.service")}
    clients, facts = broker_clients.of_redis(place, None, held, time.monotonic() + 2)
    assert facts == {"channels": {"events": 1}, "patterns": 0}
    (one,) = clients
    assert (one["unit"], one["subscriptions"], one["doing"]) == ("relay.service", 1, "subscribe")
    decode(BrokerClient, one, "client")


def test_times_of_nats_have_nine_decimals() -> None:
    assert broker_clients.epoch("2026-11-24T04:21:34.569400289Z") == 1795494094.569
    assert broker_clients.epoch("2026-11-24T05:21:34+01:00") == 1795494094.0
    assert broker_clients.epoch("yesterday") is None


def test_the_pool_modes_of_pgbouncer_are_read_where_it_listens(tmp_path: Path) -> None:
    file = tmp_path / "pgbouncer.ini"
    file.write_text(
        "[databases]\nchat = host=127.0.0.1 dbname=chat password=s3cr3t pool_mode=session\n"
        "[pgbouncer]\nlisten_port = 6432\npool_mode = transaction\n"
    )
    listening = [{"process": "pgbouncer", "port": 6432}]
    assert broker_files.pgbouncer(listening, str(file)) == {
        "pgbouncer_port": 6432,
        "pool_modes": {"": "transaction", "chat": "session"},
    }
    assert broker_files.pgbouncer([{"process": "nginx", "port": 80}], str(file)) == {}


def test_a_message_straight_to_the_broker_is_confirmed_by_it(speak: Callable[[Talk], str]) -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(INFO)
        until(connection, b"PING\r\n")
        connection.sendall(b"PONG\r\n")
        heard.append(until(connection, b"PING\r\n"))
        connection.sendall(b"PONG\r\n")

    watch = watched("nats", speak(talk))
    message = {"subject": "chat.{marker}", "body": {"text": "{marker}"}}
    sent = canary.send(message, [], [watch], {}, time.monotonic() + 5, 0)
    assert sent["accepted"] and sent["needle"].startswith("ssemedic-")
    assert sent["how"] == f"nats chat.{sent['needle']}"
    decode(Canary, sent, "canary")
    assert decode(
        Broker,
        {
            "kind": "nats",
            "address": "a:1",
            "unit": None,
            "reachable": True,
            "detail": "",
            "published": watch.seen(sent["needle"]),
        },
        "broker",
    )


def test_the_reference_service_is_known_by_its_command() -> None:
    assert canary.known_service(["/opt/notify/venv/bin/python", "-m", "notify"])
    assert canary.known_service(["python3", "-m", "notify.mint"]) is None
