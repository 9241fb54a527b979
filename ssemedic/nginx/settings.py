"""Which value of a directive is in force in a location, and where it is written."""

from __future__ import annotations

from dataclasses import dataclass

from .lexer import Directive
from .tree import Tree
from .versions import ARRAYS, NOT_INHERITED, default_lines, number


@dataclass(frozen=True)
class Setting:
    """A directive in force. ``values`` holds the arguments of every line that counts (one
    line for a scalar, none for an array that nobody set); ``wheres`` their "file:line",
    empty for a default; ``lines`` the directives themselves."""

    name: str
    values: tuple[tuple[str, ...], ...]
    wheres: tuple[str, ...]
    version: str
    lines: tuple[Directive, ...] = ()

    @property
    def where(self) -> str:
        """ "file:line" of the first line, or "default of 1.22.1"."""
        return self.wheres[0] if self.wheres else f"default of {self.version}"

    @property
    def is_default(self) -> bool:
        """Nobody wrote it."""
        return not self.wheres

    def keyed(self, key: str) -> tuple[str, ...] | None:
        """The other arguments of the line whose first one is ``key``, as in
        ``proxy_set_header``; nginx's own line where none is written; None where neither is."""
        for values in (self.values, default_lines(self.name, self.version)):
            for args in values:
                if args and args[0].lower() == key.lower():
                    return args[1:]
        return None


def effective(tree: Tree, path: tuple[Directive, ...], name: str, version: str) -> Setting:
    """The setting in force in the innermost block of ``path`` (outermost first).

    Scalars come from the nearest level that has them. Arrays come whole from the nearest
    level that has any line of them.
    """
    plain = ".".join(map(str, number(version))) or version
    levels = path[-1:] if name in NOT_INHERITED else tuple(reversed(path))
    for block in levels:
        lines = tuple(d for d in tree.flat(block.block) if d.name == name)
        if lines:
            if name not in ARRAYS:
                lines = lines[-1:]
            return Setting(
                name, tuple(d.args for d in lines), tuple(d.where for d in lines), plain, lines
            )
    return Setting(name, default_lines(name, version), (), plain)
