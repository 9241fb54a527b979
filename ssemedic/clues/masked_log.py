"""An access log without tokens: the admin's own format, its texts of the request masked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ssemedic.nginx import Route, Tree
from ssemedic.nginx.logs import COMBINED, AccessLog, formats
from ssemedic.nginx.quote import quoted, statement
from ssemedic.nginx.tree import full_name, is_pattern

#: Variables that hold the query of the request, and the one of the page that asked.
_QUERY = ("request", "request_uri", "args", "query_string")
_MASKABLE = (*_QUERY, "http_referer")
#: Variables that are a credential as a whole.
_SECRET = re.compile(r"http_authorization|http_cookie|cookie_\w+|http_x_(?:auth|api)\w*")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_LONGEST_TAG = 16
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]*")


class UnmaskableError(Exception):
    """The log cannot be masked by us; the message is the reason."""


@dataclass(frozen=True)
class MaskedFormat:
    """One log format of ours: its name, its escape= word ("" for nginx's default), its text."""

    name: str
    escape: str
    text: str


@dataclass(frozen=True)
class MaskedLog:
    """The file that defines the masked formats. ``variables`` maps a variable of nginx to the
    one that holds its masked text; ``parameter`` is the endpoint's own token parameter.

    Definitions change nothing by themselves: ``lines`` (arguments of access_log), in the
    stream's location, make them count.
    """

    path: str
    formats: tuple[MaskedFormat, ...]
    variables: tuple[tuple[str, str], ...]
    parameter: str
    lines: tuple[tuple[str, ...], ...]


def leaking(route: Route, parameter: str) -> tuple[tuple[AccessLog, str], ...]:
    """The access logs in force that keep the query's token, each with the variable that does."""
    return tuple(
        (log, variable)
        for log in route.access_logs
        if log.text is not None
        for variable in [_leak(log.text, parameter)]
        if variable
    )


def masked_log(route: Route, slug: str, parameter: str) -> MaskedLog:
    """Masked formats for every log of the route that leaks. Raises `UnmaskableError`."""
    prefix = f"ssemedic_{_tag(slug)}"
    path = f"{_folder(route.tree)}/00-ssemedic-{slug}.conf"
    made: dict[str, MaskedFormat] = {}
    used: dict[str, str] = {}
    lines = []
    for log, _ in leaking(route, parameter):
        if log.line is None:
            raise UnmaskableError("no access_log line says where it is; write one first")
        if any("$" in word for word in (log.path, *_rest(log))):
            raise UnmaskableError(f"{log.where}: the line holds a variable")
        text = _masked(log.text or "", prefix, parameter, used)
        if not _PLAIN.fullmatch(text):
            raise UnmaskableError(f"{log.format_where}: the format holds a control character")
        name = f"{prefix}_{len(made)}" if log.format not in made else made[log.format].name
        made.setdefault(log.format, MaskedFormat(name, _escape(route, log), text))
        lines.append((log.path, name, *_rest(log)))
    return MaskedLog(path, tuple(made.values()), tuple(used.items()), parameter, tuple(lines))


def by_hand(log: AccessLog) -> str:
    """What a person may write in place of a masked log."""
    place = log.line.args if log.line is not None else (log.path,)
    words = (place[0], "no_query", *_rest(log))
    return (
        "Log the path without the query. At http level:\n"
        f"    {path_only(log)}\n"
        "and in the location of the stream:\n"
        f"    {statement('access_log', words)}\n"
    )


def path_only(log: AccessLog) -> str:
    """A log_format for a person to write: as before, but with the path alone."""
    text = (log.text or COMBINED).replace("$request_uri", "$uri")
    text = re.sub(r"\$request(?!_)", "$request_method $uri $server_protocol", text)
    text = re.sub(r"\?\$(?:args|query_string)|\$is_args\$args", "", text)
    text = re.sub(r"\$(?:args|query_string|http_referer|arg_\w+)\b", "-", text)
    word = quoted(text) if re.search(r"['\\]", text) else f"'{text}'"
    return f"log_format no_query {word};"


def _tag(slug: str) -> str:
    """Short, and of one slug alone: nginx's hash of variables takes 46 characters in all."""
    plain = re.sub(r"[^a-z0-9]+", "_", slug)
    if len(plain) <= _LONGEST_TAG:
        return plain
    return f"{plain[:9]}_{hashlib.sha256(slug.encode()).hexdigest()[:6]}"


def _leak(text: str, parameter: str) -> str:
    """The variable by which the token of the query gets into the log, "" where none does."""
    own = "arg_" + parameter.lower().replace("-", "_")
    wanted = (own, *_QUERY) if parameter else ()
    there = set(_variables(text))
    return next((f"${name}" for name in wanted if name in there), "")


def _variables(text: str) -> Iterator[str]:
    for found in _VARIABLE.finditer(text):
        yield (found[1] or found[2]).lower()


def _masked(text: str, prefix: str, parameter: str, used: dict[str, str]) -> str:
    own = "arg_" + parameter.lower().replace("-", "_")

    def replaced(found: re.Match[str]) -> str:
        name = (found[1] or found[2]).lower()
        if name == own or _SECRET.fullmatch(name):
            return "***"
        if name not in _MASKABLE:
            return found.group()
        used.setdefault(name, f"{prefix}_{name}")
        return f"${{{used[name]}}}"

    return _VARIABLE.sub(replaced, text)


def _escape(route: Route, log: AccessLog) -> str:
    defined = formats(route.tree, route.path[0]).get(log.format)
    words = defined.args[1:2] if defined is not None else ()
    return next((word for word in words if word.startswith("escape=")), "")


def _rest(log: AccessLog) -> tuple[str, ...]:
    """What the line says after the format: buffer=, gzip, flush=, if=."""
    words = log.line.args[1:] if log.line is not None else ()
    return words[1:] if words[:1] == (log.format,) else words


def _folder(tree: Tree) -> str:
    """The folder of which nginx reads every *.conf at http level. Raises `UnmaskableError`."""
    for http in tree.blocks("http"):
        for line in http.block or ():
            pattern = full_name(tree.main, line.args[0]) if line.name == "include" else ""
            folder, _, name = pattern.rpartition("/")
            if folder and not is_pattern(folder) and name in ("*.conf", "*"):
                return folder
    raise UnmaskableError("nginx.conf includes no folder of *.conf files at http level")
