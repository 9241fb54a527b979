"""What nginx's workers logged about the upstream of one endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ssemedic.clues.logged import lines_of_workers
from ssemedic.evidence import Evidence

_LINE = re.compile(
    r"\*\d+ (?P<message>[^\n]*?), client: .*?request: \"\S+ (?P<path>[^ ?\"]*)[^\"]*\""
    r".*?upstream: \"(?P<scheme>\w+)://(?P<rest>[^\"]*)\""
)
_UNIX = re.compile(r"unix:([^:\"]+)")
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^/:]+):(\d+)")


@dataclass(frozen=True)
class UpstreamError:
    """One line: what happened, and with which address ("10.0.0.7:8000", "[::1]:80",
    "unix:/path", "" where nginx had none)."""

    message: str
    address: str

    @property
    def host(self) -> str:
        """The address without port and brackets, "" for a unix socket."""
        found = _ADDRESS.fullmatch(self.address)
        return found[1].strip("[]") if found else ""


def upstream_errors(evidence: Evidence, url: str) -> tuple[UpstreamError, ...]:
    """The lines about this endpoint that the workers in charge wrote, oldest first."""
    path = urlsplit(url).path or "/"
    found = []
    for line in lines_of_workers(evidence, _LINE):
        match = _LINE.search(line.text)
        if match is not None and match["path"] == path:
            found.append(UpstreamError(match["message"], _address(match["rest"])))
    return tuple(found)


def _address(rest: str) -> str:
    unix = _UNIX.match(rest)
    if unix:
        return f"unix:{unix[1]}"
    plain = _ADDRESS.match(rest)
    return f"{plain[1]}:{plain[2]}" if plain else ""
