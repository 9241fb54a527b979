"""A server that speaks HTTP/2 by the library h2, as a script for ``serve(...)``."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from scripted_server import Script

EVENT = b"data: x\n\n"
HEADERS = [(":status", "200"), ("content-type", "text/event-stream")]

#: Gets the connection, the stream's number, and a function that sends what is due.
Answer = Callable[[h2.connection.H2Connection, int, Callable[[], None]], None]


def h2_server(
    answer: Answer,
    seen: list[tuple[bytes, bytes]] | None = None,
    bodies: list[bytes] | None = None,
) -> Script:
    """Answers each request once it is complete; for ``serve(..., read_request=False)``."""

    def script(connection: socket.socket) -> None:
        # The faults under test are what a server should not send.
        config = h2.config.H2Configuration(
            client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        state = h2.connection.H2Connection(config)
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        connection.settimeout(5.0)

        def flush() -> None:
            connection.sendall(state.data_to_send())

        body = b""
        while True:
            data = connection.recv(65536)
            if not data:
                return
            try:
                events = state.receive_data(data)
            except h2.exceptions.ProtocolError:
                return  # the answer has closed the connection
            for event in events:
                if isinstance(event, h2.events.RequestReceived) and seen is not None:
                    seen.extend(event.headers or [])
                if isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                    size = event.flow_controlled_length or 0
                    state.acknowledge_received_data(size, event.stream_id or 0)
                if isinstance(event, h2.events.StreamEnded):
                    if bodies is not None:
                        bodies.append(body)
                    answer(state, event.stream_id or 0, flush)
            flush()

    return script


def steps(*parts: bytes | float, headers: Sequence[tuple[str, str]] = HEADERS) -> Answer:
    """An answer of body bytes to send and seconds to sleep; the stream stays open."""

    def answer(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        state.send_headers(number, headers)
        for part in parts:
            if isinstance(part, bytes):
                state.send_data(number, part)
            flush()
            if isinstance(part, float):
                time.sleep(part)

    return answer


def ending(*parts: bytes | float, headers: Sequence[tuple[str, str]] = HEADERS) -> Answer:
    """The same, and the stream ends."""

    def answer(state: h2.connection.H2Connection, number: int, flush: Callable[[], None]) -> None:
        steps(*parts, headers=headers)(state, number, flush)
        state.end_stream(number)

    return answer


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame as it travels, right or wrong (RFC 9113, 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload
