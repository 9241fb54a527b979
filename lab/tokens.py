"""Tokens for the lab's notify service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import jwt

from lab.layout import SIGNING_KEY
from lab.state import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIFETIME_SECONDS = 12 * 3600
RELATIVE = ("iat", "nbf", "exp")


def mint(changes: Mapping[str, str | int] | None = None) -> str:
    """Return a token the service accepts, unless `changes` makes it otherwise.

    Times (iat, nbf, exp) in `changes` are seconds from now.
    """
    now = int(time.time())
    claims: dict[str, str | int] = {
        "sub": "u-1001",
        "user": "lab",
        "workspace": "acme",
        "iss": "ssemedic-lab",
        "aud": "notify",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_SECONDS,
    }
    for name, value in (changes or {}).items():
        claims[name] = now + int(value) if name in RELATIVE else value
    return jwt.encode(claims, SIGNING_KEY.read_text(encoding="ascii"), algorithm="HS256")


def write_token(path: Path, changes: Mapping[str, str | int] | None = None) -> None:
    """Put a fresh token into a file that only its owner reads."""
    write_atomically(path, mint(changes) + "\n", mode=0o600)
