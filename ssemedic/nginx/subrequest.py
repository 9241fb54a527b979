"""The way of the subrequest that auth_request makes before a request is passed on."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from .asked import Asked, asked
from .choice import choose_location
from .request import escape
from .route import Route
from .upstream import PASSES, take_apart, targets


def auth_route(found: Route) -> Route | None:
    """Where the subrequest of `auth_request` goes; None where the route makes none.

    It is a request of its own for the URI that is written: an `internal` location takes it,
    and the query of the client does not go along (ngx_http_auth_request_module.c).
    """
    values = found.setting("auth_request").values
    uri = values[0][0] if values and values[0] else "off"
    if uri == "off" or found.server is None or len(found.path) < 2:
        return None
    location = choose_location(found.tree, found.server, found.path[:2], uri).location
    path = location.path if location else found.path[:2]
    base = replace(
        found, location=location, path=path, serves="none", handler=None, targets=(), upstream=None,
        uri_passed=None, pass_uri=None, chain=(), handed_over=(), status=None, redirect=None,
    )  # fmt: skip
    if found.variables is not None:
        variables = copy(found.variables)
        variables.assigned = dict(found.variables.assigned)
        variables.uri, variables.args = uri, ""
        base = replace(base, variables=variables)
    inside = tuple(found.tree.flat(path[-1].block)) if location else ()
    answer = next((d for d in inside if d.name == "return" and d.args), None)
    if answer is not None:
        code = answer.args[0]
        status = int(code) if code.isdigit() else 302
        return replace(base, serves="return", handler=answer, status=status)
    handler = next((d for d in inside if d.name in PASSES and d.args), None)
    if handler is None or location is None:
        return replace(base, serves="static", file=uri)
    written = handler.args[0]
    value = base.variables.expand(written) if base.variables else None
    part = take_apart(handler.name, value if value is not None else written)
    leads, block = targets(found.tree, found.path[0], part, handler.where)
    prefix = location.name if location.modifier in ("", "=", "^~") else ""
    passed = escape(uri) if part.uri is None else part.uri + escape(uri[len(prefix) :])
    return replace(
        base,
        serves="proxy",
        handler=handler,
        targets=leads if value is not None or "$" not in written else (),
        upstream=block,
        pass_uri=part.uri,
        uri_passed=part.uri if "$" in written and part.uri is not None else passed,
    )


def auth_asked(found: Route) -> Asked | None:
    """What the endpoint behind `auth_request` is asked; None where that cannot be told."""
    led = auth_route(found)
    if led is None or led.serves != "proxy" or not led.targets:
        return None
    return asked(led)
