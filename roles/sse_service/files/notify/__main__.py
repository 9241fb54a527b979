"""`python -m notify`: serve until SIGTERM. Exit status 78 means that a setting cannot be used."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import uvicorn

from notify.app import create_app
from notify.environment import SettingsError
from notify.logs import log_config
from notify.misconfigurations import Misconfigurations, read_misconfigurations
from notify.settings import Settings, read_settings

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

EX_CONFIG = 78


class Server(uvicorn.Server):
    """Ends the streams before it waits for connections to close; they would never do so alone."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn once a signal came."""
        self._app.state.hub.stop()
        await super().shutdown(sockets)


def main() -> int:
    """Read the settings and serve."""
    try:
        settings = read_settings(os.environ)
        wrong = read_misconfigurations(os.environ)
    except SettingsError as error:
        print(f"notify: {error}", file=sys.stderr)
        return EX_CONFIG
    serve(settings, wrong)
    return 0


def serve(settings: Settings, wrong: Misconfigurations) -> None:
    """Run uvicorn until a signal."""
    app = create_app(settings, wrong)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http="h11" if wrong.http_parser == "h11" else "httptools",
        log_config=log_config(settings.log_level),
        timeout_graceful_shutdown=None if wrong.stop == "hang" else settings.shutdown,
        server_header=False,
        lifespan="on",
    )
    log = logging.getLogger("notify")
    log.info(
        "starting listen=%s:%d algorithms=%s ping=%s cors=%s",
        settings.host,
        settings.port,
        ",".join(settings.tokens.keys),
        settings.ping,
        ",".join(settings.cors_origins) or "none",
    )
    for fault in wrong.active():
        log.warning("misconfigured on purpose: %s", fault)
    if wrong.workers == 1:
        Server(config, app).run()
        return
    # The misconfiguration NOTIFY_WORKERS: as `uvicorn --workers`, processes that share a socket.
    shared = config.bind_socket()
    for _ in range(wrong.workers - 1):
        if os.fork() == 0:
            break
    Server(config, app).run(sockets=[shared])


if __name__ == "__main__":
    sys.exit(main())
