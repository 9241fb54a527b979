"""Which value of a directive is in force in a location, and where it is written."""

from __future__ import annotations

from dataclasses import dataclass

from .lexer import Directive
from .tree import Tree
from .versions import (
    ARRAYS,
    EVENTS,
    INHERIT_RULE,
    MAIN,
    MERGED,
    NOT_INHERITED,
    TOGETHER,
    default_lines,
    fixed,
    knows,
    number,
)


@dataclass(frozen=True)
class Setting:
    """A directive in force. ``values`` holds the arguments of every line that counts (one
    line for a scalar, none for an array that nobody set); ``wheres`` their "file:line",
    empty for a default; ``lines`` the directives themselves. ``origin`` says where a value
    comes from that no line can change."""

    name: str
    values: tuple[tuple[str, ...], ...]
    wheres: tuple[str, ...]
    version: str
    lines: tuple[Directive, ...] = ()
    origin: str = ""

    @property
    def where(self) -> str:
        """ "file:line" of the first line, "default of 1.22.1", or "always so in grpc"."""
        return self.wheres[0] if self.wheres else self.origin or f"default of {self.version}"

    @property
    def is_default(self) -> bool:
        """Nobody wrote it."""
        return not self.wheres

    @property
    def first(self) -> str:
        """The first argument of the first line; "" where there is none."""
        return self.values[0][0] if self.values and self.values[0] else ""

    @property
    def words(self) -> frozenset[str]:
        """All arguments of all lines, in lower case: for types, names and flags."""
        return frozenset(arg.lower() for args in self.values for arg in args)

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
    level that has any line of them, unless `add_header_inherit` says otherwise; those of
    headers-more from all levels. What belongs to the whole process (worker_connections,
    worker_shutdown_timeout, ...) is looked up there, whatever the path.
    """
    plain = ".".join(map(str, number(version))) or version
    always = fixed(name)
    if always is not None:
        return Setting(name, (always,), (), plain, origin=f"always so in {name.partition('_')[0]}")
    lines = _in_force(tree, path, name, plain)
    if lines:
        return Setting(
            name, tuple(d.args for d in lines), tuple(d.where for d in lines), plain, lines
        )
    return Setting(name, default_lines(name, plain), (), plain)


def together(
    tree: Tree, path: tuple[Directive, ...], names: tuple[str, ...]
) -> tuple[Directive, ...]:
    """The lines of directives that share one array (allow and deny), in the order they count."""
    return next((found for found in _levels(tree, path, names) if found), ())


def _in_force(
    tree: Tree, path: tuple[Directive, ...], name: str, version: str
) -> tuple[Directive, ...]:
    if name in MAIN or name in EVENTS:
        return _last(_of_process(tree, name), name)
    if name in MERGED:
        return tuple(d for found in reversed(_levels(tree, path, (name,))) for d in found)
    if name in NOT_INHERITED:
        return _last(_own(tree, path[-1], (name,)), name) if path else ()
    if name in TOGETHER:
        return tuple(d for d in together(tree, path, TOGETHER[name]) if d.name == name)
    rule = INHERIT_RULE.get(name)
    if rule is not None and knows(rule, version):
        return _by_rule(tree, path, name, rule)
    found = next((lines for lines in _levels(tree, path, (name,)) if lines), ())
    if not found and name == "error_log":
        found = _of_process(tree, name)
    return _last(found, name)


def _by_rule(
    tree: Tree, path: tuple[Directive, ...], name: str, rule: str
) -> tuple[Directive, ...]:
    """ngx_http_headers_merge_conf(): own lines first, then those of the outer level."""
    lines: tuple[Directive, ...] = ()
    how = "on"
    for block in path:
        said = _own(tree, block, (rule,))
        how = said[-1].args[0] if said and said[-1].args else how
        own = _own(tree, block, (name,))
        lines = own if how == "off" or (own and how != "merge") else own + lines
    return lines


def _levels(
    tree: Tree, path: tuple[Directive, ...], names: tuple[str, ...]
) -> list[tuple[Directive, ...]]:
    return [_own(tree, block, names) for block in reversed(path)]


def _own(tree: Tree, block: Directive, names: tuple[str, ...]) -> tuple[Directive, ...]:
    if len(names) == 1:
        return tree.lines(block, names[0])
    if not any(tree.lines(block, name) for name in names):
        return ()
    return tuple(d for d in tree.flat(block.block) if d.name in names)


def _of_process(tree: Tree, name: str) -> tuple[Directive, ...]:
    top = tree.sources[tree.main].directives
    if name in EVENTS:
        return tuple(
            d for events in tree.blocks("events") for d in tree.flat(events.block) if d.name == name
        )
    return tuple(d for d in tree.flat(top) if d.name == name)


def _last(lines: tuple[Directive, ...], name: str) -> tuple[Directive, ...]:
    return lines if name in ARRAYS or name == "load_module" else lines[-1:]
