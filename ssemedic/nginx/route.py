"""The way of one request through a configuration: to the location that really answers.

Follows nginx's phases: server rewrite, find location, rewrite, try_files, content; and the
internal redirects between them. What only the file system or the client could tell is
assumed as for an event stream (no such file, a GET with Accept: text/event-stream) and noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .choice import Location, choose_location, choose_server, named_location
from .lexer import Directive
from .pattern import compiled, search
from .request import escape, request_of
from .settings import Setting, effective
from .tree import Tree
from .upstream import PASSES, Target, take_apart, targets
from .variables import Variables

MAX_CYCLES = 10  # NGX_HTTP_MAX_URI_CHANGES
_REDIRECT_FLAGS = {"redirect": 302, "permanent": 301}
_FOREIGN_HANDLERS = frozenset(
    {"memcached_pass", "stub_status", "empty_gif", "echo", "js_content", "perl", "api"}
)
_ABSOLUTE = re.compile(r"https?://|\$scheme")


@dataclass(frozen=True)
class Route:
    """What nginx does with a URL.

    ``serves`` is "proxy", "static", "return" or "none". ``path`` holds the blocks in force,
    outermost first. ``chain`` holds every location the request visited, the one that answers
    last; ``handed_over`` says for each but the first what sent it there. ``uri_passed`` is
    what the upstream is asked for, None where it cannot be known; ``pass_uri`` the URI part
    of the pass directive as written. ``resolved`` is False where the answer rests on
    something that could not be evaluated.
    """

    url: str
    version: str
    tree: Tree = field(repr=False)
    server: Directive | None = None
    location: Location | None = None
    path: tuple[Directive, ...] = ()
    chain: tuple[Location, ...] = ()
    handed_over: tuple[str, ...] = ()
    serves: str = "none"
    handler: Directive | None = None
    targets: tuple[Target, ...] = ()
    upstream: Directive | None = None
    uri_passed: str | None = None
    pass_uri: str | None = None
    file: str | None = None
    status: int | None = None
    redirect: str | None = None
    resolved: bool = True
    notes: tuple[str, ...] = ()

    def setting(self, name: str) -> Setting:
        """The setting in force where the request is answered."""
        path = self.path
        if name == "keepalive":
            path = (self.upstream,) if self.upstream else ()
        return effective(self.tree, path, name, self.version)


def route(tree: Tree, url: str, version: str, address: str | None = None) -> Route:
    """Follow a URL. ``version`` is nginx's ("1.22.1"); ``address`` the local address that the
    connection arrives at, where it is known and matters.

    Raises ValueError for what is no http(s) URL.
    """
    request = request_of(url)
    empty = Route(url, version, tree)
    http = next(tree.blocks("http"), None)
    if http is None:
        return replace(empty, notes=(f"{tree.main}: has no http block",))
    server, _, notes = choose_server(tree, http, request, address)
    if server is None:
        return replace(empty, notes=notes)
    if effective(tree, (http, server), "merge_slashes", version).values[0][0] == "off":
        request = request_of(url, merge_slashes=False)
    walk = _Walk(tree, http, server, Variables(tree, http, request), list(notes), version)
    found = walk.run()
    return replace(
        found,
        url=url,
        server=server,
        chain=tuple(walk.chain),
        handed_over=tuple(walk.handed_over),
        resolved=walk.resolved,
        notes=tuple(walk.notes),
    )


class _Step(NamedTuple):
    """What a phase says: go on, look for a location again, jump, or answer."""

    kind: str  # "next", "again", "named", "answer"
    answer: Route | None = None
    location: Location | None = None


_NEXT, _AGAIN = _Step("next"), _Step("again")


class _Walk:
    """One request on its way. Holds what nginx keeps in ngx_http_request_t."""

    def __init__(
        self,
        tree: Tree,
        http: Directive,
        server: Directive,
        variables: Variables,
        notes: list[str],
        version: str,
    ) -> None:
        self.tree, self.http, self.server = tree, http, server
        self.variables, self.notes, self.version = variables, notes, version
        self.base = (http, server)
        self.chain: list[Location] = []
        self.handed_over: list[str] = []
        self.resolved = True
        self.unparsed = True  # the URI is still as the client wrote it
        self.in_location = True  # the URI still begins with the location's name
        self.redirected = False  # by try_files or error_page, so the file exists
        self.handling_error = False
        self.forced_status: int | None = None  # error_page keeps the status of the error

    def run(self) -> Route:
        step = self.rewrite(self.base)[0]
        named: Location | None = None
        for _ in range(MAX_CYCLES + 1):
            if step.kind == "answer" and step.answer is not None:
                return step.answer
            named = step.location if step.kind == "named" else None
            location, moved = self.find(named)
            if moved is not None:
                return moved
            path = location.path if location else self.base
            if location is None:
                step = self.content(None, path)
                continue
            hidden = self.internal(location)
            if hidden is not None:
                step = hidden
                continue
            step, path = self.rewrite(path)
            if step.kind == "next":
                step = self.try_files(location, path)
            if step.kind == "next":
                step = self.content(location, path)
        self.notes.append("rewrite or internal redirection cycle: nginx answers 500")
        last = self.chain[-1] if self.chain else None
        return self.answer(last, last.path if last else self.base, serves="none", status=500)

    def find(self, named: Location | None) -> tuple[Location | None, Route | None]:
        """The location for the present URI, or the 301 to its slash form."""
        self.in_location = True
        if named is not None:
            self.chain.append(named)
            return named, None
        choice = choose_location(self.tree, self.server, self.base, self.variables.uri)
        self.variables.capture(choice.captures)
        if choice.unsure:
            self.resolved = False
            self.notes.extend(choice.unsure)
        if choice.location is not None:
            self.chain.append(choice.location)
        if choice.redirect is not None and choice.location is not None:
            if self.internal(choice.location) is not None:
                return choice.location, None
            return None, self.answer(
                choice.location,
                choice.location.path,
                serves="return",
                status=301,
                redirect=choice.redirect,
            )
        return choice.location, None

    def internal(self, location: Location) -> _Step | None:
        """A client that asks for an internal location gets 404."""
        if not self.unparsed or location.modifier == "@":
            return None
        lines = effective(self.tree, location.path, "internal", self.version).lines
        if not lines:
            return None
        answer = self.answer(location, location.path, "return", lines[0], status=404)
        return self.error_page(404, location.path) or _Step("answer", answer)

    def rewrite(self, path: tuple[Directive, ...]) -> tuple[_Step, tuple[Directive, ...]]:
        """set, if, rewrite, return and break of one block, in order.

        Gives the path with an `if` whose condition holds: its settings are in force then.
        """
        changed = False
        pending = [(d, path) for d in self.tree.flat(path[-1].block)]
        while pending:
            directive, scope = pending.pop(0)
            name, args = directive.name, directive.args
            if name == "set" and len(args) == 2:
                self.variables.assigned[args[0].lstrip("$")] = self.variables.expand(args[1])
            elif name == "return" and args:
                return self.returned(directive, path), path
            elif name == "break":
                self.in_location = self.in_location and not changed
                return _NEXT, path
            elif name == "if":
                if self.holds(directive):
                    path = (*scope, directive)
                    inner = [(d, scope) for d in self.tree.flat(directive.block)]
                    pending = inner + pending
            elif name == "rewrite" and len(args) >= 2:
                answer, hit = self.rewritten(directive, path)
                if answer is not None:
                    return _Step("answer", answer), path
                flag = args[2] if len(args) > 2 else ""
                if hit and flag == "break":
                    self.in_location = False
                    return _NEXT, path
                changed = changed or hit
                if hit and flag == "last":
                    break
            elif name.startswith(("rewrite_by_lua", "access_by_lua")):
                self.resolved = False
                self.notes.append(f"{directive.where}: {name} may change the way of the request")
        if changed and len(path) > len(self.base):
            return _AGAIN, path
        return _NEXT, path

    def rewritten(
        self, directive: Directive, path: tuple[Directive, ...]
    ) -> tuple[Route | None, bool]:
        """Apply one rewrite; gives a redirect if it makes one, and whether it matched."""
        pattern = compiled(directive.args[0], False)
        if pattern is None:
            self.resolved = False
            self.notes.append(f"{directive.where}: the pattern could not be evaluated")
            return None, False
        captures, matched = search(pattern, self.variables.uri)
        if not matched:
            return None, False
        self.variables.capture(captures)
        replacement = directive.args[1]
        flag = directive.args[2] if len(directive.args) > 2 else ""
        text = self.variables.expand(replacement)
        if flag in _REDIRECT_FLAGS or _ABSOLUTE.match(replacement):
            status = _REDIRECT_FLAGS.get(flag, 302)
            location = self.chain[-1] if self.chain else None
            return self.answer(
                location, path, "return", directive, status=status, redirect=text
            ), True
        if text is None:
            self.unknown(directive, replacement)
            return None, False
        uri, question, args = text.partition("?")
        self.move(directive, uri)
        if question:
            # A last "?" drops the client's arguments; otherwise they follow the new ones.
            mine, old = args, self.variables.args
            self.variables.args = (
                mine if replacement.endswith("?") or not old else (f"{mine}&{old}" if mine else old)
            )
            if replacement.endswith("?"):
                self.variables.args = mine.rstrip("?")
        return None, True

    def move(self, directive: Directive, uri: str) -> None:
        self.variables.uri = uri
        self.unparsed = False
        if (not directive.args[2:] or directive.args[2] == "last") and self.chain:
            self.handed_over.append(f"{directive.name} at {directive.where}")

    def returned(self, directive: Directive, path: tuple[Directive, ...]) -> _Step:
        location = self.chain[-1] if self.chain else None
        first = directive.args[0]
        code, text = (int(first), directive.args[1:]) if first.isdigit() else (302, (first,))
        if not text:
            jump = self.error_page(code, path)
            if jump is not None:
                return jump
        redirect = self.variables.expand(text[0]) if text and 300 < code < 309 else None
        return _Step(
            "answer",
            self.answer(location, path, "return", directive, status=code, redirect=redirect),
        )

    def error_page(self, code: int, path: tuple[Directive, ...]) -> _Step | None:
        """The internal redirect that error_page makes of a status, once per request."""
        if self.handling_error:
            return None
        for line in effective(self.tree, path, "error_page", self.version).lines:
            *codes, page = line.args
            if str(code) not in codes:
                continue
            self.handling_error = True
            answer = next((c[1:] for c in codes if c.startswith("=")), str(code))
            self.forced_status = int(answer) if answer.isdigit() else None
            if _ABSOLUTE.match(page):
                return None
            return self.jump(line, page)
        return None

    def try_files(self, location: Location, path: tuple[Directive, ...]) -> _Step:
        line = next((d for d in self.tree.flat(path[-1].block) if d.name == "try_files"), None)
        if line is None or not line.args:
            return _NEXT
        *tried, fallback = line.args
        if self.redirected and any("$uri" in name and name[-1] != "/" for name in tried):
            return _NEXT  # the file that the fallback named is there
        if fallback.startswith("="):
            code = int(fallback[1:]) if fallback[1:].isdigit() else 404
            jump = self.error_page(code, path)
            if jump is not None:
                return jump
            return _Step("answer", self.answer(location, path, "return", line, status=code))
        return self.jump(line, fallback)

    def jump(self, line: Directive, to: str) -> _Step:
        """An internal redirect to a named location or a URI."""
        self.handed_over.append(f"{line.name} at {line.where}")
        if to.startswith("@"):
            named = named_location(self.tree, self.server, self.base, to)
            if named is None:
                self.notes.append(f"{line.where}: location {to} does not exist: nginx answers 500")
                return _Step("answer", self.answer(None, self.base, "none", line, status=500))
            return _Step("named", location=named)
        text = self.variables.expand(to)
        if text is None:
            self.unknown(line, to)
            return _Step("answer", self.answer(None, self.base, "none", line))
        uri, _, args = text.partition("?")
        self.variables.uri = uri
        self.variables.args = args  # those of the client do not follow by themselves
        self.unparsed, self.redirected = False, True
        step = self.rewrite(self.base)[0]
        return step if step.kind == "answer" else _AGAIN

    def content(self, location: Location | None, path: tuple[Directive, ...]) -> _Step:
        handler = self.handler(path)
        if handler is None:
            return self.static(location, path)
        if handler.name in PASSES:
            return _Step("answer", self.passed(location, path, handler))
        if "_by_lua" in handler.name:
            self.resolved = False
            self.notes.append(f"{handler.where}: Lua makes the answer")
        else:
            self.notes.append(f"{handler.where}: {handler.name} makes the answer")
        return _Step("answer", self.answer(location, path, "none", handler))

    def handler(self, path: tuple[Directive, ...]) -> Directive | None:
        """What makes the answer; an `if` has that of its location unless it brings its own."""
        for block in reversed(path[2:]):
            for directive in self.tree.flat(block.block):
                name = directive.name
                if name in PASSES or name in _FOREIGN_HANDLERS or name.startswith("content_by_lua"):
                    return directive
            if block.name != "if":
                break
        return None

    def static(self, location: Location | None, path: tuple[Directive, ...]) -> _Step:
        uri = self.variables.uri
        if uri.endswith("/"):
            index = effective(self.tree, path, "index", self.version).values
            uri += index[0][0] if index else "index.html"
            if uri.count("/") == 1:  # the root is there; other folders hardly carry a stream
                self.variables.uri, self.redirected, self.unparsed = uri, True, False
                self.handed_over.append("index of the folder")
                return _AGAIN
        elif not self.redirected and location is not None:
            jump = self.error_page(404, path)
            if jump is not None:
                return jump
        return _Step("answer", replace(self.answer(location, path, "static"), file=uri))

    def passed(
        self, location: Location | None, path: tuple[Directive, ...], handler: Directive
    ) -> Route:
        base = self.answer(location, path, "proxy", handler)
        raw = handler.args[0] if handler.args else ""
        value = self.variables.expand(raw)
        written = take_apart(handler.name, raw)
        if value is None:
            self.unknown(handler, raw)
            return replace(base, pass_uri=written.uri)
        # A variable alone may bring the whole URL, its URI part included.
        part = take_apart(handler.name, value)
        found, block = targets(self.tree, self.http, part, handler.where)
        literal = "$" in raw and part.uri is not None
        return replace(
            base,
            targets=found,
            upstream=block,
            pass_uri=written.uri,
            uri_passed=part.uri if literal else self.uri_passed(location, part.uri),
        )

    def uri_passed(self, location: Location | None, part: str | None) -> str:
        """ngx_http_proxy_create_request(): what stands in the request line to the upstream."""
        variables = self.variables
        if part is None and self.unparsed:
            return variables.request.target
        uri = variables.uri
        if part is not None and self.in_location:
            prefix = location.name if location and location.modifier in ("", "=", "^~") else ""
            passed = part + escape(uri[len(prefix) :])
        else:
            passed = escape(uri)
        return passed + (f"?{variables.args}" if variables.args else "")

    def holds(self, directive: Directive) -> bool:
        """The condition of an `if`; what cannot be known counts as false, with a note."""
        words = list(directive.args)
        if words:
            words[0] = words[0][1:] if words[0].startswith("(") else words[0]
            words[-1] = words[-1][:-1] if words[-1].endswith(")") else words[-1]
        words = [word for word in words if word] if len(words) != 3 else words
        verdict = self.condition([word for word in words if word != "" or len(words) == 3])
        if verdict is None:
            self.notes.append(
                f"{directive.where}: the condition {' '.join(directive.args)} "
                "cannot be known, taken as false"
            )
        return bool(verdict)

    def condition(self, words: list[str]) -> bool | None:
        if len(words) == 1:
            value = self.variables.expand(words[0])
            return None if value is None else value not in ("", "0")
        if len(words) != 3:
            return None
        left, operator, right = words
        value = self.variables.expand(left)
        if value is None:
            return None
        if operator in ("=", "!="):
            other = self.variables.expand(right)
            return None if other is None else (value == other) == (operator == "=")
        pattern = compiled(right, operator.endswith("*"))
        if pattern is None or operator.lstrip("!") not in ("~", "~*"):
            return None
        captures, matched = search(pattern, value)
        self.variables.capture(captures)
        return matched != operator.startswith("!")

    def unknown(self, directive: Directive, text: str) -> None:
        self.resolved = False
        self.notes.append(f"{directive.where}: {text} depends on what only a request can tell")

    def answer(
        self,
        location: Location | None,
        path: tuple[Directive, ...],
        serves: str,
        handler: Directive | None = None,
        status: int | None = None,
        redirect: str | None = None,
    ) -> Route:
        return Route(
            self.variables.request.target,
            self.version,
            self.tree,
            location=location,
            path=path,
            serves=serves,
            handler=handler,
            status=self.forced_status if status is None else status,
            redirect=redirect,
        )
