"""What a file held: evidence of one endpoint, and what is missing. Missing is never health."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Evidence
from ssemedic.token import Token

_NO_SECTIONS = frozenset({"schema", "host", "collected_at", "seconds", "missing"})


class OfflineError(ValueError):
    """The file cannot be judged; the message is one sentence."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What can be judged. ``secrets`` are tokens that stood in the file, to be masked.

    ``endpoint`` is None where the file names no URL. ``configuration`` is nginx's, as
    `nginx -T` prints it, where the streams that a diagnosis needs are not in the file.
    """

    what: str
    evidence: Evidence
    endpoint: Endpoint | None
    token: Token | None = None
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    notes: tuple[str, ...] = ()


def all_but(seen: Collection[str], reason: str) -> dict[str, str]:
    """The reason for every section of evidence but those that were seen."""
    sections = [f.name for f in dataclasses.fields(Evidence) if f.name not in _NO_SECTIONS]
    return {name: f"{name}: {reason}" for name in sections if name not in seen}
