"""A matcher that always ends soon, for patterns on which backtracking may take for ever.

It tries what a backtracking matcher tries, in the same order, and so finds the same match;
but it never tries the same instruction at the same place twice, for that failed before. It
cannot do back references. Source: Russ Cox, "Regular Expression Matching: the Virtual
Machine Approach" (the bit-state matcher of RE2).
"""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any, NamedTuple

_PARSER: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_UNBOUNDED = 1000  # repeats beyond this are taken as without end
_MOST_CODE = 20_000
_CATEGORIES = {
    "CATEGORY_DIGIT": rb"\d", "CATEGORY_NOT_DIGIT": rb"\D", "CATEGORY_SPACE": rb"\s",
    "CATEGORY_NOT_SPACE": rb"\S", "CATEGORY_WORD": rb"\w", "CATEGORY_NOT_WORD": rb"\W",
}  # fmt: skip
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


class TooHardError(Exception):
    """A match that could take for ever, or a pattern this machine does not know."""


class _Step(NamedTuple):
    """An instruction. ``kind`` is "set", "split", "jump", "save", "at", "look", "atomic", "end"."""

    kind: str
    value: Any = None
    other: int = 0


def cost(pattern: bytes, flags: int, length: int) -> float:
    """An upper estimate of the steps that backtracking may take on so many bytes."""
    return _cost(_PARSER.parse(pattern, flags), length)


def longest(pattern: bytes, flags: int, steps: float) -> int:
    """The longest text, up to 64 KiB, that backtracking surely gets over in so many steps."""
    parsed = _PARSER.parse(pattern, flags)
    fits, most = 0, 17  # as powers of two
    while most - fits > 1:
        middle = (fits + most) // 2
        if _cost(parsed, 1 << middle) <= steps:
            fits = middle
        else:
            most = middle
    return 1 << fits


def _cost(parsed: Any, length: int) -> float:
    try:
        return _ways(parsed, float(max(length, 2))) * max(length, 2)
    except OverflowError:
        return float("inf")


def _ways(tree: Any, length: float) -> float:
    """In how many ways a parsed pattern may go over a text that does not match in the end."""
    ways = 1.0
    for op, value in tree:
        name = str(op)
        inner = [_ways(part, length) for part in _parts(name, value)]
        if name == "BRANCH":
            ways *= sum(inner)
        elif name in _REPEATS:
            low, high, body = value
            within = _ways(body, length)
            if high >= _UNBOUNDED:
                ways *= length if within == 1.0 else float("inf")
            else:
                ways *= (high - low + 1) * within ** float(high)
        else:
            for more in inner:
                ways *= more
    return ways


def _parts(name: str, value: Any) -> list[Any]:
    if name == "SUBPATTERN":
        return [value[-1]]
    if name == "BRANCH":
        return list(value[1])
    if name in ("ASSERT", "ASSERT_NOT"):
        return [value[1]]
    if name == "ATOMIC_GROUP":
        return [value]
    if name == "GROUPREF_EXISTS":
        return [part for part in value[1:] if part]
    return []


