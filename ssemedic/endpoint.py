"""The endpoint under care: what the inventory or the command line says about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """One event-stream endpoint. What is None is discovered.

    ``url`` is the public URL without a token. ``token_parameter`` names the query
    parameter that carries the token, or "" to send it as ``Authorization: Bearer``.
    """

    url: str
    token_parameter: str = "access_token"  # noqa: S105 - a parameter's name, not a secret
    origin: str | None = None
    unit: str | None = None
    upstream: str | None = None
    keepalive_seconds: float | None = None
