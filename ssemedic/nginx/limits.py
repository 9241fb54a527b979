"""Limits of nginx's own processes, changed where they stand: one line, in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .edit import Draft, FileEdit, UnsafeError, edit_of
from .lexer import Directive
from .splice import Splice, beside, insertion_of
from .tree import Tree
from .versions import seconds

#: The block each stands in; "" is the main level.
_LEVEL = {"worker_connections": "events", "worker_rlimit_nofile": "", "worker_shutdown_timeout": ""}
_VALUE = re.compile(r"[0-9]+(?:ms|[smhd])?")
_ARGS = re.compile(rb"[^\s;]+\s+([^;]*?)\s*;", re.DOTALL)


def process_edits(tree: Tree, wishes: Mapping[str, str]) -> tuple[FileEdit, ...]:
    """The files as they must be for these limits; none where all are high enough.

    Raises `UnsafeError` where that cannot be done safely; the text is the reason.
    """
    return edit_of(tree, Draft(limit_splices(tree, wishes), (), None, "")).files


def limit_splices(tree: Tree, wishes: Mapping[str, str]) -> dict[str, list[Splice]]:
    """The splices that set these limits, by file. A number that is higher already stays."""
    splices: dict[str, list[Splice]] = {}
    new: list[tuple[str, str]] = []
    for name, value in wishes.items():
        if name not in _LEVEL or not _VALUE.fullmatch(value):
            raise UnsafeError(f"{name} {value}: is no limit of nginx's processes")
        lines = limit_lines(tree, name)
        if len(lines) > 1:
            raise UnsafeError(f"{lines[1].where}: {name} is set twice, at {lines[0].where} too")
        if not lines:
            new.append((name, value))
        elif not _is_enough(name, lines[0].args, value):
            splices.setdefault(lines[0].file, []).append(_valued(tree, lines[0], value))
    for level in ("", "events"):
        text = [f"{name} {value};" for name, value in new if _LEVEL[name] == level]
        if text:
            path, splice = _added(tree, level, text)
            splices.setdefault(path, []).append(splice)
    return splices


def limit_lines(tree: Tree, name: str) -> tuple[Directive, ...]:
    """The lines that set a limit, at the level where it counts."""
    return tuple(d for block in _blocks(tree, name) for d in tree.flat(block) if d.name == name)


def check_limits(tree: Tree, wishes: Mapping[str, str]) -> None:
    """Raises `UnsafeError` unless every limit is in force in this configuration."""
    for name, value in wishes.items():
        lines = limit_lines(tree, name)
        if len(lines) != 1 or not _is_enough(name, lines[0].args, value):
            raise UnsafeError(f"{tree.main}: {name} {value} would not be in force")


def _is_enough(name: str, args: tuple[str, ...], value: str) -> bool:
    """The limit that is set will do: a number as high, a time that is the same."""
    if len(args) != 1:
        return False
    if name == "worker_shutdown_timeout":
        return args[0] == value or seconds(args[0]) == seconds(value)
    return args[0].isdigit() and int(args[0]) >= int(value)


def _blocks(tree: Tree, name: str) -> Iterator[tuple[Directive, ...]]:
    level = _LEVEL[name]
    if not level:
        yield tree.sources[tree.main].directives
    for block in tree.blocks(level) if level else ():
        yield block.block or ()


def _valued(tree: Tree, directive: Directive, value: str) -> Splice:
    """The argument alone is replaced: the line keeps its spaces and its comment."""
    content = tree.sources[directive.file].content
    found = _ARGS.fullmatch(content, directive.start, directive.end)
    if found is None:
        raise UnsafeError(f"{directive.where}: {directive.name} is not a plain line")
    return Splice(found.start(1), found.end(1), value.encode())


def _added(tree: Tree, level: str, lines: list[str]) -> tuple[str, Splice]:
    """New lines at the end of the level's block; at the main level below the last simple line
    before its first block."""
    text = [line.encode() for line in lines]
    if level:
        block = next(tree.blocks(level), None)
        if block is None:
            raise UnsafeError(f"{tree.main}: has no {level} block")
        return block.file, insertion_of(tree.sources[block.file], block, *text)
    source = tree.sources[tree.main]
    first = next((d for d in source.directives if d.block is not None), None)
    before = [
        d
        for d in source.directives
        if d.block is None and d.name != "include" and (first is None or d.start < first.start)
    ]
    anchor = before[-1] if before else first
    if anchor is None:
        raise UnsafeError(f"{tree.main}: holds no block to put {lines[0]} before")
    return tree.main, beside(source, anchor, *text)
