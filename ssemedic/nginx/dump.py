"""What `nginx -T` prints, as the files it was made of.

nginx prints "# configuration file PATH:", the bytes of the file and one line feed, for the
main file and then for every other one in the order it opens them (nginx.c, main()). A comment
inside a file may look the same, so a mark counts only where a file can begin: the one before
is complete, and an include of it or of an earlier one names the path for the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from .errors import ConfigError
from .lexer import parse
from .tree import Tree, full_name, glob_pattern, is_pattern, tree_of

MAX_LOOKALIKES = 1000

_MARK = re.compile(rb"^# configuration file (/[^\r\n]*):(\r?\n)", re.MULTILINE)
#: What nginx says beside the dump, and the shell that it was copied from.
_SAID = re.compile(
    rb"nginx: .*|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] .*|[\w.-]+@[\w.-]+[^#$;{}]*[#$][^;{}]*"
    rb"|(?:[$#] ?)?(?:sudo )?\S*nginx -T.*"
)
_REFUSED = re.compile(rb"^(?:nginx: |\d{4}/)[^\r\n]*\[emerg\] ([^\r\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class Dump:
    """The files of a dump, the main one first. ``head`` and ``tail`` hold what was printed
    around them; ``eol`` ends the lines that nginx added."""

    files: tuple[tuple[str, bytes], ...] = field(repr=False)
    head: bytes = b""
    tail: bytes = b""
    eol: bytes = b"\n"

    @property
    def main(self) -> str:
        """The path of nginx.conf."""
        return self.files[0][0]

    @property
    def content(self) -> bytes:
        """The bytes of the dump."""
        printed = [_mark(path) + self.eol + content for path, content in self.files]
        return self.head + self.eol.join(printed) + self.tail


def is_dump(content: bytes) -> bool:
    """Begins as the output of `nginx -T` does, even if that failed."""
    return bool(_MARK.match(content, _head(content))) or content.startswith(b"nginx: ")


def read_dump(content: bytes, name: str = "dump") -> Dump:
    """The files of a dump. ``name`` is what messages call it.

    Raises `ConfigError` for what is no dump, or one that was cut before the first file ends.
    """
    at = _head(content)
    first = _MARK.match(content, at)
    if first is None:
        raise _not_a_dump(content, at, name)
    eol = first[2]
    end = max(_tail(content, eol), first.end())
    main = _text(first[1])
    files: list[tuple[str, bytes]] = []
    came, wanted = {main}, _Wanted()
    path, start, lookalikes = main, first.end(), 0
    for mark in _MARK.finditer(content, start, end):
        next_path = _text(mark[1])
        if next_path in came:
            continue  # nginx prints a file once, however often it is included
        stop = mark.start() - len(eol)
        if stop < start or content[stop : mark.start()] != eol or mark[2] != eol:
            continue  # nginx ends the file before, even an empty one, by a line feed
        body = content[start:stop]
        arguments = _includes(path, body)
        known = arguments is not None and (
            next_path in wanted or next_path in _Wanted(main, arguments)
        )
        if arguments is None or not known:
            lookalikes += 1
            if lookalikes > MAX_LOOKALIKES:
                raise ConfigError(
                    f"{name}:{_line(content, mark.start())}: no include names {next_path}"
                )
            continue
        files.append((path, body))
        wanted.add(main, arguments)
        came.add(next_path)
        path, start = next_path, mark.end()
    files.append((path, content[start : max(start, end)]))
    return Dump(tuple(files), content[:at], content[max(start, end) :], eol)


def tree_of_dump(dump: Dump, name: str = "dump") -> Tree:
    """The configuration that was dumped: the same as of its files.

    Raises `ConfigError` where it cannot be read or a file is missing.
    """
    try:
        tree = tree_of(dict(dump.files), dump.main)
    except ConfigError as error:
        raise ConfigError(f"{error} (is {name} cut?)") from error
    if not tree.sources[dump.main].directives:
        raise ConfigError(f"{dump.main}:1: holds nothing; nginx would not load it, {name} is cut")
    if tree.notes:
        raise ConfigError(f"{tree.notes[0]}; nginx -T prints every file: {name} is cut")
    return tree


class _Wanted:
    """The files that includes name."""

    def __init__(self, main: str = "", arguments: Iterable[str] = ()) -> None:
        self.names: set[str] = set()
        self.patterns: list[re.Pattern[str]] = []
        self.add(main, arguments)

    def add(self, main: str, arguments: Iterable[str]) -> None:
        for argument in arguments:
            name = full_name(main, argument)
            if is_pattern(name):
                self.patterns.append(glob_pattern(name))
            else:
                self.names.add(name)

    def __contains__(self, path: str) -> bool:
        return path in self.names or any(pattern.fullmatch(path) for pattern in self.patterns)


def _includes(path: str, body: bytes) -> list[str] | None:
    """What a file includes; None where it is not complete."""
    try:
        return [d.args[0] for d in parse(path, body).includes if d.args]
    except ConfigError:
        return None


def _head(content: bytes) -> int:
    """Where the first file's mark must stand: past what was said before it."""
    at = 0
    while at < len(content):
        end = content.find(b"\n", at) + 1 or len(content)
        line = content[at:end].strip()
        if line and not _SAID.fullmatch(line):
            break
        at = end
    return at


def _tail(content: bytes, eol: bytes) -> int:
    """Where the last file ends: before nginx's line feed and what was said after it."""
    end = at = len(content)
    while at > 0:
        start = content.rfind(b"\n", 0, at - 1) + 1
        line = content[start:at].strip()
        if line and not _SAID.fullmatch(line):
            break
        at = start
        if line:
            end = start
    return end - len(eol) if content.endswith(eol, 0, end) else end


def _not_a_dump(content: bytes, at: int, name: str) -> ConfigError:
    refused = _REFUSED.search(content[:at])
    if refused is not None:
        return ConfigError(f"{name}: nginx -T refused the configuration: {_text(refused[1])}")
    if not content.strip():
        return ConfigError(f"{name}: is empty, must be what nginx -T prints")
    if at == len(content):
        return ConfigError(f"{name}: holds what nginx says beside the dump, and no file")
    return ConfigError(
        f'{name}:{_line(content, at)}: must be "# configuration file PATH:", as nginx -T prints'
    )


def _line(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1


def _mark(path: str) -> bytes:
    return b"# configuration file " + path.encode("utf-8", "surrogateescape") + b":"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
