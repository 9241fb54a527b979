"""Wishes put among the lines of one location: what our file must hold, what must go.

Array directives count whole from the nearest level that has any line of them. So a line of
ours repeats those it would hide, and a line that goes leaves one behind that says nothing
where its absence would let the outer levels back in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .alike import LISTS, equal, is_array, rest_without, same, speaks_of
from .edit import UnsafeError
from .lexer import Directive
from .ours import INHERITED, INHERITED_WHY, Line
from .quote import checked, statement
from .settings import effective
from .tree import Tree
from .versions import FAMILIES, INHERIT_RULE, default_lines, knows

#: Lines that have no effect of their own, verified on nginx 1.22.1. An empty value adds no
#: header; nginx hides X-Accel-Expires in any case; nobody sends the other ones.
SILENT = {
    "gzip_types": ("application/x-none",),
    **{f"{family}_hide_header": ("X-Accel-Expires",) for family in FAMILIES},
    **{f"{family}_pass_header": ("X-None",) for family in FAMILIES},
    **{f"{family}_ignore_headers": ("X-Accel-Charset",) for family in FAMILIES},
}
#: Request headers that nginx itself never passes on (ngx_http_proxy_headers).
_NOT_PASSED_ON = frozenset({"transfer-encoding", "te", "keep-alive", "expect", "upgrade"})
_GONE = "taken away, and the lines of the outer levels stay away"


@dataclass(frozen=True)
class Wishes:
    """Lines that must be in force, and lines that must not: the name and one argument."""

    settings: tuple[Line, ...]
    without: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Place:
    """A location, there or to be: ``admins`` its lines in the admin's files, ``existing`` those
    of our file, ``outer`` the blocks around it."""

    tree: Tree
    outer: tuple[Directive, ...]
    version: str
    admins: tuple[Directive, ...] = ()
    existing: tuple[Line, ...] = ()

    def around(self, name: str) -> tuple[Directive, ...]:
        """The lines of a directive that the location would inherit; none for a default."""
        return effective(self.tree, self.outer, name, self.version).lines

    def merges(self, name: str) -> bool:
        """The location's own lines and those of the outer levels count together."""
        rule = INHERIT_RULE.get(name)
        if rule is None or not knows(rule, self.version):
            return False
        mine = [d.args for d in self.admins if d.name == rule]
        said = mine or [d.args for d in self.around(rule)]
        return bool(said) and said[-1] == ("merge",)

    def hides(self, name: str) -> bool:
        """An array whose outer lines did not count here before, and are not to count now."""
        if any(d.name == name for d in self.admins) or self.merges(name):
            return True
        ours = [line for line in self.existing if line.name == name]
        return bool(ours) and not any(line.inherited for line in ours)


def merged(place: Place, wishes: Wishes) -> tuple[tuple[Line, ...], list[Directive]]:
    """All lines of our file, and the admin's lines that contradict them.

    Raises `UnsafeError` for a wish that cannot be had by lines of a location.
    """
    # Lines we repeated are looked up anew: the admin may have changed what they repeat.
    lines = [line for line in place.existing if not line.inherited]
    removed: list[Directive] = []
    for wish in wishes.settings:
        _put(place, lines, removed, wish)
    frozen: set[str] = set()
    for absent in wishes.without:
        _take(place, lines, removed, absent, frozen)
    hiding = [name for name in _hiding(place, lines) if name not in frozen]
    return (*_repeated(place, hiding, lines), *lines), removed


def _put(place: Place, lines: list[Line], removed: list[Directive], wish: Line) -> None:
    theirs = [d for d in place.admins if d.name == wish.name and same(wish.name, wish.args, d.args)]
    if wish.name in LISTS and any(
        d.name == wish.name and equal(wish.name, wish.args, d.args) for d in place.admins
    ):
        return
    if len(theirs) == 1 and equal(wish.name, wish.args, theirs[0].args):
        return
    mine = [i for i, x in enumerate(lines) if _same_line(x, wish.name, wish.args)]
    if mine:
        for extra in reversed(mine[1:]):
            del lines[extra]
        if not equal(wish.name, wish.args, lines[mine[0]].args):
            lines[mine[0]] = wish
    elif not theirs and _already(place, wish):
        return
    else:
        lines.append(wish)
    removed += [d for d in theirs if d not in removed]


def _already(place: Place, wish: Line) -> bool:
    """An outer level already says so, and what stands in the location does not hide it."""
    if any(d.name == wish.name for d in place.admins) or place.hides(wish.name):
        return False
    return any(equal(wish.name, wish.args, d.args) for d in place.around(wish.name))


