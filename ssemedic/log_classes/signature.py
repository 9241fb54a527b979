"""What a signature is: one way in which one program says that something went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: The classes of log lines, each with what a line of it tells. The order is that of reports.
KINDS = {
    "auth": "a token, cookie or password was refused",
    "cors": "a page of another origin was refused",
    "rejected": "a connection or request was turned away",
    "upstream_headers": "the app sent no headers in time: they were never flushed",
    "upstream_idle": "the app's stream went idle for longer than the proxy waits",
    "stream": "an answer or a stream broke off",
    "blocked": "the service stood still",
    "pool": "no database connection was free",
    "broker": "the connection to the message broker or database was lost",
    "limit": "a limit on files, tasks, connections or workers was reached",
    "oom": "memory ran out",
    "exception": "the program raised an error that nobody handled",
}


@dataclass(frozen=True)
class Signature:
    """One wording. ``needle`` stands in every line that the pattern fits; it is looked for first.

    ``reason`` is what an auth signature says was wrong with the token. A line that calls itself
    informational counts only with ``info``: some frameworks tell a refusal in one.
    """

    kind: str
    framework: str
    name: str
    needle: str
    pattern: str
    reason: str = ""
    info: bool = False
    found: re.Pattern[bytes] = field(init=False, repr=False, compare=False)
    bare: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", re.compile(self.pattern.encode("ascii")))
        object.__setattr__(self, "bare", self.needle.encode("ascii"))

    @property
    def id(self) -> str:
        """Its name in reports, such as "nginx: upstream went idle"."""
        return f"{self.framework}: {self.name}"
