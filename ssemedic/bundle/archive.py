"""Files as one tar.gz: the same files give the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping


def packed(folder: str, files: Mapping[str, bytes], at: float) -> bytes:
    """The archive: one folder, files in the order of their names, each changed ``at`` (epoch)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(files[name])
            member.mtime = int(at)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(files[name]))
    return gzip.compress(out.getvalue(), mtime=int(at))
