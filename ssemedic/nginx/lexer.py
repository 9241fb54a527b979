"""Bytes of one nginx file -> directives that know where they stand.

Follows ngx_conf_read_token() of nginx: what is a word, where a quote ends and which
escapes count are its rules, not those of a shell. The bytes are read as latin-1, so
an offset in the text is an offset in the file whatever its encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import ConfigError

MAX_DEPTH = 200  # nginx itself recurses without a limit; nobody writes this

_TOKEN = re.compile(
    r"([ \t\r\n]+)"  # 1 space
    r"|(\#[^\n]*)"  # 2 comment
    r"|([;{}])"  # 3 mark
    r"""|("[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')"""  # 4 quoted
    r"""|((?![}#"'])(?:[^ \t\r\n;{\\$]+|\\.|\$\{*)+)""",  # 5 word; "${" does not open a block
    re.DOTALL,
)
_SPACE, _COMMENT, _MARK, _QUOTED, _WORD = range(1, 6)
_KINDS = {_SPACE: "space", _COMMENT: "comment", _MARK: "mark", _QUOTED: "quoted", _WORD: "word"}
_TRIVIA = (_SPACE, _COMMENT)
_AFTER_QUOTED = " \t\r\n;{)"
_ESCAPE = re.compile(r"""\\(["'\\trn])""")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_LUA_BLOCK = "_by_lua_block"
_LUA = re.compile(
    r"--\[(?P<c>=*)\[.*?\](?P=c)\]|--[^\n]*"
    r"|\[(?P<s>=*)\[.*?\](?P=s)\]"
    r"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"""
    r"|(?P<brace>[{}])",
    re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A piece of the file. The pieces joined are the file. ``kind`` is one of space,
    comment, mark, quoted, word, lua."""

    kind: str
    raw: bytes
    start: int


@dataclass(frozen=True, eq=False)
class Directive:
    """One directive. Two directives are the same only if they stand at the same place.

    ``args`` are unquoted. ``start``:``end`` are the byte offsets from the first byte of
    the name to past the ``;`` or ``}``; ``open`` and ``close`` those of the braces, -1
    without a block. ``block`` is None for a simple directive, empty for Lua.
    """

    name: str
    args: tuple[str, ...]
    file: str
    line: int
    start: int
    end: int
    open: int = -1
    close: int = -1
    block: tuple[Directive, ...] | None = None

    @property
    def where(self) -> str:
        """ "file:line"."""
        return f"{self.file}:{self.line}"

    @property
    def lua(self) -> bool:
        """The block holds Lua, not directives."""
        return self.block is not None and self.name.endswith(_LUA_BLOCK)

    def __repr__(self) -> str:
        return f"<{' '.join((self.name, *self.args))} at {self.where}>"


@dataclass(frozen=True)
class Source:
    """One file: its bytes and what they say."""

    path: str
    content: bytes = field(repr=False)
    directives: tuple[Directive, ...] = field(repr=False)


class _Open:
    """A block that has not been closed yet."""

    __slots__ = ("children", "line", "open", "start", "words")

    def __init__(self, words: list[str], start: int, line: int, brace: int) -> None:
        self.words = words
        self.start = start
        self.line = line
        self.open = brace
        self.children: list[Directive] = []


def parse(path: str, content: bytes) -> Source:
    """The directives of one file; includes are not followed.

    Raises `ConfigError` where nginx would refuse the file's structure.
    """
    text = content.decode("latin-1")
    match, length = _TOKEN.match, len(text)
    stack = [_Open([], 0, 1, -1)]
    words: list[str] = []
    pos, start, line, counted = 0, 0, 1, 0
    while pos < length:
        found = match(text, pos)
        if found is None:
            raise ConfigError(f"{path}:{_line(text, pos)}: quoted string is never closed")
        kind, raw, here, pos = found.lastindex, found.group(), pos, found.end()
        if kind in _TRIVIA:
            continue
        if kind == _MARK:
            top = stack[-1]
            if raw == ";":
                if not words:
                    raise _unexpected(path, text, here)
                top.children.append(Directive(words[0], tuple(words[1:]), path, line, start, pos))
            elif raw == "{":
                if not words:
                    raise _unexpected(path, text, here)
                if words[0].endswith(_LUA_BLOCK):
                    close = _lua_end(path, text, here)
                    pos = close + 1
                    top.children.append(
                        Directive(
                            words[0], tuple(words[1:]), path, line, start, pos, here, close, ()
                        )
                    )
                else:
                    if len(stack) > MAX_DEPTH:
                        raise ConfigError(f"{path}:{line}: blocks nest deeper than {MAX_DEPTH}")
                    stack.append(_Open(words, start, line, here))
            else:
                if words or len(stack) == 1:
                    raise _unexpected(path, text, here)
                stack.pop()
                stack[-1].children.append(
                    Directive(
                        top.words[0],
                        tuple(top.words[1:]),
                        path,
                        top.line,
                        top.start,
                        pos,
                        top.open,
                        here,
                        tuple(top.children),
                    )
                )
            words = []
            continue
        if not words:
            line += text.count("\n", counted, here)
            start = counted = here
        if kind == _QUOTED:
            if pos < length and text[pos] not in _AFTER_QUOTED:
                raise _unexpected(path, text, pos)
            raw = raw[1:-1]
        words.append(_value(raw))
    if words:
        raise ConfigError(f'{path}:{line}: "{words[0]}" is not ended by ";" before the file ends')
    if len(stack) > 1:
        raise ConfigError(
            f'{path}:{stack[-1].line}: block "{stack[-1].words[0]}" is not closed by "}}"'
        )
    return Source(path, content, tuple(stack[0].children))


def tokens(path: str, content: bytes) -> Iterator[Token]:
    """Every piece of the file, spaces and comments too; joined they are the file."""
    text = content.decode("latin-1")
    pos, first = 0, ""
    while pos < len(text):
        found = _TOKEN.match(text, pos)
        if found is None or found.lastindex is None:
            raise ConfigError(f"{path}:{_line(text, pos)}: quoted string is never closed")
        kind, raw = _KINDS[found.lastindex], found.group()
        yield Token(kind, content[pos : found.end()], pos)
        if kind == "mark":
            if raw == "{" and first.endswith(_LUA_BLOCK):
                close = _lua_end(path, text, pos)
                yield Token("lua", content[pos + 1 : close], pos + 1)
                yield Token("mark", content[close : close + 1], close)
                pos, first = close + 1, ""
                continue
            first = ""
        elif kind in ("word", "quoted") and not first:
            first = raw if kind == "word" else raw[1:-1]
        pos = found.end()


def _value(raw: str) -> str:
    if "\\" in raw:
        raw = _ESCAPE.sub(lambda m: _ESCAPED.get(m.group(1), m.group(1)), raw)
    return raw if raw.isascii() else raw.encode("latin-1").decode("utf-8", "surrogateescape")


def _line(text: str, pos: int) -> int:
    return text.count("\n", 0, pos) + 1


def _unexpected(path: str, text: str, pos: int) -> ConfigError:
    return ConfigError(f"{path}:{_line(text, pos)}: unexpected {text[pos]!r}")


def _lua_end(path: str, text: str, brace: int) -> int:
    """Offset of the brace that closes the Lua block opened at ``brace``."""
    depth = 0
    for found in _LUA.finditer(text, brace):
        if found.group("brace") is None:
            continue
        depth += 1 if found.group() == "{" else -1
        if depth == 0:
            return found.start()
    raise ConfigError(f'{path}:{_line(text, brace)}: Lua block is not closed by "}}"')
