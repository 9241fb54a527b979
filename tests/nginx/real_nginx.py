"""A real nginx on loopback and an upstream that tells what it was asked."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class RealNginx:
    """The nginx binary, run only with a prefix, configuration and pid file of its own."""

    binary: str

    def test(self, main: Path) -> subprocess.CompletedProcess[str]:
        """nginx -t on a configuration."""
        return subprocess.run(
            [self.binary, "-t", "-q", "-p", str(main.parent), "-c", str(main)],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip

    @property
    def version(self) -> str:
        """As nginx -v prints it."""
        shown = subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=True)
        return shown.stderr.strip().partition("nginx/")[2]


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = {
            "target": self.requestline.split()[1],  # self.path folds slashes
            "version": self.request_version,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "port": self.server.server_address[1],
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        for number in (1, 2, 3):
            self.send_header(f"X-App-{number}", "yes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "echo"

    def log_message(self, format: str, *args: object) -> None:
        """The test's output is no place for it."""


PREAMBLE = """\
user root;
pid {root}/nginx.pid;
error_log {root}/error.log warn;
events {{ worker_connections 256; }}
"""
HTTP = """\
    access_log off;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
"""


def main_conf(root: Path, http: str) -> str:
    """A whole nginx.conf around the inside of an http block; writes nothing outside root."""
    fill = {"root": str(root)}
    return f"{PREAMBLE.format(**fill)}http {{\n{HTTP.format(**fill)}{http}\n}}\n"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def running(nginx: RealNginx, main: Path, port: int) -> subprocess.Popen[bytes]:
    """nginx in the foreground, once it accepts connections; the caller ends it."""
    process = subprocess.Popen(
        [nginx.binary, "-p", str(main.parent), "-c", str(main), "-g", "daemon off;"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    for _ in range(200):
        if process.poll() is not None:
            assert process.stderr is not None
            pytest.fail(f"nginx did not start: {process.stderr.read().decode()}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return process
        except OSError:
            time.sleep(0.02)
    process.terminate()
    pytest.fail("nginx did not accept connections within 4 s")
