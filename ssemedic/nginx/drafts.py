"""Drafts of an edit: into a location that is there, into a copy of it, into one of our own.

Each is given out only if the configuration it makes does what it must (`effect`).
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from .copy import copied
from .edit import Draft, UnsafeError, edit_of, file_notes, includes, within
from .effect import check_effect
from .lexer import Directive
from .merge import Place, Wishes, merged
from .names import clash_of, name_of
from .ours import Line, lines_of
from .quote import statement
from .request import normal
from .route import Route
from .splice import Splice, insertion, removal, replaceable, replacement
from .target import REWRITES, extended, retargeted, with_admins_uri, with_copys_uri, with_target
from .tree import Tree
from .upstream import PASSES, take_apart


def into_location(found: Route, wishes: Wishes, ours: str) -> Draft:
    """Our lines in the location that answers, the admin's contradicting ones away.

    Like the others raises `UnsafeError` where that cannot be done safely.
    """
    block = found.path[-1]
    own_block = block.file == ours
    admins = tuple(d for d in found.tree.flat(block.block) if d.file != ours)
    existing = _existing(found.tree, ours, block, own_block)
    settings = tuple(with_admins_uri(found, line) for line in wishes.settings)
    place = Place(found.tree, found.path[:-1], found.version, admins, existing)
    lines, removed = merged(place, replace(wishes, settings=settings))
    draft = Draft(
        _splices(found.tree, block, removed, ours, bool(lines)),
        lines,
        " ".join(block.args) if own_block else None,
        ours,
        (*_wider(found), *file_notes(found.tree, block.file)),
    )
    return _proven(found, wishes, draft)


def own_location(found: Route, wishes: Wishes, ours: str, location: str) -> Draft:
    """A location of our lines alone: nothing serves the URL from an upstream yet."""
    if not any(line.name in PASSES for line in wishes.settings):
        raise UnsafeError(f"a new location {location} needs an upstream, and none is known")
    other = clash_of(found, name_of(location)[1])
    if other is not None and other.directive.file != ours:
        raise UnsafeError(f"{other.where}: {other.label} exists and does not pass it on")
    return _proven(found, wishes, _beside(found, wishes, ours, location, ()))


def copy_location(found: Route, wishes: Wishes, ours: str, location: str) -> Draft:
    """A copy of the location that answers now; the upstream is asked for the same as before."""
    name = name_of(location)[1]
    own_pass = next((x for x in wishes.settings if x.name == "proxy_pass"), None)
    if own_pass and take_apart("proxy_pass", own_pass.args[0]).uri is not None:
        plain = tuple(x for x in copied(found) if x.name not in REWRITES)
        return _proven(found, wishes, _beside(found, wishes, ours, location, plain))

    def draft(lines: tuple[Line, ...]) -> Draft:
        moved = tuple(with_copys_uri(lines, wish) for wish in wishes.settings)
        if own_pass:
            lines = retargeted(lines, own_pass.args[0])
        return _beside(found, replace(wishes, settings=moved), ours, location, lines)

    lines = copied(found)
    try:
        return _proven(found, wishes, draft(extended(found, lines, name)))
    except UnsafeError as as_it_is:
        try:
            target = with_target(found, lines)
        except UnsafeError:
            raise as_it_is from None
    return _proven(found, wishes, draft(target))


def _beside(
    found: Route,
    wishes: Wishes,
    ours: str,
    location: str,
    lines: tuple[Line, ...],
) -> Draft:
    """Our file as a whole location, included at the end of the server."""
    server = found.path[1]
    name_of(location)
    if found.tree.uses(ours) and not includes(server, found.tree, ours):
        raise UnsafeError(f"{ours}: is already included elsewhere")
    place = Place(found.tree, found.path[:2], found.version, (), lines)
    all_lines, _ = merged(place, wishes)
    splices = _splices(found.tree, server, [], ours, True)
    notes = (*_left(found), *file_notes(found.tree, server.file))
    return Draft(splices, all_lines, location, ours, notes)


def _proven(found: Route, wishes: Wishes, draft: Draft) -> Draft:
    check_effect(found.tree, found, wishes, edit_of(found.tree, draft))
    return draft


def _existing(tree: Tree, ours: str, block: Directive, own_block: bool) -> tuple[Line, ...]:
    """The lines our file holds now. It must not serve another location too."""
    source = tree.sources.get(ours)
    if source is None:
        return ()
    if own_block:
        return lines_of(source, block.block or ())
    if tree.uses(ours) and not includes(block, tree, ours):
        raise UnsafeError(f"{ours}: is already included in another location")
    return lines_of(source, source.directives)


def _splices(
    tree: Tree, block: Directive, removed: list[Directive], ours: str, include: bool
) -> dict[str, list[Splice]]:
    splices: dict[str, list[Splice]] = {}
    if block.file == ours:
        return splices
    included = includes(block, tree, ours)
    host = tree.sources[block.file]
    at = (
        next((d for d in removed if d.file == block.file and replaceable(host.content, d)), None)
        if include and not included
        else None
    )
    for directive in removed:
        _check_removable(tree, directive, block)
        content = tree.sources[directive.file].content
        splice = replacement(directive, ours) if directive is at else removal(content, directive)
        splices.setdefault(directive.file, []).append(splice)
    if include and not included and at is None:
        splices.setdefault(block.file, []).append(insertion(host, block, ours))
    return splices


def _check_removable(tree: Tree, directive: Directive, block: Directive) -> None:
    """A line may be removed from the location itself, or from a snippet that only it uses."""
    if within(directive, block):
        return
    uses = tree.uses(directive.file)
    if len(uses) != 1 or not within(uses[0], block):
        raise UnsafeError(
            f"{directive.where}: {statement(directive.name, directive.args)} contradicts, "
            "and stands in a file that other locations include too"
        )


def _left(found: Route) -> tuple[str, ...]:
    """Says so where the location that is copied goes on serving other URLs."""
    location = found.location
    if location is None or found.serves != "proxy" or location.modifier == "=":
        return ()
    return (f"{location.where}: {location.label} serves its other URLs as before",)


def _wider(found: Route) -> tuple[str, ...]:
    """Says so where the location serves more than the one URL."""
    location, path = found.location, normal(urlsplit(found.url).path or "/")
    if location is None or location.modifier in ("=", "~", "~*") or location.name == path:
        return ()
    return (f"{location.where}: {location.label} serves other URLs too; the settings count there",)
