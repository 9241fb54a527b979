"""The value of nginx variables for one request, as far as a configuration tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from .lexer import Directive
from .pattern import compiled, search
from .request import Request
from .tree import Tree

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_EMPTY_HEADERS = frozenset({"upgrade", "content_type", "range", "last_event_id", "if_none_match"})
_DEPTH = 8  # maps may refer to maps


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
        self._tree = tree
        self._maps = {
            block.args[1].lstrip("$"): block
            for block in tree.blocks("map", http)
            if len(block.args) == 2
        }

    def capture(self, found: Mapping[str, str]) -> None:
        """Take over what a regular expression captured."""
        self.assigned.update(found)

    def expand(self, text: str, depth: int = 0) -> str | None:
        """The text with every variable replaced, None if one of them is not known."""
        if "$" not in text:
            return text
        out, pos = [], 0
        for found in _VARIABLE.finditer(text):
            value = self.get(found[1] or found[2], depth)
            if value is None:
                return None
            out += [text[pos : found.start()], value]
            pos = found.end()
        return "".join([*out, text[pos:]])

    def get(self, name: str, depth: int = 0) -> str | None:
        """The value of one variable, None if it cannot be known."""
        if name in self.assigned:
            return self.assigned[name]
        if name.isdigit():
            return ""
        if name in self._maps and depth < _DEPTH:
            return self._mapped(self._maps[name], depth + 1)
        if name.startswith("arg_"):
            return self._argument(name[4:])
        if name.startswith("http_") and name != "http_host":
            return self._header(name[5:])
        return self._builtin(name)

    def _builtin(self, name: str) -> str | None:
        request = self.request
        known = {
            "args": self.args,
            "content_length": "",
            "content_type": "",
            "document_uri": self.uri,
            "host": request.host,
            "http_host": request.host + ("" if request.port in (80, 443) else f":{request.port}"),
            "https": "on" if request.scheme == "https" else "",
            "is_args": "?" if self.args else "",
            "query_string": self.args,
            "request_method": "GET",
            "request_uri": request.target,
            "scheme": request.scheme,
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

    def _mapped(self, block: Directive, depth: int) -> str | None:
        subject = self.expand(block.args[0], depth)
        if subject is None:
            return None
        default, patterns = "", []
        for line in self._tree.flat(block.block):
            value = line.args[0] if line.args else ""
            if line.name == "default":
                default = value
            elif line.name.startswith("~"):
                patterns.append((line.name, value))
            elif line.name.lstrip("\\").lower() == subject.lower() and line.args:
                return self.expand(value, depth)
        for name, value in patterns:
            ignore_case = name.startswith("~*")
            pattern = compiled(name[2 if ignore_case else 1 :], ignore_case)
            if pattern is None:
                return None
            captures, matched = search(pattern, subject)
            if matched:
                self.capture(captures)
                return self.expand(value, depth)
        return self.expand(default, depth)
