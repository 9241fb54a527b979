"""A stream behind a write timeout for whole answers, as Go's http.Server has one.

    write_timeout.py SECONDS        0 for none

An event each second; after so many seconds from the request the connection is closed, in the
middle of the answer.
"""

from __future__ import annotations

import http.server
import sys
import time

LIMIT = float(sys.argv[1])


class Events(http.server.BaseHTTPRequestHandler):
    """One request; the limit counts from its first line."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        began = time.monotonic()
        if not self.path.startswith("/events"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not LIMIT or time.monotonic() - began < LIMIT:
            event = b"data: tick\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            left = began + LIMIT - time.monotonic() if LIMIT else 1.0
            time.sleep(max(0.0, min(1.0, left)))
        self.close_connection = True  # and no last chunk


http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Events).serve_forever()
