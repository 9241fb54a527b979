"""`ssemedic page`: the diagnosis page, served on loopback with a prober, or written as a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from ssemedic.commands.output import UsageError
from ssemedic.endpoint import EndpointError, checked_origin, endpoint_of, message_of
from ssemedic.page import write
from ssemedic.page.serve import Server


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write or serve; returns the exit code. Raises `UsageError`."""
    settings = _settings(arguments)
    if arguments.write is not None:
        _write(arguments.write, write.text(settings))
        console.print(f"{arguments.write}: written; put it beside the app's pages", markup=False)
        return 0
    try:
        server = Server(settings, arguments.port)
    except (OSError, OverflowError) as error:
        raise UsageError(f"--port {arguments.port}: {error}") from error
    console.print("Open this once, on this machine (the secret in it is good for one time):")
    console.print(f"\n  {server.address}\n", markup=False, soft_wrap=True)
    console.print("Ctrl-C stops it.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        console.print("Stopped.")
    finally:
        server.server_close()
    return 0


def _settings(arguments: argparse.Namespace) -> dict[str, object]:
    """What fills in the form; a token is never among it."""
    settings: dict[str, object] = {}
    if arguments.window is not None and not 1 <= arguments.window <= 600:
        raise UsageError(f"--for: is {arguments.window:g}, must be 1 to 600 seconds")
    if arguments.keepalive is not None and not arguments.keepalive > 0:
        raise UsageError(f"--keepalive: is {arguments.keepalive:g}, must be more than 0 seconds")
    for name, value in (("url", arguments.url), ("proxy", arguments.proxy)):
        if value:
            settings[name] = _plain(f"--{name}", value)
    try:
        if arguments.origin:
            settings["origin"] = checked_origin(arguments.origin)
        if arguments.message:
            message = message_of(json.loads(arguments.message.read_text("utf-8")))
            settings["message_path"] = message.path
            settings["message_body"] = json.dumps(dict(message.body))
    except EndpointError as error:
        raise UsageError(f"--{error}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"--message: {arguments.message}: {error}") from error
    rest = {"window": arguments.window, "keepalive": arguments.keepalive, "names": arguments.names}
    return {**settings, **{name: value for name, value in rest.items() if value is not None}}


def _plain(option: str, url: str) -> str:
    try:
        endpoint, token = endpoint_of({"url": url})
    except EndpointError as error:
        raise UsageError(f"{option}: {error}") from error
    if token:
        raise UsageError(
            f"{option}: carries a token, which every process list shows; give it to the page itself"
        )
    return endpoint.url


def _write(path: Path, text: str) -> None:
    """A file that a web server may read: it holds no secret. Raises `UsageError`."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
