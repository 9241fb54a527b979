"""Configurations that carry an event stream well, laid out in the ways people do.

A site is a tree of nodes, so that a test can plant one fault in it and still knows on which
line of which file everything stands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PREFIX = "/etc/nginx"
VERSIONS = (
    "1.18.0",
    "1.20.1",
    "1.22.1",
    "1.24.0",
    "1.25.5",
    "1.26.3",
    "1.28.0",
    "1.29.7",
    "1.30.0",
)
HTTP2_DIRECTIVE = (1, 25, 1)


@dataclass(eq=False)
class Node:
    """A directive; with ``file``, an include of the children that stand in that file."""

    words: list[str]
    children: list[Node] | None = None
    file: str = ""
    include: str = ""

    @property
    def name(self) -> str:
        return self.words[0]

    def add(self, *words: str) -> Node:
        """A new directive at the end of the block."""
        assert self.children is not None
        node = Node(list(words))
        self.children.append(node)
        return node

    def drop(self, name: str, first: str = "") -> None:
        """Remove every directive of that name, wherever below this block it stands."""
        assert self.children is not None
        for child in list(self.children):
            if child.name == name and child.words[1].startswith(first):
                self.children.remove(child)
            elif child.file:
                child.drop(name, first)

    def find(self, name: str) -> Node:
        """The directive of that name in this block or a snippet of it."""
        return next(node for node in self.inside() if node.name == name)

    def inside(self) -> Iterator[Node]:
        for child in self.children or []:
            yield child
            if child.file:
                yield from child.inside()

    def has(self, name: str) -> bool:
        return any(node.name == name for node in self.inside())


def block(*words: str, inside: list[Node] | None = None) -> Node:
    return Node(list(words), inside if inside is not None else [])


def lines(*texts: str) -> list[Node]:
    return [Node(text.split(" ")) for text in texts]


@dataclass
class Site:
    """What was generated. ``stream`` is the location that answers ``url``."""

    url: str
    version: str
    main: Node
    http: Node
    server: Node
    stream: Node
    tls: bool
    style: Style
    files: dict[str, bytes] = field(default_factory=dict)
    places: dict[Node, tuple[str, int]] = field(default_factory=dict)

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.split(".")))

    def render(self) -> Site:
        """Write the files out and remember where each node went."""
        self.files, self.places = {}, {}
        _write(self, f"{PREFIX}/nginx.conf", self.main.children or [])
        return self

    def at(self, node: Node) -> str:
        """ "file:line" of a node."""
        file, line = self.places[node]
        return f"{file}:{line}"


@dataclass(frozen=True)
class Style:
    """How somebody formats a file."""

    indent: str
    eol: str
    brace_below: bool
    comments: bool
    end: bool  # a line break ends the file
    seed: int


def _write(site: Site, path: str, nodes: list[Node]) -> None:
    out: list[str] = []
    if site.style.comments:
        out += ["# Written by hand; keep it so.", ""]
    _nodes(site, path, nodes, out, 0)
    text = site.style.eol.join(out) + (site.style.eol if site.style.end else "")
    site.files[path] = text.encode()


def _nodes(site: Site, path: str, nodes: list[Node], out: list[str], depth: int) -> None:
    style, pad = site.style, site.style.indent * depth
    whim = random.Random(f"{style.seed} {path} {depth} {len(nodes)}")
    for node in nodes:
        if style.comments and whim.random() < 0.15:
            out.append(f"{pad}# {whim.choice(('see the wiki', 'do not touch; { }', 'since 2019'))}")
        if whim.random() < 0.1:
            out.append("")
        if node.file:
            if node.include:
                out.append(f"{pad}include {node.include};")
            _write(site, node.file, node.children or [])
            continue
        site.places[node] = (path, sum(1 + text.count("\n") for text in out) + 1)
        head = pad + " ".join([node.name, *map(_quoted, node.words[1:])])
        if node.children is None:
            out.append(f"{head};" + ("  # as agreed" if whim.random() < 0.05 else ""))
            continue
        out += [head, f"{pad}{{"] if style.brace_below else [f"{head} {{"]
        _nodes(site, path, node.children, out, depth + 1)
        out.append(f"{pad}}}")


def _quoted(word: str) -> str:
    return word if word and not set(word) & set(" ;\"'{}\\") else f'"{word}"'


def healthy(seed: int) -> Site:
    """A configuration that does a stream no harm, whatever its app does."""
    whim = random.Random(seed)
    version = whim.choice(VERSIONS)
    tls = whim.random() < 0.7
    style = Style(
        whim.choice(("    ", "  ", "\t")),
        whim.choice(("\n", "\n", "\n", "\r\n")),
        whim.random() < 0.15,
        whim.random() < 0.6,
        whim.random() < 0.9,
        seed,
    )
    main, http = block("main"), block("http")
    server, stream = block("server"), block("location")
    site = Site("", version, main, http, server, stream, tls, style)
    main.children = [
        *lines("user www-data", "worker_processes auto", "pid /run/nginx.pid"),
        *(lines("worker_shutdown_timeout 1h") if whim.random() < 0.3 else []),
        block("events", inside=lines("worker_connections 4096")),
        http,
    ]
    assert http.children is not None and server.children is not None
    http.children += _http(whim)
    http.children += _upstream(whim)
    _server(site, whim)
    others = _others(site, whim)
    servers = [*others, server]
    whim.shuffle(servers)
    _laid_out(whim, http, servers)
    return site.render()


def _http(whim: random.Random) -> list[Node]:
    some = [
        "sendfile on",
        "tcp_nopush on",
        "types_hash_max_size 2048",
        "default_type application/octet-stream",
        "server_tokens off",
        "keepalive_timeout 65",
        "client_max_body_size 20m",
        "proxy_headers_hash_max_size 1024",
        "access_log /var/log/nginx/access.log",
        "error_log /var/log/nginx/error.log warn",
    ]
    out = lines(*whim.sample(some, whim.randint(2, len(some))))
    if whim.random() < 0.6:
        out += lines("gzip on", "gzip_vary on")
        out += lines("gzip_types text/plain text/css application/json application/javascript")
    if whim.random() < 0.5:
        upgrade = [Node(["default", "upgrade"]), Node(["~^$", "close"])]
        out.append(block("map", "$http_upgrade", "$connection_upgrade", inside=upgrade))
    if whim.random() < 0.4:
        out += lines("limit_conn_zone $binary_remote_addr zone=perip:10m")
    if whim.random() < 0.4:
        out += lines("proxy_cache_path /var/cache/nginx/site levels=1:2 keys_zone=site:10m")
    return out


def _upstream(whim: random.Random) -> list[Node]:
    servers = [f"server 127.0.0.1:{8000 + number}" for number in range(whim.randint(1, 3))]
    return [block("upstream", "app", inside=lines(*servers, "keepalive 16"))]


def _server(site: Site, whim: random.Random) -> None:
    server = site.server
    assert server.children is not None
    name = whim.choice(("chat.example.org", "live.example.org", "www.example.net"))
    port = 443 if site.tls else 80
    http2 = site.tls and site.number >= HTTP2_DIRECTIVE
    listen = ["listen", str(port)] + (["ssl"] if site.tls else [])
    listen += ["http2"] if site.tls and not http2 else []
    server.children.append(Node(listen))
    if whim.random() < 0.4:
        server.children.append(Node([listen[0], f"[::]:{port}", *listen[2:]]))
    server.children += lines("http2 on") if http2 else []
    if http2 and whim.random() < 0.3:
        server.children += lines("listen 443 quic reuseport", "http3 on")
    if whim.random() < 0.4:
        server.children += lines("add_header X-Content-Type-Options nosniff always",
                                 "add_header X-Frame-Options DENY always")  # fmt: skip
    if whim.random() < 0.3:
        server.children += lines("error_page 500 502 503 504 /50x.html", "root /srv/www")
    if whim.random() < 0.2:
        server.children += lines("resolver 127.0.0.53", "client_body_timeout 30s")
    more = whim.choice(([], ["alias.example.org"], ["*.example.com"]))
    server.children.append(Node(["server_name", name, *more]))
    if site.tls:
        tls = lines(f"ssl_certificate {PREFIX}/tls/cert.pem",
                    f"ssl_certificate_key {PREFIX}/tls/key.pem")  # fmt: skip
        if whim.random() < 0.3:
            path = f"{PREFIX}/snippets/tls.conf"
            server.children.append(Node(["include"], tls, path, "snippets/tls.conf"))
        else:
            server.children += tls
    path, around = _stream(site, whim)
    extra = _locations(whim)
    at = whim.randint(0, len(extra))
    server.children += [*extra[:at], *around, *extra[at:]]
    scheme = "https" if site.tls else "http"
    site.url = f"{scheme}://{name}{path}"


def _stream(site: Site, whim: random.Random) -> tuple[str, list[Node]]:
    """Fill the location of the stream; gives the path of its URL and the locations to it."""
    stream = site.stream
    target = whim.choice(("http://127.0.0.1:8000", "http://app", "http://unix:/run/app.sock"))
    shape = whim.choice(("prefix", "exact", "first", "regex", "case", "nested", "named", "root"))
    path = whim.choice(("/events", "/api/events", "/sse", "/v1/notifications/stream"))
    around = [stream]
    words = {
        "prefix": [path],
        "exact": ["=", path],
        "first": ["^~", path],
        "regex": ["~", f"^{path}$"],
        "case": ["~*", f"^{path}"],
        "nested": [path],
        "named": ["@app"],
        "root": ["/"],
    }[shape]
    stream.words += words
    if shape == "nested":
        outer = block("location", "/" + path.split("/")[1], inside=lines("proxy_pass http://app"))
        outer.children = [*(outer.children or []), stream]
        around = [outer]
        if outer.words[1] == path:
            around = [stream]
    if shape == "named":
        around = [block("location", path, inside=lines("try_files $uri @app")), stream]
    settings = _settings(whim)
    own = lines(f"proxy_pass {target}")
    if whim.random() < 0.15 and "$" not in target and "unix" not in target:
        own = lines("set $app 127.0.0.1:8000", "proxy_pass http://$app")
    if whim.random() < 0.3:
        where = f"{PREFIX}/snippets/sse.conf"
        given = whim.choice(("snippets/sse.conf", where, "snippets/sse*.conf"))
        own.append(Node(["include"], settings, where, given))
    elif whim.random() < 0.25 and shape != "nested":
        names = whim.choice((("proxy_http_version", "proxy_read_timeout"), ("proxy_set_header",)))
        up = [x for x in settings if x.name in names]
        assert site.server.children is not None
        site.server.children += up
        own += [x for x in settings if x not in up]
    else:
        own += settings
    whim.shuffle(own)
    stream.children = own
    return path, around


def _settings(whim: random.Random) -> list[Node]:
    out = lines("proxy_buffering off", "proxy_http_version 1.1")
    out += [Node(["proxy_set_header", "Connection", ""])]
    out += lines(f"proxy_read_timeout {whim.choice(('1h', '24h', '3600s', '3600', '1d'))}")
    some = [
        "proxy_set_header Host $host",
        "proxy_set_header X-Real-IP $remote_addr",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for",
        "proxy_set_header X-Forwarded-Proto $scheme",
        "proxy_cache off",
        "gzip off",
        "proxy_connect_timeout 5s",
        "proxy_request_buffering off",
        "access_log off",
    ]
    out += lines("proxy_set_header Host $host")
    return out + lines(*whim.sample(some[1:], whim.randint(0, 5)))


def _locations(whim: random.Random) -> list[Node]:
    """What else a site has."""
    some: list[Callable[[], Node]] = [
        lambda: block("location", "/assets/", inside=lines("root /srv/www", "expires 30d")),
        lambda: block("location", "~", r"\.php$", inside=lines(
            "fastcgi_pass 127.0.0.1:9000", "fastcgi_param SCRIPT_FILENAME $document_root")),
        lambda: block("location", "~", r"/\.ht", inside=lines("deny all")),
        lambda: block("location", "=", "/favicon.ico", inside=lines("log_not_found off")),
        lambda: block("location", "/graph/", inside=lines(
            "proxy_pass http://127.0.0.1:9090/", "proxy_set_header Host $host")),
        lambda: block("location", "/health", inside=[Node(["return", "200", "ok\n"])]),
        lambda: block("location", "/upload", inside=lines(
            "client_max_body_size 1g", "proxy_pass http://app", "proxy_read_timeout 300s")),
        lambda: block("location", "/ws", inside=[
            *lines("proxy_pass http://app", "proxy_http_version 1.1",
                   "proxy_set_header Upgrade $http_upgrade"),
            Node(["proxy_set_header", "Connection", "upgrade"])]),
    ]  # fmt: skip
    return [make() for make in whim.sample(some, whim.randint(0, 5))]


def _others(site: Site, whim: random.Random) -> list[Node]:
    out = []
    if site.tls:
        out.append(block("server", inside=[
            *lines("listen 80", "server_name chat.example.org live.example.org"),
            Node(["return", "301", "https://$host$request_uri"])]))  # fmt: skip
    if whim.random() < 0.5:
        out.append(block("server", inside=lines(
            "listen 80 default_server", "server_name _", "return 444")))  # fmt: skip
    if whim.random() < 0.4:
        out.append(block("server", inside=[
            *lines("listen 8080", "server_name admin.example.org", "allow 10.0.0.0/8", "deny all"),
            block("location", "/", inside=lines("proxy_pass http://127.0.0.1:9000")),
        ]))  # fmt: skip
    return out


def _laid_out(whim: random.Random, http: Node, servers: list[Node]) -> None:
    """One file, or conf.d, or sites-enabled as Debian has it."""
    assert http.children is not None
    layout = whim.choice(("one", "conf.d", "sites-enabled"))
    if layout == "one":
        http.children += servers
        return
    suffix = ".conf" if layout == "conf.d" else ""
    pattern = f"{layout}/*{suffix}"
    if whim.random() < 0.5:
        pattern = f"{PREFIX}/{pattern}"
    for number, server in enumerate(servers):
        first = number == 0
        http.children.append(
            Node(["include"], [server], f"{PREFIX}/{layout}/{number}-site{suffix}",
                 pattern if first else "")
        )  # fmt: skip
