"""A running nginx and the model of its configuration, asked the same."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from real_nginx import RealNginx, main_conf, running

from ssemedic.nginx import Route, Tree, route, tree_of

#: What the root of every nginx here holds.
FILES = frozenset({"/", "/index.html"})


@dataclass(frozen=True)
class Answered:
    """What nginx answered: header lines in order, names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class Running:
    """A started nginx and the model of its configuration."""

    tree: Tree
    port: int
    version: str

    def ask(self, host: str, target: str, address: str = "127.0.0.1") -> Answered:
        connection = http.client.HTTPConnection(address, self.port, timeout=10)
        connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        for name, value in (
            ("Host", f"{host}:{self.port}"),
            ("Accept", "text/event-stream"),
            ("Accept-Encoding", "gzip"),
        ):
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        headers = tuple((name.lower(), as_sent(value)) for name, value in answer.getheaders())
        connection.close()
        return Answered(answer.status, headers, body)

    def says(self, host: str, target: str, address: str = "127.0.0.1") -> Route:
        url = f"http://{host}:{self.port}{target}"
        return route(self.tree, url, self.version, address, files=FILES)


def as_sent(value: str) -> str:
    """A header line as nginx wrote it: http.client reads latin-1."""
    return value.encode("latin-1").decode("utf-8", "surrogateescape")


@contextmanager
def asking(nginx: RealNginx, root: Path, port: int, text: str) -> Iterator[Running]:
    """nginx with these servers in its http block, until the end of the block."""
    (root / "html").mkdir()
    (root / "html" / "index.html").write_text("<!doctype html>page\n")
    main = root / "nginx.conf"
    main.write_text(main_conf(root, f"root {root}/html;\n{text}"))
    model = Running(tree_of({str(main): main.read_bytes()}, str(main)), port, nginx.version)
    process = running(nginx, main, port)
    try:
        yield model
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
