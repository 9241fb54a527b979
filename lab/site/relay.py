"""A small event service on Redis or PostgreSQL, as many are: one listener thread, queues in memory.

GET /events streams, POST /api/chats/ID/messages publishes and answers 202 with an id. Settings:
RELAY_BROKER_URL (redis://... or postgresql://...), RELAY_PUBLISH_URL (the same by default),
RELAY_CHANNEL (subscribed), RELAY_PUBLISH (published to; the same by default),
RELAY_RECONNECT=on to subscribe again after a loss, RELAY_PER_STREAM=on for a subscription of its
own for each stream, RELAY_SLOW seconds of pause for each message that is heard.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import secrets
import select
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = os.environ["RELAY_BROKER_URL"]
PUBLISH_URL = os.environ.get("RELAY_PUBLISH_URL", URL)
CHANNEL = os.environ.get("RELAY_CHANNEL", "events")
PUBLISH = os.environ.get("RELAY_PUBLISH", CHANNEL)
RECONNECT = os.environ.get("RELAY_RECONNECT") == "on"
PER_STREAM = os.environ.get("RELAY_PER_STREAM") == "on"
SLOW = float(os.environ.get("RELAY_SLOW", "0"))
PING_SECONDS = 2.0

streams: set[queue.Queue[str]] = set()
lock = threading.Lock()


def driver(url: str) -> Any:
    """The library for that broker, as Debian packages it."""
    return importlib.import_module("redis" if url.startswith("redis") else "psycopg2")


def hand_on(text: str) -> None:
    if SLOW:
        time.sleep(SLOW)
    with lock:
        for one in streams:
            one.put(text)


def messages() -> Iterator[str]:
    """What is heard on the channel, until the connection ends."""
    if URL.startswith("redis"):
        heard = driver(URL).Redis.from_url(URL).pubsub()
        heard.subscribe(CHANNEL)
        for message in heard.listen():
            if message["type"] == "message":
                yield message["data"].decode()
        return
    session = driver(URL).connect(URL)
    session.autocommit = True
    session.cursor().execute(f'LISTEN "{CHANNEL}"')
    while True:
        if select.select([session], [], [], 5.0)[0]:
            session.poll()
            while session.notifies:
                yield session.notifies.pop(0).payload


def listen() -> None:
    while True:
        try:
            for text in messages():
                hand_on(text)
        except Exception as error:
            print(f"listener ended: {type(error).__name__}: {error}", flush=True)
        if not RECONNECT:
            return
        time.sleep(0.5)


def publish(text: str) -> None:
    if PUBLISH_URL.startswith("redis"):
        driver(PUBLISH_URL).Redis.from_url(PUBLISH_URL).publish(PUBLISH, text)
        return
    with driver(PUBLISH_URL).connect(PUBLISH_URL) as session:
        session.cursor().execute("SELECT pg_notify(%s, %s)", (PUBLISH, text))
    session.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, {"status": "ok"})
            return
        if self.path.partition("?")[0] != "/events":
            self.answer(404, {"error": "not found"})
            return
        own = None
        if PER_STREAM:
            try:
                own = driver(URL).Redis.from_url(URL).pubsub()
                own.subscribe(CHANNEL)
                own.get_message(timeout=2.0)  # what Redis answers to it
            except Exception as error:
                print(f"subscribe: {type(error).__name__}: {error}", flush=True)
                self.answer(503, {"error": "no subscription"})
                return
        waiting: queue.Queue[str] = queue.Queue()
        with lock:
            streams.add(waiting)
        try:
            self.stream(waiting)
        except OSError:
            pass
        finally:
            with lock:
                streams.discard(waiting)
            if own is not None:
                own.close()

    def stream(self, waiting: queue.Queue[str]) -> None:
        self.send_response(200)
        for name, value in (
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("X-Accel-Buffering", "no"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"event: connected\ndata: {}\n\n")
        while True:
            try:
                text = waiting.get(timeout=PING_SECONDS)
                self.wfile.write(b"event: message\ndata: %s\n\n" % text.encode())
            except queue.Empty:
                self.wfile.write(b": ping\n\n")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        number = secrets.token_hex(8)
        try:
            publish(json.dumps({"id": number, "text": str(body.get("text", ""))}))
        except Exception as error:
            print(f"publish: {type(error).__name__}: {error}", flush=True)
        self.answer(202, {"id": number, "status": "sent"})

    def answer(self, status: int, data: dict[str, str]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """No line for each request."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    if not PER_STREAM:
        threading.Thread(target=listen, daemon=True).start()
    elif not URL.startswith("redis"):
        raise SystemExit("RELAY_PER_STREAM: is for Redis")
    Server(("127.0.0.1", 8000), Handler).serve_forever()
