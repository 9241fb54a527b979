"""The value of nginx variables for one request, as far as a configuration tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Optional

from .lexer import Directive
from .pattern import TooHardError, compiled, search
from .request import Request
from .tree import Tree

# $1 ends after one digit, any other name where its letters end.
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([1-9]|[A-Za-z_]\w*))", re.ASCII)
_EMPTY_HEADERS = frozenset({"upgrade", "content_type", "range", "last_event_id", "if_none_match"})
_GROUP = re.compile(r"\(\?P?[<'](\w+)[>']")
_MATCHING = frozenset({"if", "location", "rewrite", "server_name"})
_DEPTH = 8  # maps may refer to maps
_LONGEST = 65536  # characters; no request line or header of nginx is longer
_MOST = 64  # texts that one text may become


class Variables:
    """Looks names up: captures and ``set`` first, then the request, then ``map``.

    A value is None where the configuration alone cannot tell (a cookie, the client's
    address, a module's variable).
    """

    def __init__(self, tree: Tree, http: Directive, request: Request) -> None:
        self.request = request
        self.uri = request.uri
        self.args = request.args
        self.assigned: dict[str, Optional[str]] = {}  # noqa: UP045 - evaluated on Python 3.8
        self.server_name: Optional[str] = None  # noqa: UP045
        self._tree = tree
        self._maps = _defining(tree, http, "map")
        self._by_client = {**_defining(tree, http, "geo"), **_defining(tree, http, "split_clients")}
        self._map_values: dict[str, str] = {}
        self._settable: frozenset[str] = tree.once("settable", lambda: _settable(tree))

    def capture(self, found: Mapping[str, str]) -> None:
        """Take over what a regular expression captured; $1, $2, ... of the one before go."""
        if "0" in found:
            self.assigned = {k: v for k, v in self.assigned.items() if not k.isdigit()}
        self.assigned.update({name.lower(): value for name, value in found.items()})

    def assign(self, name: str, text: str) -> None:
        """set $name text; $args is the query itself, for the upstream too."""
        value = self.expand(text)
        if name.lower() == "$args" and value is not None:
            self.args = value
            return
        self.assigned[name.lstrip("$").lower()] = value

    def forget(self, name: str) -> None:
        """From here on nobody can tell what $name is."""
        self.assigned[name.lstrip("$").lower()] = None

    def expand(
        self, text: str, depth: int = 0, quoting: Callable[[str], str] | None = None
    ) -> str | None:
        """The text with every variable replaced, None if one of them is not known.

        ``quoting`` is done to captures ($1) where the client's path was quoted.
        """
        if "$" not in text:
            return text
        out, pos = [], 0
        for found in _VARIABLE.finditer(text):
            name = found[1] or found[2]
            value = self.get(name, depth)
            if value is None:
                return None
            if quoting is not None and name.isdigit() and self.request.escapes_captures:
                value = quoting(value)
            out += [text[pos : found.start()], value]
            pos = found.end()
        whole = "".join([*out, text[pos:]])
        return whole if len(whole) <= _LONGEST else None

    def get(self, name: str, depth: int = 0) -> str | None:
        """The value of one variable, None if it cannot be known."""
        if not name.isdigit():
            name = name.lower()  # nginx knows no case in names
        if name in self.assigned:
            return self.assigned[name]
        if name.isdigit():
            return ""
        if name in self._maps and depth < _DEPTH:
            return self._mapped(name, depth + 1)
        if name.startswith("arg_"):
            return self._argument(name[4:])
        if name.startswith("http_") and name != "http_host":
            return self._header(name[5:])
        value = self._builtin(name)
        return "" if value is None and name in self._settable else value

    def possible(self, text: str) -> tuple[str, ...]:
        """Every text that the configuration lets this one become, for different clients, by
        `map`, `geo` and `split_clients`; () where even these are not all written there."""
        out = [""]
        pos = 0
        for found in _VARIABLE.finditer(text):
            choices = self._choices((found[1] or found[2]).lower(), _DEPTH)
            if choices is None or len(out) * len(choices) > _MOST:
                return ()
            before = text[pos : found.start()]
            out = [head + before + value for head in out for value in choices]
            pos = found.end()
        return tuple(dict.fromkeys(head + text[pos:] for head in out))

    def _choices(self, name: str, depth: int) -> list[str] | None:
        value = self.get(name)
        if value is not None:
            return [value]
        block = self._maps.get(name) or self._by_client.get(name)
        if block is None or depth == 0:
            return None
        known: dict[str, None] = {}
        lines = [d for d in self._tree.flat(block.block) if len(d.args) == 1]
        if all(d.name != "default" for d in lines) and block.name != "split_clients":
            known[""] = None
        for line in lines:
            if line.name in ("include", "ranges", "proxy", "delete"):
                continue
            text = self.expand(line.args[0])
            if text is None:
                return None
            known[text] = None
        return list(known)

    def _builtin(self, name: str) -> str | None:
        request = self.request
        known: dict[str, Optional[str]] = {  # noqa: UP045
            "args": self.args,
            "content_length": "",
            "content_type": "",
            "document_uri": self.uri,
            "host": request.named,
            "http_host": request.authority,
            "https": "on" if request.scheme == "https" else "",
            "is_args": "?" if self.args else "",
            "query_string": self.args,
            "request_method": "GET",
            "request_uri": request.target,
            "scheme": request.scheme,
            "server_name": self.server_name,
            "server_port": str(request.port),
            "uri": self.uri,
        }
        return known.get(name)

    def _header(self, name: str) -> str | None:
        if name == "accept":
            return self.request.accept
        return "" if name in _EMPTY_HEADERS else None

    def _argument(self, name: str) -> str:
        for pair in self.args.split("&"):
            key, _, value = pair.partition("=")
            if key.lower() == name.lower():
                return value
        return ""

    def _mapped(self, name: str, depth: int) -> str | None:
        """The value of a map variable; nginx works it out once per request."""
        if name in self._map_values:
            return self._map_values[name]
        block = self._maps[name]
        value = self._map_value(block, depth)
        if value is not None and all(d.name != "volatile" for d in self._tree.flat(block.block)):
            self._map_values[name] = value
        return value

    def _map_value(self, block: Directive, depth: int) -> str | None:
        subject = self.expand(block.args[0], depth)
        if subject is None:
            return None
        lines = [d for d in self._tree.flat(block.block) if d.args or d.name == "hostnames"]
        hostnames = any(d.name == "hostnames" and not d.args for d in lines)
        default, patterns, wild = "", [], {}
        for line in lines:
            value = line.args[0] if line.args else ""
            name = line.name[1:] if line.name.startswith("\\") else line.name
            if line.name == "default":
                default = value
            elif line.name.startswith("~"):
                patterns.append((line.name, value))
            elif name.lower() == subject.lower():
                return self.expand(value, depth)
            elif hostnames and fits_name(name.lower(), subject.lower()):
                wild[(name.endswith(".*"), -len(name))] = value
        if wild:
            return self.expand(wild[min(wild)], depth)
        for name, value in patterns:
            ignore_case = name.startswith("~*")
            pattern = compiled(name[2 if ignore_case else 1 :], ignore_case)
            if pattern is None:
                return None
            try:
                captures, matched = search(pattern, subject)
            except TooHardError:
                return None
            if matched:
                self.capture(captures)
                return self.expand(value, depth)
        return self.expand(default, depth)


def _defining(tree: Tree, http: Directive, kind: str) -> dict[str, Directive]:
    """The blocks of a kind by the variable that each defines, its last argument."""
    return {
        block.args[-1].lstrip("$").lower(): block for block in tree.blocks(kind, http) if block.args
    }


def _settable(tree: Tree) -> frozenset[str]:
    """The variables that `set` or a named group may give a value, and are empty before."""
    names: set[str] = set()
    pending = [d for source in tree.sources.values() for d in source.directives]
    while pending:
        directive = pending.pop()
        pending += directive.block or ()
        if directive.name == "set" and directive.args:
            names.add(directive.args[0].lstrip("$").lower())
        elif directive.name in _MATCHING:
            names.update(n.lower() for arg in directive.args for n in _GROUP.findall(arg))
    return frozenset(names)


def fits_name(name: str, host: str) -> bool:
    """True if a name with a wildcard ("*.a.b", ".a.b", "a.b.*"), in lower case, covers a host."""
    if name.startswith("*."):
        return len(host) > len(name) - 1 and host.endswith(name[1:])
    if name.startswith("."):
        return host == name[1:] or (len(host) > len(name) and host.endswith(name))
    return name.endswith(".*") and len(host) > len(name) - 1 and host.startswith(name[:-1])
