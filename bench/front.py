"""A real nginx on loopback before a source of ours; both end with the block."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError

_NGINX = "/usr/sbin/nginx"
_START_SECONDS = 10.0

_CONFIG = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 2;
worker_rlimit_nofile {descriptors};
events {{ worker_connections 20000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://unix:{folder}/source.sock:;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


@contextlib.contextmanager
def source_behind_nginx(module: str, descriptors: int) -> Iterator[tuple[int, Path]]:
    """The port of nginx and the unix socket of ``module``, both serving. Raises LabError."""
    # A short path: a socket's name has room for 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the workers of nginx are another user's
        port = _free_port()
        config = folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(folder=folder, port=port, descriptors=descriptors), encoding="utf-8"
        )
        path = folder / "source.sock"
        with _running([sys.executable, "-m", module, str(path)], folder / "source.log"):
            _wait_for(path, folder / "source.log")
            path.chmod(0o777)
            with _running([_NGINX, "-c", str(config), "-p", name], folder / "nginx.log"):
                _wait_for(port, folder / "error.log")
                yield port, path


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(listener: int | Path, log: Path) -> None:
    family = socket.AF_UNIX if isinstance(listener, Path) else socket.AF_INET
    address = str(listener) if isinstance(listener, Path) else ("127.0.0.1", listener)
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with socket.socket(family) as sock:
            try:
                sock.connect(address)
                return
            except OSError:
                time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")[-500:] if log.exists() else ""
    raise LabError(f"{listener}: nobody listens after {_START_SECONDS:g} s: {said}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
