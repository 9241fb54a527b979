"""Bytes of one nginx file -> directives that know where they stand.

Follows ngx_conf_read_token() of nginx: what is a word, where a quote ends and which
escapes count are its rules, not those of a shell. The bytes are read as latin-1, so
an offset in the text is an offset in the file whatever its encoding.

One regular expression takes a whole statement at a time. Its words, and the line it
stands on, are worked out when somebody asks.
"""

from __future__ import annotations

import gc
import re
from bisect import bisect_left
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
# Nothing in it can match one text in two ways, and its last branch always matches: however
# long or broken the file, it takes time in proportion.
_STATEMENT = re.compile(
    r"[ \t\r\n]*(?:\#[^\n]*(?:\n[ \t\r\n]*|\Z))*"  # spaces and comments before it
    r"(?:"
    r"""([^ \t\r\n;{}"'\\#$]+)(?:[ \t\r\n][^;{}"'\\#]*)?(?<!\$)([;{])"""  # 1, 2 plain words
    r"|(\})"  # 3 the end of a block
    r"""|([^ \t\r\n;{}"'\\#$]+)(?:[ \t\r\n]+"""  # 4 words, or quotes that stand alone
    r"""(?:"[^"\\]*(?:\\.[^"\\]*)*"(?=[ \t\r\n;{])|'[^'\\]*(?:\\.[^'\\]*)*'(?=[ \t\r\n;{])"""
    r"""|(?:[^ \t\r\n;{}"'\\#$]|\\.|\$\{*(?!\{))[^ \t\r\n;{\\$]*"""
    r"""(?:(?:\\.|\$\{*(?!\{))[^ \t\r\n;{\\$]*)*))*[ \t\r\n]*([;{])"""  # 5
    r"|)",  # all else is read word by word
    re.DOTALL,
)
_PLAIN, _END, _WORDS = 2, 3, 5
#: So much of a word is shown in an error; what is no configuration may be one long word.
_LONGEST_NAME = 60
_BLANK = " \t\r\n"
#: Words that mean what they say, between what nginx and Python both take for space.
_SIMPLE = re.compile(r"[ \t\r\n!$%&(-\[\]-~]*").fullmatch
_ESCAPE = re.compile(r"""\\(["'\\trn])""")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_LUA_BLOCK = "_by_lua_block"
_LUA = re.compile(
    r"(?:--)?\[(?P<long>=*)\["
    r"|--[^\n]*"
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


class _Text:
    """What the directives of one file share: its name, its characters, where lines end."""

    __slots__ = ("_breaks", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._breaks: list[int] | None = None

    def line(self, pos: int) -> int:
        """The number of the line that holds an offset, from 1."""
        if self._breaks is None:
            self._breaks = [found.start() for found in re.finditer("\n", self.text)]
        return bisect_left(self._breaks, pos) + 1


class Directive:
    """One directive. Two directives are the same only if they stand at the same place.

    ``start``:``end`` are the byte offsets from the first byte of the name to past the ``;``
    or ``}``; ``open`` and ``close`` those of the braces, -1 without a block. ``block`` is
    None for a simple directive, empty for Lua. Nothing of it ever changes.
    """

    __slots__ = ("_args", "_text", "block", "close", "end", "name", "open", "start")

    def __init__(
        self,
        text: _Text,
        name: str,
        start: int,
        end: int,
        open: int = -1,
        close: int = -1,
        block: tuple[Directive, ...] | None = None,
        args: tuple[str, ...] | None = None,
    ) -> None:
        self._text = text
        self.name = name
        self.start = start
        self.end = end
        self.open = open
        self.close = close
        self.block = block
        self._args = args

    @property
    def args(self) -> tuple[str, ...]:
        """The words after the name, unquoted."""
        args = self._args
        if args is None:
            stop = self.end - 1 if self.open < 0 else self.open
            raw = self._text.text[self.start + len(self.name) : stop]
            self._args = args = tuple(raw.split() if _SIMPLE(raw) else _words(raw))
        return args

    @property
    def file(self) -> str:
        """The path by which nginx reads the file."""
        return self._text.path

    @property
    def line(self) -> int:
        """The line of the name, from 1."""
        return self._text.line(self.start)

    @property
    def where(self) -> str:
        """ "file:line"."""
        return f"{self._text.path}:{self._text.line(self.start)}"

    @property
    def lua(self) -> bool:
        """The block holds Lua, not directives."""
        return self.block is not None and self.name.endswith(_LUA_BLOCK)

    def __repr__(self) -> str:
        return f"<{' '.join((self.name, *self.args))} at {self.where}>"


@dataclass(frozen=True)
class Source:
    """One file: its bytes and what they say. ``includes`` are the include directives
    anywhere in it, ``bare`` those without a block and without arguments."""

    path: str
    content: bytes = field(repr=False)
    directives: tuple[Directive, ...] = field(repr=False)
    includes: tuple[Directive, ...] = field(default=(), repr=False)
    bare: tuple[Directive, ...] = field(default=(), repr=False)


def parse(path: str, content: bytes) -> Source:
    """The directives of one file; includes are not followed.

    Raises `ConfigError` where nginx would refuse the file's structure.
    """
    # Nothing made here is garbage, and looking for some takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _parsed(_Text(path, content.decode("latin-1")), content)
    finally:
        if collecting:
            gc.enable()


def _parsed(file: _Text, content: bytes) -> Source:
    text, match = file.text, _STATEMENT.match
    names: dict[str, str] = {}
    includes: list[Directive] = []
    bare: list[Directive] = []
    children: list[Directive] = []
    # Of every open block: its siblings so far, name, arguments, start and brace.
    stack: list[tuple[list[Directive], str, tuple[str, ...] | None, int, int]] = []
    pos, length = 0, len(text)
    while pos < length:
        found = match(text, pos)
        assert found is not None  # the last branch always matches
        pos, kind = found.end(), found.lastindex
        args = None
        if kind in (_PLAIN, _WORDS):
            start = found.start(kind - 1)
            raw = found[kind - 1]
            name = names.get(raw) or names.setdefault(raw, _value(raw))
            if name != raw:
                args = tuple(_words(text[start + len(raw) : pos - 1]))
            mark = found[kind]
        elif kind == _END:
            if not stack:
                raise _unexpected(file, pos - 1)
            block = tuple(children)
            children, name, args, start, brace = stack.pop()
            children.append(Directive(file, name, start, pos, brace, pos - 1, block, args))
            continue
        elif pos == length:
            break
        else:
            start = pos
            (name, *rest), mark, pos = _word_by_word(file, pos)
            name, args = names.setdefault(name, name), tuple(rest)
        if mark == ";":
            directive = Directive(file, name, start, pos, -1, -1, None, args)
            children.append(directive)
            if name == "include":
                includes.append(directive)
            given = args if args is not None else text[start + len(name) : pos - 1].strip(_BLANK)
            if not given:
                bare.append(directive)
        elif name.endswith(_LUA_BLOCK):
            brace, close = pos - 1, _lua_end(file, pos - 1)
            pos = close + 1
            children.append(Directive(file, name, start, pos, brace, close, (), args))
        else:
            if len(stack) >= MAX_DEPTH:
                where = f"{file.path}:{file.line(start)}"
                raise ConfigError(f"{where}: blocks nest deeper than {MAX_DEPTH}")
            stack.append((children, name, args, start, pos - 1))
            children = []
    if stack:
        _, name, _, start, _ = stack[-1]
        raise ConfigError(f'{file.path}:{file.line(start)}: block "{name}" is not closed by "}}"')
    return Source(file.path, content, tuple(children), tuple(includes), tuple(bare))


def _word_by_word(file: _Text, start: int) -> tuple[list[str], str, int]:
    """The words of the statement at ``start``, the mark that ends it and what is past it."""
    words: list[str] = []
    text, pos = file.text, start
    while pos < len(text):
        found = _TOKEN.match(text, pos)
        if found is None:
            raise ConfigError(f"{file.path}:{file.line(pos)}: quoted string is never closed")
        kind, raw, here, pos = found.lastindex, found.group(), pos, found.end()
        if kind in _TRIVIA:
            continue
        if kind == _MARK:
            if raw == "}" or not words:
                raise _unexpected(file, here)
            return words, raw, pos
        if kind == _QUOTED:
            if pos < len(text) and text[pos] not in _AFTER_QUOTED:
                raise _unexpected(file, pos)
            raw = raw[1:-1]
        words.append(_value(raw))
    where = f"{file.path}:{file.line(start)}"
    name = words[0] if len(words[0]) <= _LONGEST_NAME else f"{words[0][:_LONGEST_NAME]}..."
    raise ConfigError(f'{where}: "{name}" is not ended by ";" before the file ends')


def _words(raw: str) -> Iterator[str]:
    """The values of the words in a piece of a statement that has been checked before."""
    for found in _TOKEN.finditer(raw):
        if found.lastindex == _WORD:
            yield _value(found.group())
        elif found.lastindex == _QUOTED:
            yield _value(found.group()[1:-1])


def tokens(path: str, content: bytes) -> Iterator[Token]:
    """Every piece of the file, spaces and comments too; joined they are the file."""
    file = _Text(path, content.decode("latin-1"))
    text, pos, first = file.text, 0, ""
    while pos < len(text):
        found = _TOKEN.match(text, pos)
        if found is None or found.lastindex is None:
            raise ConfigError(f"{path}:{file.line(pos)}: quoted string is never closed")
        kind, raw = _KINDS[found.lastindex], found.group()
        yield Token(kind, content[pos : found.end()], pos)
        if kind == "mark":
            if raw == "{" and first.endswith(_LUA_BLOCK):
                close = _lua_end(file, pos)
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


def _unexpected(file: _Text, pos: int) -> ConfigError:
    return ConfigError(f"{file.path}:{file.line(pos)}: unexpected {file.text[pos]!r}")


def _lua_end(file: _Text, brace: int) -> int:
    """Offset of the brace that closes the Lua block opened at ``brace``."""
    depth, pos = 0, brace
    while True:
        found = _LUA.search(file.text, pos)
        if found is None:
            break
        pos = found.end()
        if found["long"] is not None:
            end = f"]{found['long']}]"
            pos = file.text.find(end, pos) + len(end)
            if pos < len(end):
                break
        elif found["brace"]:
            depth += 1 if found["brace"] == "{" else -1
            if depth == 0:
                return found.start()
    raise ConfigError(f'{file.path}:{file.line(brace)}: Lua block is not closed by "}}"')
