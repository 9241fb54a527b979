"""Where the requests of one location are logged, and in which format."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .lexer import Directive
from .settings import effective
from .tree import Tree

#: nginx's own format of that name (ngx_http_combined_fmt).
COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)


@dataclass(frozen=True)
class AccessLog:
    """One access log in force. ``format`` is its name and ``text`` what it writes, None where
    the format is not defined; ``format_where`` the log_format line, "" for nginx's own;
    ``condition`` the text of if=. ``where`` is "file:line" or "default of 1.22.1"."""

    path: str
    format: str
    text: str | None
    where: str
    format_where: str = ""
    condition: str = ""
    line: Directive | None = None


def access_logs(
    tree: Tree, path: tuple[Directive, ...], version: str, default_path: str = ""
) -> tuple[AccessLog, ...]:
    """The access logs in force in the innermost block of ``path``; () where it is off.

    ``default_path`` is where this build logs when no line says so.
    """
    setting = effective(tree, path, "access_log", version)
    if setting.is_default:
        return (AccessLog(default_path or "logs/access.log", "combined", COMBINED, setting.where),)
    if any(args[:1] == ("off",) for args in setting.values):
        return ()
    return tuple(_log(tree, path[0], line) for line in setting.lines if line.args)


def formats(tree: Tree, http: Directive) -> dict[str, Directive]:
    """The log_format lines of a configuration by name."""
    lines = [d for d in tree.flat(http.block) if d.name == "log_format" and len(d.args) > 1]
    return {line.args[0]: line for line in lines}


def format_text(line: Directive) -> str:
    """What a log_format line writes: its strings joined, without its escape= parameter."""
    words = line.args[1:]
    return "".join(words[1:] if re.match("escape=", words[0]) else words)


def _log(tree: Tree, http: Directive, line: Directive) -> AccessLog:
    path, rest = line.args[0], line.args[1:]
    condition = next((word[3:] for word in rest if word.startswith("if=")), "")
    named = [
        w
        for w in rest[:1]
        if not re.match(r"(?:if|gzip|buffer|flush)=?", w) or w in formats(tree, http)
    ]
    name = named[0] if named else "combined"
    defined = formats(tree, http).get(name)
    if defined is None:
        text = COMBINED if name == "combined" else None
        return AccessLog(path, name, text, line.where, "", condition, line)
    return AccessLog(path, name, format_text(defined), line.where, defined.where, condition, line)
