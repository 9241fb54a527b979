"""All files of one nginx configuration, as nginx reads them: includes followed."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .errors import ConfigError
from .lexer import Directive, Source, parse

MAX_INCLUDES = 100  # one inside the other; nginx ends where its open files do
MAX_OPENED = 100_000  # files in all, each as often as it is included

_MAGIC = re.compile(r"[*?\[]")

#: What nginx refuses without an argument, of all that is asked for; it stands in no map.
_NEEDS_ARGUMENT = re.compile(
    r"(?:access|add|auth|client|fastcgi|grpc|gzip|keepalive|large|limit|merge|proxy|scgi|send|ssl"
    r"|underscores|uwsgi|worker)_\w+"
    r"|alias|allow|default_type|deny|error_(?:log|page)|expires|gzip|http2|index|keepalive|listen"
    r"|log_format|mirror|resolver|return|rewrite|root|satisfy|server(?:_name)?|set|sub_filter"
    r"|try_files|zone"
)

T = TypeVar("T")


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
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def flat(self, directives: tuple[Directive, ...] | None) -> Iterator[Directive]:
        """The directives of a block with every include replaced by what it brings."""
        return iter(self._flat(directives or ()))

    def lines(self, parent: Directive | None, name: str) -> tuple[Directive, ...]:
        """The directives of that name directly in ``parent`` (None: at the top), includes
        followed. Asked again, it need not look again."""
        scope = self.sources[self.main].directives if parent is None else parent.block
        return self._by_name(scope or ()).get(name, ())

    def blocks(self, name: str, parent: Directive | None = None) -> Iterator[Directive]:
        """The blocks of that name directly in ``parent`` (or at the top), includes followed."""
        return (found for found in self.lines(parent, name) if found.block is not None)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives for this tree, made once for each key."""
        if key not in self._known:
            self._known[key] = make()
        found: T = self._known[key]
        return found

    def included(self, directive: Directive) -> tuple[str, ...]:
        """The files an include directive brings, in the order nginx reads them."""
        return self.includes.get(full_name(self.main, directive.args[0]), ())

    def real(self, path: str) -> str:
        """The file to write when ``path`` is to be changed: what a symlink points to."""
        return self.links.get(path, path)

    def uses(self, path: str) -> tuple[Directive, ...]:
        """The include directives that bring this file."""
        return self.once("uses", self._uses).get(path, ())

    def _flat(self, directives: tuple[Directive, ...]) -> tuple[Directive, ...]:
        # What is known of a block is kept beside it, so that no other can get its id.
        known = self._known.get(id(directives))
        if known is None:
            flat = directives
            if any(directive.name == "include" for directive in directives):
                flat = tuple(self._followed(directives))
            self._known[id(directives)] = known = (directives, flat)
        found: tuple[Directive, ...] = known[1]
        return found

    def _followed(self, directives: tuple[Directive, ...]) -> Iterator[Directive]:
        for directive in directives:
            if directive.name == "include" and directive.block is None:
                for path in self.included(directive):
                    yield from self._flat(self.sources[path].directives)
            else:
                yield directive

    def _by_name(self, directives: tuple[Directive, ...]) -> dict[str, tuple[Directive, ...]]:
        key = ("names", id(directives))
        known = self._known.get(key)
        if known is None:
            lists: dict[str, list[Directive]] = {}
            for directive in self._flat(directives):
                lists.setdefault(directive.name, []).append(directive)
            by_name = {name: tuple(lines) for name, lines in lists.items()}
            self._known[key] = known = (directives, by_name)
        found: dict[str, tuple[Directive, ...]] = known[1]
        return found

    def _uses(self) -> dict[str, tuple[Directive, ...]]:
        found: dict[str, list[Directive]] = {}
        for source in self.sources.values():
            for directive in source.includes:
                for path in dict.fromkeys(self.included(directive)):
                    found.setdefault(path, []).append(directive)
        return {path: tuple(lines) for path, lines in found.items()}


def full_name(main: str, argument: str) -> str:
    """An include argument as a full path: nginx resolves it against the main file's folder."""
    if argument.startswith("/"):
        return argument
    return main[: main.rfind("/") + 1] + argument


def is_pattern(name: str) -> bool:
    """nginx hands the name to glob(3) (ngx_conf_include())."""
    return bool(_MAGIC.search(name))


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
        wanted = glob_pattern(pattern)
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
        self.opened: dict[str, int] = {}  # files that nginx opens for one file, itself included

    def add(self, path: str, content: bytes, parents: tuple[str, ...]) -> None:
        self.sources[path] = source = parse(path, content)
        for directive in source.bare:
            if _NEEDS_ARGUMENT.fullmatch(directive.name):
                said = f'invalid number of arguments in "{directive.name}"'
                raise ConfigError(f"{directive.where}: {said}")
        opened = 1
        for directive in source.includes:
            if len(directive.args) != 1:
                raise ConfigError(f"{directive.where}: include takes exactly one argument")
            opened += self.follow(directive, (*parents, path))
        if opened > MAX_OPENED:
            raise ConfigError(f"{path}:1: includes open files more than {MAX_OPENED} times")
        self.opened[path] = opened

    def follow(self, directive: Directive, parents: tuple[str, ...]) -> int:
        """Read what an include brings; gives how many files nginx opens for it."""
        if len(parents) > MAX_INCLUDES:
            raise ConfigError(f"{directive.where}: includes nest deeper than {MAX_INCLUDES}")
        pattern = full_name(self.main, directive.args[0])
        if pattern not in self.includes:
            self.includes[pattern] = self.names(pattern)
        missing = []
        for path in self.includes[pattern]:
            if path in parents:
                cycle = " -> ".join((*parents[parents.index(path) :], path))
                raise ConfigError(f"{directive.where}: include cycle {cycle}")
            if path in self.sources:
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
        return sum(self.opened[path] for path in self.includes[pattern])

    def names(self, pattern: str) -> tuple[str, ...]:
        if not is_pattern(pattern):
            return (pattern,)
        # glob(3) sorts by strcoll, and nginx stays in the C locale: by bytes.
        return tuple(sorted(self.expand(pattern), key=os.fsencode))


def glob_pattern(pattern: str) -> re.Pattern[str]:
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
