"""The endpoint under care: what the inventory or the command line says about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

#: The characters of RFC 3986; braces are not among them, so no template hides in a URL.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+\Z")
#: As a browser sends it (RFC 6454, section 6.2): no path, no slash at its end.
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^/\s?#@]+")


class EndpointError(ValueError):
    """The description of the endpoint cannot be used; the message says what must be there."""


@dataclass(frozen=True)
class Message:
    """How to send a test message: POST ``body`` as JSON to ``path`` of the same origin.

    The answer's JSON field ``id`` must come back in the data of an event. Sent only
    to prove a repair.
    """

    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    id: str = "id"


@dataclass(frozen=True)
class Endpoint:
    """One event-stream endpoint. What is None is discovered.

    ``url`` is the public URL without a token. ``token_parameter`` names the query
    parameter that carries the token, or "" to send it as ``Authorization: Bearer``.
    ``keepalive_seconds`` is how often the app sends at least a comment.
    ``mask_access_log`` lets a repair give the stream an access log without tokens.
    """

    url: str
    token_parameter: str = "access_token"  # noqa: S105 - a parameter's name, not a secret
    origin: str | None = None
    unit: str | None = None
    upstream: str | None = None
    keepalive_seconds: float | None = None
    ca_file: str | None = None
    devproxy: str | None = None
    message: Message | None = None
    mask_access_log: bool = False


def endpoint_of(data: Mapping[str, Any]) -> tuple[Endpoint, str | None]:
    """An endpoint from inventory data, and the token that stood in its URL, if one did.

    Raises `EndpointError` in one sentence. The token is taken out of the URL so that
    nothing that shows the endpoint can show it.
    """
    known = {f.name for f in fields(Endpoint)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise EndpointError(
            f"endpoint: {unknown[0]!r} is not known, must be one of {', '.join(sorted(known))}"
        )
    values = {name: value for name, value in data.items() if value not in (None, "")}
    if "token_parameter" in data:
        values["token_parameter"] = data["token_parameter"] or ""
    if "url" not in values:
        raise EndpointError("endpoint: no url, must be the URL that the browser opens")
    parameter = values.get("token_parameter", Endpoint.token_parameter)
    values["url"], token = _without_token(checked_url(str(values["url"])), str(parameter))
    for name in ("keepalive_seconds",):
        if name in values:
            values[name] = _number(name, values[name])
    if "origin" in values:
        values["origin"] = checked_origin(str(values["origin"]))
    if "mask_access_log" in values:
        values["mask_access_log"] = _truth("mask_access_log", values["mask_access_log"])
    if "message" in values:
        values["message"] = message_of(values["message"])
    return Endpoint(**values), token


def checked_url(url: str) -> str:
    """The URL itself; raises `EndpointError` if no browser could open it."""
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError as error:
        raise EndpointError(f"url: {error}") from error
    if not _URL.match(url) or parts.scheme not in ("http", "https") or not parts.hostname:
        raise EndpointError(
            "url: is not one a browser opens, must look like https://host[:port]/path"
        )
    if not port_fits or parts.username or parts.password:
        raise EndpointError("url: must carry neither a user name, a password, nor port 0")
    return url


def checked_origin(origin: str) -> str:
    """The origin itself; raises `EndpointError` if no browser would send it so."""
    if not _ORIGIN.fullmatch(origin):
        raise EndpointError(f"origin: is {origin!r}, must look like https://host[:port]")
    return origin


def _without_token(url: str, parameter: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    token = next((value for name, value in pairs if parameter and name == parameter), None)
    if token is None:
        return urlunsplit(parts._replace(fragment="")), None
    rest = urlencode([(name, value) for name, value in pairs if name != parameter])
    return urlunsplit(parts._replace(query=rest, fragment="")), token


def _number(name: str, value: object) -> float:
    try:
        return float(str(value))
    except ValueError as error:
        raise EndpointError(f"endpoint: {name} is {value!r}, must be seconds") from error


def _truth(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise EndpointError(f"endpoint: {name} is {value!r}, must be true or false")


def message_of(value: object) -> Message:
    """How to send a message, from inventory data or JSON; raises `EndpointError`."""
    if not isinstance(value, Mapping) or not str(value.get("path", "")).startswith("/"):
        raise EndpointError("endpoint: message must be an object with a path that starts with /")
    body = value.get("body") or {}
    if not isinstance(body, Mapping):
        raise EndpointError("endpoint: message.body must be an object")
    return Message(str(value["path"]), dict(body), str(value.get("id", "id")))