def _take(
    place: Place, lines: list[Line], removed: list[Directive], absent: Line, frozen: set[str]
) -> None:
    name, key = absent.name, absent.args[0]
    own = [d for d in place.admins if d.name == name and d not in removed]
    left = [d for d in own if not speaks_of(name, d.args, key)]
    for directive in own:
        if directive not in left:
            removed.append(directive)
            _rest(lines, absent, directive.args)
    for line in [x for x in lines if x.name == name and speaks_of(name, x.args, key)]:
        if not is_silent(place, name, line.args):
            lines.remove(line)
            _rest(lines, absent, line.args)
    outer = place.around(name)
    if place.merges(name):
        if any(speaks_of(name, d.args, key) for d in outer):
            raise UnsafeError(f"{outer[0].where}: {name} {key} is merged into every location")
    elif place.hides(name):
        if outer and not left and not any(x.name == name for x in lines):
            lines.append(_silent(place, absent))
    elif any(speaks_of(name, d.args, key) for d in outer):
        _stop(place, lines, absent, outer, frozen)


def _rest(lines: list[Line], absent: Line, args: tuple[str, ...]) -> None:
    """What a line of several arguments still has to say, in our file."""
    rest = rest_without(absent.name, args, absent.args[0])
    if rest:
        line = replace(absent, args=rest)
        checked(line.name, line.args)
        lines.append(line)


def _stop(
    place: Place,
    lines: list[Line],
    absent: Line,
    outer: Sequence[Directive],
    frozen: set[str],
) -> None:
    """Keep one line of the outer levels out of the location, and all its others in."""
    name, key = absent.name, absent.args[0]
    if not is_array(name):
        raise UnsafeError(
            f"{outer[0].where}: {statement(name, outer[0].args)} counts here too, and a location "
            "cannot be without it; it needs another value"
        )
    if name.endswith("_hide_header"):
        family = name[: -len("_hide_header")]
        _put(place, lines, [], replace(absent, name=f"{family}_pass_header"))
        return
    if name in ("add_header", "add_trailer", "proxy_set_header"):
        if not any(_same_line(x, name, (key,)) for x in lines):
            lines.append(_silent(place, absent))
        return
    rest = [d.args for d in outer if not speaks_of(name, d.args, key)]
    rest += [rest_without(name, d.args, key) for d in outer if speaks_of(name, d.args, key)]
    rest = [args for args in rest if args and not any(_same_line(x, name, args) for x in lines)]
    if not rest and not any(x.name == name for x in lines):
        lines.append(_silent(place, absent))
    for args in rest:
        checked(name, args)
        lines.append(replace(absent, args=args))
    frozen.add(name)


def _silent(place: Place, absent: Line) -> Line:
    """A line that has no effect but to keep those of the outer levels away."""
    return replace(absent, args=_silent_args(place, absent), why=f"{absent.args[0]} {_GONE}")


def _silent_args(place: Place, absent: Line) -> tuple[str, ...]:
    name, key = absent.name, absent.args[0]
    if name in ("add_header", "add_trailer"):
        return (key, "")
    if name == "proxy_set_header":
        for args in default_lines(name, place.version):
            if args[0].lower() == key.lower():
                return (key, args[1])
        low = key.lower()
        return (key, "" if low in _NOT_PASSED_ON else "$http_" + low.replace("-", "_"))
    if name not in SILENT:
        where = next((d.where for d in place.around(name)), "")
        raise UnsafeError(f"{where}: {name} {key} is inherited, and no line of a location stops it")
    return SILENT[name]


def is_silent(place: Place, name: str, args: tuple[str, ...]) -> bool:
    """A line that keeps the outer levels away and says nothing itself."""
    if name not in ("add_header", "add_trailer", "proxy_set_header") or not args:
        return False
    return args == _silent_args(place, Line(name, args[:1], ""))


def _same_line(line: Line, name: str, args: tuple[str, ...]) -> bool:
    return line.name == name and same(name, args, line.args)


def _hiding(place: Place, lines: Sequence[Line]) -> list[str]:
    """The arrays that hide their outer levels only because of our lines. Where our file had
    such lines before and repeated nothing, the location's own lines hid them already."""
    names = dict.fromkeys(line.name for line in lines if is_array(line.name))
    return [name for name in names if not place.hides(name)]


def _repeated(place: Place, hiding: Sequence[str], lines: Sequence[Line]) -> list[Line]:
    """The inherited lines that ours would hide, to be repeated in our file."""
    out: list[Line] = []
    for name in hiding:
        for directive in place.around(name):
            if not any(_same_line(x, name, directive.args) for x in lines):
                checked(name, directive.args, inherited=True)
                out.append(Line(name, directive.args, INHERITED, INHERITED_WHY))
    return out
