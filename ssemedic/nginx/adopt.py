"""The smallest edit of the admin's files that gives one location the settings it needs.

Our file gets the settings. The admin's file gains one include, in the location that really
serves the URL (or in the server, for a new location), and loses the lines there that
contradict. Nothing is ever set at http or server level.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .choice import all_locations
from .errors import ConfigError
from .lexer import Directive, tokens
from .ours import INHERITED, INHERITED_WHY, Line, lines_of, rendered
from .quote import QuoteError, checked, statement
from .request import normal
from .route import Route, route
from .settings import effective
from .splice import Splice, insertion, removal, replaceable, replacement, spliced
from .tree import Tree, tree_of
from .upstream import PASSES, take_apart
from .versions import KEYED, seconds

_MARKER = re.compile(
    rb"^#+\W*(?:this \w+ is |this is |automatically |auto-)?(?:managed|generated) by (?!certbot\b)"
    rb"|do not edit",
    re.IGNORECASE,
)
_ANSIBLE = re.compile(rb"ansible managed", re.IGNORECASE)
_PATH = re.compile(r"/[A-Za-z0-9_./-]+")
_LOCATION = re.compile(r"(?:(=|\^~) )?(/[^\s;{}\"'\\$#]*)")


@dataclass(frozen=True)
class FileEdit:
    """New bytes for a file that must still have the hash it was read with."""

    path: str
    before_sha256: str
    content: bytes


@dataclass(frozen=True)
class Edit:
    """What to change. ``directives`` are all the lines our file ``ours`` must hold, inside a
    block ``location`` where that is set; ``files`` are the admin's files, none if they already
    are as they must be."""

    files: tuple[FileEdit, ...]
    directives: tuple[Line, ...]
    location: str | None
    ours: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """No edit can be made safely: why, and the exact lines a person should write."""

    reason: str
    advice: tuple[str, ...] = ()


class _UnsafeError(Exception):
    """Stops an edit; the text is the reason."""


def adopt(
    tree: Tree,
    found: Route,
    settings: Sequence[Line],
    ours: str,
    location: str | None = None,
) -> Edit | Refusal:
    """The edit that gives the location of a route these settings, or why there is none.

    ``location`` ("^~ /events") asks for a new location in the server; without it one is made
    only where the route ends at a static file. Applied to its own result it gives no edit.
    """
    try:
        for line in settings:
            checked(line.name, line.args)
        if not _PATH.fullmatch(ours):
            raise _UnsafeError(f"{ours}: is not a plain absolute path")
        _check_route(tree, found, new=location is not None)
        if _is_ours(found, ours) or not (location or found.serves == "static"):
            edit = _into_location(tree, found, settings, ours)
        else:
            edit = _new_location(tree, found, settings, ours, location or _location_for(found))
        _check_effect(tree, found, settings, edit)
    except (_UnsafeError, QuoteError) as error:
        return Refusal(str(error), tuple(statement(line.name, line.args) for line in settings))
    return edit


def after(tree: Tree, edit: Edit) -> Tree:
    """The configuration as it will be once the edit is made. Raises `ConfigError`."""
    files = {path: source.content for path, source in tree.sources.items()}
    changed = {change.path: change.content for change in edit.files}
    for path in files:
        if tree.real(path) in changed:
            files[path] = changed[tree.real(path)]
    if edit.directives:
        files[edit.ours] = rendered(edit.directives, edit.location)
    return replace(tree_of(files, tree.main), links=tree.links)


def _into_location(tree: Tree, found: Route, settings: Sequence[Line], ours: str) -> Edit:
    block = found.path[-1]
    own_block = block.file == ours
    admins = [d for d in tree.flat(block.block) if d.file != ours]
    existing = _existing(tree, ours, block, own_block)
    # Lines we repeated are looked up anew: the admin may have changed what they repeat.
    lines = [line for line in existing if not line.inherited]
    removed: list[Directive] = []
    for wish in settings:
        line = _merged_pass(found, wish) if wish.name == "proxy_pass" else wish
        same = [d for d in admins if _same(line, d.name, d.args)]
        if len(same) == 1 and _equal(line, same[0].args):
            continue
        at = next((i for i, x in enumerate(lines) if _same(line, x.name, x.args)), None)
        if at is not None:
            if not _equal(line, lines[at].args):
                lines[at] = line
        elif not same and _already(tree, found, admins, line):
            continue
        else:
            lines.append(line)
        removed += [d for d in same if d not in removed]
    hiding = _hiding(lines, existing)
    lines = [*_repeated(tree, found, admins, hiding, lines), *lines]
    return Edit(
        _edited(tree, block, removed, ours, bool(lines)),
        tuple(lines),
        " ".join(block.args) if own_block else None,
        ours,
        (*_wider(found), *_notes(tree, block)),
    )


def _new_location(
    tree: Tree, found: Route, settings: Sequence[Line], ours: str, location: str
) -> Edit:
    server = found.path[1]
    settings = _distinct(settings)
    matched = _LOCATION.fullmatch(location)
    if matched is None:
        raise _UnsafeError(f"location {location!r}: is not a plain prefix")
    if not any(line.name in PASSES for line in settings):
        raise _UnsafeError(f"a new location {location} needs an upstream, and none is known")
    for other in all_locations(tree, found.path[:2]):
        clash = other.name == matched[2] and other.modifier in ("", "=", "^~")
        if clash and other.directive.file != ours and len(other.path) == 3:
            raise _UnsafeError(f"{other.where}: {other.label} exists and does not pass it on")
    if ours in tree.sources and any(not _within(u, server) for u in tree.uses(ours)):
        raise _UnsafeError(f"{ours}: is already included elsewhere")
    bare = replace(found, path=found.path[:2])
    hiding = _hiding(settings, ())
    lines = [*_repeated(tree, bare, [], hiding, settings, server_level=True), *settings]
    files = _edited(tree, server, [], ours, True)
    return Edit(files, tuple(lines), location, ours, _notes(tree, server))


def _distinct(lines: Sequence[Line]) -> list[Line]:
    """Each directive once, though two causes may ask for the same."""
    first: dict[tuple[str, tuple[str, ...]], Line] = {}
    for line in lines:
        first.setdefault((line.name, line.args), line)
    return list(first.values())


def _location_for(found: Route) -> str:
    return "^~ " + normal(urlsplit(found.url).path or "/")


def _check_route(tree: Tree, found: Route, new: bool) -> None:
    """Raises where the route does not tell enough; beside a `return` a new location will do."""
    if found.server is None or not found.path:
        raise _UnsafeError("; ".join(found.notes) or "no server block serves the URL")
    if not found.resolved:
        raise _UnsafeError("the location cannot be told for sure: " + "; ".join(found.notes))
    inside = next((block for block in found.path if block.name == "if"), None)
    if inside is not None:
        raise _UnsafeError(f"{inside.where}: the URL is served inside an if block")
    if found.serves not in ("proxy", "static") and not (new and found.serves == "return"):
        what = f" with {found.status}" if found.status else ""
        raise _UnsafeError(
            f"{_place(found)}: answers by itself{what}, it neither proxies nor serves"
        )
    if found.serves == "proxy" and found.handler and found.handler.name != "proxy_pass":
        raise _UnsafeError(
            f"{found.handler.where}: {found.handler.name} does not heed proxy settings"
        )
    for directive in tree.flat(found.path[-1].block):
        if "_by_lua" in directive.name:
            raise _UnsafeError(f"{directive.where}: Lua has a hand in this location")


def _check_effect(tree: Tree, found: Route, settings: Sequence[Line], edit: Edit) -> None:
    """Look at the configuration as it will be: the route must end here, with the wishes."""
    try:
        then = route(after(tree, edit), found.url, found.version)
    except ConfigError as error:
        raise _UnsafeError(f"the edited configuration would not load: {error}") from error
    if then.serves != "proxy":
        raise _UnsafeError(f"{_place(found)}: the URL would still not reach an upstream")
    for line in settings:
        setting = then.setting(line.name)
        good = line.name == "proxy_pass" or any(_equal(line, args) for args in setting.values)
        if not good:
            wish = statement(line.name, line.args)
            raise _UnsafeError(f"{setting.where}: would still be in force instead of {wish}")


def _place(found: Route) -> str:
    return found.location.where if found.location else found.path[-1].where


def _is_ours(found: Route, ours: str) -> bool:
    return found.location is not None and found.location.directive.file == ours


def _existing(tree: Tree, ours: str, block: Directive, own_block: bool) -> tuple[Line, ...]:
    """The lines our file holds now. It must not serve another location too."""
    source = tree.sources.get(ours)
    if source is None:
        return ()
    if own_block:
        return lines_of(source, block.block or ())
    if any(not _within(use, block) for use in tree.uses(ours)):
        raise _UnsafeError(f"{ours}: is already included in another location")
    return lines_of(source, source.directives)


def _within(inner: Directive, outer: Directive) -> bool:
    return inner.file == outer.file and outer.open < inner.start < outer.close


def _same(line: Line, name: str, args: tuple[str, ...]) -> bool:
    """The two cannot stand side by side: same scalar, or same header of a keyed array."""
    if line.name != name:
        return False
    if name in KEYED:
        return bool(args) and args[0].lower() == line.args[0].lower()
    return True


def _equal(line: Line, args: tuple[str, ...]) -> bool:
    """The same value: header names in any case, times in any unit."""
    if line.args == args:
        return True
    if line.name in KEYED:
        return _same(line, line.name, args) and line.args[1:] == args[1:]
    if line.name.endswith("_timeout") and line.args and args:
        wished = seconds(line.args[0])
        return wished is not None and wished == seconds(args[0])
    return False


def _already(tree: Tree, found: Route, admins: list[Directive], line: Line) -> bool:
    """An outer level already says so, and what our file will add does not hide it."""
    if any(d.name == line.name for d in admins):
        return False
    outer = effective(tree, found.path[:-1], line.name, found.version)
    return not outer.is_default and any(_equal(line, args) for args in outer.values)


def _merged_pass(found: Route, line: Line) -> Line:
    """Our proxy_pass with the scheme and URI part of the admin's."""
    handler = found.handler
    if handler is None or not handler.args:
        return line
    was = take_apart(handler.name, handler.args[0])
    now = take_apart(line.name, line.args[0])
    if "$" in handler.args[0] and was.uri is not None:
        raise _UnsafeError(f"{handler.where}: proxy_pass builds its URI from variables")
    colon = ":" if now.authority.startswith("unix:") and was.uri is not None else ""
    return replace(line, args=(f"{was.scheme}://{now.authority}{colon}{was.uri or ''}",))


