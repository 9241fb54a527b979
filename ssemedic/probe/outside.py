"""The recorder that runs on the controller: httpx, with every read timed at the socket.

httpx gives the framing, HTTP/2 and the exceptions; the network below it is ours, so
that names, limits and times are those of the recorder on the host, and both records
can be compared. Nothing is decoded and no redirect is followed.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import h2.errors
import h2.events
import httpcore
import httpx

from ssemedic.probe import http1, proxy, wire
from ssemedic.probe.request import Request
from ssemedic.probe.tape import Stop, Tape, Watch
from ssemedic.stream.record import Stream

_HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")


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
    context = wire.tls_context(request) if request.secure else None
    network = _Network(request, tape)
    with contextlib.closing(_Transport(request, network, context)) as transport:
        try:
            # The real target and headers, with the token, are put in below httpx. No client
            # of httpx stands between: it reads Location and cookies, and raises at bad ones.
            outgoing = httpx.Request(request.method, request.public_url, content=request.body)
            answer = transport.handle_request(outgoing)
            _receive(answer, request, network, tape)
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _broken(error, network) from error
        except httpcore.ConnectionNotAvailable as error:
            raise Stop("h2_reset", "GOAWAY before the request was taken") from error


def _receive(answer: httpx.Response, request: Request, network: _Network, tape: Tape) -> None:
    line = network.line
    version = answer.http_version.removeprefix("HTTP/")
    head = http1.Answer(
        version, answer.status_code, answer.extensions["reason_phrase"], tuple(answer.headers.raw)
    )
    tape.answer(head.version, head.status, head.reason, head.headers, line.read_at)
    line.headers_done = True
    if version == "2":
        _check_http2(head)
    kind = "h2" if version == "2" else http1.framing(head, request.method)[0]
    for data in answer.iter_raw():
        tape.take(data, line.read_at)
    raise Stop("eof" if kind == "close" else "last_chunk")


def _check_http2(head: http1.Answer) -> None:
    """Browsers refuse these headers over HTTP/2 (RFC 9113, 8.2.2); httpx does not look."""
    found = [name for name, _value in head.headers if name.lower() in _HOP_BY_HOP]
    if found:
        raise Stop("protocol_error", f"header {found[0].decode('latin-1')} over HTTP/2")


def _broken(error: Exception, network: _Network) -> Stop:
    event = error.args[0] if error.args else None
    if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
        number = int(event.error_code or 0)
        known = [code.name for code in h2.errors.ErrorCodes if code == number]
        code = known[0] if known else str(number)
        name = "RST_STREAM" if isinstance(event, h2.events.StreamReset) else "GOAWAY"
        return Stop("h2_reset", f"{name} {code}")
    if network.line.eof:
        if network.line.headers_done:
            return Stop("truncated")
        seen = "after part of the headers" if network.line.received else "without an answer"
        return Stop("truncated", f"closed {seen}")
    if "Receive buffer too long" in str(error):  # h11 holds at most 100 KiB of a line
        return Stop("limit_line", "a line of the chunked framing has no end")
    return Stop("protocol_error", f"not valid HTTP ({type(error).__name__})")


class _Transport(httpx.BaseTransport):
    """One connection, one request, on our network."""

    def __init__(self, request: Request, network: _Network, context: ssl.SSLContext | None) -> None:
        self._request = request
        self._url = httpcore.URL(
            scheme="https" if request.secure else "http",
            host=request.host,
            port=request.port,
            target=proxy.target(request),
        )
        two = request.version == "2"
        self._connection = httpcore.HTTPConnection(
            self._url.origin,
            ssl_context=context,
            # In the clear HTTP/2 is spoken without asking; under TLS it is offered.
            http1=not two or request.secure,
            http2=two,
            network_backend=network,
        )

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
    """Connects as the recorder on the host does, or by the proxy command."""

    def __init__(self, request: Request, tape: Tape) -> None:
        self._request = request
        self._tape = tape
        self._line: _Line | None = None

    @property
    def line(self) -> _Line:
        assert self._line is not None, "httpx has connected"
        return self._line

    def connect_tcp(self, *_args: Any, **_kwargs: Any) -> httpcore.NetworkStream:
        by_command = self._request.proxy_command is not None
        connect = connect_by_command if by_command else wire.connect
        sock = connect(self._request, self._tape)
        self._line = _Line(sock, self._request, self._tape)
        if proxy.tunnels(self._request):
            proxy.open_tunnel(self._request, sock, self._tape)
        return self._line


class _Line(httpcore.NetworkStream):
    """A connected socket that knows when each read came, and enforces the limits."""

    def __init__(self, sock: socket.socket, request: Request, tape: Tape) -> None:
        self._wire = wire.Wire(sock, tape.clock)
        self._sock = sock
        self._request = request
        self._tape = tape
        self._head: http1.HeadReader | None = http1.HeadReader(request.limits)
        self._multiplexed = request.version == "2" and not request.secure
        self.headers_done = False
        self.received = 0

    @property
    def read_at(self) -> float:
        return self._wire.read_at

    @property
    def eof(self) -> bool:
        return self._wire.eof

    def read(self, *_size: Any, **_timeout: Any) -> bytes:
        limit = self._request.limits
        data = self._wire.read()
        self.received += len(data)
        if not self._multiplexed:
            self._check_head(data)
        elif self.received == len(data) and data.startswith(b"HTTP/1"):
            raise Stop("protocol_error", "answers HTTP/1 to a request in HTTP/2")
        elif not self.headers_done and self.received > 2 * limit.header_bytes:
            raise Stop("limit_headers", f"{self.received} bytes and no complete headers")
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
            self._wire.write(buffer)
        except Stop as stop:
            # A server may answer and close before it has read everything: httpcore then
            # reads the answer, if it is told in its own words.
            if stop.kind != "reset":
                raise
            raise httpcore.WriteError from stop
        if not self.received:
            self._tape.mark("sent")

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, *_name: Any, **_timeout: Any
    ) -> httpcore.NetworkStream:
        self._sock = wire.start_tls(self._sock, ssl_context, self._request, self._tape)
        self._wire = wire.Wire(self._sock, self._tape.clock)
        self._multiplexed = self._sock.selected_alpn_protocol() == "h2"
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._sock, ssl.SSLSocket):
            return self._sock
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
