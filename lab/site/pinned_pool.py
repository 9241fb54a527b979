"""A small service whose streams each keep a database connection: the pool has three.

`HOLD=query` gives the connection back before the stream begins; `HOLD=stream` (the fault) keeps
it for as long as the stream is open, as a session of the request does.
"""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from psycopg2.pool import ThreadedConnectionPool

POOL = ThreadedConnectionPool(1, 3, host="/var/run/postgresql", dbname="postgres")
HOLDS = os.environ.get("HOLD", "stream") == "stream"


class Handler(BaseHTTPRequestHandler):
    """GET /events streams; every other path answers without the database."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request in its own thread."""
        if self.path.partition("?")[0] != "/events":
            self.plain(200, b"ok\n")
            return
        try:
            connection = POOL.getconn()
        except Exception as error:
            print(f"ERROR events: {type(error).__module__}.{type(error).__name__}: {error}",
                  file=sys.stderr, flush=True)  # fmt: skip
            self.plain(500, b"Internal Server Error\n")
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchone()
            if not HOLDS:
                connection.rollback()
                POOL.putconn(connection)
            self.stream()
        finally:
            if HOLDS:
                POOL.putconn(connection)

    def plain(self, status: int, body: bytes) -> None:
        """A short answer."""
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        """A comment every second until the client goes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.wfile.write(b"event: connected\ndata: {}\n\n")
            while True:
                self.wfile.flush()
                time.sleep(1)
                self.wfile.write(b": ping\n\n")
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """No line for each request."""


ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
