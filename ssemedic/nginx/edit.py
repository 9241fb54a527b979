"""What an edit is made of, and the configuration as it will be once it is made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .lexer import Directive, tokens
from .ours import Line, rendered
from .splice import Splice, spliced
from .tree import Tree, tree_of

_MARKER = re.compile(
    rb"^#+\W*(?:this \w+ is |this is |automatically |auto-)?(?:managed|generated) by (?!certbot\b)"
    rb"|do not edit",
    re.IGNORECASE,
)
_ANSIBLE = re.compile(rb"ansible managed", re.IGNORECASE)


@dataclass(frozen=True)
class FileEdit:
    """New bytes for a file that must still have the hash it was read with."""

    path: str
    before_sha256: str
    content: bytes


@dataclass(frozen=True)
class Edit:
    """What to change. ``directives`` are all the lines our file ``ours`` must hold, inside a
    block ``location`` where that is set; ``files`` are the admin's files, none if they already
    are as they must be."""

    files: tuple[FileEdit, ...]
    directives: tuple[Line, ...]
    location: str | None
    ours: str
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing is to be written."""
        return not self.files and not self.directives


@dataclass(frozen=True)
class Refusal:
    """No edit can be made safely: why, and the exact lines a person should write, ``where``."""

    reason: str
    advice: tuple[str, ...] = ()
    where: str = ""


class UnsafeError(Exception):
    """Stops an edit; the text is the reason."""


@dataclass(frozen=True)
class Draft:
    """An edit before its splices are made: they are kept by the path that the tree knows."""

    splices: Mapping[str, Sequence[Splice]]
    lines: tuple[Line, ...]
    location: str | None
    ours: str
    notes: tuple[str, ...] = field(default=())


def edit_of(tree: Tree, draft: Draft) -> Edit:
    """The draft as new contents of files. Raises `UnsafeError` for a file of another tool."""
    by_file: dict[str, tuple[bytes, list[Splice]]] = {}
    for path, splices in draft.splices.items():
        _check_owner(tree, path)
        content = tree.sources[path].content
        by_file.setdefault(tree.real(path), (content, []))[1].extend(splices)
    files = tuple(
        FileEdit(path, hashlib.sha256(content).hexdigest(), spliced(content, splices))
        for path, (content, splices) in by_file.items()
        if splices
    )
    return Edit(files, draft.lines, draft.location, draft.ours, draft.notes)


def after(tree: Tree, edit: Edit) -> Tree:
    """The configuration as it will be once the edit is made. Raises `ConfigError`."""
    files = {path: source.content for path, source in tree.sources.items()}
    changed = {change.path: change.content for change in edit.files}
    for path in files:
        if tree.real(path) in changed:
            files[path] = changed[tree.real(path)]
    if edit.directives:
        files[edit.ours] = rendered(edit.directives, edit.location)
    return replace(tree_of(files, tree.main), links=tree.links)


def within(inner: Directive, outer: Directive) -> bool:
    """The one stands inside the other's braces, in the same file."""
    return inner.file == outer.file and outer.open < inner.start < outer.close


def includes(block: Directive, tree: Tree, path: str) -> bool:
    """The block itself, not one inside it, includes the file."""
    return any(use is child for use in tree.uses(path) for child in block.block or ())


def file_notes(tree: Tree, path: str) -> tuple[str, ...]:
    """What a reader of an edit of this file should know."""
    out = []
    uses = tree.uses(path)
    if len(uses) > 1:
        places = ", ".join(use.where for use in uses)
        out.append(f"{path}: is included by {places}; the edit shows in each of them")
    if any(_ANSIBLE.search(comment) for comment in _comments(tree, path)):
        out.append(f"{path}: is written by a playbook, whose next run undoes the edit")
    return tuple(out)


def _check_owner(tree: Tree, path: str) -> None:
    for comment in _comments(tree, path):
        if _MARKER.search(comment):
            said = comment.decode("utf-8", "replace").strip("# \t\r")
            raise UnsafeError(f'{path}: belongs to another tool ("{said[:80]}")')


def _comments(tree: Tree, path: str) -> list[bytes]:
    content = tree.sources[path].content
    return [token.raw for token in tokens(path, content) if token.kind == "comment"]
