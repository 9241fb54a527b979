"""All files of one nginx configuration, as nginx reads them: includes followed."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .errors import ConfigError
from .lexer import Directive, Source, parse

_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Tree:
    """A configuration. ``includes`` maps a resolved include argument to the files it names;
    ``links`` maps a path to the real path behind it; ``notes`` say what nginx would refuse
    but reading could pass over."""

    main: str
    sources: Mapping[str, Source]
    includes: Mapping[str, tuple[str, ...]]
    links: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def flat(self, directives: tuple[Directive, ...] | None) -> Iterator[Directive]:
        """The directives of a block with every include replaced by what it brings."""
        for directive in directives or ():
            if directive.name == "include" and directive.block is None:
                for path in self.included(directive):
                    yield from self.flat(self.sources[path].directives)
            else:
                yield directive

    def included(self, directive: Directive) -> tuple[str, ...]:
        """The files an include directive brings, in the order nginx reads them."""
        return self.includes.get(full_name(self.main, directive.args[0]), ())

    def blocks(self, name: str, parent: Directive | None = None) -> Iterator[Directive]:
        """The blocks of that name directly in ``parent`` (or at the top), includes followed."""
        scope = self.sources[self.main].directives if parent is None else parent.block
        for directive in self.flat(scope):
            if directive.name == name and directive.block is not None:
                yield directive

    def real(self, path: str) -> str:
        """The file to write when ``path`` is to be changed: what a symlink points to."""
        return self.links.get(path, path)

    def uses(self, path: str) -> tuple[Directive, ...]:
        """The include directives that bring this file."""
        return tuple(
            directive
            for source in self.sources.values()
            for directive in _includes_of(source.directives)
            if path in self.included(directive)
        )


def full_name(main: str, argument: str) -> str:
    """An include argument as a full path: nginx resolves it against the main file's folder."""
    if argument.startswith("/"):
        return argument
    return posixpath.join(posixpath.dirname(main), argument)


def read_tree(
    main: str,
    read: Callable[[str], bytes],
    expand: Callable[[str], list[str]],
    links: Mapping[str, str] | None = None,
) -> Tree:
    """Read ``main`` and all that it includes.

    ``read`` raises OSError for a file that is not there; ``expand`` gives the files that a
    glob pattern names. Raises `ConfigError` for a file that nginx would refuse to parse,
    an include cycle, or a main file that cannot be read.
    """
    reader = _Reader(main, read, expand)
    try:
        content = read(main)
    except OSError as error:
        raise ConfigError(f"{main}:1: cannot be read: {error.strerror or error}") from error
    reader.add(main, content, ())
    return Tree(main, reader.sources, reader.includes, dict(links or {}), tuple(reader.notes))


def tree_of(files: Mapping[str, bytes], main: str, links: Mapping[str, str] | None = None) -> Tree:
    """The tree of files that were collected. ``links`` maps a path to its link target,
    relative ones as they stand in the link."""

    def read(path: str) -> bytes:
        try:
            return files[path]
        except KeyError:
            raise FileNotFoundError(2, "is not among the collected files", path) from None

    def expand(pattern: str) -> list[str]:
        wanted = _glob_regex(pattern)
        return [path for path in files if wanted.fullmatch(path)]

    real = {
        path: posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        for path, target in (links or {}).items()
    }
    return read_tree(main, read, expand, real)


def files_on_disk(pattern: str) -> list[str]:
    """The ``expand`` of `read_tree` for this machine's own disk."""
    return glob.glob(pattern)  # noqa: PTH207 - Path.glob takes no absolute pattern


class _Reader:
    def __init__(
        self, main: str, read: Callable[[str], bytes], expand: Callable[[str], list[str]]
    ) -> None:
        self.main = main
        self.read = read
        self.expand = expand
        self.sources: dict[str, Source] = {}
        self.includes: dict[str, tuple[str, ...]] = {}
        self.notes: list[str] = []

    def add(self, path: str, content: bytes, parents: tuple[str, ...]) -> None:
        self.sources[path] = source = parse(path, content)
        for directive in _includes_of(source.directives):
            if len(directive.args) != 1:
                raise ConfigError(f"{directive.where}: include takes exactly one argument")
            self.follow(directive, (*parents, path))

    def follow(self, directive: Directive, parents: tuple[str, ...]) -> None:
        pattern = full_name(self.main, directive.args[0])
        if pattern not in self.includes:
            self.includes[pattern] = self.names(pattern)
        missing = []
        for path in self.includes[pattern]:
            if path in parents:
                cycle = " -> ".join((*parents[parents.index(path) :], path))
                raise ConfigError(f"{directive.where}: include cycle {cycle}")
            if path in self.sources:
                self.recheck(path, parents)
                continue
            try:
                content = self.read(path)
            except OSError as error:
                missing.append(path)
                reason = error.strerror or str(error)
                self.notes.append(f"{directive.where}: include {path} cannot be read: {reason}")
                continue
            self.add(path, content, parents)
        if missing:
            self.includes[pattern] = tuple(p for p in self.includes[pattern] if p not in missing)

    def recheck(self, path: str, parents: tuple[str, ...]) -> None:
        """A file read before may still close a cycle when it comes by another way."""
        for directive in _includes_of(self.sources[path].directives):
            for deeper in self.includes.get(full_name(self.main, directive.args[0]), ()):
                if deeper in (*parents, path):
                    raise ConfigError(f"{directive.where}: include cycle through {deeper}")

    def names(self, pattern: str) -> tuple[str, ...]:
        if not _MAGIC.search(pattern):
            return (pattern,)
        # glob(3) sorts by strcoll, and nginx stays in the C locale: by bytes.
        return tuple(sorted(self.expand(pattern), key=os.fsencode))


def _includes_of(directives: tuple[Directive, ...]) -> Iterator[Directive]:
    for directive in directives:
        if directive.block is not None:
            yield from _includes_of(directive.block)
        elif directive.name == "include":
            yield directive


def _glob_regex(pattern: str) -> re.Pattern[str]:
    """glob(3) as a regular expression: no wildcard matches "/" or a leading dot."""
    out, pos, at_start = [], 0, True
    while pos < len(pattern):
        char = pattern[pos]
        pos += 1
        hidden = "(?!\\.)" if at_start else ""
        at_start = char == "/"
        if char == "*":
            out.append(hidden + "[^/]*")
        elif char == "?":
            out.append(hidden + "[^/]")
        elif char == "[" and pattern.find("]", pos + 1) > 0:
            end = pattern.index("]", pos + 1)
            inner = pattern[pos:end].replace("\\", "\\\\").replace("[", "\\[")
            if inner[0] in "!^":
                inner = "^/" + inner[1:]
            out.append(f"{hidden}[{inner}]")
            pos = end + 1
        elif char == "\\" and pos < len(pattern):
            out.append(re.escape(pattern[pos]))
            pos += 1
        else:
            out.append(re.escape(char))
    return re.compile("".join(out))
