"""The recorder that runs on the controller: httpx, with every read timed at the socket.

httpx reads HTTP/1; the network below it is ours, so that names, limits and times are those
of the recorder on the host, and both records can be compared. HTTP/2 is ours as well: httpx
ends a stream at a GOAWAY that lets it go on. Nothing is decoded, no redirect is followed.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

from ssemedic.probe import http1, http2, proxy, wire
from ssemedic.probe.request import Request
from ssemedic.probe.tape import Stop, Tape, Watch
from ssemedic.stream.record import Stream


def record(request: Request, watch: Watch | None = None) -> Stream:
    """One attempt, recorded until it ends or its window closes; no redirect is followed.

    Never raises for what a server or the network does: that is in ``Stream.end``.
    ``watch`` is told of each phase and read as it comes.
    """
    tape = Tape(request, "outside", watch)
    try:
        _attempt(request, tape)
    except Stop as stop:
        return tape.stream(stop.kind, stop.detail)
    except KeyboardInterrupt:
        if watch is None:
            raise
        return tape.stream("limit_time", "stopped by hand")  # who watched still wants the verdict
    raise AssertionError("an attempt always ends with a Stop")


def _attempt(request: Request, tape: Tape) -> None:
    proxy.check(request)
    with contextlib.closing(_Line(request, tape)) as line:
        if line.speaks_http2:
            http2.converse(request, line.wire, tape)
        with contextlib.closing(_Transport(request, line)) as transport:
            try:
                # The real target and headers, with the token, are put in below httpx. No client
                # of httpx stands between: it reads Location and cookies, and raises at bad ones.
                outgoing = httpx.Request(request.method, request.public_url, content=request.body)
                _receive(transport.handle_request(outgoing), request, line, tape)
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                raise _broken(error, line) from error


def _receive(answer: httpx.Response, request: Request, line: _Line, tape: Tape) -> None:
    head = http1.Answer(
        answer.http_version.removeprefix("HTTP/"),
        answer.status_code,
        answer.extensions["reason_phrase"],
        tuple(answer.headers.raw),
    )
    tape.answer(head.version, head.status, head.reason, head.headers, line.wire.read_at)
    line.headers_done = True
    kind = http1.framing(head, request.method)[0]
    for data in answer.iter_raw():
        tape.take(data, line.wire.read_at)
    raise Stop("eof" if kind == "close" else "last_chunk")


def _broken(error: Exception, line: _Line) -> Stop:
    if line.wire.eof:
        if line.headers_done:
            return Stop("truncated")
        seen = "after part of the headers" if line.received else "without an answer"
        return Stop("truncated", f"closed {seen}")
    if "Receive buffer too long" in str(error):  # h11 holds at most 100 KiB of a line
        return Stop("limit_line", "a line of the chunked framing has no end")
    return Stop("protocol_error", f"not valid HTTP ({type(error).__name__})")


class _Transport(httpx.BaseTransport):
    """One request in HTTP/1 on a connection that is there."""

    def __init__(self, request: Request, line: _Line) -> None:
        self._request = request
        self._url = httpcore.URL(
            scheme="http",  # TLS is spoken already
            host=request.host,
            port=request.port,
            target=proxy.target(request),
        )
        self._connection = httpcore.HTTPConnection(self._url.origin, network_backend=_Network(line))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        lines = self._request.wire_headers() + proxy.headers(self._request)
        answer = self._connection.handle_request(
            httpcore.Request(
                method=self._request.method,
                url=self._url,
                headers=[(k.encode("ascii"), v.encode("latin-1")) for k, v in lines],
                content=request.read(),
            )
        )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions={"reason_phrase": b"", **answer.extensions},
        )

    def close(self) -> None:
        self._connection.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts

    def close(self) -> None:
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


class _Network(httpcore.NetworkBackend):
    """Has connected already."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def connect_tcp(self, *_args: Any, **_kwargs: Any) -> httpcore.NetworkStream:
        return self._line


