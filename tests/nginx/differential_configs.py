"""Servers at random, for asking a model and a running nginx the same.

Every server and location carries its own `keepalive_timeout 60 N`, which nginx shows in
each answer, whatever its status: so one sees whose settings are in force, and the array
directives stay free to be inherited or replaced.
"""

# ruff: noqa: E501 - configurations are easier to read unbroken
from __future__ import annotations

import random

TARGETS = (
    "/", "/e", "/events", "/events/", "/events/live", "/events/live/x", "/events/live/x/",
    "/events?access_token=a%20b", "/events/live?x=1&y=2", "/EVENTS", "/Events/Live", "/event",
    "/api", "/api/", "/api?x=1", "/api/x", "/api/events?x=1&y=2", "/api/v1/events", "/api/v1/",
    "/a/../events", "/events//live", "/%65vents", "/events%2Flive", "/events/a%20b?q=%2F",
    "/api/a%26b/c", "/page.php", "/page.php?x", "/other/deep/er", "/other?", "/events/./live?a",
    "/api/%C3%A9v", "/files/", "/files", "/old/events?t=1", "/old/x%3Fy", "/x.json", "/old",
    "/api/v1/events/7?last=9", "/index.html", "/live", "/events/a+b", "/api//v1",
)  # fmt: skip
PREFIXES = (
    "/", "/e", "/events", "/events/", "/events/live", "/events/live/", "/api", "/api/", "/api/v1",
    "/api/v1/", "/old", "/old/", "/files/", "/other", "/page.php", "/EVENTS", "/index.html",
    "/live", "/inner",
)  # fmt: skip
REGEXES = (
    r"\.php$", "^/e", "/live$", r"^/api/(?<rest>.*)$", "EVENTS", r"\.(json|html)$", "^/(old|files)",
    "^/events/(?!live)", r"^/e\w+$", "/x", "^/other(?:/|$)", r"^/[^.]*$", r"^/api(/.*)?$",
    r"^/(?P<first>[a-z]+)/(.*)$", r"^/(?'name'\w+)$", r"^/\w++/\w+", r"(?i)^/EV", r"^/events\K/live",
)  # fmt: skip
NAMED = ("@app", "@gone", "@again", "@inner")


