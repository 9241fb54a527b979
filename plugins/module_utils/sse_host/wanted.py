"""What to look at: the module's parameters, once, typed."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from .limits import Limits
from .masking import spellings

#: Names under which services that send events are found when nothing else leads to them.
PATTERNS = ("notify*", "*sse*", "*event*", "*chat*", "*stream*", "*push*")


@dataclass(frozen=True)
class Wanted:
    """One endpoint on this host. Everything but the limits may be unknown."""

    limits: Limits
    url: Optional[str] = None
    token: Optional[str] = field(default=None, repr=False)
    token_parameter: str = "access_token"  # noqa: S105 - a parameter's name, not a secret
    origin: Optional[str] = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    upstream: Optional[str] = None
    unit: Optional[str] = None
    patterns: Tuple[str, ...] = PATTERNS
    log_files: Tuple[str, ...] = ()
    window: float = 8.0
    streams: bool = True
    brokers: Tuple[Mapping[str, str], ...] = ()
    canary: bool = False
    message: Optional[Mapping[str, Any]] = None

    @property
    def secrets(self) -> Tuple[str, ...]:
        """What must not appear in anything that is sent back."""
        parts = _parts(self.url)
        query = dict(urllib.parse.parse_qsl(parts.query)).get(self.token_parameter)
        return spellings([self.token, parts.password, query, *self.headers.values()])

    @property
    def path(self) -> Optional[str]:
        """The path of the URL, None for "/" and where no URL is known: it would fit any line."""
        path = _parts(self.url).path
        return path if len(path) > 1 else None


def _parts(url: Optional[str]) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(url or "")
    except ValueError:  # a bracket too few; that the URL is bad is said where it is used
        return urllib.parse.urlsplit("")