class _Line(httpcore.NetworkStream):
    """A connection that knows when each read came, and enforces the limits.

    It connects as the recorder on the host does, or by the proxy command; raises `Stop`.
    """

    def __init__(self, request: Request, tape: Tape) -> None:
        self._request = request
        self._tape = tape
        self._head: http1.HeadReader | None = http1.HeadReader(request.limits)
        self.headers_done = False
        self.received = 0
        with contextlib.ExitStack() as undo:
            context = wire.tls_context(request) if request.secure else None
            by_command = request.proxy_command is not None
            sock = (connect_by_command if by_command else wire.connect)(request, tape)
            undo.callback(sock.close)
            if proxy.tunnels(request):
                proxy.open_tunnel(request, sock, tape)
            self.speaks_http2 = request.version == "2"  # in the clear it is spoken without asking
            if context is not None:
                sock, self.speaks_http2 = wire.start_tls(sock, context, request, tape)
            undo.pop_all()
        self.wire = wire.Wire(sock, tape.clock)

    def read(self, *_size: Any, **_timeout: Any) -> bytes:
        data = self.wire.read()
        self.received += len(data)
        self._check_head(data)
        return data

    def _check_head(self, data: bytes) -> None:
        # The same reader as on the host, so that both stop at the same byte.
        while self._head is not None and data:
            complete = self._head.feed(data)
            if complete is None:
                return
            answer, data = complete
            interim = http1.is_interim(answer)
            if not interim:
                http1.framing(answer, self._request.method)
            self._head = http1.HeadReader(self._request.limits) if interim else None

    def write(self, buffer: bytes, *_timeout: Any, **_also: Any) -> None:
        if self._request.version == "1.0":
            buffer = buffer.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
        try:
            self.wire.write(buffer)
        except Stop as stop:
            # A server may answer and close before it has read everything: httpcore then
            # reads the answer, if it is told in its own words.
            if stop.kind != "reset":
                raise
            raise httpcore.WriteError from stop
        if not self.received:
            self._tape.mark("sent")

    def close(self) -> None:
        self.wire.sock.close()

    def get_extra_info(self, _info: str) -> Any:
        return None


def connect_by_command(request: Request, tape: Tape) -> socket.socket:
    """The socket that a proxy command passes to us, as for ssh's ProxyUseFdpass.

    %h and %p in the command become the host and port to connect to. Raises `Stop`;
    the last line the command wrote to its standard error is the detail.
    """
    host, port = request.dial
    try:
        words = shlex.split(request.proxy_command or "")
    except ValueError as error:
        raise Stop("not_recorded", f"proxy command: {error}") from error
    values = {"%h": host, "%p": str(port), "%%": "%"}
    command = [_filled(word, values) for word in words]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        try:
            end = theirs.fileno()
            process = subprocess.Popen(command, stdin=end, stdout=end, stderr=subprocess.PIPE)
        except (OSError, IndexError) as error:
            raise Stop("not_recorded", f"proxy command: cannot be run ({error})") from error
        theirs.close()
        with process:
            try:
                return _passed_socket(ours, process, request, tape)
            finally:
                process.kill()


def _passed_socket(
    ours: socket.socket, process: subprocess.Popen[bytes], request: Request, tape: Tape
) -> socket.socket:
    allowed = min(request.limits.connect_seconds, tape.clock.left())
    ours.settimeout(max(0.001, allowed))
    try:
        _data, passed, _flags, _address = socket.recv_fds(ours, 1, 1)
    except TimeoutError as error:
        raise Stop("timeout_connect", f"proxy command: no socket within {allowed:.1f} s") from error
    except OSError as error:
        raise Stop("not_recorded", f"proxy command: {error}") from error
    if not passed:
        reason = _last_words(process) or "it passed no socket"
        raise Stop(_kind_of(reason), f"proxy command: {reason}")
    sock = socket.socket(fileno=passed[0])
    tape.mark("resolved")
    tape.mark("connected")
    tape.address = wire.shown(sock.family, sock.getpeername())
    return sock


def _last_words(process: subprocess.Popen[bytes]) -> str:
    try:
        _out, said = process.communicate(timeout=1.0)
    except subprocess.TimeoutExpired:
        return ""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


def _kind_of(reason: str) -> str:
    """The end kind for what a proxy command says in the words of strerror(3)."""
    lowered = reason.lower()
    if "refused" in lowered:
        return "refused"
    if "timed out" in lowered:
        return "timeout_connect"
    if "unreachable" in lowered or "no route" in lowered or "is not running" in lowered:
        return "unreachable"
    return "not_recorded"


def _filled(word: str, values: dict[str, str]) -> str:
    parts: list[str] = []
    position = 0
    while position < len(word):
        pair = word[position : position + 2]
        parts.append(values.get(pair, word[position]))
        position += 2 if pair in values else 1
    return "".join(parts)
