"""The endpoint under care: what the inventory or the command line says about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ssemedic.accepted import Accepted, AcceptedError, accepted_of
from ssemedic.probe.request import is_secret
from ssemedic.probe.sending import MARKER

#: The characters of RFC 3986; braces are not among them, so no template hides in a URL.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+\Z")
#: As a browser sends it (RFC 6454, section 6.2): no path, no slash at its end.
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^/\s?#@]+")

#: What a message can be published to: no wildcard, nothing that would end a line.
_SUBJECT = re.compile(r"[^\s*>\x00-\x1f]{0,256}")
#: What a value of the inventory may be, and how that is said. None of them can end a line.
_SHAPES = {
    "token_parameter": (r"[A-Za-z0-9._~\[\]-]{0,64}", "the name of a query parameter"),
    "unit": (r"(?!-)[A-Za-z0-9:_.\\@-]{1,255}", "a unit name such as notify.service"),
    "upstream": (r"[!-~]{1,255}", "host:port or unix:/path"),
}


_PATH = r"/[^\x00-\x1f\\]{0,1024}"
_SERVICE = {
    "command": (r"/[^\x00-\x1f]{0,4000}(?<!\\)", "a command line that begins with a full path"),
    "user": (r"[a-z_][a-z0-9_-]{0,30}", "the name of a user"),
    "directory": (_PATH, "a full path"),
    "environment_file": (_PATH, "a full path"),
}


class EndpointError(ValueError):
    """The description of the endpoint cannot be used; the message says what must be there."""


@dataclass(frozen=True)
class Message:
    """How to send a test message: ``body`` as JSON to ``path`` of the same origin.

    The answer's JSON field ``id`` must come back in the data of an event. Where ``path`` is
    "", the body is published on the ``subject`` of the broker that the service is connected
    to, by its host. ``{marker}`` in the body and in the subject becomes a text that no other
    message has; without an id in the answer it is what must come back. ``event`` is the name
    that the event must have, "" for any. Sent to prove a repair, and as a canary where
    that is allowed (`Endpoint.canary`).
    """

    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    id: str = "id"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    event: str = ""


@dataclass(frozen=True)
class Service:
    """How to run the service where the host has no unit for it: then one is written whole.

    ``command`` is its full command line. Without a ``user`` systemd makes one up.
    """

    command: str
    user: str | None = None
    directory: str | None = None
    environment_file: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """One event-stream endpoint. What is None is discovered.

    ``url`` is the public URL without a token. ``token_parameter`` names the query
    parameter that carries the token, or "" to send it as ``Authorization: Bearer``.
    ``keepalive_seconds`` is how often the app sends at least a comment.
    ``mask_access_log`` lets a repair give the stream an access log without tokens.
    ``canary`` lets a diagnosis send the message, and watch the broker while it passes.
    ``accepted`` are causes that stay as they are for now. ``service`` is how to run ``unit``
    where no such unit exists.
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
    canary: bool = False
    accepted: tuple[Accepted, ...] = ()
    service: Service | None = None


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
    for name, (shape, said) in _SHAPES.items():
        if name in values and not re.fullmatch(shape, str(values[name])):
            raise EndpointError(f"endpoint: {name} is {str(values[name])!r:.80}, must be {said}")
    if "origin" in values:
        values["origin"] = checked_origin(str(values["origin"]))
    for name in ("mask_access_log", "canary"):
        if name in values:
            values[name] = _truth(name, values[name])
    if "service" in values:
        values["service"] = _service(values["service"], bool(values.get("unit")))
    if "message" in values:
        values["message"] = message_of(values["message"])
    if "accepted" in values:
        try:
            values["accepted"] = accepted_of(values["accepted"])
        except AcceptedError as error:
            raise EndpointError(f"endpoint: {error}") from error
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
        seconds = float(str(value))
    except ValueError as error:
        raise EndpointError(f"endpoint: {name} is {value!r:.80}, must be seconds") from error
    if not 0 < seconds < 86_400:
        raise EndpointError(f"endpoint: {name} is {value!r:.80}, must be seconds of a day")
    return seconds


def _service(value: object, named: bool) -> Service:
    """How to run the service, from inventory data; raises `EndpointError`."""
    if not named:
        raise EndpointError("endpoint: service needs unit, the name under which it will run")
    known = {f.name for f in fields(Service)}
    if not isinstance(value, Mapping) or not set(value) <= known or "command" not in value:
        raise EndpointError(
            f"endpoint: service must be an object with a command, of {', '.join(sorted(known))}"
        )
    given = {name: str(text) for name, text in value.items() if text not in (None, "")}
    for name, text in given.items():
        shape, said = _SERVICE[name]
        if not re.fullmatch(shape, text):
            raise EndpointError(f"endpoint: service.{name} is {text!r:.80}, must be {said}")
    return Service(**given)


def _truth(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise EndpointError(f"endpoint: {name} is {value!r}, must be true or false")


def message_of(value: object) -> Message:
    """How to send a message, from inventory data or JSON; raises `EndpointError`."""
    if not isinstance(value, Mapping):
        raise EndpointError("endpoint: message must be an object with a path or a subject")
    unknown = sorted(set(value) - {f.name for f in fields(Message)})
    if unknown:
        known = ", ".join(sorted(f.name for f in fields(Message)))
        raise EndpointError(f"endpoint: message.{unknown[0]} is not known, must be one of {known}")
    path, subject = str(value.get("path") or ""), str(value.get("subject") or "")
    if not path.startswith("/") and (path or not subject):
        raise EndpointError("endpoint: message must be an object with a path that starts with /")
    if path and not re.fullmatch(r"/(?!/)[!-~]*", path):
        raise EndpointError("endpoint: message.path must be a path of the same origin, in ASCII")
    if path and subject:
        raise EndpointError("endpoint: message has a path and a subject, must have one of them")
    if not _SUBJECT.fullmatch(subject):
        raise EndpointError(
            "endpoint: message.subject must be what can be published to: no space, no * or >"
        )
    body, headers = value.get("body") or {}, value.get("headers") or {}
    for name, item in (("body", body), ("headers", headers)):
        if not isinstance(item, Mapping):
            raise EndpointError(f"endpoint: message.{name} must be an object")
    if subject and MARKER not in json.dumps(dict(body)):
        raise EndpointError(f"endpoint: message.body must hold {MARKER}: it is what must come back")
    for name in headers:
        if is_secret(str(name)):
            raise EndpointError(
                f"endpoint: message.headers.{name} would carry a secret, which a report shows; "
                "the message goes with the token of token_file"
            )
    method = str(value.get("method") or "POST").upper()
    if method not in ("POST", "PUT", "PATCH", "GET"):
        known = "POST, PUT, PATCH or GET"
        raise EndpointError(f"endpoint: message.method is {method}, must be {known}")
    return Message(
        path=path,
        body=dict(body),
        id=str(value.get("id", "id")),
        method=method,
        headers={str(name): str(item) for name, item in headers.items()},
        subject=subject,
        event=str(value.get("event") or ""),
    )
