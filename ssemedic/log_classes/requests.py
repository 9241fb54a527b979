"""Access logs: what was answered to those who asked for the stream."""

from __future__ import annotations

import re

from .scan import Lines
from .signature import Signature

#: Status of an answer -> its class and what it tells.
_STATUSES = {
    b"401": ("auth", "401 to the stream", "other"),
    b"403": ("auth", "403 to the stream", "permission"),
    b"429": ("rejected", "429 to the stream", ""),
    b"503": ("rejected", "503 to the stream", ""),
    b"502": ("rejected", "502 to the stream", ""),
    b"504": ("upstream_headers", "504 to the stream", ""),
    b"500": ("stream", "500 to the stream", ""),
}
#: Combined and common log format, and JSON with a field of that name.
_STATUS = rb"[^\"]*\"? (\d{3}) |[\"']?status(?:_code)?[\"']? ?[:=] ?[\"']?(\d{3})\b"
#: Our own requests carry this name; they are no user's trouble.
_OURS = b'"ssemedic"'


def request_lines(path: str) -> Lines:
    """How the lines of requests for one path are found and told apart."""
    bare = path.encode("utf-8", "replace")
    asked = re.compile(rb"(?:GET|POST) " + re.escape(bare) + rb"(?=[?\s\"])")
    status = re.compile(_STATUS)

    def known(line: bytes) -> Signature | None:
        found = asked.search(line)
        if found is None or _OURS in line:
            return None
        answered = status.search(line, found.end())
        code = (answered.group(1) or answered.group(2)) if answered else b""
        return _SIGNATURES.get(code)

    return Lines((re.compile(re.escape(bare)),), known)


_SIGNATURES = {
    code: Signature(kind, "access log", name, name, "", reason)
    for code, (kind, name, reason) in _STATUSES.items()
}
