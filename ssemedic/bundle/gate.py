"""Nothing leaves that holds a known secret: the last look, at the bytes that would be written.

The gate trusts no mask. It opens the archive as a reader would and looks for each secret in
every file, also encoded, wrapped, escaped or packed (see `ssemedic.report.disguise`).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

from ssemedic.report.disguise import SHORTEST, known


class LeakError(Exception):
    """A secret would have left; the message names the file that holds it, never the secret."""


def check(archive: bytes, secrets: Iterable[str]) -> int:
    """How many secrets were looked for in the archive. Raises `LeakError` where it holds one."""
    wanted = known(secrets)
    if not wanted.secrets:
        return 0
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            file = tar.extractfile(member)
            parts = (member.name.encode("utf-8", "surrogateescape"), file.read() if file else b"")
            if any(wanted.held_by(part) is not None for part in parts):
                raise LeakError(
                    f"{member.name}: would hold a secret, so no bundle was written; "
                    "please report this, and hand over the files of --report after reading them"
                )
    if wanted.held_by(archive) is not None:
        raise LeakError("the archive would hold a secret, so no bundle was written")
    return len(wanted.secrets)


def too_short(secrets: Iterable[str]) -> int:
    """How many secrets are too short to be looked for (characters)."""
    return sum(1 for secret in secrets if len(secret) < SHORTEST)
