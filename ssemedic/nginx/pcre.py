"""A regular expression of nginx (PCRE, on bytes) in the words of Python's `re`.

Only the notation is translated here; what Python cannot express is an error. Source:
pcrepattern(3).
"""

from __future__ import annotations

import re
import sys

_POSSESSIVE = sys.version_info >= (3, 11)  # `re` knows a++ and (?>...)
_NAME = r"[A-Za-z_]\w*"
_GROUP = re.compile(rf"\(\?(?:P?<(?P<name>{_NAME})>|'(?P<quoted>{_NAME})')", re.ASCII)
_FLAGS = re.compile(r"\(\?(?P<on>[ims]*)(?:-(?P<off>[ims]+))?(?P<end>[:)])")
_PLAIN_GROUP = re.compile(r"\(\?(?::|=|!|<=|<!|#[^)]*\))")
_CONDITION = re.compile(rf"\(\?\((?:<({_NAME})>|'({_NAME})'|({_NAME}|\d+))\)", re.ASCII)
_BY_NAME = re.compile(
    rf"\\k(?:<({_NAME})>|'({_NAME})'|\{{({_NAME})\}})|\(\?P=({_NAME})\)", re.ASCII
)
_BY_NUMBER = re.compile(r"\\g?(?:([1-9]\d?)|\{([1-9]\d?)\})")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})([+?]?)")
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": r"\ \t", "digit": "0-9", "lower": "a-z",
    "punct": "!-/:-@\\[-`{-~", "space": r"\s", "upper": "A-Z", "word": r"\w", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_SAME = frozenset("dDwWsSbBAfnrtv")
_ELSEWHERE = {
    "z": r"\Z", "Z": r"(?=\n?\Z)", "h": r"[ \t]", "H": r"[^ \t]", "N": r"[^\n]", "e": r"\x1b",
    "a": r"\x07", "R": r"(?:\r\n|[\n-\r])", "K": "",
}  # fmt: skip


class NotationError(ValueError):
    """Python's `re` has no words for this pattern."""


class _Group:
    """A group that is open: where it began, and the inline flags switched on in it."""

    def __init__(self, start: int, closes: str = ")") -> None:
        self.start, self.closes = start, closes
        self.flags: list[str] = []


