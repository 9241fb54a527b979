"""What a task or a command asks for: which endpoint, with which token, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ssemedic.endpoint import Endpoint, EndpointError, endpoint_of
from ssemedic.probe.request import Request, RequestError
from ssemedic.token import Token, TokenError, judge, read_token

#: Long enough for a short idle timeout to show, short enough to wait for (seconds).
WINDOW = 8.0


class AssignmentError(ValueError):
    """Something asked for cannot be done as it is written; the message is one sentence."""


@dataclass(frozen=True)
class Assignment:
    """One endpoint to look at. The token is kept out of every representation."""

    endpoint: Endpoint
    token: str | None = field(default=None, repr=False)
    window: float = WINDOW
    proxy_command: str | None = None

    @property
    def judged_token(self) -> Token | None:
        """What the token says of itself, without the token."""
        return judge(self.token) if self.token else None

    def outside(self) -> tuple[Request, ...]:
        """The requests to make from here: the public URL, and the dev proxy where one is named.

        The dev proxy is asked a second time as a browser asks, with gzip: dev servers compress.
        """
        asked = [self._request("public", self.endpoint.url)]
        if self.endpoint.devproxy:
            plain = self._request("devproxy", self.endpoint.devproxy)
            gzip = (*plain.headers, ("Accept-Encoding", "gzip"))
            asked += [plain, replace(plain, variant="gzip", headers=gzip)]
        return tuple(asked)

    def _request(self, hop: str, url: str) -> Request:
        origin = self.endpoint.origin
        # What leads to the host leads to a dev proxy on it, and to no other.
        same = urlsplit(url).hostname == urlsplit(self.endpoint.url).hostname
        return Request(
            hop=hop,
            url=url,
            headers=(("Origin", origin),) if origin else (),
            token=self.token,
            token_parameter=self.endpoint.token_parameter,
            window=self.window,
            ca_file=self.endpoint.ca_file,
            proxy_command=self.proxy_command if same else None,
        )


def assignment_of(arguments: Mapping[str, Any]) -> Assignment | None:
    """An assignment from a task's arguments (``endpoint``, ``token_file``, ``window``).

    None if no URL is given: then the host is looked at without a stream. A token in
    the URL is taken out of it; one in a file wins. Raises `AssignmentError`.
    """
    described = {k: v for k, v in dict(arguments.get("endpoint") or {}).items() if v is not None}
    token_file = arguments.get("token_file") or described.get("token_file")
    described.pop("token_file", None)
    if not described.get("url"):
        return None
    try:
        endpoint, token = endpoint_of(described)
        if token_file:
            token = read_token(Path(str(token_file)).expanduser())
        window = float(arguments.get("window") or WINDOW)
        assignment = Assignment(endpoint, token, window, arguments.get("proxy_command"))
        assignment.outside()
    except (EndpointError, TokenError, RequestError) as error:
        raise AssignmentError(str(error)) from error
    return assignment
