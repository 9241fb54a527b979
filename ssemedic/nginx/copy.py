"""A copy of the location that answers a URL now, to stand beside it for this URL alone.

The copy holds the location's own directives in their order, what it inherits from locations
around it, and the access rules of locations that the request passed before. The server block
it will stand in gives it the rest, as it did before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .edit import UnsafeError
from .lexer import Directive
from .ours import COPIED, COPIED_WHY, Line
from .quote import checked
from .route import Route
from .tree import Tree
from .upstream import PASSES
from .versions import NOT_INHERITED

AROUND_WHY = "as in the location around the one that served this URL before"
BEFORE_WHY = "as in the location that the request passed before"
#: What does not go into a copy: nested blocks, and the ban on clients that named ones need not.
_LEFT_OUT = frozenset({"internal", "location"})
#: What decides who may have an answer. It runs in every location that a request passes, but
#: not in one that a rewrite leaves.
_ACCESS = (
    ("allow", "deny"), ("auth_basic",), ("auth_basic_user_file",), ("auth_jwt",),
    ("auth_request",), ("js_access",), ("limit_conn",), ("limit_req",), ("modsecurity",),
    ("satisfy",),
)  # fmt: skip
#: Directives of which one hides the other's outer levels too.
_TOGETHER = {"allow": "deny", "deny": "allow", "root": "alias", "alias": "root"}
_CAPTURE = re.compile(r"\$\{?\d")
_GROUP = re.compile(r"\(\?P?<([A-Za-z_]\w*)>")


def copied(found: Route) -> tuple[Line, ...]:
    """The lines of the copy. Raises `UnsafeError` where a copy would not do the same."""
    tree, block = found.tree, found.path[-1]
    own = [d for d in tree.flat(block.block) if d.name not in _LEFT_OUT]
    _check_plain(own)
    lines = [_line(d, COPIED_WHY) for d in own]
    names = {d.name for d in own}
    around: list[Line] = []
    for outer in reversed(found.path[2:-1]):
        hidden = names | {_TOGETHER[name] for name in names if name in _TOGETHER}
        theirs = [d for d in tree.flat(outer.block) if _comes_down(d) and d.name not in hidden]
        _check_plain(theirs)
        around = [*(_line(d, AROUND_WHY) for d in theirs), *around]
        names |= {d.name for d in theirs}
    lines = [*around, *_access(found), *lines]
    _check_captures(found, lines)
    return tuple(lines)


def _line(directive: Directive, why: str) -> Line:
    checked(directive.name, directive.args, inherited=True)
    return Line(directive.name, directive.args, COPIED, why)


def _check_plain(directives: Iterable[Directive]) -> None:
    for directive in directives:
        name = directive.name
        if "_by_lua" in name:
            raise UnsafeError(f"{directive.where}: Lua has a hand in this location")
        if directive.block is not None:
            raise UnsafeError(f"{directive.where}: a block {name} cannot be copied safely")
        if name == "try_files":
            raise UnsafeError(f"{directive.where}: try_files comes before the upstream")


def _comes_down(directive: Directive) -> bool:
    """A nested location inherits it."""
    name = directive.name
    return name not in NOT_INHERITED | _LEFT_OUT | {"break", "limit_except", *PASSES}


def _access(found: Route) -> list[Line]:
    """The access rules of the locations that handed the request over, which a copy of the
    last one would skip."""
    if all(handed.startswith("rewrite") for handed in found.handed_over):
        return []  # a location that a rewrite leaves decides nothing
    mixed = any(handed.startswith("rewrite") for handed in found.handed_over)
    lines: list[Line] = []
    for location in found.chain[:-1]:
        for directive in found.tree.flat(location.directive.block):
            if directive.name == "limit_except":
                raise UnsafeError(f"{directive.where}: decides who may pass, cannot be copied")
        for names in _ACCESS:
            before, last = _nearest(found, location.path, names), _nearest(found, found.path, names)
            rules = [_line(d, BEFORE_WHY) for d in before]
            if not before or _said(before) == _said(last) or set(rules) <= set(lines):
                continue
            if last or mixed or any(x.name in names for x in lines):
                where = found.path[-1].where
                raise UnsafeError(f"{before[0].where}: {before[0].name} does not count at {where}")
            lines += rules
    return lines


def _nearest(
    found: Route, path: tuple[Directive, ...], names: tuple[str, ...]
) -> tuple[Directive, ...]:
    """The lines of directives that form one array, in their order."""
    for block in reversed(path):
        lines = tuple(d for d in found.tree.flat(block.block) if d.name in names)
        if lines:
            return lines
    return ()


def _said(lines: Iterable[Directive]) -> list[tuple[str, ...]]:
    return [(d.name, *d.args) for d in lines]


def _check_captures(found: Route, lines: Sequence[Line]) -> None:
    """No line may use what a location or a rewrite that is left behind has put in a variable."""
    patterns = [x.name for x in found.chain if x.modifier in ("~", "~*")]
    named = {name for pattern in patterns for name in _GROUP.findall(pattern)}
    passed = [x.directive for x in found.chain[:-1]]
    named |= {
        d.args[0].lstrip("$")
        for d in _flat(found.tree, passed)
        if d.name == "set" and d.args and found.path[-1] is not d
    }
    for line in lines:
        own = line.name in ("rewrite", "sub_filter")
        for arg in line.args[1:] if line.name == "set" else line.args:
            captured = not own and _CAPTURE.search(arg)
            used = [n for n in named if re.search(rf"\$\{{?{n}\b", arg)]
            if captured or used:
                raise UnsafeError(
                    f"{found.path[-1].where}: {line.name} uses what was captured on the way"
                )


def _flat(tree: Tree, blocks: Iterable[Directive]) -> Iterable[Directive]:
    for block in blocks:
        yield from tree.flat(block.block)