def _hiding(lines: Sequence[Line], existing: Sequence[Line]) -> list[str]:
    """The arrays that hide their outer levels only because of our lines. Where our file had
    such lines before and repeated nothing, the location's own lines hid them already."""
    had = {line.name for line in existing}
    repeated = {line.name for line in existing if line.inherited}
    names = dict.fromkeys(line.name for line in lines if line.name in KEYED)
    return [name for name in names if name not in had or name in repeated]


def _repeated(
    tree: Tree,
    found: Route,
    admins: list[Directive],
    hiding: Sequence[str],
    lines: Sequence[Line],
    server_level: bool = False,
) -> list[Line]:
    """The inherited lines that ours would hide, to be repeated in our file."""
    outer = found.path if server_level else found.path[:-1]
    out: list[Line] = []
    for name in hiding:
        if any(d.name == name for d in admins):
            continue
        for args in effective(tree, outer, name, found.version).lines:
            if not any(_same(line, name, args.args) for line in lines):
                checked(name, args.args, inherited=True)
                out.append(Line(name, args.args, INHERITED, INHERITED_WHY))
    return out


def _edited(
    tree: Tree, block: Directive, removed: list[Directive], ours: str, include: bool
) -> tuple[FileEdit, ...]:
    splices: dict[str, list[Splice]] = {}
    if block.file == ours:
        return ()
    included = any(_within(use, block) for use in tree.uses(ours))
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
    edits = []
    for path, changes in splices.items():
        content = tree.sources[path].content
        _check_owner(tree, path)
        digest = hashlib.sha256(content).hexdigest()
        edits.append(FileEdit(tree.real(path), digest, spliced(content, changes)))
    return tuple(edits)


