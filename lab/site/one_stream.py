"""A stream that a newer one of anybody ends, once there are so many.

one_stream.py COUNT
"""

from __future__ import annotations

import http.server
import sys
import threading

COUNT = int(sys.argv[1])
open_streams: list[threading.Event] = []


class Events(http.server.BaseHTTPRequestHandler):
    """One request; its stream ends when it is told to."""

    def do_GET(self) -> None:
        if not self.path.startswith("/events"):
            self.send_error(404)
            return
        told = threading.Event()
        open_streams.append(told)
        while len(open_streams) > COUNT:
            open_streams.pop(0).set()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Accel-Buffering", "no")
        self.end_headers()
        while not told.is_set():
            self.wfile.write(b"data: tick\n\n")
            told.wait(1.0)


http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Events).serve_forever()
