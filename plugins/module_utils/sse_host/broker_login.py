"""Credentials of a service for its broker, from its own settings; they never leave the host.

They are used on the socket to the broker that the settings name, for reading and for a
canary that the operator allowed, and are part of nothing that is sent back.
"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Dict, Mapping, Tuple

from .brokers import SCHEMES, default_port

_URL = re.compile(
    r"\b(nats|tls|redis|rediss|postgres|postgresql)(?:\+\w+)?://(?:([^\s@/\"']*)@)?"
    r"(\[[0-9a-fA-F:]+\]|[\w.\-]+)(?::(\d{1,5}))?(?:/([\w\-]*))?"
)


@dataclass(frozen=True)
class Login:
    """Who the service is for its broker. ``database`` is Redis' number or PostgreSQL's name."""

    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    encrypted: bool = False


def logins(settings: Mapping[str, str]) -> Dict[Tuple[str, str], Login]:
    """(kind, "host:port") -> what the settings of the units say; "localhost" as 127.0.0.1."""
    found: Dict[Tuple[str, str], Login] = {}
    for text in settings.values():
        for scheme, userinfo, host, port, database in _URL.findall(text):
            kind = SCHEMES[scheme]
            user, _colon, password = userinfo.partition(":")
            login = Login(
                urllib.parse.unquote(user),
                urllib.parse.unquote(password),
                database,
                scheme in ("tls", "rediss"),
            )
            found.setdefault((kind, here("%s:%s" % (host, port or default_port(kind)))), login)
    return found


def here(address: str) -> str:
    """The address with localhost spelled as one number, to compare."""
    host, _colon, port = address.rpartition(":")
    return "%s:%s" % ("127.0.0.1" if host in ("localhost", "[::1]") else host, port)
