"""What every command shares towards its operator: usage errors, and files that only he can read."""

from __future__ import annotations

import os
from pathlib import Path


class UsageError(ValueError):
    """What was asked for cannot be done as it is written."""


class RefusedError(Exception):
    """A host did not do what it was asked; the message is why, ``code`` the exit code."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


def save(path: Path, text: str) -> None:
    """Write a file of mode 0600, UTF-8, whole or not at all; raises `UsageError`."""
    save_bytes(path, text.encode("utf-8"))


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, whole or not at all; raises `UsageError`."""
    try:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
