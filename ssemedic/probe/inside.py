"""The recorder that runs on the inspected host: plain sockets, standard library, Python 3.8."""

from __future__ import annotations

import contextlib

from ..stream.record import Stream
from . import http1, http2, wire
from .request import Request
from .tape import Stop, Tape


def record(request: Request) -> Stream:
    """One attempt, recorded until it ends or its window closes; no redirect is followed.

    Never raises for what a server or the network does: that is in ``Stream.end``.
    """
    tape = Tape(request, "inside")
    with contextlib.ExitStack() as stack:
        try:
            _attempt(request, tape, stack)
        except Stop as stop:
            return tape.stream(stop.kind, stop.detail)
    raise AssertionError("an attempt always ends with a Stop")


def _attempt(request: Request, tape: Tape, stack: contextlib.ExitStack) -> None:
    if request.proxy_command is not None:
        raise Stop("not_recorded", "the recorder on the host uses no proxy command")
    if request.proxy is not None:
        raise Stop("not_recorded", "the recorder on the host uses no proxy")
    context = wire.tls_context(request) if request.secure else None
    sock = stack.enter_context(contextlib.closing(wire.connect(request, tape)))
    two = request.version == "2"  # in the clear it is spoken without asking
    if context is not None:
        sock, two = wire.start_tls(sock, context, request, tape)
        stack.enter_context(contextlib.closing(sock))
    line = wire.Wire(sock, tape.clock)
    if two:
        http2.converse(request, line, tape)
    _send(request, line)
    tape.mark("sent")
    _receive(request, line, tape)


def _send(request: Request, line: wire.Wire) -> None:
    version = "1.1" if request.version == "2" else request.version  # it has chosen the other
    head = http1.request_head(request.method, request.target, version, request.wire_headers())
    try:
        line.write(head + (request.body or b""))
    except Stop as stop:
        # A server may answer and close before it has read everything: hear the answer.
        if stop.kind != "reset":
            raise


def _receive(request: Request, line: wire.Wire, tape: Tape) -> None:
    reader = http1.HeadReader(request.limits)
    complete = None
    rest = b""
    while complete is None:
        data = rest or line.read()
        rest = b""
        if not data:
            seen = "after part of the headers" if reader.started else "without an answer"
            raise Stop("truncated", f"closed {seen}")
        complete = reader.feed(data)
        if complete is not None and http1.is_interim(complete[0]):
            reader, rest, complete = http1.HeadReader(request.limits), complete[1], None
    answer, rest = complete
    body = http1.BodyReader(*http1.framing(answer, request.method), request.limits)
    tape.answer(answer.version, answer.status, answer.reason, answer.headers, line.read_at)
    if rest:
        tape.take(body.feed(rest), line.read_at)
    while not body.done:
        data = line.read()
        if not data:
            raise Stop("eof") if body.kind == "close" else Stop("truncated")
        tape.take(body.feed(data), line.read_at)
    raise Stop("last_chunk")