def _check_removable(tree: Tree, directive: Directive, block: Directive) -> None:
    """A line may be removed from the location itself, or from a snippet that only it uses."""
    if _within(directive, block):
        return
    uses = tree.uses(directive.file)
    if len(uses) != 1 or not _within(uses[0], block):
        raise _UnsafeError(
            f"{directive.where}: {statement(directive.name, directive.args)} contradicts, "
            "and stands in a file that other locations include too"
        )


def _check_owner(tree: Tree, path: str) -> None:
    for comment in _comments(tree, path):
        if _MARKER.search(comment):
            said = comment.decode("utf-8", "replace").strip("# \t\r")
            raise _UnsafeError(f'{path}: belongs to another tool ("{said[:80]}")')


def _wider(found: Route) -> tuple[str, ...]:
    """Says so where the location serves more than the one URL."""
    location, path = found.location, normal(urlsplit(found.url).path or "/")
    if location is None or location.modifier in ("=", "~", "~*") or location.name == path:
        return ()
    return (f"{location.where}: {location.label} serves other URLs too; the settings count there",)


def _notes(tree: Tree, block: Directive) -> tuple[str, ...]:
    out = []
    uses = tree.uses(block.file)
    if len(uses) > 1:
        places = ", ".join(use.where for use in uses)
        out.append(f"{block.file}: is included by {places}; the edit shows in each of them")
    if any(_ANSIBLE.search(comment) for comment in _comments(tree, block.file)):
        out.append(f"{block.file}: is written by a playbook, whose next run undoes the edit")
    return tuple(out)


def _comments(tree: Tree, path: str) -> list[bytes]:
    content = tree.sources[path].content
    return [token.raw for token in tokens(path, content) if token.kind == "comment"]
