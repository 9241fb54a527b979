"""Names that are free: for our file, and for a location beside the admin's."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import urlsplit

from .choice import Location, all_locations
from .edit import UnsafeError, includes
from .request import normal
from .route import Route
from .scope import own_path

_LOCATION = re.compile(r"(?:(=|\^~) )?(/[^\s;{}\"'\\$#]*)")


def file_in_use(found: Route, ours: str) -> str:
    """Our file that the location has already, also for another endpoint: one is enough. A
    name that another location uses gets a number."""
    tree, folder, block = found.tree, posixpath.dirname(ours), found.path[-1]
    if posixpath.dirname(block.file) == folder:
        return block.file
    for path in tree.sources:
        if posixpath.dirname(path) == folder and includes(block, tree, path):
            return path
    stem, dot, suffix = ours.rpartition(".")
    names = (ours, *(f"{stem}-{number}{dot}{suffix}" for number in range(2, 100)))
    return next((name for name in names if not tree.uses(name)), ours)


def name_of(location: str) -> tuple[str, str]:
    """ "^~ /events" -> "^~", "/events". Raises `UnsafeError` for what is no plain prefix."""
    found = _LOCATION.fullmatch(location)
    if found is None:
        raise UnsafeError(f"location {location!r}: is not a plain prefix")
    return found[1] or "", found[2]


def location_for(found: Route) -> str:
    """The location for a URL that no upstream serves yet."""
    return "^~ " + normal(urlsplit(found.url).path or "/")


def clash_of(found: Route, name: str) -> Location | None:
    """A location of the server that nginx would call a duplicate of a plain prefix."""
    for other in all_locations(found.tree, found.path[:2]):
        plain = other.modifier in ("", "=", "^~") and len(other.path) == 3
        if other.name == name and plain:
            return other
    return None


def free_name(found: Route, asked: str) -> str:
    """The location asked for, or its exact form where a prefix of that name exists.

    Asked for by the URL's path, it is named as the server block rewrites that path.
    """
    modifier, name = name_of(asked)
    if name == normal(urlsplit(found.url).path or "/"):
        name = own_path(found)
        asked = f"{modifier} {name}".strip()
    other = clash_of(found, name)
    if other is None or (modifier == "=") != (other.modifier == "="):
        return asked
    if modifier == "=":
        raise UnsafeError(f"{other.where}: {other.label} exists already")
    return f"= {name}"
