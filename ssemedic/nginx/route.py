"""What nginx does with one URL: the server, the location, the settings in force, the upstream."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .build import Build, build_of, loaded
from .choice import Listen, Location, choose_server, listens, server_names
from .lexer import Directive
from .logs import AccessLog, access_logs
from .request import request_of
from .settings import Setting, effective, together
from .tree import Tree
from .upstream import PASSES, Target, take_apart, targets
from .variables import Variables
from .versions import UPSTREAM, knows
from .walk import Walk

#: The build of an nginx that was not asked.
UNKNOWN = build_of("")
#: The statuses that add_header without "always" counts for (ngx_http_headers_filter()).
_ADDED_TO = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})


@dataclass(frozen=True)
class Route:
    """What nginx does with a URL.

    ``serves`` is "proxy", "static", "return" or "none". ``path`` holds the blocks in force,
    outermost first. ``chain`` holds every location the request visited, the one that answers
    last; ``handed_over`` says for each but the first what sent it there. ``uri_passed`` is
    what the upstream is asked for, None where it cannot be known; ``pass_uri`` the URI part
    of the pass directive as written. ``resolved`` is False where the answer rests on
    something that could not be evaluated. ``variables`` are nginx's as they stand when it
    answers or passes the request on. ``listen`` is the socket the client comes by;
    ``others`` are the servers that answer the same name at other addresses of the port (an
    IPv6 listen that lacks this server, say).
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
    variables: Variables | None = field(default=None, repr=False, compare=False)
    listen: Listen | None = None
    others: tuple[tuple[Listen, Directive], ...] = ()
    build: Build = field(default=UNKNOWN, repr=False)

    def setting(self, name: str) -> Setting:
        """The setting in force where the request is answered.

        Directives of the whole process (worker_connections, worker_rlimit_nofile,
        worker_shutdown_timeout, ...) and of the upstream block (keepalive, zone, ...) are
        looked up there.
        """
        if name in UPSTREAM:
            return self.upstream_setting(name)
        return effective(self.tree, self.path, name, self.version)

    @property
    def family(self) -> str:
        """The family of directives that the request is passed on by: "proxy", "fastcgi",
        "uwsgi", "scgi", "grpc"; "proxy" too where it is not passed on."""
        name = self.handler.name if self.handler is not None else ""
        return name[:-5] if name in PASSES else "proxy"

    def stream_setting(self, name: str) -> Setting:
        """The setting of the family in use: ``stream_setting("buffering")`` is
        ``fastcgi_buffering`` behind fastcgi_pass. The name of the `Setting` is the whole one."""
        return self.setting(f"{self.family}_{name}")

    def upstream_setting(self, name: str) -> Setting:
        """A setting of the upstream block (keepalive, keepalive_timeout, zone, resolver); its
        default, or no value, where there is no such block."""
        if self.upstream is None and name != "keepalive":
            return Setting(name, (), (), self.version)
        path = (self.upstream,) if self.upstream is not None else ()
        return effective(self.tree, path, name, self.version)

    def module(self, name: str) -> bool | None:
        """True if a module ("http_v2", "brotli", "modsecurity", "headers_more", "lua", "njs") is
        compiled in or loaded; None where no `nginx -V` was seen."""
        return self.build.has(name, frozenset(loaded(self.tree)))

    @property
    def protocols(self) -> tuple[str, ...]:
        """What a client may speak where the URL arrives: "http/1.1", "h2", "h3", and "h2c"
        without TLS."""
        listen = self.listen
        if listen is None:
            return ()
        by_directive = self._in_server("http2").first == "on"
        out = []
        if listen.http2 or by_directive:
            out.append("h2" if listen.tls else "h2c")
        # Before 1.25.1 a socket without TLS that speaks HTTP/2 speaks nothing else.
        if out != ["h2c"] or knows("http2", self.version):
            out.append("http/1.1")
        quic = [at for at in listens(self.tree, self.path[1]) if at.quic] if self.path else []
        if self._in_server("http3").first == "on" and any(at.port == listen.port for at in quic):
            out.append("h3")
        return tuple(out)

    @property
    def access_rules(self) -> tuple[Directive, ...]:
        """The allow and deny lines in force, in the order in which nginx tries them."""
        return together(self.tree, self.path, ("allow", "deny"))

    @property
    def access_logs(self) -> tuple[AccessLog, ...]:
        """The access logs in force, each with its format and the text of it."""
        return access_logs(self.tree, self.path, self.version, self.build.access_log)

    @property
    def possible_targets(self) -> tuple[Target, ...]:
        """Where the request may go, for one client or another: more than ``targets`` where a
        map, geo or split_clients by the client decides; () where nobody can tell."""
        if self.targets or self.handler is None or self.variables is None or not self.path:
            return self.targets
        found: list[Target] = []
        for text in self.variables.possible(self.handler.args[0] if self.handler.args else ""):
            part = take_apart(self.handler.name, text)
            found += targets(self.tree, self.path[0], part, self.handler.where)[0]
        return tuple(found)

    def added_headers(self, status: int = 200) -> tuple[tuple[str, str | None, str], ...]:
        """The lines that add_header writes into an answer with that status: name, value (None
        where only a request can tell) and "file:line"; one with an empty value is not sent."""
        out = []
        for line in self.setting("add_header").lines:
            name, text = (*line.args, "", "")[:2]
            if status not in _ADDED_TO and "always" not in line.args[2:]:
                continue
            value = self.variables.expand(text) if self.variables is not None else None
            if value != "":
                out.append((name, value, line.where))
        return tuple(out)

    def _in_server(self, name: str) -> Setting:
        return effective(self.tree, self.path[:2], name, self.version)


def route(
    tree: Tree,
    url: str,
    version: str,
    address: str | None = None,
    build: str = "",
    files: frozenset[str] | None = None,
) -> Route:
    """Follow a URL. ``version`` is nginx's ("1.22.1"); ``address`` the local address that the
    connection arrives at, where it is known and matters; ``build`` what `nginx -V` prints;
    ``files`` the URIs of all files (and folders, with a last slash) below the root, where
    they are known: without them only a fallback named in the configuration is there.

    Raises ValueError for what is no http(s) URL.
    """
    request = request_of(url)
    empty = Route(url, version, tree, build=build_of(build) if build else UNKNOWN)
    http = next(tree.blocks("http"), None)
    if http is None:
        return replace(empty, notes=(f"{tree.main}: has no http block",))
    choice = choose_server(tree, http, request, address)
    server = choice.server
    if server is None:
        return replace(empty, notes=choice.notes)
    if effective(tree, (http, server), "merge_slashes", version).first == "off":
        request = request_of(url, merge_slashes=False)
    variables = Variables(tree, http, request)
    variables.server_name = next(iter(server_names(tree, server)))
    variables.capture(choice.captures)
    walk = Walk(tree, (http, server), variables, version, files)
    found = walk.run()
    return replace(
        empty,
        server=server,
        listen=choice.listen,
        others=choice.others,
        location=found.location,
        path=found.path,
        serves=found.serves,
        handler=found.handler,
        targets=found.targets,
        upstream=found.upstream,
        uri_passed=found.uri_passed,
        pass_uri=found.pass_uri,
        file=found.file,
        status=found.status,
        redirect=found.redirect,
        chain=tuple(walk.chain),
        handed_over=tuple(walk.handed_over),
        resolved=walk.resolved and choice.sure,
        notes=(*choice.notes, *walk.notes),
        variables=variables,
    )
