"""The pass directive of an edit: which upstream is asked, and for what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .edit import UnsafeError
from .ours import COPIED, COPIED_WHY, Line
from .request import escape
from .route import Route
from .upstream import take_apart

#: Directives that change the URI inside a location.
REWRITES = frozenset({"break", "rewrite"})
_ADDRESS = re.compile(r"\$(?:\{(?:document_)?uri\}|(?:document_)?uri\b|\{?request_filename\b)")


def with_admins_uri(found: Route, line: Line) -> Line:
    """Our proxy_pass with the scheme and URI part of the admin's; as written where it has one."""
    handler = found.handler
    if line.name != "proxy_pass" or handler is None or not handler.args:
        return line
    return _joined(line, handler.name, handler.args[0], handler.where)


def with_copys_uri(lines: Sequence[Line], wish: Line) -> Line:
    """The same for a copy, whose proxy_pass is among ``lines``."""
    was = next((x for x in lines if x.name == "proxy_pass"), None)
    if wish.name != "proxy_pass" or was is None:
        return wish
    return _joined(wish, was.name, was.args[0], "proxy_pass")


def with_target(found: Route, lines: Sequence[Line]) -> tuple[Line, ...]:
    """The same lines with a pass directive that asks for what the upstream is asked for now,
    whatever rewrote it on the way."""
    handler, passed = found.handler, found.uri_passed
    if handler is None or passed is None or not passed.startswith("/"):
        raise UnsafeError("what the upstream is asked for cannot be known")
    taken = take_apart(handler.name, handler.args[0])
    varied = "$" in handler.args[0]
    if handler.name != "proxy_pass" or (varied and taken.uri is not None):
        raise UnsafeError(f"{handler.where}: {handler.name} does not let the URI be mapped")
    for line in lines:
        if line.name not in REWRITES and any(_ADDRESS.search(arg) for arg in line.args):
            raise UnsafeError(f"{found.path[-1].where}: {line.name} uses the rewritten URI")
    # With a variable nginx passes the URI part as it is written, without the query.
    target = passed.partition("?")[0] + ("$is_args$args" if varied else "")
    colon = ":" if taken.authority.startswith("unix:") else ""
    mapped = (f"{taken.scheme}://{taken.authority}{colon}{target}",)
    kept = [line for line in lines if line.name not in REWRITES]
    return _passed_to(found, kept, mapped)


def extended(found: Route, lines: Sequence[Line], name: str) -> tuple[Line, ...]:
    """The same lines with the pass directive's URI part lengthened by as much as the new
    location's name is longer: nginx replaces the name by it."""
    handler, location = found.handler, found.location
    if handler is None or location is None or location.modifier in ("@", "~", "~*"):
        return tuple(lines)
    taken = take_apart(handler.name, handler.args[0]) if handler.args else None
    if taken is None or taken.uri is None or "$" in handler.args[0]:
        return tuple(lines)
    more = escape(name[len(location.name) :]) if name.startswith(location.name) else ""
    return _passed_to(found, lines, (handler.args[0] + more,))


def retargeted(lines: Sequence[Line], target: str) -> tuple[Line, ...]:
    """The same lines with redirects of another upstream led back as those of the present one."""
    handler = next((line for line in lines if line.name == "proxy_pass"), None)
    if handler is None:
        return tuple(lines)
    was = f"://{take_apart('proxy_pass', handler.args[0]).authority}"
    now = f"://{take_apart('proxy_pass', target).authority}"
    return tuple(
        replace(line, args=(line.args[0].replace(was, now, 1), *line.args[1:]))
        if line.name == "proxy_redirect" and line.args[0].partition("/")[0].endswith(":")
        else line
        for line in lines
    )


def _passed_to(found: Route, lines: Sequence[Line], args: tuple[str, ...]) -> tuple[Line, ...]:
    """The lines with another URI part, and redirects of the upstream led back as before.

    "proxy_redirect default" stands for the pass directive's own URL and the location's name;
    source: ngx_http_proxy_merge_loc_conf().
    """
    handler, location = found.handler, found.location
    assert handler is not None
    out = [replace(x, args=args) if x.name == handler.name else x for x in lines]
    redirect = found.setting("proxy_redirect")
    default = redirect.is_default or redirect.values == (("default",),)
    if handler.name != "proxy_pass" or not default or "$" in args[0] or args == handler.args:
        return tuple(out)
    plain = take_apart(handler.name, handler.args[0]).uri is None
    written = handler.args[0] + ("/" if plain else "")
    name = "/" if plain or location is None else location.name
    led_back = Line("proxy_redirect", (written, name), COPIED, COPIED_WHY)
    out = [x for x in out if x.name != "proxy_redirect"]
    at = next(i for i, x in enumerate(out) if x.name == handler.name)
    return (*out[: at + 1], led_back, *out[at + 1 :])


def _joined(line: Line, name: str, written: str, where: str) -> Line:
    was, now = take_apart(name, written), take_apart(line.name, line.args[0])
    if now.uri is not None:
        return line
    if "$" in written and was.uri is not None:
        raise UnsafeError(f"{where}: proxy_pass builds its URI from variables")
    colon = ":" if now.authority.startswith("unix:") and was.uri is not None else ""
    return replace(line, args=(f"{was.scheme}://{now.authority}{colon}{was.uri or ''}",))