class Machine:
    """A compiled pattern. Raises `TooHardError` where it holds what cannot be done here."""

    def __init__(self, pattern: bytes, flags: int = 0) -> None:
        parsed = _PARSER.parse(pattern, flags)
        self.groups: int = (
            parsed.state.groups if hasattr(parsed, "state") else parsed.pattern.groups
        )
        self.code: list[_Step] = []
        self._compile(parsed, parsed.state.flags if hasattr(parsed, "state") else flags)
        self.code.append(_Step("end"))

    def search(self, subject: bytes, budget: int = 300_000) -> list[int] | None:
        """The ends of every group, [start, end, start, end, ...], -1 for one that took no
        part; None without a match. Raises `TooHardError` after ``budget`` steps."""
        self.left = budget
        tried: set[tuple[int, int]] = set()
        for start in range(len(subject) + 1):
            found = self._run(0, start, subject, [-1] * (2 * self.groups), tried)
            if found is not None:
                found[0] = start
                return found
        return None

    def _run(
        self, pc: int, pos: int, subject: bytes, saved: list[int], tried: set[tuple[int, int]]
    ) -> list[int] | None:
        pending = [(pc, pos, saved)]
        while pending:
            pc, pos, saved = pending.pop()
            while (pc, pos) not in tried:
                tried.add((pc, pos))
                self.left -= 1
                if self.left < 0:
                    raise TooHardError
                step = self.code[pc]
                if step.kind == "set":
                    if pos >= len(subject) or subject[pos] not in step.value:
                        break
                    pc, pos = pc + 1, pos + 1
                elif step.kind == "split":
                    pending.append((step.other, pos, saved))
                    pc = step.value
                elif step.kind == "jump":
                    pc = step.value
                elif step.kind == "save":
                    saved = [*saved]
                    saved[step.value] = pos
                    pc += 1
                elif step.kind == "at":
                    if step.value.match(subject, pos) is None:
                        break
                    pc += 1
                elif step.kind == "end":
                    saved = [*saved]
                    saved[1] = pos
                    return saved
                else:
                    after = self._aside(step, pc, pos, subject, saved)
                    if after is None:
                        break
                    pos, saved = after
                    pc = step.other
        return None

    def _aside(
        self, step: _Step, pc: int, pos: int, subject: bytes, saved: list[int]
    ) -> tuple[int, list[int]] | None:
        """A lookaround or an atomic group: matched for itself, and not tried again."""
        wanted, back, keeps = step.value
        if pos < back:
            found = None
        else:
            found = self._run(pc + 1, pos - back, subject, saved, set())
            if found is not None and back and found[1] != pos:
                found = None
        if (found is not None) != wanted:
            return None
        if found is None:
            return pos, saved
        end, found[1] = found[1], saved[1]
        return (end if keeps else pos), found

    def _emit(self, step: _Step) -> int:
        if len(self.code) >= _MOST_CODE:
            raise TooHardError
        self.code.append(step)
        return len(self.code) - 1

    def _compile(self, tree: Any, flags: int) -> None:
        for op, value in tree:
            name = str(op)
            if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
                self._emit(_Step("set", _bytes_of(name, value, flags)))
            elif name == "SUBPATTERN":
                group, added, gone, body = value
                if group is not None:
                    self._emit(_Step("save", 2 * group))
                self._compile(body, (flags | added) & ~gone)
                if group is not None:
                    self._emit(_Step("save", 2 * group + 1))
            elif name == "BRANCH":
                self._branch(value[1], flags)
            elif name in _REPEATS:
                self._repeat(name, value, flags)
            elif name == "AT":
                self._emit(_Step("at", re.compile(_place(str(value)), flags & re.MULTILINE)))
            elif name in ("ASSERT", "ASSERT_NOT"):
                direction, body = value
                back = 0
                if direction < 0:
                    low, back = body.getwidth()
                    if low != back:
                        raise TooHardError
                self._apart((name == "ASSERT", back, False), body, flags)
            elif name == "ATOMIC_GROUP":
                self._apart((True, 0, True), value, flags)
            else:
                raise TooHardError

    def _apart(self, how: tuple[bool, int, bool], body: Any, flags: int) -> None:
        at = self._emit(_Step("aside"))
        self._compile(body, flags)
        self._emit(_Step("end"))
        self.code[at] = _Step("aside", how, len(self.code))

    def _branch(self, branches: Any, flags: int) -> None:
        ends = []
        for body in branches[:-1]:
            split = self._emit(_Step("split"))
            self._compile(body, flags)
            ends.append(self._emit(_Step("jump")))
            self.code[split] = _Step("split", split + 1, len(self.code))
        self._compile(branches[-1], flags)
        for at in ends:
            self.code[at] = _Step("jump", len(self.code))

    def _repeat(self, name: str, value: Any, flags: int) -> None:
        low, high, body = value
        if name == "POSSESSIVE_REPEAT":
            self._apart((True, 0, True), [(_PARSER.MAX_REPEAT, value)], flags)
            return
        for _ in range(low):
            self._compile(body, flags)
        greedy = name == "MAX_REPEAT"
        if high >= _UNBOUNDED:
            split = self._emit(_Step("split"))
            self._compile(body, flags)
            self._emit(_Step("jump", split))
            self.code[split] = self._choice(split + 1, len(self.code), greedy)
            return
        splits = []
        for _ in range(high - low):
            splits.append(self._emit(_Step("split")))
            self._compile(body, flags)
        for at in splits:
            self.code[at] = self._choice(at + 1, len(self.code), greedy)

    @staticmethod
    def _choice(into: int, past: int, greedy: bool) -> _Step:
        return _Step("split", into, past) if greedy else _Step("split", past, into)


def _place(name: str) -> bytes:
    return {
        "AT_BEGINNING": b"^", "AT_BEGINNING_STRING": rb"\A", "AT_BOUNDARY": rb"\b",
        "AT_NON_BOUNDARY": rb"\B", "AT_END": b"$", "AT_END_STRING": rb"\Z",
    }[name]  # fmt: skip


def _bytes_of(name: str, value: Any, flags: int) -> frozenset[int]:
    """The bytes that one character of the pattern stands for."""
    if name == "ANY":
        return frozenset(range(256)) - (frozenset() if flags & re.DOTALL else {10})
    if name == "LITERAL":
        return _cased({value}, flags)
    if name == "NOT_LITERAL":
        return frozenset(range(256)) - _cased({value}, flags)
    found: set[int] = set()
    negated = False
    for op, item in value:
        kind = str(op)
        if kind == "NEGATE":
            negated = True
        elif kind == "LITERAL":
            found |= _cased({item}, flags)
        elif kind == "RANGE":
            found |= _cased(set(range(item[0], item[1] + 1)), flags)
        elif kind == "CATEGORY" and str(item) in _CATEGORIES:
            category = re.compile(_CATEGORIES[str(item)])
            found |= {byte for byte in range(256) if category.match(bytes([byte]))}
        else:
            raise TooHardError
    return frozenset(range(256)) - found if negated else frozenset(found)


def _cased(found: set[int], flags: int) -> frozenset[int]:
    if not flags & re.IGNORECASE:
        return frozenset(found)
    both = {bytes([byte]).swapcase()[0] for byte in found if byte < 128}
    return frozenset(found | both)
