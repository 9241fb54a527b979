"""Values as words of an nginx configuration; what could break out of a word is refused."""

from __future__ import annotations

import re

_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=^~*()?&$-]+")
_DIRECTIVE = re.compile(r"[a-z][a-z0-9_]*")
_VARIABLE = re.compile(r"\$(\{\w+\}|\w+)?")
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: Variables our own lines may use: what nginx knows of every request.
KNOWN_VARIABLES = frozenset(
    {
        "args",
        "connection",
        "host",
        "http_host",
        "http_last_event_id",
        "http_upgrade",
        "is_args",
        "proxy_add_x_forwarded_for",
        "proxy_host",
        "remote_addr",
        "remote_port",
        "request_id",
        "request_method",
        "request_uri",
        "scheme",
        "server_name",
        "server_port",
        "server_protocol",
        "uri",
    }
)
#: Directives in whose arguments nginx evaluates variables.
EVALUATED = frozenset({"add_header", "proxy_pass", "proxy_set_header", "limit_rate"})


class QuoteError(ValueError):
    """A value has no business in a configuration; the text says which and why."""


def checked(name: str, args: tuple[str, ...], inherited: bool = False) -> None:
    """Raise `QuoteError` unless ``name`` and ``args`` can stand in our file.

    ``inherited`` lines are repeated from the admin's own configuration: they may hold
    semicolons, braces and any variable, but no control characters either.
    """
    if not _DIRECTIVE.fullmatch(name):
        raise QuoteError(f"directive {name!r}: is no directive's name")
    for arg in args:
        if _BREAKS.search(arg):
            raise QuoteError(f"{name}: argument {arg!r} holds a control character")
        if any("\ud800" <= char <= "\udfff" for char in arg):
            raise QuoteError(f"{name}: argument {arg!r} holds bytes that are no UTF-8")
        if inherited:
            continue
        for char in ";{}":
            if char in arg:
                raise QuoteError(f"{name}: argument {arg!r} holds {char!r}")
        for found in _VARIABLE.finditer(arg):
            variable = (found[1] or "").strip("{}")
            if name not in EVALUATED or variable not in KNOWN_VARIABLES:
                raise QuoteError(f"{name}: argument {arg!r} holds the variable ${variable}")


def quoted(value: str) -> str:
    """The value as one word; read back it is the same value."""
    if _BARE.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def statement(name: str, args: tuple[str, ...]) -> str:
    """ "proxy_set_header Connection "";"."""
    return " ".join((name, *map(quoted, args))) + ";"
