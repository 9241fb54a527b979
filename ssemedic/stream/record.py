"""The record of one stream: what was sent, what came back, and when each byte came.

Both recorders, on the host and on the controller, fill this one type; everything
that judges a stream reads nothing else. Runs on the host too (Python 3.8).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: How a stream ended. The first four are clean or ours; the rest are faults of some hop.
END_KINDS = (
    "limit_time",  # our window closed while the stream was still open
    "limit_bytes",  # our byte limit was reached
    "last_chunk",  # the final zero chunk, or the whole Content-Length, arrived
    "eof",  # close-delimited body, connection closed cleanly
    "truncated",  # closed before the final chunk or before Content-Length was reached
    "reset",  # RST
    "h2_reset",  # RST_STREAM or GOAWAY with an error code
    "refused",  # nobody listens
    "unreachable",  # no route, host down, name does not resolve
    "timeout_connect",  # no answer to the connection attempt
    "tls_error",
    "limit_headers",  # endless header or too many headers
    "limit_line",  # endless status line, chunk-size line
    "limit_event",  # our byte limit was reached inside one line of an event stream
    "limit_redirects",  # more redirects than EventSource follows
    "protocol_error",  # not HTTP
    "not_recorded",  # the recorder itself could not start; detail says why
    "hidden",  # a browser tells its page nothing: no connection, CORS, or a policy of its own
)


@dataclass(frozen=True)
class Phases:
    """Seconds from the start of the attempt to the end of each phase; None if not reached."""

    resolved: float | None = None
    connected: float | None = None
    tls: float | None = None
    sent: float | None = None
    headers: float | None = None


@dataclass(frozen=True)
class Read:
    """One arrival of body bytes: seconds since the start, size in bytes after de-chunking."""

    at: float
    size: int


@dataclass(frozen=True)
class End:
    """How and when (seconds since the start) the record ended."""

    kind: str
    at: float
    detail: str = ""


@dataclass(frozen=True)
class Stream:
    """One recorded answer of one hop.

    ``hop`` names the hop that answered ("app", "inner" for a second nginx behind the first,
    "nginx", "public", "devproxy");
    ``variant`` says what was varied against a browser's request ("" for nothing,
    "http10" for HTTP/1.0 with Connection: close, "gzip" ...). ``url`` never carries
    a token. ``body`` is the start of the body after transfer decoding, at most
    ``body_limit`` bytes of it; ``reads`` covers the whole of it. ``redirects`` are the
    URLs that led here, in order, where redirects were followed. ``stalled`` is the
    longest time in seconds for which the recorder itself got no processor: no time in
    the record is surer than that.
    """

    hop: str
    vantage: str
    address: str
    url: str
    started: float
    window: float
    end: End
    variant: str = ""
    method: str = "GET"
    request_version: str = "1.1"
    response_version: str | None = None
    phases: Phases = field(default_factory=Phases)
    status: int | None = None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    reads: tuple[Read, ...] = ()
    body: bytes = b""
    stalled: float = 0.0
    redirects: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """The first value of a header, or None. Names compare without case (RFC 9110, 5.1)."""
        values = self.header_values(name)
        return values[0] if values else None

    def header_values(self, name: str) -> Sequence[str]:
        """Every value of a header, in order of arrival."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    @property
    def size(self) -> int:
        """Body bytes received in all."""
        return sum(read.size for read in self.reads)

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case; "" where the header is missing."""
        return (self.header("content-type") or "").split(";")[0].strip().lower()

    @property
    def is_event_stream(self) -> bool:
        """True for what EventSource accepts: 200 and text/event-stream (WHATWG HTML, 9.2.2)."""
        return self.status == 200 and self.content_type == "text/event-stream"

    @property
    def never_connected(self) -> bool:
        """True if nobody took the connection."""
        return self.end.kind in ("refused", "unreachable", "timeout_connect")

    @property
    def is_of_another_service(self) -> bool:
        """True for what an event-stream endpoint hardly answers: no HTTP, no such path, a page.

        A refusal (401, 403) or a failure (500, 503) is what the endpoint itself may answer.
        """
        if self.status is None:
            return self.end.kind == "protocol_error"
        return self.status in (404, 405, 501) or (self.status == 200 and not self.is_event_stream)

    @property
    def open_at_end(self) -> bool:
        """True if the stream was still open when we stopped looking."""
        return self.end.kind in ("limit_time", "limit_bytes", "limit_event")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; the body is base64."""
        return {
            "hop": self.hop,
            "vantage": self.vantage,
            "variant": self.variant,
            "address": self.address,
            "url": self.url,
            "method": self.method,
            "request_version": self.request_version,
            "response_version": self.response_version,
            "started": self.started,
            "window": self.window,
            "phases": dict(vars(self.phases)),
            "status": self.status,
            "reason": self.reason,
            "headers": [list(pair) for pair in self.headers],
            "reads": [[round(read.at, 4), read.size] for read in self.reads],
            "body": base64.b64encode(self.body).decode("ascii"),
            "end": dict(vars(self.end)),
            "stalled": round(self.stalled, 3),
            "redirects": list(self.redirects),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Stream:
        """The inverse of `to_dict`; raises KeyError, TypeError or ValueError on foreign data."""
        fields = dict(data)
        fields["phases"] = Phases(**data["phases"])
        fields["headers"] = tuple((str(key), str(value)) for key, value in data["headers"])
        fields["reads"] = tuple(Read(float(at), int(size)) for at, size in data["reads"])
        fields["body"] = base64.b64decode(data["body"])
        fields["end"] = End(**data["end"])
        if fields["end"].kind not in END_KINDS:
            raise ValueError(f"end: kind is {fields['end'].kind!r:.40}, must be one that is known")
        for name in ("hop", "vantage", "address", "url", "variant", "method", "reason"):
            if not isinstance(data.get(name, ""), str):
                raise TypeError(f"{name}: is {type(data[name]).__name__}, must be str")
        fields["redirects"] = tuple(str(url) for url in data.get("redirects", ()))
        return cls(**fields)
