"""From the words of `ssemedic probe` to what is asked of the server; refuses what cannot be."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ssemedic.assertions import Assertion, AssertionFormError, assertion_of
from ssemedic.commands.output import UsageError
from ssemedic.duration import seconds_of
from ssemedic.endpoint import EndpointError, Message, checked_origin, checked_url, message_of
from ssemedic.jwks import Key, KeyFileError, read_jwks, read_key
from ssemedic.probe import experiments
from ssemedic.probe.request import Limits, Request, RequestError, is_secret
from ssemedic.symptoms import Expected, Kind
from ssemedic.token import TokenError, read_cookie, read_secret, read_token

#: Enough of a stream to judge and to show; what comes after is counted, not kept.
LIMITS = Limits(max_bytes=16 << 20, body_limit=1 << 20)

_LONGEST = 24 * 3600.0
_MAX_BODY = 1 << 20
_MOST_HOPS = 5
_MOST_PARALLEL = 50
_HOP = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,15})=(.+)", re.DOTALL)

_TLS_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f:.]+")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Asked:
    """One look: a request for each hop, inner to outer, the URL itself last."""

    requests: tuple[Request, ...]
    expected: Expected
    assertions: tuple[Assertion, ...] = ()
    allowed: frozenset[Kind] = frozenset()
    keys: tuple[Key, ...] | None = field(default=None, repr=False)
    message: Message | None = None
    parallel: int = 7

    @property
    def url(self) -> Request:
        """The request for the URL itself."""
        return self.requests[-1]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that no form of the report may show."""
        found = {secret for request in self.requests for secret in request.secrets()}
        return tuple(secret.decode("utf-8", "replace") for secret in found)


def asked_of(arguments: argparse.Namespace) -> Asked:
    """What was asked for; raises `UsageError` in one sentence."""
    window = seconds("--for", arguments.window)
    if not 0 < window <= _LONGEST:
        raise UsageError(f"--for: is {arguments.window}, must be more than 0 and at most a day")
    keepalive = seconds("--keepalive", arguments.keepalive) if arguments.keepalive else None
    for name in arguments.experiment:
        if name not in experiments.NAMES:
            known = ", ".join(experiments.NAMES)
            raise UsageError(f"--experiment: {name!r} is not known, must be one of {known}")
    if arguments.origin:
        try:
            checked_origin(arguments.origin)
        except EndpointError as error:
            raise UsageError(f"--{error}") from error
    if arguments.credentials and not arguments.origin:
        raise UsageError("--credentials: is judged for a page of another origin: name it, --origin")
    if arguments.proxy_command and (arguments.proxy or arguments.connect):
        raise UsageError("--proxy-command: goes with neither --proxy nor --connect")
    token = _token(arguments)
    if token is None and (arguments.key or arguments.jwks):
        raise UsageError("--key and --jwks: verify a token, so --token-file must name one")
    hops = [_hop(text) for text in arguments.hop]
    names = [name for name, _url in hops]
    own = "devproxy" if "public" in names else "public"
    if len({*names, own}) <= len(names) or len(names) > _MOST_HOPS:
        raise UsageError(f"--hop: must be at most {_MOST_HOPS}, each with a name of its own")
    headers = _headers(arguments)
    common: dict[str, Any] = {
        "headers": headers,
        "token": token,
        "token_parameter": "" if arguments.bearer else arguments.token_parameter,
        "method": "POST" if arguments.post else "GET",
        "body": _body(arguments.post),
        "version": arguments.http,
        "window": window,
        "limits": LIMITS,
        "ca_file": str(arguments.ca) if arguments.ca else None,
    }
    try:
        inner = [Request(hop=name, url=url, **common) for name, url in hops]
        ours = Request(
            hop=own,
            url=arguments.url,
            connect=arguments.connect,
            proxy=_proxy(arguments.proxy),
            proxy_command=arguments.proxy_command,
            server_name=_tls_name(arguments),
            **common,
        )
    except RequestError as error:
        raise UsageError(str(error)) from error
    for option, request in [*(("--hop", one) for one in inner), ("URL", ours)]:
        _check_url(option, request)
    return Asked(
        requests=(*inner, ours),
        expected=Expected(
            origin=arguments.origin,
            keepalive_seconds=keepalive,
            window=window,
            credentials=arguments.credentials,
            types=_other_types(headers) if arguments.post else (),
        ),
        message=_message(arguments.message),
        parallel=_parallel(arguments.parallel),
        assertions=tuple(_assertion(text) for text in arguments.assertions),
        allowed=frozenset(_kind(text) for text in arguments.allow),
        keys=_keys(arguments),
    )


