"""What to hold: the request that every stream sends, how many, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssemedic.probe.request import Request

#: No run opens more, whatever it is asked for.
MOST_STREAMS = 9_500
MOST_SECONDS = 3_600.0


class CapacityError(ValueError):
    """The run cannot be made as it was asked for; nothing was opened."""


@dataclass(frozen=True)
class Progress:
    """How a run stands, once a second: seconds since its start, and counts."""

    at: float
    opened: int
    held: int
    failed: int
    dropped: int
    events: int


@dataclass(frozen=True)
class Load:
    """``streams`` are opened within ``ramp`` seconds, and closed ``seconds`` after the start.

    The other fields are those of `Request`. Raises CapacityError and RequestError.
    """

    url: str = field(repr=False)
    streams: int = 100
    seconds: float = 60.0
    ramp: float = 5.0
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)
    token_parameter: str = "access_token"  # noqa: S105 - a parameter's name, not a secret
    body: bytes | None = field(default=None, repr=False)
    connect: str | None = None
    ca_file: str | None = None
    server_name: str | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        """Refuse what is out of bounds."""
        if not 1 <= self.streams <= MOST_STREAMS:
            raise CapacityError(f"streams: is {self.streams}, must be 1 to {MOST_STREAMS}")
        if not 1 <= self.seconds <= MOST_SECONDS:
            raise CapacityError(f"seconds: is {self.seconds:g}, must be 1 to {MOST_SECONDS:g}")
        if not 0 <= self.ramp < self.seconds:
            raise CapacityError(f"ramp: is {self.ramp:g} s, must be 0 to {self.seconds:g}")
        _ = self.request

    @property
    def request(self) -> Request:
        """What every stream sends."""
        return Request(
            hop="public",
            url=self.url,
            method=self.method,
            headers=self.headers,
            token=self.token,
            token_parameter=self.token_parameter,
            body=self.body,
            connect=self.connect,
            ca_file=self.ca_file,
            server_name=self.server_name,
            verify=self.verify,
        )
