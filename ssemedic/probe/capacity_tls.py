"""TLS for very many streams: asyncio's own keeps 256 KiB for each connection."""

from __future__ import annotations

import ssl

_READ = 64 << 10


class Tls:
    """One client's TLS, fed with bytes; it neither reads nor writes a socket itself."""

    __slots__ = ("_incoming", "_object", "_outgoing", "closed", "ready")

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.ready = False  # the handshake is done
        self.closed = False  # the server said that it has nothing more to say

    def take(self, data: bytes) -> bytes:
        """What the server said, decrypted. Raises ssl.SSLError."""
        self._incoming.write(data)
        said: list[bytes] = []
        try:
            if not self.ready:
                self._object.do_handshake()
                self.ready = True
            while not self.closed:
                piece = self._object.read(_READ)
                self.closed = not piece
                said.append(piece)
        except ssl.SSLWantReadError:
            pass  # the rest of a record is still on its way
        except ssl.SSLZeroReturnError:
            self.closed = True
        return b"".join(said)

    def seal(self, data: bytes) -> None:
        """Encrypt; `outgoing` has the result. Raises ssl.SSLError."""
        self._object.write(data)

    def outgoing(self) -> bytes:
        """What must be sent now; may be empty."""
        return self._outgoing.read()