def seconds(option: str, text: str) -> float:
    """A duration of the command line; raises `UsageError`."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def _check_url(option: str, request: Request) -> None:
    """Refuse a URL that a browser could not open, or that shows a secret to every process list."""
    try:
        checked_url(request.url)
    except EndpointError as error:
        raise UsageError(f"{option}: {error}") from error
    parameter = request.token_parameter or "access_token"
    if Request(hop="", url=request.url, token_parameter=parameter).secrets():
        raise UsageError(
            f"{option}: carries a token, which every process list shows; "
            "put it into a file (mode 0600) and name it with --token-file"
        )


def _token(arguments: argparse.Namespace) -> str | None:
    if arguments.token_file is None:
        return None
    return _read(read_token, arguments.token_file)


def _headers(arguments: argparse.Namespace) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for text in arguments.header:
        if text.startswith("@"):
            lines = _read(lambda path: read_secret(path, "header file"), Path(text[1:]))
            found.extend(_header(line) for line in lines.splitlines() if line.strip())
            continue
        name, value = _header(text)
        if is_secret(name):
            raise UsageError(
                f"--header {name}: every process list would show its value; put the line into a "
                f"file (mode 0600) and say --header @FILE"
            )
        found.append((name, value))
    if arguments.cookie_file:
        found.append(("Cookie", _read(read_cookie, arguments.cookie_file)))
    for name, value in (
        ("Origin", arguments.origin),
        ("Last-Event-ID", arguments.last_event_id),
        ("Accept-Encoding", arguments.encoding),
    ):
        if value is not None:
            found.append((name, value))
    named = {name.lower() for name, _value in found}
    if arguments.post and "content-type" not in named:
        found.append(("Content-Type", "application/json"))
    return tuple(found)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError("--header: must look like 'Name: value'")
    return name.strip(), value.strip()


def _body(name: str | None) -> bytes | None:
    if name is None:
        return None
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MAX_BODY + 1)
        else:
            with Path(name).expanduser().open("rb") as file:
                data = file.read(_MAX_BODY + 1)
    except OSError as error:
        raise UsageError(f"--post {name}: {error.strerror or error}") from error
    if len(data) > _MAX_BODY:
        raise UsageError(f"--post {name}: is larger than {_MAX_BODY} bytes")
    return data


def _proxy(text: str | None) -> str | None:
    if text is None:
        return None
    if text.startswith("@"):
        return _read(lambda path: read_secret(path, "proxy file"), Path(text[1:]))
    if "@" in urlsplit(text).netloc:
        raise UsageError(
            "--proxy: carries a password, which every process list shows; put the URL into a "
            "file (mode 0600) and say --proxy @FILE"
        )
    return text


def _other_types(headers: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The media types that Accept names beside text/event-stream; none by default."""
    lines = [value for name, value in headers if name.lower() == "accept"]
    named = [part.partition(";")[0].strip().lower() for line in lines for part in line.split(",")]
    return tuple(one for one in named if one and one not in ("text/event-stream", "*/*"))


def _tls_name(arguments: argparse.Namespace) -> str | None:
    name: str | None = arguments.tls_name
    if name is None:
        return None
    if not arguments.url.lower().startswith("https:"):
        raise UsageError("--tls-name: the URL is not https, so there is no TLS")
    if not _TLS_NAME.fullmatch(name):
        raise UsageError(f"--tls-name: {name!r} is not the name of a host")
    return name


def _hop(text: str) -> tuple[str, str]:
    found = _HOP.fullmatch(text)
    if found is None:
        raise UsageError("--hop: must look like NAME=URL, as in app=http://127.0.0.1:8000/events")
    return found.group(1), found.group(2)


def _assertion(text: str) -> Assertion:
    try:
        return assertion_of(text)
    except AssertionFormError as error:
        raise UsageError(f"--assert: {error}") from error


def _kind(text: str) -> Kind:
    try:
        return Kind(text.replace("-", "_"))
    except ValueError as error:
        kinds = ", ".join(Kind)
        raise UsageError(f"--allow: {text!r} is no symptom, must be one of {kinds}") from error


def _keys(arguments: argparse.Namespace) -> tuple[Key, ...] | None:
    try:
        if arguments.key:
            return read_key(arguments.key.expanduser())
        if arguments.jwks:
            return read_jwks(arguments.jwks, str(arguments.ca) if arguments.ca else None)
    except KeyFileError as error:
        raise UsageError(f"{'--key' if arguments.key else '--jwks'}: {error}") from error
    return None


def _read(read: Callable[[Path], Value], path: Path) -> Value:
    try:
        return read(path.expanduser())
    except TokenError as error:
        raise UsageError(str(error)) from error


def _message(path: Path | None) -> Message | None:
    """How to send a message through the service, from a JSON file."""
    if path is None:
        return None
    try:
        return message_of(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"--message: {path}: {error.strerror or error}") from error
    except (ValueError, EndpointError) as error:
        raise UsageError(f"--message: {path}: {error}") from error


def _parallel(count: int) -> int:
    if not 1 <= count <= _MOST_PARALLEL:
        raise UsageError(f"--parallel: is {count}, must be 1 to {_MOST_PARALLEL}")
    return count
