"""One request on its way through nginx's phases, to the location that answers.

Server rewrite, find location, rewrite, try_files, content, and the internal redirects
between them: ngx_http_core_module.c, ngx_http_rewrite_module.c, ngx_http_script.c.
What only the file system or the client could tell is assumed as for an event stream (no
such file, a GET with Accept: text/event-stream) and noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from .choice import Location, choose_location, named_location
from .lexer import Directive
from .pattern import TooHardError, compiled, search
from .request import escape, escape_args, escape_redirect
from .settings import effective, together
from .tree import Tree
from .upstream import PASSES, Target, take_apart, targets
from .variables import Variables

MAX_CYCLES = 10  # NGX_HTTP_MAX_URI_CHANGES
_REDIRECT_FLAGS = {"redirect": 302, "permanent": 301}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OTHER_HANDLERS = frozenset(
    {
        "memcached_pass",
        "stub_status",
        "empty_gif",
        "echo",
        "js_content",
        "perl",
        "api",
        "mp4",
        "flv",
        "nchan_subscriber",
        "nchan_publisher",
        "nchan_pubsub",
        "push_stream_subscriber",
        "push_stream_publisher",
    }
)
_ABSOLUTE = re.compile(r"https?://|\$scheme")
_RUNS_FILES = "fastcgi_pass"
_SCRIPT = ("$uri", "$document_uri", "$fastcgi_script_name")
_IN_PATH_OF_REGEX = ("~", "~*", "@")


@dataclass(frozen=True)
class Answer:
    """What a request comes to: the fields of `Route` that the walk finds."""

    location: Location | None
    path: tuple[Directive, ...]
    serves: str = "none"
    handler: Directive | None = None
    targets: tuple[Target, ...] = ()
    upstream: Directive | None = None
    uri_passed: str | None = None
    pass_uri: str | None = None
    file: str | None = None
    status: int | None = None
    redirect: str | None = None


class _Step(NamedTuple):
    """What a phase says: go on, look for a location again, jump, or answer."""

    kind: str  # "next", "again", "named", "answer"
    answer: Answer | None = None
    location: Location | None = None


_NEXT, _AGAIN = _Step("next"), _Step("again")


class Walk:
    """One request on its way. Holds what nginx keeps in ngx_http_request_t."""

    def __init__(
        self,
        tree: Tree,
        base: tuple[Directive, Directive],
        variables: Variables,
        version: str,
        files: frozenset[str] | None = None,
    ) -> None:
        self.tree, self.base, self.version = tree, base, version
        self.http, self.server = base
        self.variables = variables
        self.files = files
        self.notes: list[str] = []
        self.chain: list[Location] = []
        self.handed_over: list[str] = []
        self.resolved = True
        self.unparsed = True  # valid_unparsed_uri: the URI is still as the client wrote it
        self.internal = False  # the request was changed by nginx itself
        self.in_location = True  # valid_location: the URI still begins with the location's name
        self.redirected = False  # by try_files or index, so the file exists
        self.handling_error = False
        self.err_status = 0  # the status that the answer will have, whatever makes it
        self.uri_changes = MAX_CYCLES + 1

    def run(self) -> Answer:
        """Follow the request to its end."""
        step = self.rewrite(self.base)[0]
        while step.kind != "answer" or step.answer is None:
            if self.uri_changes <= 0:
                return self.cycle()
            step = self.locate(step.location if step.kind == "named" else None)
        return step.answer

    def locate(self, named: Location | None) -> _Step:
        """One round: a location is found, its rewrites, try_files and content are done."""
        if named is not None:
            self.chain.append(named)
            location: Location | None = named
        else:
            location, step = self.find()
            if step is not None:
                return step
        path = self.by_method(location.path if location else self.base)
        if location is None:
            step = self.access(None, path)
            # A try_files of the server counts where no location takes the request.
            step = self.try_files(None, path) if step.kind == "next" else step
            return self.content(None, path) if step.kind == "next" else step
        step, path = self.rewrite(path)
        if step.kind == "next":
            step = self.access(location, path)
        if step.kind == "next":
            step = self.try_files(location, path)
        if step.kind == "next":
            step = self.content(location, path)
        return step

    def cycle(self) -> Answer:
        self.notes.append("rewrite or internal redirection cycle: nginx answers 500")
        last = self.chain[-1] if self.chain else None
        return self.answer(last, last.path if last else self.base, status=500)

    def find(self) -> tuple[Location | None, _Step | None]:
        """The location for the present URI; with a step where it ends there: an internal one
        asked from outside, or the 301 to its slash form."""
        choice = choose_location(self.tree, self.server, self.base, self.variables.uri)
        self.variables.capture(choice.captures)
        if choice.unsure:
            self.resolved = False
            self.notes.extend(choice.unsure)
        location = choice.location
        if location is None:
            return None, None
        self.chain.append(location)
        if not self.internal:
            lines = effective(self.tree, location.path, "internal", self.version).lines
            if lines:
                return location, self.failed(404, location, location.path, lines[0])
        if choice.redirect is None:
            return location, None
        jump = self.error_page(301, location.path)
        if jump is None:
            args = self.variables.args
            to = escape(choice.redirect) + (f"?{args}" if args else "")
            jump = _Step(
                "answer", self.answer(location, location.path, "return", status=301, redirect=to)
            )
        return location, jump

    def by_method(self, path: tuple[Directive, ...]) -> tuple[Directive, ...]:
        """The path with a limit_except block that holds for GET."""
        if len(path) <= len(self.base):
            return path
        for block in self.tree.blocks("limit_except", path[-1]):
            if not {"GET", "HEAD"} & {method.upper() for method in block.args}:
                return (*path, block)
        return path

    def rewrite(self, path: tuple[Directive, ...]) -> tuple[_Step, tuple[Directive, ...]]:
        """set, if, rewrite, return and break of one block, in order.

        Gives the path with an `if` whose condition holds: its settings are in force then.
        """
        changed = False
        scope = path  # a limit_except block has none of these: its location's are not done then
        pending = list(self.tree.flat(scope[-1].block))
        pending.reverse()
        while pending:
            directive = pending.pop()
            name, args = directive.name, directive.args
            if name == "set" and len(args) == 2:
                self.variables.assign(args[0], args[1])
                self.unparsed = self.unparsed and args[0].lower() != "$args"
            elif name == "return" and args:
                return self.returned(directive, path), path
            elif name == "break":
                if changed:
                    self.in_location = changed = False
                break
            elif name == "if":
                verdict = self.holds(directive)
                if verdict is None:
                    self.unsure_of(directive)
                elif verdict:
                    path = (*scope, directive)
                    pending += reversed(list(self.tree.flat(directive.block)))
            elif name == "rewrite" and len(args) >= 2:
                step, hit = self.rewritten(directive, path)
                if step is not None:
                    return step, path
                flag = args[2] if len(args) > 2 else ""
                changed = changed or hit
                if hit and flag == "break":
                    self.in_location = changed = False
                if hit and flag in ("last", "break"):
                    break
            elif name.startswith(("rewrite_by_lua", "access_by_lua", "set_by_lua")):
                self.resolved = False
                self.notes.append(f"{directive.where}: {name} may change the way of the request")
        if changed and len(scope) > len(self.base):
            self.uri_changes -= 1
            return _AGAIN, path
        return _NEXT, path

    def unsure_of(self, directive: Directive) -> None:
        """An `if` whose condition only a request can tell: what it sets is not known then,
        and where it leads the request elsewhere the answer is not."""
        self.notes.append(
            f"{directive.where}: the condition {' '.join(directive.args)} "
            "cannot be known, taken as false"
        )
        for inner in self.tree.flat(directive.block):
            if inner.name == "set" and inner.args:
                self.variables.forget(inner.args[0])
            elif inner.name in PASSES or inner.name == "rewrite":
                self.resolved = False

    def rewritten(
        self, directive: Directive, path: tuple[Directive, ...]
    ) -> tuple[_Step | None, bool]:
        """Apply one rewrite; gives a step if it ends the request, and whether it matched."""
        captures, matched = self.matched(directive, directive.args[0], self.variables.uri, False)
        if not matched:
            return None, False
        self.variables.capture(captures)
        replacement = directive.args[1]
        flag = directive.args[2] if len(directive.args) > 2 else ""
        redirect = flag in _REDIRECT_FLAGS or bool(_ABSOLUTE.match(replacement))
        keep = not replacement.endswith("?")
        uri_part, question, args_part = (replacement if keep else replacement[:-1]).partition("?")
        text = self.variables.expand(uri_part, quoting=escape_redirect if redirect else None)
        mine = self.variables.expand(args_part, quoting=escape_args)
        if text is None or mine is None:
            self.unknown(directive, replacement)
            return None, False
        old = self.variables.args
        args = mine if question else ""
        if keep:
            args = f"{mine}&{old}" if question and old else args or old
        if redirect:
            location = self.chain[-1] if self.chain else None
            to = text + (f"?{args}" if question or args else "")
            status = _REDIRECT_FLAGS.get(flag, 302)
            jump = self.error_page(status, path)
            return jump or _Step(
                "answer",
                self.answer(location, path, "return", directive, status=status, redirect=to),
            ), True
        self.variables.uri, self.variables.args = text, args
        self.redirected = "$" not in uri_part
        self.unparsed, self.internal = False, True
        if not text:
            self.notes.append(f"{directive.where}: leaves an empty URI: nginx answers 500")
            return self.failed(500, None, path, directive), True
        if flag != "break" and self.chain and len(path) > len(self.base):
            self.handed_over.append(f"{directive.name} at {directive.where}")
        return None, True

    def matched(
        self, directive: Directive, pattern: str, subject: str, ignore_case: bool
    ) -> tuple[dict[str, str], bool]:
        """A regular expression of a line; what cannot be evaluated counts as no match."""
        ready = compiled(pattern, ignore_case)
        try:
            if ready is not None:
                return search(ready, subject)
            why = "the pattern could not be evaluated"
        except TooHardError:
            why = f"the pattern {pattern} takes too long"
        self.resolved = False
        self.notes.append(f"{directive.where}: {why}")
        return {}, False

    def returned(self, directive: Directive, path: tuple[Directive, ...]) -> _Step:
        """ngx_http_script_return_code()."""
        location = self.chain[-1] if self.chain else None
        first = directive.args[0]
        code, text = (int(first), directive.args[1:]) if first.isdigit() else (302, (first,))
        if (text or code < 400) and code not in _REDIRECTS:
            status = self.err_status or code
            return _Step("answer", self.answer(location, path, "return", directive, status=status))
        jump = self.error_page(code, path)
        if jump is not None:
            return jump
        redirect = self.variables.expand(text[0]) if text else None
        return _Step(
            "answer",
            self.answer(location, path, "return", directive, status=code, redirect=redirect),
        )

    def failed(
        self,
        code: int,
        location: Location | None,
        path: tuple[Directive, ...],
        line: Directive | None,
    ) -> _Step:
        """A status of nginx's own, or what error_page makes of it."""
        return self.error_page(code, path) or _Step(
            "answer", self.answer(location, path, "return", line, status=code)
        )

    def error_page(self, code: int, path: tuple[Directive, ...]) -> _Step | None:
        """ngx_http_special_response_handler(): the redirect that error_page makes of a status."""
        if self.handling_error or self.uri_changes <= 0:
            return None
        setting = effective(self.tree, path, "error_page", self.version)
        for line in setting.lines:
            *codes, page = line.args
            if str(code) not in codes:
                continue
            recursive = effective(self.tree, path, "recursive_error_pages", self.version)
            self.handling_error = recursive.first != "on"
            answer = next((c[1:] for c in codes if c.startswith("=")), str(code))
            self.err_status = int(answer) if answer.isdigit() else 0
            text = self.variables.expand(page)
            if text is None:
                self.unknown(line, page)
                return _Step("answer", self.answer(None, self.base, handler=line))
            if text.startswith(("/", "@")):
                return self.jump(line, page, path)
            status = self.err_status if self.err_status in _REDIRECTS else 302
            location = self.chain[-1] if self.chain else None
            return _Step(
                "answer",
                self.answer(location, path, "return", line, status=status, redirect=text),
            )
        return None

    def access(self, location: Location | None, path: tuple[Directive, ...]) -> _Step:
        """The 403 of rules that turn every client away; others are taken to let it in."""
        if effective(self.tree, path, "satisfy", self.version).first == "any":
            return _NEXT
        for line in together(self.tree, path, ("allow", "deny")):
            if line.name == "allow":
                break
            if line.args == ("all",):
                return self.failed(403, location, path, line)
        return _NEXT

    def try_files(self, location: Location | None, path: tuple[Directive, ...]) -> _Step:
        """ngx_http_try_files_handler(), with no file on the disk."""
        line = next((d for d in self.tree.flat(path[-1].block) if d.name == "try_files"), None)
        if line is None or not line.args:
            return _NEXT
        *tried, fallback = line.args
        for name in tried:
            uri = self.variables.expand(name)
            # A last slash as written asks for a folder, one that a variable brings does not.
            if uri is None or uri.endswith("/") != name.endswith("/"):
                continue
            if self.there(uri, "$uri" in name):
                # nginx looks for a folder without its last slash, and goes on with that name.
                self.variables.uri = uri[:-1] if name.endswith("/") else uri
                return _NEXT
        if fallback.startswith("="):
            if self.is_guard(tried, path):
                return _NEXT
            code = int(fallback[1:]) if fallback[1:].isdigit() else 404
            return self.failed(code, location, path, line)
        return self.jump(line, fallback, path)

    def is_guard(self, tried: list[str], path: tuple[Directive, ...]) -> bool:
        """True for `try_files $uri =404;` before fastcgi_pass, as in Debian's fastcgi-php.conf.
        Where the files are not known the script is taken to be there: it is what is passed on.
        Before proxy_pass the same line is a mistake, as no stream of an app is a file."""
        handler = self.handler(path)
        asked = any(variable in name for name in tried for variable in _SCRIPT)
        return self.files is None and asked and handler is not None and handler.name == _RUNS_FILES

    def there(self, uri: str, asked: bool = True) -> bool:
        """True if the root has that file, or folder where ``uri`` ends in a slash. Where the
        files are not known, only what nginx itself was sent to is taken to be there."""
        if self.files is not None:
            return re.sub("//+", "/", uri) in self.files
        return asked and self.redirected and not uri.endswith("/")

    def jump(self, line: Directive, to: str, path: tuple[Directive, ...]) -> _Step:
        """An internal redirect to a named location or a URI."""
        self.uri_changes -= 1
        self.handed_over.append(f"{line.name} at {line.where}")
        text = self.variables.expand(to)
        if text is None:
            self.unknown(line, to)
            return _Step("answer", self.answer(None, self.base, handler=line))
        self.internal = True
        if text.startswith("@"):
            named = named_location(self.tree, self.server, self.base, text)
            if named is None:
                self.notes.append(
                    f"{line.where}: location {text} does not exist: nginx answers 500"
                )
                return _Step("answer", self.answer(None, path, handler=line, status=500))
            return _Step("named", location=named)
        uri, _, args = text.partition("?")
        self.variables.uri = uri
        self.variables.args = args  # those of the client do not follow by themselves
        self.unparsed, self.in_location = False, True
        self.redirected = "$" not in to
        step = self.rewrite(self.base)[0]
        return step if step.kind == "answer" else _AGAIN

    def content(self, location: Location | None, path: tuple[Directive, ...]) -> _Step:
        """What makes the answer: a pass, a file or something that is not followed."""
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
        return _Step("answer", self.answer(location, path, handler=handler))

    def handler(self, path: tuple[Directive, ...]) -> Directive | None:
        """What makes the answer; an `if` or limit_except has that of its location unless it
        brings its own."""
        for block in reversed(path[2:]):
            for directive in self.tree.flat(block.block):
                name = directive.name
                if name in PASSES or name in _OTHER_HANDLERS or name.startswith("content_by_lua"):
                    return directive
            if block.name not in ("if", "limit_except"):
                break
        return None

    def static(self, location: Location | None, path: tuple[Directive, ...]) -> _Step:
        """A file of the root. Only the index of the root itself is taken to be there."""
        uri = self.variables.uri
        if uri.endswith("/"):
            uri += effective(self.tree, path, "index", self.version).first or "index.html"
            found = uri.count("/") == 1 if self.files is None else self.there(uri)
            if found and self.uri_changes > 0:
                self.uri_changes -= 1
                self.variables.uri, self.redirected = uri, True
                self.unparsed, self.internal, self.in_location = False, True, True
                self.handed_over.append("index of the folder")
                step = self.rewrite(self.base)[0]
                return step if step.kind == "answer" else _AGAIN
        if not self.there(uri):
            jump = self.error_page(404, path)
            if jump is not None:
                return jump
        return _Step("answer", replace(self.answer(location, path, "static"), file=uri))

    def passed(
        self, location: Location | None, path: tuple[Directive, ...], handler: Directive
    ) -> Answer:
        """Where a pass directive sends the request, and what it asks for there."""
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
        if "$" in raw and block is None and found[0].name:
            self.look_up(path, handler, found[0].name)
        return replace(
            base,
            targets=found,
            upstream=block,
            pass_uri=written.uri,
            uri_passed=part.uri if literal else self.uri_passed(location, part.uri),
        )

    def look_up(self, path: tuple[Directive, ...], handler: Directive, name: str) -> None:
        """A name that comes from a variable is looked up for each request."""
        if effective(self.tree, path, "resolver", self.version).is_default:
            self.notes.append(
                f"{handler.where}: {name} is looked up for each request, and no resolver is set: "
                "nginx answers 502 unless an upstream has that name"
            )

    def uri_passed(self, location: Location | None, part: str | None) -> str:
        """ngx_http_proxy_create_request(): what stands in the request line to the upstream."""
        variables = self.variables
        if part is None and self.unparsed:
            return variables.request.target
        uri = variables.uri
        rest = uri
        if part is not None and self.in_location and location is not None:
            rest = uri[len("" if location.modifier in _IN_PATH_OF_REGEX else location.name) :]
        if self.internal or variables.request.quoted:
            rest = escape(rest)
        passed = (part if part is not None and self.in_location else "") + rest
        return passed + (f"?{variables.args}" if variables.args else "")

    def holds(self, directive: Directive) -> bool | None:
        """The condition of an `if`; None where it cannot be known."""
        words = list(directive.args)
        if words:
            words[0] = words[0][1:] if words[0].startswith("(") else words[0]
            words[-1] = words[-1][:-1] if words[-1].endswith(")") else words[-1]
            words = words[0 if words[0] else 1 :]
        if len(words) in (2, 4) and not words[-1]:
            words = words[:-1]  # a last word that was only ")"
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
        if operator.lstrip("!") not in ("~", "~*"):
            return None
        pattern = compiled(right, operator.endswith("*"))
        if pattern is None:
            return None
        try:
            captures, matched = search(pattern, value)
        except TooHardError:
            return None
        self.variables.capture(captures)
        return matched != operator.startswith("!")

    def unknown(self, directive: Directive, text: str) -> None:
        self.resolved = False
        self.notes.append(f"{directive.where}: {text} depends on what only a request can tell")

    def answer(
        self,
        location: Location | None,
        path: tuple[Directive, ...],
        serves: str = "none",
        handler: Directive | None = None,
        status: int | None = None,
        redirect: str | None = None,
    ) -> Answer:
        status = status if status is not None else self.err_status or None
        return Answer(location, path, serves, handler, status=status, redirect=redirect)
