"""Changes to the bytes of an admin's file that leave every other byte alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .lexer import Directive, Source
from .quote import quoted


@dataclass(frozen=True)
class Splice:
    """Replace ``start``:``end`` by ``text``."""

    start: int
    end: int
    text: bytes = b""


def spliced(content: bytes, splices: list[Splice]) -> bytes:
    """The content with all splices made; they must not overlap."""
    out, pos = [], 0
    for splice in sorted(splices, key=lambda s: (s.start, s.end)):
        if splice.start < pos:
            raise ValueError(f"splices overlap at byte {splice.start}")
        out += [content[pos : splice.start], splice.text]
        pos = splice.end
    return b"".join([*out, content[pos:]])


def removal(content: bytes, directive: Directive) -> Splice:
    """Take a directive out: with its line where it stands alone, without a comment behind it."""
    start, end = _line(content, directive.start, directive.end)
    before, after = content[start : directive.start], content[directive.end : end]
    if not before.strip() and not after.strip():
        return Splice(start, end)
    gap = len(after) - len(after.lstrip(b" \t"))
    return Splice(directive.start, directive.end + gap)


def replaceable(content: bytes, directive: Directive) -> bool:
    """No comment stands behind the directive that would then speak of something else."""
    _, end = _line(content, directive.start, directive.end)
    return b"#" not in content[directive.end : end]


def replacement(directive: Directive, path: str) -> Splice:
    """Put ``include path;`` where the directive stood."""
    return Splice(directive.start, directive.end, _include(path))


def insertion(source: Source, block: Directive, path: str) -> Splice:
    """Put ``include path;`` at the end of a block, in the block's own style."""
    return insertion_of(source, block, _include(path))


def insertion_of(source: Source, block: Directive, *lines: bytes) -> Splice:
    """Put lines at the end of a block, in the block's own style."""
    content = source.content
    children = [child for child in block.block or () if child.file == source.path]
    if not children:
        inside = content[block.open + 1 : block.close]
        if b"\n" not in inside:
            tail = b"" if inside else b" "
            return Splice(block.open + 1, block.open + 1, b"".join(b" " + x for x in lines) + tail)
        end = content.index(b"\n", block.open) + 1
        indent = _indent(content, block.start) + _unit(content)
        return Splice(end, end, _stacked(lines, indent, _eol(content, end)))
    last = children[-1]
    if b"\n" not in content[last.end : block.close]:
        return Splice(last.end, last.end, b"".join(b" " + x for x in lines))
    _, end = _line(content, last.start, last.end)
    first = content.rfind(b"\n", 0, last.start) + 1
    beside = block.open >= first  # the child stands on the line that opens the block
    indent = (
        _indent(content, block.start) + _unit(content) if beside else _indent(content, last.start)
    )
    return Splice(end, end, _stacked(lines, indent, _eol(content, end)))


def beside(source: Source, directive: Directive, *lines: bytes) -> Splice:
    """Put lines below a simple directive, or above a block, with its indent."""
    content = source.content
    indent = _indent(content, directive.start)
    start, end = _line(content, directive.start, directive.end)
    eol = b"\r\n" if b"\r\n" in content[start:end] else b"\n"
    if directive.block is not None:
        text = _stacked(lines, indent, eol)[len(indent) :] + indent
        return Splice(directive.start, directive.start, text)
    behind = content[directive.end : end].strip()
    if behind and not behind.startswith(b"#"):
        return Splice(directive.end, directive.end, b"".join(b" " + x for x in lines))
    return Splice(end, end, _stacked(lines, indent, eol))


def _stacked(lines: Sequence[bytes], indent: bytes, eol: bytes) -> bytes:
    return b"".join(indent + line + eol for line in lines)


def _include(path: str) -> bytes:
    return f"include {quoted(path)};".encode()


def _line(content: bytes, start: int, end: int) -> tuple[int, int]:
    """The whole lines around a span, the last line break included."""
    last = content.find(b"\n", end)
    return content.rfind(b"\n", 0, start) + 1, len(content) if last < 0 else last + 1


def _indent(content: bytes, start: int) -> bytes:
    line = content[content.rfind(b"\n", 0, start) + 1 : start]
    return line[: len(line) - len(line.lstrip(b" \t"))]


def _unit(content: bytes) -> bytes:
    return b"\t" if b"\n\t" in content else b"    "


def _eol(content: bytes, end: int) -> bytes:
    return b"\r\n" if content[:end].endswith(b"\r\n") else b"\n"
