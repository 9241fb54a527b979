"""What a repair would write, as a diff and as lines for a person."""

from __future__ import annotations

import difflib

from ssemedic.lint.source import Configuration
from ssemedic.nginx import Edit
from ssemedic.nginx.ours import rendered


def diff(configuration: Configuration, edit: Edit) -> list[str]:
    """The lines of a unified diff of every file, ours included."""
    tree = configuration.tree
    out: list[str] = []
    for change in edit.files:
        before = next(
            (s.content for path, s in tree.sources.items() if tree.real(path) == change.path), b""
        )
        out += _of(configuration.path(change.path), before, change.content)
    if edit.directives:
        source = tree.sources.get(edit.ours)
        new = rendered(edit.directives, edit.location)
        out += _of(configuration.path(edit.ours), source.content if source else b"", new)
    return out


def _of(path: str, before: bytes, after: bytes) -> list[str]:
    lines = difflib.unified_diff(
        _lines(before), _lines(after), path if before else "/dev/null", path, lineterm="", n=2
    )
    return list(lines)


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return (text[:-1] if text.endswith("\n") else text).split("\n") if text else []
