"""A dev proxy on this host: passes a stream on, compresses it without a flush, or collects it.

    dev_proxy.py pass|gzip|collect

Listens on port 5173 and asks nginx at 127.0.0.1:8080 for everything.
"""

from __future__ import annotations

import http.client
import http.server
import sys
import zlib

MODE = sys.argv[1]


class Proxy(http.server.BaseHTTPRequestHandler):
    """One request: asked onwards with the same headers, answered until either side ends."""

    def do_GET(self) -> None:
        onward = http.client.HTTPConnection("127.0.0.1", 8080)
        headers = {name: value for name, value in self.headers.items() if name != "Accept-Encoding"}
        onward.request("GET", self.path, headers={**headers, "Accept-Encoding": "identity"})
        answer = onward.getresponse()
        body = answer.read() if MODE == "collect" else None
        zipped = MODE == "gzip" and "gzip" in self.headers.get("Accept-Encoding", "")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        compressor = zlib.compressobj(wbits=31)
        while part := body or answer.read1(65536):
            self.wfile.write(compressor.compress(part) if zipped else part)
            if body:
                break
        if zipped:
            self.wfile.write(compressor.flush())


http.server.ThreadingHTTPServer(("", 5173), Proxy).serve_forever()
