from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from sse_service_wire import Nats, Service, Stream, free_port, running_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def nats() -> Iterator[Nats]:
    """One broker that stays up."""
    server = Nats(free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_nats() -> Iterator[Nats]:
    """A broker that a test may stop."""
    server = Nats(free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, nats: Nats) -> Iterator[Service]:
    """The healthy service, shared: nothing a test does to it may last."""
    folder = tmp_path_factory.mktemp("notify")
    with running_service(
        folder,
        nats.port,
        NOTIFY_PING_SECONDS="0.3",
        NOTIFY_TOKEN_LEEWAY_SECONDS="5",
        NOTIFY_CORS_ORIGINS="https://chat.example.org",
        NOTIFY_CORS_CREDENTIALS="on",
    ) as running:
        yield running


@pytest.fixture
def serve(tmp_path: Path, nats: Nats) -> Iterator[Callable[..., Service]]:
    """Start a service of one's own with these variables."""
    with contextlib.ExitStack() as stack:
        yield lambda nats_port=nats.port, **environment: stack.enter_context(
            running_service(tmp_path, nats_port, **environment)
        )


@pytest.fixture
def connect() -> Iterator[Callable[..., Stream]]:
    """Open streams that are closed after the test."""
    with contextlib.ExitStack() as stack:

        def open_stream(service: Service, bearer: str | None, **options: object) -> Stream:
            stream = Stream.open(service.port, bearer, **options)  # type: ignore[arg-type]
            stack.callback(stream.close)
            return stream

        yield open_stream