class Writer:
    """Writes servers. ``port`` is where they listen, ``app`` the port of the upstream."""

    def __init__(self, seed: int, port: int, app: int) -> None:
        self.pick = random.Random(seed)
        self.port, self.app = port, app
        self.count = 0

    def mark(self) -> str:
        self.count += 1
        return f"keepalive_timeout 60 {self.count};"

    def maybe(self, chance: float, text: str) -> list[str]:
        return [text] if self.pick.random() < chance else []

    def lines(self, chance: float) -> list[str]:
        """Scalars and arrays that may stand at any level."""
        pick, name = self.pick, f"X-A-{self.pick.randint(1, 4)}"
        n = self.count
        out = []
        out += self.maybe(chance, f"proxy_http_version {pick.choice(('1.0', '1.1'))};")
        out += self.maybe(chance, f"add_header {name} a{n} {pick.choice(('', 'always'))};")
        out += self.maybe(chance / 2, f'add_header X-A-5 "$uri-$args-{n}" always;')
        out += self.maybe(chance / 4, 'add_header X-A-6 "";')
        out += self.maybe(chance, f"proxy_set_header X-P-{pick.randint(1, 4)} p{n};")
        out += self.maybe(chance / 2, f"proxy_set_header X-P-5 $request_uri-$uri-{n};")
        out += self.maybe(chance / 2, 'proxy_set_header Connection "";')
        host = pick.choice(("$host", "$http_host", "fixed.test"))
        out += self.maybe(chance / 2, f"proxy_set_header Host {host};")
        out += self.maybe(chance / 3, f"proxy_hide_header X-App-{pick.randint(1, 3)};")
        out += self.maybe(chance / 4, "proxy_hide_header X-App-1; proxy_hide_header X-App-3;")
        out += self.maybe(chance / 4, "proxy_pass_header Server;")
        out += self.maybe(chance / 3, f"gzip {pick.choice(('on', 'off'))};")
        out += self.maybe(
            chance / 3, f"gzip_types {pick.choice(('text/plain', 'application/json', '*'))};"
        )
        out += self.maybe(chance / 6, "gzip_min_length 100000;")
        out += self.maybe(chance / 4, "proxy_pass_request_headers off;")
        out += self.maybe(chance / 4, f"absolute_redirect {pick.choice(('on', 'off'))};")
        return out

    def outer(self) -> list[str]:
        """Lines for server or location that change the way of a request."""
        pick = self.pick
        out = []
        out += self.maybe(0.12, pick.choice((
            "error_page 404 @app;", "error_page 404 = @app;", "error_page 404 /index.html;",
            "error_page 403 410 =200 /index.html;", "error_page 404 /live?from=error;",
            "error_page 410 =302 http://elsewhere.test/gone;", "error_page 418 =421 /events;",
            "error_page 404 http://elsewhere.test$uri;", "error_page 403 = @gone;",
            "error_page 301 /inner/moved;", "error_page 404 410 =404 @inner;",
        )))  # fmt: skip
        out += self.maybe(0.06, "recursive_error_pages on;")
        out += self.maybe(0.06, pick.choice((
            "deny all;", "allow all;", "deny 10.0.0.1; allow 127.0.0.1; deny all;",
            "allow 127.0.0.1; deny all;", "deny 192.0.2.0/24;",
        )))  # fmt: skip
        return out

    def http(self, number: int) -> str:
        """The inside of http{} before the servers; differs from one nginx to the next."""
        app = self.app
        text = f"""
  server_names_hash_bucket_size 128; server_names_hash_max_size 8192; variables_hash_max_size 4096;
  {self.mark()}
  upstream pool {{ server 127.0.0.1:{app}; }}
  upstream kept {{ server 127.0.0.1:{app}; keepalive 4; }}
  upstream two {{ server 127.0.0.1:{app} down; server 127.0.0.1:{app} backup; }}
  map $uri $by_uri {{ default 127.0.0.1:{app}; ~^/api/(?<tail>.*) pool; /events kept; }}
  map $uri $by_now {{ volatile; default two; ~^/api/ pool; /events kept; }}
  map $arg_x $by_arg {{ volatile; default pool; 1 127.0.0.1:{app}/one; "" kept; }}
  map $request_uri $path_of {{ ~^(?<p>[^?]*) $p; }}
  map $host $by_host {{ hostnames; default pool; .test 127.0.0.1:{app}; case1.* two; *.case2.test kept; }}
"""
        extra = {
            0: "",
            1: "proxy_http_version 1.1; proxy_set_header X-P-9 http; add_header X-A-9 http always;",
            2: "gzip on; gzip_types application/json; proxy_hide_header X-App-1;"
               "error_page 404 @app; merge_slashes off;",
            3: 'proxy_set_header Connection ""; add_header X-A-9 http; recursive_error_pages on;'
               "add_header X-A-8 more always; underscores_in_headers on;",
        }[number % 4]  # fmt: skip
        return text + extra + "\n"

    def server(self, name: str) -> str:
        pick = self.pick
        body = [f"listen 127.0.0.1:{self.port}; server_name {name}; {self.mark()}"]
        body += self.lines(0.25) + self.outer()
        body += self.maybe(0.2, pick.choice((
            "rewrite ^/old/(.*)$ /$1 last;", "rewrite ^/old(.*)$ /api$1?old=1;",
            "if ($args ~ access_token) { set $hit 1; }", "if ($uri = /files) { return 410; }",
            "rewrite ^/old/(.*)$ /$1 break;", "if ($uri ~ ^/other/(.*)$) { rewrite ^ /api/$1? break; }",
            "if ($arg_x) { set $seen yes; break; } set $seen no;",
            'if ($host ~ "^case(\\d+)") { set $number $1; }', "if ($uri ~* php$) { return 301 /x.json; }",
            "set $seen no; if ($is_args) { set $seen yes; } if ($seen = yes) { rewrite ^/e(.*) /live/$1; }",
        )))  # fmt: skip
        names: set[str] = set()
        body += [self.location("/", names, 0, "") for _ in range(pick.randint(2, 7))]
        body += [
            f"location @app {{ {self.mark()} {self.many(0.2)} proxy_pass http://127.0.0.1:{self.app}; }}",
            f"location @gone {{ {self.mark()} {self.many(0.1)} return 410; }}",
            f"location @again {{ {self.mark()} rewrite ^/(.*)$ /inner/$1 last; return 404; }}",
            f"location @inner {{ {self.mark()} try_files /nope @app; }}",
        ]
        return "server {\n  " + "\n  ".join(filter(None, body)) + "\n}\n"

    def many(self, chance: float) -> str:
        return " ".join(self.lines(chance))

    def location(self, within: str, names: set[str], depth: int, parent: str) -> str:
        pick = self.pick
        regex = parent == "regex" or pick.random() < 0.3
        if regex:
            head, name = pick.choice(("~", "~*")), pick.choice(REGEXES)
        else:
            head = pick.choice(("", "", "", "=", "^~"))
            fits = [p for p in PREFIXES if p.startswith(within) and (p != within or not depth)]
            if not fits:
                return ""
            name = pick.choice(fits)
        key = f"{'=' if head == '=' else head if regex else ''} {name}"
        if key in names:
            return ""
        names.add(key)
        body = [self.mark(), *self.lines(0.15), *self.outer(), self.action(regex, head)]
        if depth < 2 and head != "=" and pick.random() < 0.3:
            below: set[str] = set()
            inside = "/" if regex else name
            kind = "regex" if regex else "prefix"
            body += [self.location(inside, below, depth + 1, kind) for _ in range(2)]
        return f'location {head} "{name}" {{ {" ".join(filter(None, body))} }}'

    def action(self, regex: bool, head: str) -> str:
        pick, to = self.pick, f"http://127.0.0.1:{self.app}"
        inner = " ".join(line for line in self.lines(0.2) if line.startswith(("add_", "gzip ")))
        named = pick.choice(NAMED)
        choices = [
            f"proxy_pass {to};",
            f"proxy_pass {to};",
            f"set $up 127.0.0.1:{self.app}; proxy_pass http://$up;",
            f"set $up 127.0.0.1:{self.app}; proxy_pass http://$up/fixed;",
            f"set $up 127.0.0.1:{self.app}; proxy_pass http://$up/fixed$is_args$args;",
            f"set $up 127.0.0.1:{self.app}; proxy_pass http://$up$uri$is_args$args;",
            f"proxy_pass {to}$request_uri;",
            f"proxy_pass {to}/p$path_of?$args;",
            "proxy_pass http://$by_uri;",
            "set $was $by_uri; rewrite ^/api(.*)$ /events break; proxy_pass http://$by_uri;",
            "set $was $by_now; rewrite ^/api(.*)$ /events break; proxy_pass http://$by_now;",
            "proxy_pass http://$by_arg;",
            "proxy_pass http://$by_host/h;",
            "proxy_pass http://pool;",
            "proxy_pass http://kept;",
            "proxy_pass http://two;",
            f"internal; proxy_pass {to};",
            "return 204;",
            'return 200 "text";',
            "return 418;",
            'return 404 "text";',
            "return 301 https://$host$request_uri;",
            "return 302 /live$is_args$args;",
            "return https://elsewhere.test/;",
            "return 307 $scheme://$http_host/x;",
            "try_files $uri $uri/ /index.html;",
            f"try_files $uri {named};",
            "try_files /nope =404;",
            "try_files /nope =410;",
            "try_files /nope /live?$args;",
            f"try_files /nope {named};",
            f"error_page 418 = {named}; return 418;",
            f"error_page 418 =200 {named}; return 418;",
            f"error_page 404 {named}; return 404;",
            "error_page 404 /index.html; try_files /nope =404;",
            f"rewrite ^/(.*)$ /inner/$1 break; proxy_pass {to};",
            f"rewrite ^/(.*)$ /inner/$1?more=1 break; proxy_pass {to};",
            f"rewrite ^/(.*)$ /inner?was=$1 break; proxy_pass {to};",
            f"rewrite ^/(.*)$ /inner?was=$1&$args? break; proxy_pass {to};",
            f"rewrite ^ $request_uri break; proxy_pass {to};",
            f"rewrite ^/events(.*)$ /api/v1$1 last; proxy_pass {to};",
            f"rewrite ^/api/(.*)$ /events/$1? last; proxy_pass {to};",
            f"rewrite ^/events/(?<what>\\w+) /$what; rewrite ^/live(.*)$ /files$1 last; proxy_pass {to};",
            f"rewrite ^/(.*)x$ /live/$1 redirect; proxy_pass {to};",
            "rewrite ^/(.*)$ http://elsewhere.test/$1 permanent;",
            "rewrite ^/(.*)$ https://elsewhere.test/$1?;",
            f"rewrite ^/events(.*)$ /api$1; break; proxy_pass {to};",
            f"rewrite (.*) $1/more; proxy_pass {to};",
            f"if ($request_method = POST) {{ return 405; }} proxy_pass {to};",
            f"if ($request_method !~ ^(GET|HEAD)$) {{ return 405; }} proxy_pass {to};",
            f"if ($arg_x = 1) {{ return 409; }} proxy_pass {to};",
            f"if ($http_upgrade) {{ return 426; }} proxy_pass {to};",
            f"if ($is_args) {{ rewrite ^ /index.html last; }} proxy_pass {to};",
            f"if ($request_uri ~* EVENTS) {{ proxy_pass {to}; {inner} }} return 204;",
            f"if ($args) {{ {inner} }} proxy_pass {to};",
            f"if ($args) {{ add_header X-A-1 args; }} if ($uri ~ v) {{ add_header X-A-1 v always; }}"
            f" proxy_pass {to};",
            f"set $a 1; if ($uri ~ (e)(v)) {{ set $a $2$1$a; }} add_header X-A-7 $a always; proxy_pass {to};",
            f'if ($uri ~ ^/(\\w+)) {{ set $word $1; }} proxy_set_header X-P-7 "$word"; proxy_pass {to};',
            f"limit_except POST {{ deny all; }} proxy_pass {to};",
            f"limit_except GET {{ deny all; }} proxy_pass {to};",
            f"limit_except PUT {{ allow all; proxy_pass {to}; }} return 204;",
            "deny all;",
            f"deny all; try_files /nope {named};",
            "internal; return 204;",
            "",
        ]
        if not regex:
            choices += [
                f"proxy_pass {to}/;",
                f"proxy_pass {to}/base;",
                f"proxy_pass {to}/base/;",
                f"proxy_pass {to}/?q=1;",
                "proxy_pass http://pool/p/;",
                f"rewrite ^/events/(.*)$ /live/$1 break; proxy_pass {to}/kept/;",
                f"rewrite ^/api(.*)$ $1 break; proxy_pass {to}/kept;",
            ]
        else:
            choices += [f"proxy_pass {to}/r/$1;", f"proxy_pass {to}/r/$1?$args;"]
        return pick.choice(choices)
