"""A stream as a WSGI application: an event each second, from a generator that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any


def app(environ: dict[str, Any], start: Callable[..., object]) -> Iterator[bytes] | list[bytes]:
    if environ["PATH_INFO"] != "/events":
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such page\n"]
    start("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")])
    return _events()


def _events() -> Iterator[bytes]:
    while True:
        yield b"data: tick\n\n"
        time.sleep(1)
