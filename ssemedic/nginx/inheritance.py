"""Lines of array directives that an inner level hides."""

from __future__ import annotations

from .lexer import Directive
from .route import Route
from .settings import effective


def lost_lines(found: Route, name: str) -> tuple[Directive, ...]:
    """The lines that would be inherited where the URL is answered, had it none of its own.

    Only those whose key (the first argument) no line in force there has; none where nothing
    hides them, or where this nginx merges the levels.
    """
    own = found.setting(name)
    if not own.lines or len(found.path) < 3:
        return ()
    kept = {line.args[0].lower() for line in own.lines if line.args}
    for depth in range(len(found.path) - 1, 0, -1):
        outer = effective(found.tree, found.path[:depth], name, found.version).lines
        if outer and outer != own.lines:
            return tuple(x for x in outer if len(x.args) > 1 and x.args[0].lower() not in kept)
    return ()
