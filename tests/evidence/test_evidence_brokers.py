"""Brokers are found wherever they are named, and asked without harm."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible.module_utils.sse_host import brokers
from ansible.module_utils.sse_host.brokers import Place

Talk = Callable[[socket.socket], None]


@pytest.fixture
def speak() -> Iterator[Callable[[Talk], str]]:
    """A server that says what it is told to, once; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def start(talk: Talk) -> str:
        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield start
    listening.close()


def test_a_nats_server_is_known_by_its_info(speak: Callable[[Talk], str]) -> None:
    address = speak(
        lambda c: c.sendall(b'INFO {"version":"2.9.10","auth_required":true,"nonce":"s3cret"}\r\n')
    )
    broker = brokers.ask(Place("nats", address, None, "it listens"), monitoring=False)
    assert (broker["reachable"], broker["detail"]) == (True, "NATS 2.9.10")
    assert broker["facts"] == {"found": "it listens", "version": "2.9.10", "auth_required": True}


def test_a_redis_that_wants_a_password_is_reachable(speak: Callable[[Talk], str]) -> None:
    address = speak(lambda c: (c.recv(99), c.sendall(b"-NOAUTH Authentication required.\r\n"))[1])
    broker = brokers.ask(Place("redis", address, None, "x"), monitoring=False)
    assert broker["reachable"] and broker["detail"] == "-NOAUTH Authentication required."


def test_redis_tells_its_clients_and_limits(speak: Callable[[Talk], str]) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(99)
        connection.sendall(b"+PONG\r\n")
        connection.recv(99)
        info = b"# Clients\r\nredis_version:7.0.15\r\nmaxclients:10\r\nconnected_clients:9\r\n"
        connection.sendall(b"$%d\r\n%s\r\n" % (len(info), info))

    broker = brokers.ask(Place("redis", speak(talk), None, "x"), monitoring=False)
    assert broker["detail"] == "Redis 7.0.15"
    assert (broker["facts"]["maxclients"], broker["facts"]["connected_clients"]) == ("10", "9")


def test_postgresql_is_known_by_one_byte(speak: Callable[[Talk], str]) -> None:
    address = speak(lambda c: (c.recv(8), c.sendall(b"N"))[1])
    broker = brokers.ask(Place("postgresql", address, None, "x"), monitoring=False)
    assert broker["reachable"] and broker["facts"]["tls"] is False


def test_something_else_on_the_port_is_said_so(speak: Callable[[Talk], str]) -> None:
    address = speak(lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"))
    broker = brokers.ask(Place("nats", address, None, "x"), monitoring=False)
    assert broker["detail"] == "connected, but it does not talk nats: its first line is not INFO"


def test_a_server_that_says_nothing_costs_a_second_or_two(speak: Callable[[Talk], str]) -> None:
    began = time.monotonic()
    broker = brokers.ask(Place("nats", speak(lambda c: time.sleep(4)), None, "x"), monitoring=False)
    assert time.monotonic() - began < 3
    assert "timed out" in broker["detail"]


def test_nobody_there_is_not_reachable() -> None:
    broker = brokers.ask(Place("redis", "127.0.0.1:1", "redis.service", "x"), monitoring=False)
    assert not broker["reachable"] and "refused" in broker["detail"]


def test_urls_in_settings_give_address_and_lose_password() -> None:
    text = (
        "NATS_URL=nats://notify:hunter2@n1.internal:4333\n"
        "CACHE='redis://localhost/2' DB=postgresql+asyncpg://a:b@[::1]:5433/chat HTTP=http://x:1/"
    )
    assert brokers.urls(text) == [
        ("nats", "n1.internal:4333"),
        ("redis", "localhost:6379"),
        ("postgresql", "[::1]:5433"),
    ]


def test_one_broker_is_asked_once_however_often_it_is_named() -> None:
    listening = {
        "family": "inet",
        "address": "*",
        "port": 4222,
        "process": "nats-server",
        "unit": "nats-server.service",
    }
    found = brokers.find(
        [listening],
        ["nats-server.service", "redis-server.service", "cron.service"],
        {"notify.service": "NATS_URL=nats://localhost:4222"},
        [{"kind": "nats", "address": "127.0.0.1:4222"}],
    )
    assert [(p.kind, p.address, p.unit) for p in found] == [
        ("nats", "127.0.0.1:4222", "nats-server.service"),
        ("redis", "127.0.0.1:6379", "redis-server.service"),
    ]
