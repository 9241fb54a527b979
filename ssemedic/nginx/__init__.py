"""nginx's configuration: what it says about one URL, and the smallest edit that changes it.

Runs on the inspected host too: standard library and Python 3.8 only.
"""

from __future__ import annotations

from .adopt import adopt
from .choice import Listen, Location, all_locations, listens, server_names
from .dump import Dump, is_dump, read_dump, tree_of_dump
from .edit import Edit, FileEdit, Refusal, UnsafeError, after
from .endpoints import Candidate, endpoints
from .errors import ConfigError
from .lexer import Directive, Source, Token, parse, tokens
from .ours import Line
from .quote import QuoteError, checked, quoted, statement
from .route import Route, route
from .settings import Setting, effective
from .tree import Tree, files_on_disk, read_tree, tree_of
from .upstream import Target
from .versions import seconds

__all__ = [
    "Candidate",
    "ConfigError",
    "Directive",
    "Dump",
    "Edit",
    "FileEdit",
    "Line",
    "Listen",
    "Location",
    "QuoteError",
    "Refusal",
    "Route",
    "Setting",
    "Source",
    "Target",
    "Token",
    "Tree",
    "UnsafeError",
    "adopt",
    "after",
    "all_locations",
    "checked",
    "effective",
    "endpoints",
    "files_on_disk",
    "is_dump",
    "listens",
    "parse",
    "quoted",
    "read_dump",
    "read_tree",
    "route",
    "seconds",
    "server_names",
    "statement",
    "tokens",
    "tree_of",
    "tree_of_dump",
]
