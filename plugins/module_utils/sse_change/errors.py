"""The one exception a transaction raises, with the sentence a person reads."""

from __future__ import annotations

from typing import Any


class ChangeError(Exception):
    """A change did not happen, or was undone.

    ``undone`` is True if the host is as it was, False if putting it back failed too.
    ``facts`` are returned beside the sentence.
    """

    def __init__(self, sentence: str, undone: bool | None = True, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.undone = undone
        self.facts = facts


class LockHeldError(ChangeError):
    """Another process works on this host and does not end."""
