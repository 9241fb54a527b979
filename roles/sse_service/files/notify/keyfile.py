"""`python keyfile.py PATH`: make a secret where there is none.

Needs nothing but the standard library: the role runs it before the rest is in place.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path


def main() -> int:
    """Write 48 random bytes as text to a new file that only its owner can read."""
    parser = argparse.ArgumentParser(prog="notify.keyfile", description=__doc__)
    parser.add_argument("path", type=Path, help="file to make; must not exist")
    path: Path = parser.parse_args().path
    try:
        create_private(path, secrets.token_urlsafe(48) + "\n")
    except OSError as error:
        print(f"notify.keyfile: {path}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def create_private(path: Path, content: str) -> None:
    """Make `path`, mode 0600, with `content`. Raises FileExistsError, OSError."""
    # The mode is given at creation: there is no moment at which others can read it.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)


if __name__ == "__main__":
    sys.exit(main())
