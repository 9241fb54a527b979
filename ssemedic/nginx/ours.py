"""The file that holds our settings: the lines in it and how they are read back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .lexer import Directive, Source
from .quote import statement

INHERITED = "inherited"
INHERITED_WHY = "repeated, because lines of this directive here replace those of the outer levels"
COPIED = "copied"
COPIED_WHY = "as in the location that served this URL before"
_CAUSE = re.compile(r"^[ \t]*# ([a-z0-9_]+(?:, [a-z0-9_]+)*)(?:: (.*))?$")


@dataclass(frozen=True)
class Line:
    """One directive of our file: why it is there (the cause's id, and in words)."""

    name: str
    args: tuple[str, ...]
    cause: str
    why: str = ""

    @property
    def inherited(self) -> bool:
        """Repeated from the admin's outer levels, not wished by a cause."""
        return self.cause == INHERITED

    @property
    def verbatim(self) -> bool:
        """The admin's own words: they may hold what no wish of ours has business to."""
        return self.cause in (INHERITED, COPIED)


def lines_of(source: Source, directives: tuple[Directive, ...]) -> tuple[Line, ...]:
    """Directives of our file with the cause that the comment above each names."""
    text = source.content.decode("utf-8", "surrogateescape").split("\n")
    found: list[Line] = []
    for directive in directives:
        above = text[directive.line - 2].rstrip() if directive.line >= 2 else ""
        match = _CAUSE.match(above)
        cause, why = (match[1], match[2] or "") if match else ("", "")
        if not match and found and found[-1].cause == COPIED and above.endswith(";"):
            cause, why = found[-1].cause, found[-1].why
        found.append(Line(directive.name, directive.args, cause, why))
    return tuple(found)


def rendered(lines: tuple[Line, ...], location: str | None) -> bytes:
    """What templates/nginx/stream.conf.j2 makes of the lines, its header aside.

    Serves to look at the configuration as it will be; the role renders the real file.
    """
    indent = "    " if location else ""
    out = [f"location {location} {{"] if location else []
    before = ("", "")
    for line in lines:
        said = (line.cause, line.why)
        if line.cause != COPIED or said != before:  # one comment for all that was copied
            words = f"{line.cause}: {line.why}" if line.why else line.cause
            out.append(f"{indent}# {words}")
        out.append(indent + statement(line.name, line.args))
        before = said
    out += ["}"] if location else []
    return ("\n".join(out) + "\n").encode("utf-8", "surrogateescape")
