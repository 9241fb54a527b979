"""Apps behind nginx that speak FastCGI, uwsgi, SCGI or HTTP/1.0: each tells what it was asked.

Where the path ends in /stream one event is sent at once, and the rest after `PAUSE` seconds.
"""

from __future__ import annotations

import json
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE = 0.35
Parameters = dict[str, str]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked = self.asked()
        if not asked:
            return
        path = asked.get("DOCUMENT_URI", asked.get("target", ""))
        self.say(b"Content-Type: text/plain\r\nX-App-1: yes\r\nX-App-2: yes\r\n\r\n")
        if path.endswith("/stream"):
            self.say(b"data: 1\n\n")
            time.sleep(PAUSE)
        self.say(json.dumps(asked).encode())
        self.finish_answer()

    def asked(self) -> Parameters:
        raise NotImplementedError

    def say(self, content: bytes) -> None:
        self.wfile.write(content)
        self.wfile.flush()

    def finish_answer(self) -> None:
        """The end of the connection is the end of the answer."""


class Http10(_Handler):
    def asked(self) -> Parameters:
        line = self.rfile.readline().decode("latin-1").split()
        found = {}
        while header := self.rfile.readline().strip():
            name, _, value = header.decode("latin-1").partition(": ")
            found[f"HTTP_{name.upper().replace('-', '_')}"] = value
        if line:
            self.say(b"HTTP/1.0 200 OK\r\n")
        return {**found, "target": line[1].partition("?")[0]} if line else {}


class Scgi(_Handler):
    def asked(self) -> Parameters:
        length = b""
        while (char := self.rfile.read(1)) not in (b":", b""):
            length += char
        if not length:
            return {}
        words = self.rfile.read(int(length) + 1).decode("latin-1").split("\0")
        self.say(b"Status: 200 OK\r\n")
        return dict(zip(words[::2], words[1::2], strict=False))


class Uwsgi(_Handler):
    def asked(self) -> Parameters:
        head = self.rfile.read(4)
        if len(head) < 4:
            return {}
        body, pos, words = self.rfile.read(struct.unpack("<xHx", head)[0]), 0, []
        while pos < len(body):
            (length,) = struct.unpack_from("<H", body, pos)
            words.append(body[pos + 2 : pos + 2 + length].decode("latin-1"))
            pos += 2 + length
        self.say(b"HTTP/1.1 200 OK\r\n")
        return dict(zip(words[::2], words[1::2], strict=False))


class FastCgi(_Handler):
    def asked(self) -> Parameters:
        params = b""
        while len(head := self.rfile.read(8)) == 8:
            kind, length, padding = head[1], *struct.unpack(">HB", head[4:7])
            content = self.rfile.read(length + padding)[:length]
            if kind == 4:
                params += content
            elif kind == 5 and not length:
                break
        found, pos = {}, 0
        while pos < len(params):
            sizes = []
            for _ in range(2):
                if params[pos] < 128:
                    sizes.append(params[pos])
                    pos += 1
                else:
                    sizes.append(struct.unpack_from(">I", params, pos)[0] & 0x7FFFFFFF)
                    pos += 4
            name = params[pos : pos + sizes[0]].decode("latin-1")
            found[name] = params[pos + sizes[0] : pos + sum(sizes)].decode("latin-1")
            pos += sum(sizes)
        return found or {"empty": "yes"}

    def say(self, content: bytes) -> None:
        _Handler.say(self, struct.pack(">BBHHBB", 1, 6, 1, len(content), 0, 0) + content)

    def finish_answer(self) -> None:
        _Handler.say(self, struct.pack(">BBHHBB", 1, 6, 1, 0, 0, 0))
        _Handler.say(self, struct.pack(">BBHHBB", 1, 3, 1, 8, 0, 0) + bytes(8))


HANDLERS = {"proxy": Http10, "scgi": Scgi, "uwsgi": Uwsgi, "fastcgi": FastCgi}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


@contextmanager
def gateways() -> Iterator[dict[str, int]]:
    """The ports of the apps by family."""
    servers = {family: _Server(("127.0.0.1", 0), kind) for family, kind in HANDLERS.items()}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {family: server.server_address[1] for family, server in servers.items()}
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()
