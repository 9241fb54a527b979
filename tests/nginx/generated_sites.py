"""Sites as people write them, made by chance: for properties that every edit must have."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from ssemedic.nginx import Line

#: URL paths whose answer no edit for /events may change.
OTHERS = ("/", "/other", "/api/v1/users", "/events/sub/deep", "/static/a.css", "/eventsx", "/x.php")
_HTTP = (
    "gzip on;",
    "gzip_types text/plain text/event-stream;",
    "proxy_read_timeout 30s;",
    "add_header X-Frame-Options DENY always;",
    "proxy_set_header X-Outer yes;",
    "proxy_hide_header X-Powered-By;",
    "proxy_ignore_headers X-Accel-Buffering Expires;",
    "limit_conn per_ip 100;",
)
_SERVER = (
    "add_header Content-Security-Policy \"default-src 'self'; x{y}\" always;",
    "add_header Connection keep-alive;",
    "proxy_set_header Host $host;\n    proxy_set_header Upgrade $http_upgrade;",
    "proxy_buffering on;",
    "proxy_http_version 1.1;",
    "proxy_hide_header X-Accel-Buffering;",
    "error_page 502 /50x.html;",
    "# a comment; with { marks } and caf\xe9",
    "set $backend 127.0.0.1:9;",
    "auth_basic off;",
)
_LOCATION = (
    "proxy_buffering on;",
    "proxy_read_timeout 60s;",
    "proxy_read_timeout\n            60;  # a minute",
    "proxy_set_header Connection upgrade;",
    "proxy_set_header X-Real-IP $remote_addr;\n        proxy_set_header Connection close;",
    "add_header Connection keep-alive; # why?",
    "add_header X-Own 1;",
    "proxy_ignore_headers Expires X-Accel-Buffering;",
    "proxy_ignore_headers X-Accel-Buffering;",
    "proxy_hide_header X-Accel-Buffering;",
    "proxy_cache_bypass $http_pragma;",
    "limit_conn per_ip 2;",
    "gzip off;",
    "# proxy_buffering off; is what one would need",
    "deny 192.0.2.1;\n        allow all;",
    "if ($request_method = OPTIONS) { return 204; }",
    "limit_except GET POST { deny all; }",
    "proxy_set_header X-Quote 'a \"b\" \\d;{}';",
    "proxy_redirect off;",
    "error_page 502 = /oops;",
    "set $own 1;",
    "expires -1;",
)
_PASS = (
    "proxy_pass http://127.0.0.1:9;",
    "proxy_pass http://127.0.0.1:9/;",
    "proxy_pass http://app/base/;",
    "proxy_pass http://$backend;",
    "proxy_pass http://unix:/run/app.sock:/u/;",
)
_SHAPES = (
    "location /events {{ {body} }}",
    "location /events {{\n        {body}\n    }}",
    "location = /events {{\n        {body}\n    }}",
    "location ^~ /events{{\n        {body}\n    }}",
    "location ~ ^/events$ {{\n        {body}\n    }}",
    "location ~* /(events|live)$ {{\n        {body}\n    }}",
    "location / {{\n        {body}\n    }}",
    "location / {{\n        {outer}\n        location /events {{\n        {body}\n    }} }}",
    "location /events {{\n        {body}\n        location /events/sub {{ return 204; }}\n    }}",
    "location /events {{\n        {outer}\n        try_files /nope @app;\n    }}\n"
    "    location @app {{\n        {body}\n    }}",
    "location / {{\n        try_files $uri @app;\n    }}\n"
    "    location @app {{\n        {body}\n    }}",
    "location / {{\n        rewrite ^/events$ /api/events last;\n        return 404;\n    }}\n"
    "    location /api/ {{\n        {body}\n    }}",
    "location / {{\n        rewrite ^/(.*)$ /app/$1 break;\n        {body}\n    }}",
    "include {snippets}/own.conf;",
    "location /events {{\n        include {snippets}/lines.conf;\n        {body}\n    }}",
    "location / {{\n        include {snippets}/lines.conf;\n        {body}\n    }}",
    "location /api/ {{ return 404; }}\n    rewrite ^/events$ /api/v1/events;\n"
    "    location /api/v1/ {{\n        {body}\n    }}",
    "location / {{\n        {outer}\n"
    "        location ~ ^/(events|x)$ {{\n        {body}\n    }} }}",
    "root /nowhere;\n    location / {{\n        error_page 404 = @app;\n        {outer}\n    }}\n"
    "    location @app {{\n        {body}\n    }}",
)
_WISHES = (
    Line("proxy_buffering", ("off",), "nginx_proxy_buffering", "events wait"),
    Line("proxy_read_timeout", ("1h",), "nginx_read_timeout_idle", "silent for a while"),
    Line("proxy_http_version", ("1.1",), "nginx_http10_upstream"),
    Line("proxy_set_header", ("Connection", ""), "nginx_http10_upstream"),
    Line("proxy_cache", ("off",), "nginx_cache_sse"),
    Line("gzip", ("off",), "nginx_gzip_event_stream"),
    Line("add_header", ("X-Accel-Buffering", "no"), "some_cause"),
    Line("proxy_hide_header", ("Upgrade",), "h2_hop_header"),
    Line("proxy_pass", ("http://127.0.0.1:10",), "nginx_upstream_wrong_target"),
    Line("limit_conn", ("per_ip", "1000"), "nginx_limit_conn"),
)
_WITHOUT = (
    Line("add_header", ("Connection",), "h2_hop_header", "HTTP/2 has none"),
    Line("proxy_ignore_headers", ("X-Accel-Buffering",), "nginx_xaccel_ignored"),
    Line("proxy_hide_header", ("X-Accel-Buffering",), "nginx_xaccel_consumed"),
    Line("proxy_set_header", ("Upgrade",), "nginx_upgrade_connection"),
    Line("gzip_types", ("text/event-stream",), "nginx_gzip_event_stream"),
)


@dataclass(frozen=True)
class Site:
    """A site and what is wished for it. ``text`` and ``snippets`` hold {snippets} paths."""

    http: str
    text: bytes
    snippets: dict[str, bytes] = field(default_factory=dict)
    settings: tuple[Line, ...] = ()
    without: tuple[Line, ...] = ()
    location: str | None = None
    process: dict[str, str] = field(default_factory=dict)


def _some(lines: tuple[str, ...], most: int) -> st.SearchStrategy[list[str]]:
    """Some lines, no directive twice where nginx takes it once."""
    picked = st.lists(st.sampled_from(lines), unique=True, max_size=most)
    return picked.map(_unique)


def _unique(lines: list[str]) -> list[str]:
    seen: set[str] = set()
    out = []
    for line in lines:
        name = " ".join(line.split()[:2]) if line.startswith("add_header") else line.split()[0]
        if name not in seen:
            out.append(line)
        seen.add(name)
    return out


@st.composite
def sites(draw: st.DrawFn, snippets: str) -> Site:
    """A site whose /events reaches an upstream, with wishes for it."""
    shape = draw(st.sampled_from(_SHAPES))
    passed = draw(st.sampled_from(_PASS))
    if "~" in shape.partition("{{")[0] or "@app" in shape or "$1" in shape:
        passed = draw(st.sampled_from((_PASS[0], _PASS[3])))
    server = draw(_some(_SERVER, 5))
    if "$backend" in passed and _SERVER[8] not in server:
        server.append(_SERVER[8])
    own = [*draw(_some(_LOCATION, 5))]
    own.insert(draw(st.integers(0, len(own))), passed)
    lines = draw(_some(("proxy_buffering on;", "proxy_set_header X-S 1;", "tcp_nodelay on;"), 2))
    held = _unique([*(lines if "lines.conf" in shape else []), *own])
    own = [line for line in own if line in held or line == passed]
    outer = draw(_some(_LOCATION[:8], 2)) if "{outer}" in shape else []
    glue = "\n        " if "\n" in shape or any("#" in x or "\n" in x for x in own) else " "
    block = shape.format(body=glue.join(own), outer="\n        ".join(outer), snippets=snippets)
    if glue != " " and "\n" not in shape:
        block = block.replace(" }", "\n    }")
    inner = "location /events {\n    " + "\n    ".join(own) + "\n}\n"
    shared = "own.conf" in shape and draw(st.booleans())
    rest = [] if "location / " in block else ["location / { return 204; }"]
    rest += draw(_some(("location ~ \\.php$ { return 403; }", "location /static/ { root /s; }"), 2))
    body = "\n    ".join(["listen 8080;", "server_name chat.example.org;", *server, block, *rest])
    text = f"# The chat.\nserver {{\n    {body}\n}}"
    if shared:
        text += (
            f"\nserver {{ listen 8081; include {snippets}/own.conf; set $backend 127.0.0.1:9; }}"
        )
    text += draw(st.sampled_from(("\n", "", "\n# the end")))
    if draw(st.integers(0, 4)) == 0:
        text = text.replace("    ", "\t")
    if draw(st.integers(0, 4)) == 0:
        text = text.replace("\n", "\r\n")
    return Site(
        http="\n    ".join(draw(_some(_HTTP, 4))),
        text=text.encode("latin-1"),
        snippets={"own.conf": inner.encode(), "lines.conf": "\n".join(lines).encode()},
        settings=tuple(draw(st.lists(st.sampled_from(_WISHES), unique=True, max_size=4))),
        without=tuple(draw(st.lists(st.sampled_from(_WITHOUT), unique=True, max_size=2))),
        location=draw(st.sampled_from((None, None, None, "= /events", "^~ /events"))),
        process=draw(
            st.sampled_from(
                ({}, {}, {"worker_connections": "4096", "worker_shutdown_timeout": "60s"})
            )
        ),
    )
