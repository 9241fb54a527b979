"""Whether a location is the stream's own, or serves much more than that.

A setting for the stream must not change what other URLs get. `location /events` may be given
settings; `location /` of a whole site may not (buffering off there ends its caching), so the
stream gets a location of its own beside it, a copy with the settings added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from .choice import Location
from .lexer import Directive
from .pattern import compiled, search
from .request import normal
from .route import Route
from .tree import Tree

_STREAM = re.compile(
    r"(?:^|[/_.-])(?:events?|sse|streams?|streaming|event-?source|subscribe|notifications?|notify"
    r"|live|push|feed|updates|mercure|hub)(?:$|[/_.-])",
    re.IGNORECASE,
)
_META = re.compile(r"[\\^$.|?*+()\[\]{}]")
_IDENTITY = re.compile(r"\d+|[0-9a-f]{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|.*\d{4}.*")
_OTHER = "zz-other"


def is_dedicated(found: Route) -> bool:
    """The location that answers is the stream's own: named like its path or like a stream.

    Everything set there counts for the stream alone, as far as a configuration tells.
    """
    location = found.location
    if location is None:
        return False
    if any(d.name == "location" for d in found.tree.flat(location.directive.block)):
        return False  # nested locations inherit what is set here
    if location.modifier == "@":
        asking = found.chain[-2] if len(found.chain) > 1 else None
        return (
            asking is not None
            and _matches_little(asking, own_path(found))
            and _references(found, location.name) == 1
        )
    if len(found.chain) > 1 and location.modifier != "=":
        return bool(_STREAM.search(_literal(location)))
    return _matches_little(location, own_path(found))


def is_shared(found: Route) -> bool:
    """The location stands in a file that brings it to several places."""
    if not found.path or len(found.path) < 3:
        return False
    file, server = found.path[-1].file, found.path[1].file
    while file != server:
        uses = found.tree.uses(file)
        if len(uses) != 1:
            return True
        file = uses[0].file
    return False


def names_one_user(path: str) -> bool:
    """The path holds what looks like an identity: others have a stream of their own."""
    return any(_IDENTITY.fullmatch(part.lower()) for part in path.split("/") if part)


def own_path(found: Route) -> str:
    """The path by which the URL comes to a location: as in the URL, or as the server block
    rewrote it."""
    path = normal(urlsplit(found.url).path or "/")
    first = found.chain[0] if found.chain else None
    plain = first is not None and first.modifier in ("", "=", "^~")
    if first is None or not plain or path.startswith(first.name) or found.variables is None:
        return path
    return found.variables.uri if len(found.chain) == 1 else path


def _matches_little(location: Location, path: str) -> bool:
    """No other path of the same depth comes here, or the name says that all are streams."""
    if location.modifier == "=" or location.name.rstrip("/") == path.rstrip("/"):
        return True
    if _STREAM.search(_literal(location)):
        return True
    folder, _, last = path.rstrip("/").rpartition("/")
    sibling = f"{folder}/{_OTHER}"
    if location.modifier in ("", "^~"):
        return not (sibling + "/").startswith(location.name)
    pattern = compiled(location.name, location.modifier == "~*")
    if pattern is None:
        return False
    extension = "." + last.rpartition(".")[2] if "." in last else ""
    others = (sibling, sibling + extension, f"/{_OTHER}", f"{path}.{_OTHER}")
    return not any(search(pattern, other)[1] for other in others)


def _literal(location: Location) -> str:
    """The part of a location's name that stands in every path it matches."""
    if location.modifier in ("~", "~*"):
        text = location.name.lstrip("^")
        found = _META.search(text)
        return text[: found.start()] if found else text
    return location.name


def _references(found: Route, name: str) -> int:
    """How many lines of the server hand requests over to a named location."""
    server = found.path[1]
    return sum(1 for d in _deep(found.tree, server) if d.args and d.args[-1] == name)


def _deep(tree: Tree, block: Directive) -> Iterator[Directive]:
    for directive in tree.flat(block.block):
        if directive.block is None:
            if directive.name in ("try_files", "error_page"):
                yield directive
        else:
            yield from _deep(tree, directive)
