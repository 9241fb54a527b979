"""A look at the configuration as it will be, before an edit is given out."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from .alike import LISTS, equal, is_array, same, speaks_of
from .copy import BEFORE_WHY
from .edit import Edit, UnsafeError, after
from .errors import ConfigError
from .lexer import Directive
from .merge import SILENT, Place, Wishes, is_silent
from .quote import statement
from .route import Route, route
from .settings import effective
from .tree import Tree
from .upstream import PASSES, take_apart
from .versions import NOT_INHERITED

#: A parameter to see that the client's query still reaches the upstream.
_PROBE = "ssemedic-probe=1"
_PLACED = NOT_INHERITED | {"include", "internal", "location", "root", "alias"}


def check_effect(tree: Tree, found: Route, wishes: Wishes, edit: Edit) -> None:
    """Raises `UnsafeError` unless the URL reaches its upstream as before, every wish is in
    force where it does, and what nobody wished is as it was."""
    try:
        edited = after(tree, edit)
    except ConfigError as error:
        raise UnsafeError(f"the edited configuration would not load: {error}") from error
    then = _followed(edited, found, found.url)
    place = found.location.where if found.location else found.path[-1].where
    if then.serves != "proxy" or not then.resolved:
        raise UnsafeError(f"{place}: the URL would still not reach an upstream")
    if edit.location and (then.location is None or then.location.directive.file != edit.ours):
        by = then.location.where if then.location else place
        raise UnsafeError(f"{by}: would still serve the URL instead of a location {edit.location}")
    _check_wishes(then, wishes)
    if found.serves == "proxy":
        _check_request(tree, edited, found, wishes)
        passed = {line.name for line in edit.directives if line.why == BEFORE_WHY}
        if edit.location:
            passed.add("proxy_redirect")  # its default is written out in a copy
        _check_others(found, then, wishes, passed)


def _followed(tree: Tree, found: Route, url: str) -> Route:
    """The same way again: by the same socket where its address was told."""
    address = found.listen.address if found.listen else "*"
    told = None if address in ("*", "::") else address
    return route(tree, url, found.version, told)


def _check_wishes(then: Route, wishes: Wishes) -> None:
    for line in wishes.settings:
        setting = then.setting(line.name)
        good = line.name in PASSES or any(
            equal(line.name, line.args, args) for args in setting.values
        )
        if not good:
            wish = statement(line.name, line.args)
            raise UnsafeError(f"{setting.where}: would still be in force instead of {wish}")
    place = Place(then.tree, then.path[:-1], then.version)
    for absent in wishes.without:
        key = absent.args[0]
        for directive in then.setting(absent.name).lines:
            silent = is_silent(place, absent.name, directive.args)
            if speaks_of(absent.name, directive.args, key) and not silent:
                if _passed_again(then, absent.name, key):
                    continue
                text = statement(directive.name, directive.args)
                raise UnsafeError(f"{directive.where}: {text} would still be in force")


def _passed_again(then: Route, name: str, key: str) -> bool:
    """A hidden header that a pass_header lets through."""
    if not name.endswith("_hide_header"):
        return False
    passed = then.setting(name[: -len("_hide_header")] + "_pass_header").values
    return any(speaks_of(name, args, key) for args in passed)


def _check_request(tree: Tree, edited: Tree, found: Route, wishes: Wishes) -> None:
    """The upstream is asked the same, with the client's query and without."""
    wished = [line for line in wishes.settings if line.name in PASSES]
    if any(take_apart(line.name, line.args[0]).uri is not None for line in wished):
        return  # its URI part is meant as it is written
    parts = urlsplit(found.url)
    query = f"{parts.query}&{_PROBE}" if parts.query else _PROBE
    for url in (found.url, urlunsplit(parts._replace(query=query))):
        was = found if url == found.url else _followed(tree, found, url)
        now = _followed(edited, found, url)
        if was.uri_passed is None or was.uri_passed != now.uri_passed:
            raise UnsafeError(
                f"{now.handler.where if now.handler else ''}: the upstream would be asked for "
                f"{now.uri_passed} instead of {was.uri_passed}"
            )
        if not wished and _reached(was) != _reached(now):
            raise UnsafeError(f"{found.url}: would reach another upstream")


def _reached(found: Route) -> list[tuple[str, int, str, str]]:
    return [(t.host, t.port, t.unix, t.scheme) for t in found.targets]


def _check_others(found: Route, then: Route, wishes: Wishes, passed: set[str]) -> None:
    """What was in force and nobody wished away still is, and nothing came beside it but the
    rules of locations that were passed before."""
    for name in sorted((_names(found) | _names(then)) - passed):
        if name in _PLACED or name in PASSES:
            continue
        before = [d.args for d in effective(found.tree, found.path, name, found.version).lines]
        now = [d.args for d in effective(then.tree, then.path, name, then.version).lines]
        if _unwished(name, before, wishes) != _unwished(name, now, wishes):
            raise UnsafeError(f"{found.path[-1].where}: {name} would not be what it was")


def _names(found: Route) -> set[str]:
    return {d.name for block in found.path for d in _simple(found.tree, block)}


def _simple(tree: Tree, block: Directive) -> list[Directive]:
    return [d for d in tree.flat(block.block) if d.block is None]


def _unwished(name: str, lines: list[tuple[str, ...]], wishes: Wishes) -> list[tuple[str, ...]]:
    """The lines that no wish speaks of, in an order that means nothing."""
    wished = [line for line in wishes.settings if line.name == name]
    if wished and not is_array(name):
        return []
    absent = [line.args[0] for line in wishes.without if line.name in (name, _hidden_by(name))]
    if name in LISTS:
        gone = {arg.lower() for line in wished for arg in line.args} | set(map(str.lower, absent))
        if absent:
            gone |= {arg.lower() for arg in SILENT.get(name, ())}
        return sorted((arg.lower(),) for args in lines for arg in args if arg.lower() not in gone)
    return sorted(
        args
        for args in lines
        if not any(same(name, line.args, args) for line in wished)
        and not any(speaks_of(name, args, key) for key in absent)
        and not (absent and args == SILENT.get(name))
    )


def _hidden_by(name: str) -> str:
    return name.replace("_pass_header", "_hide_header")