class _Translator:
    def __init__(self, pattern: str) -> None:
        self.text, self.pos = pattern, 0
        self.out: list[str] = []
        self.groups = [_Group(0, "")]
        self.atom = 0  # where in `out` the atom begins that a quantifier would repeat
        self.numbers: list[int] = []  # of the pattern's groups, in the translation
        self.made = 0

    def run(self) -> tuple[str, tuple[int, ...]]:
        while self.pos < len(self.text):
            self.step(self.text[self.pos])
        self.out += [")"] * len(self.groups[-1].flags)
        if len(self.groups) != 1:
            raise NotationError("a group is not closed")
        return "".join(self.out), tuple(self.numbers)

    def step(self, char: str) -> None:
        found = _QUANTIFIER.match(self.text, self.pos)
        if found is not None:
            self.quantifier(found)
            return
        if char == "\\":
            self.escape()
        elif char == "[":
            self.put(self.char_class())
        elif char == "(":
            self.open()
        elif char == ")":
            self.close()
        elif char == "|":
            flags = self.groups[-1].flags
            self.emit(")" * len(flags) + "|" + "".join(flags))
        elif char == "{":
            self.put(r"\{")
        else:
            self.put(char)

    def put(self, text: str, length: int = 1) -> None:
        """One atom, of so many characters of the pattern (a class has moved on itself)."""
        self.atom = len(self.out)
        self.out.append(text)
        if not text.startswith("[") or len(text) == 1:
            self.pos += length

    def emit(self, text: str, length: int = 1) -> None:
        self.out.append(text)
        self.pos += length

    def quantifier(self, found: re.Match[str]) -> None:
        text = found.group()
        if found[1] == "+" and not _POSSESSIVE:
            self.atomic(self.atom, text[:-1])
        else:
            self.out.append(text)
        self.pos = found.end()

    def atomic(self, start: int, quantifier: str = "") -> None:
        """(?>X) as (?=(X))\\1: what a lookahead took is not given back."""
        self.made += 1
        name = f"_a{self.made}"
        inner = "".join(self.out[start:]) + quantifier
        groups = len(re.findall(r"\(\?P<_a", inner))
        self.out[start:] = [f"(?=(?P<{name}>{inner}))(?P={name})"]
        if groups or any(True for _ in self.numbers):
            # A group was put before those inside it; counting them again is not worth it.
            raise NotationError("possessive with groups")
        self.atom = start

    def escape(self) -> None:
        if self.pos + 1 >= len(self.text):
            raise NotationError("ends in a backslash")
        char = self.text[self.pos + 1]
        named = _BY_NAME.match(self.text, self.pos)
        numbered = _BY_NUMBER.match(self.text, self.pos)
        if char == "Q":
            end = self.text.find("\\E", self.pos)
            end = len(self.text) if end < 0 else end
            quoted = self.text[self.pos + 2 : end]
            self.pos = min(end + 2, len(self.text))
            for one in quoted:
                self.atom = len(self.out)
                self.out.append(re.escape(one))
        elif char == "E":
            self.emit("", 2)
        elif named is not None:
            self.put(f"(?P={next(filter(None, named.groups()))})", len(named.group()))
        elif numbered is not None:
            self.put(f"(?:\\{numbered[1] or numbered[2]})", len(numbered.group()))
        else:
            text, length = self.one_escape()
            self.atom = len(self.out)
            self.emit(text, length)

    def one_escape(self) -> tuple[str, int]:
        """An escape that stands for characters, and how long it is."""
        char = self.text[self.pos + 1]
        if char in _SAME:
            return "\\" + char, 2
        if char in _ELSEWHERE:
            return _ELSEWHERE[char], 2
        found = re.compile(r"\\x(?:\{([0-9a-fA-F]{1,2})\}|([0-9a-fA-F]{0,2}))").match(
            self.text, self.pos
        )
        if found is not None:
            return f"\\x{int(found[1] or found[2] or '0', 16):02x}", len(found.group())
        found = re.compile(r"\\(0[0-7]{0,2}|o\{([0-7]{1,3})\})").match(self.text, self.pos)
        if found is not None:
            return f"\\x{int(found[2] or found[1], 8) & 255:02x}", len(found.group())
        if char.isalnum():
            raise NotationError(f"\\{char}")
        return re.escape(char), 2

    def char_class(self) -> str:
        """A class; `pos` is past it afterwards."""
        start, out = self.pos, ["["]
        self.pos += 1
        if self.text.startswith("^", self.pos):
            out.append("^")
            self.pos += 1
        first = True
        while self.pos < len(self.text):
            char = self.text[self.pos]
            if char == "]" and not first:
                self.pos += 1
                return "".join([*out, "]"])
            first = False
            posix = re.compile(r"\[:(\^?)(\w+):\]").match(self.text, self.pos)
            if posix is not None:
                if posix[1] or posix[2] not in _POSIX:
                    raise NotationError(posix.group())
                out.append(_POSIX[posix[2]])
                self.pos = posix.end()
            elif char == "\\" and self.pos + 1 < len(self.text):
                after = self.text[self.pos + 1]
                if after == "b":
                    text, length = r"\x08", 2
                elif after == "h":
                    text, length = r"\ \t", 2
                elif after in "BRNKQEzZHA":
                    raise NotationError(f"\\{after} in a class")
                else:
                    text, length = self.one_escape()
                out.append(text)
                self.pos += length
            else:
                out.append(
                    "\\" + char if char in "[]&|~" or (char == "-" and out[-1] == "-") else char
                )
                self.pos += 1
        raise NotationError(f"class at {start} is not closed")

    def open(self) -> None:
        text, pos = self.text, self.pos
        by_name, flags = _BY_NAME.match(text, pos), _FLAGS.match(text, pos)
        group, condition = _GROUP.match(text, pos), _CONDITION.match(text, pos)
        plain = _PLAIN_GROUP.match(text, pos)
        if not text.startswith(("(?", "(*"), pos):
            self.begin("(", 1, numbered=True)
        elif group is not None:
            self.begin(
                f"(?P<{group['name'] or group['quoted']}>", len(group.group()), numbered=True
            )
        elif by_name is not None:
            self.put(f"(?P={next(filter(None, by_name.groups()))})", len(by_name.group()))
        elif text.startswith("(?>", pos):
            self.begin("(?>" if _POSSESSIVE else "(?:", 3, closes=")" if _POSSESSIVE else ">")
        elif plain is not None:
            if plain.group().endswith(")"):
                self.pos += len(plain.group())  # a comment
            else:
                self.begin(plain.group(), len(plain.group()))
        elif condition is not None:
            name = next(filter(None, condition.groups()))
            self.begin(f"(?({name})", len(condition.group()))
        elif flags is not None and (flags["on"] or flags["off"]):
            off = f"-{flags['off']}" if flags["off"] else ""
            opened = f"(?{flags['on']}{off}:"
            if flags["end"] == ":":
                self.begin(opened, len(flags.group()))
            else:
                self.groups[-1].flags.append(opened)
                self.emit(opened, len(flags.group()))
        else:
            raise NotationError(text[pos : pos + 4])

    def begin(self, text: str, length: int, numbered: bool = False, closes: str = ")") -> None:
        if numbered:
            self.numbers.append(len(self.numbers) + self.made + 1)
        self.groups.append(_Group(len(self.out), closes))
        self.emit(text, length)

    def close(self) -> None:
        if len(self.groups) == 1:
            raise NotationError("a group is closed that was not open")
        group = self.groups.pop()
        self.emit(")" * len(group.flags) + ")")
        self.atom = group.start
        if group.closes == ">":
            self.atomic(group.start)


def translated(pattern: str) -> tuple[str, tuple[int, ...]]:
    """The pattern for `re`, and the number there of each numbered group of the pattern.

    Raises `NotationError` where Python cannot say it.
    """
    return _Translator(pattern).run()
