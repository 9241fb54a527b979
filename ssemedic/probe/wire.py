"""Connecting: names, addresses, unix sockets, TLS, each with a limit and a plain verdict.

Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from typing import Any

from .request import Request, RequestError
from .tape import Clock, Stop, Tape

#: Largest single read. Small, so that a limit is never overshot by more than this.
READ_BYTES = 16 << 10

#: At most this many addresses of one name are tried.
MAX_ADDRESSES = 4

_UNREACHABLE = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
}
# When several addresses fail in different ways, the one that says most about the host.
_TELLING = ("refused", "reset", "timeout_connect", "unreachable", "not_recorded")


def connect(request: Request, tape: Tape) -> socket.socket:
    """A connected TCP or unix socket; raises `Stop`. Marks ``resolved`` and ``connected``."""
    try:
        host, port = request.dial
    except RequestError as error:
        raise Stop("not_recorded", str(error)) from error
    if port == 0:
        candidates: list[tuple[int, Any]] = [(socket.AF_UNIX, host)]
    else:
        candidates = resolve(host, port, tape.clock)
    tape.mark("resolved")
    failures: list[Stop] = []
    for family, address in candidates[:MAX_ADDRESSES]:
        try:
            sock = _connect_one(family, address, request, tape.clock)
        except Stop as stop:
            failures.append(stop)
            continue
        tape.mark("connected")
        tape.address = shown(family, address)
        return sock
    failures.sort(key=lambda stop: _TELLING.index(stop.kind))
    raise Stop(failures[0].kind, "; ".join(stop.detail for stop in failures))


def resolve(host: str, port: int, clock: Clock) -> list[tuple[int, Any]]:
    """(family, address) pairs of a name; raises `Stop` with unreachable.

    getaddrinfo has no time limit of its own, so it runs in a thread that is left
    behind when the window closes.
    """
    found: list[Any] = []
    failed: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(max(0.0, clock.left()))
    if failed:
        raise Stop("unreachable", f"{host}: {failed[0].strerror or failed[0]}")
    if not found:
        raise Stop("unreachable", f"{host}: name not resolved within {clock.window:g} s")
    return [(entry[0], entry[4]) for entry in found]


def shown(family: int, address: Any) -> str:
    """An address as text, in the form of `Request.connect`."""
    if family == socket.AF_UNIX:
        return f"unix:{address}"
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tls_context(request: Request) -> ssl.SSLContext:
    """A client context for the request; raises `Stop` with not_recorded."""
    try:
        context = ssl.create_default_context(cafile=request.ca_file)
    except OSError as error:
        raise Stop("not_recorded", f"ca_file: cannot be read ({error.strerror})") from error
    if not request.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def start_tls(
    sock: socket.socket, context: ssl.SSLContext, request: Request, tape: Tape
) -> tuple[ssl.SSLSocket, bool]:
    """The socket under TLS, and whether HTTP/2 was agreed on (RFC 7301).

    Raises `Stop` with tls_error, or limit_time for no answer.
    """
    context.set_alpn_protocols(["h2", "http/1.1"] if request.version == "2" else ["http/1.1"])
    try:
        sock.settimeout(max(0.001, tape.clock.left()))
        name = request.host if request.server_name is None else request.server_name
        wrapped = context.wrap_socket(sock, server_hostname=name or None)
    except ssl.SSLCertVerificationError as error:
        raise Stop("tls_error", f"certificate: {error.verify_message}") from error
    except (OSError, ValueError) as error:
        if is_our_timeout(error):
            raise Stop("limit_time", "no answer to the TLS handshake") from error
        reason = getattr(error, "reason", None)  # SSLError: "WRONG_VERSION_NUMBER" and the like
        raise Stop("tls_error", f"handshake: {reason or error}") from error
    tape.mark("tls")
    return wrapped, wrapped.selected_alpn_protocol() == "h2"


class Wire:
    """Timed reads and writes on one connected socket."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self.sock = sock
        self.read_at = 0.0  # seconds since the start, of the latest read
        self.eof = False
        self._clock = clock
        self._last_look = False

    def read(self) -> bytes:
        """The next bytes, b"" at the end of the connection; raises `Stop`.

        Once the window has closed it looks one last time without waiting: on a
        machine that stalls, bytes may have been there in time.
        """
        left = self._clock.left()
        if left <= 0:
            if self._last_look:
                raise Stop("limit_time")
            self._last_look = True
        try:
            self.sock.settimeout(max(0.001, left))
            data = self.sock.recv(READ_BYTES)
        except OSError as error:
            raise broken(error) from error
        self.read_at = self._clock.now()
        self.eof = not data
        return data

    def write(self, data: bytes) -> None:
        """Send everything; raises `Stop`."""
        try:
            self.sock.settimeout(max(0.001, self._clock.left()))
            self.sock.sendall(data)
        except OSError as error:
            raise broken(error) from error


def broken(error: OSError) -> Stop:
    """The end of an established connection, from the error of a read or write."""
    if is_our_timeout(error):
        return Stop("limit_time")
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return Stop("reset", "connection reset")
    if isinstance(error, ssl.SSLError):
        return Stop("tls_error", str(error.reason or error))
    return Stop("reset", error.strerror or str(error))


def is_our_timeout(error: Exception) -> bool:
    """True if a socket's own time limit ran out; False for the kernel's ETIMEDOUT.

    The first is no TimeoutError before Python 3.10, and has no errno in any.
    """
    return isinstance(error, socket.timeout) and error.errno is None


def _connect_one(family: int, address: Any, request: Request, clock: Clock) -> socket.socket:
    where = shown(family, address)
    allowed = min(request.limits.connect_seconds, clock.left())
    if allowed <= 0:
        raise Stop("timeout_connect", f"{where}: no time left")
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(allowed)
        sock.connect(address)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        sock.close()
        raise _not_connected(error, where, allowed) from error
    return sock


def _not_connected(error: OSError, where: str, allowed: float) -> Stop:
    if is_our_timeout(error) or error.errno == errno.ETIMEDOUT:
        return Stop("timeout_connect", f"{where}: no answer within {allowed:.1f} s")
    if error.errno == errno.EAGAIN:  # unix: the queue of connections to accept is full
        return Stop("timeout_connect", f"{where}: the accept queue is full")
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        return Stop("refused", f"{where}: {error.strerror}")
    if isinstance(error, ConnectionResetError):
        return Stop("reset", f"{where}: {error.strerror}")
    if error.errno in _UNREACHABLE:
        return Stop("unreachable", f"{where}: {error.strerror}")
    return Stop("not_recorded", f"{where}: {error.strerror or error}")
