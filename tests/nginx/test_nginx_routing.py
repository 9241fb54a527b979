"""What the model says nginx does with a URL is what a running nginx does."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from real_nginx import RealNginx, main_conf, running

from ssemedic.nginx import Route, Tree, route, tree_of

URLS = (
    "/", "/e", "/events", "/events/", "/events/live", "/events/live/x",
    "/events?access_token=a%20b",
    "/EVENTS", "/Events/Live", "/event", "/api", "/api/", "/api/x", "/api/events?x=1&y=2",
    "/api/v1/events", "/a/../events", "/events//live", "/%65vents", "/events%2Flive",
    "/events/a%20b?q=%2F", "/page.php", "/page.php?x", "/other/deep/er",
    "/events/./live", "/api/%C3%A9v", "/files/", "/files", "/old/events?t=1", "/x.json",
)  # fmt: skip
PREFIXES = (
    "/", "/e", "/events", "/events/", "/events/live", "/api", "/api/", "/api/v1", "/old", "/old/",
    "/files/", "/other", "/page.php", "/EVENTS",
)  # fmt: skip
REGEXES = (
    r"\.php$", "^/e", "/live$", r"^/api/(?<rest>.*)$", "EVENTS", r"\.(json|html)$", "^/(old|files)",
    "^/events/(?!live)", r"^/e\w+$", "/x", "^/other(?:/|$)", r"^/[^.]*$",
)  # fmt: skip
NAMES = (
    "chat.example.org", "*.example.org", "www.example.*", ".example.net", "~^stream\\d+\\.test$",
    "~^(?<who>[a-z]+)\\.dev$", "a.b.example.org", "*.b.example.org", "chat.example.*",
)  # fmt: skip
HOSTS = (
    "chat.example.org", "x.example.org", "a.b.example.org", "z.b.example.org", "www.example.com",
    "example.net", "deep.sub.example.net", "stream7.test", "streamX.test", "joe.dev", "joe1.dev",
    "CHAT.example.org", "nobody.invalid", "chat.example.com", "example.org", "www.example.org",
)  # fmt: skip


@dataclass(frozen=True)
class Running:
    """A started nginx and the model of its configuration."""

    tree: Tree
    port: int
    version: str

    def ask(self, host: str, target: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        connection.putheader("Accept", "text/event-stream")
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return answer.status, headers, body

    def says(self, host: str, target: str) -> Route:
        return route(self.tree, f"http://{host}:{self.port}{target}", self.version)


class Writer:
    """Writes servers at random, every block with a mark that its answers carry."""

    def __init__(self, seed: int, port: int, echo: int) -> None:
        self.random = random.Random(seed)
        self.port = port
        self.echo = echo
        self.count = 0

    def mark(self) -> str:
        self.count += 1
        return f"add_header X-Mark m{self.count} always;"

    def server(self, name: str, listen: str = "") -> str:
        body = [f"listen 127.0.0.1:{self.port}{listen}; server_name {name}; {self.mark()}"]
        pick = self.random
        if pick.random() < 0.25:
            body.append("proxy_http_version 1.1;")
        if pick.random() < 0.3:
            body.append('proxy_set_header Connection ""; proxy_set_header X-Outer yes;')
        if pick.random() < 0.15:
            body.append(pick.choice((
                "rewrite ^/old/(.*)$ /$1 last;",
                "rewrite ^/old(.*)$ /api$1?old=1;",
                "if ($args ~ access_token) { set $hit 1; }",
                "if ($uri = /files) { return 410; }",
            )))  # fmt: skip
        names: set[str] = set()
        body += [self.location("/", names, 0) for _ in range(pick.randint(2, 6))]
        body.append(f"location @app {{ {self.mark()} proxy_pass http://127.0.0.1:{self.echo}; }}")
        body.append(f"location @gone {{ {self.mark()} return 410; }}")
        return "server {\n  " + "\n  ".join(body) + "\n}\n"

    def location(self, within: str, names: set[str], depth: int) -> str:
        pick = self.random
        regex = pick.random() < 0.3
        if regex:
            head, name = pick.choice(("~", "~*")), pick.choice(REGEXES)
        else:
            head = (
                pick.choice(("", "", "", "=", "^~")) if depth == 0 else pick.choice(("", "=", "^~"))
            )
            fits = [p for p in PREFIXES if p.startswith(within) and (p != within or not depth)]
            if not fits:
                return ""
            name = pick.choice(fits)
        key = f"{'=' if head == '=' else head if regex else ''} {name}"
        if key in names:
            return ""
        names.add(key)
        inner = self.action(regex, head)
        nested = ""
        if depth == 0 and not regex and head != "=" and pick.random() < 0.35:
            below: set[str] = set()
            nested = "".join(self.location(name, below, 1) for _ in range(2))
        return f'location {head} "{name}" {{ {self.mark()} {inner} {nested} }}'

    def action(self, regex: bool, head: str) -> str:
        pick = self.random
        target = f"http://127.0.0.1:{self.echo}"
        choices = [
            f"proxy_pass {target};",
            f"proxy_pass {target}; proxy_http_version 1.1;",
            f"proxy_pass {target}; proxy_set_header X-Inner yes;",
            f"set $up 127.0.0.1:{self.echo}; proxy_pass http://$up;",
            f"set $up 127.0.0.1:{self.echo}; proxy_pass http://$up/fixed;",
            f"proxy_pass {target}$request_uri;",
            "proxy_pass http://pool;",
            "return 204;",
            f"internal; proxy_pass {target};",
            "return 418;",
            "return 301 https://$host$request_uri;",
            "try_files $uri $uri/ /index.html;",
            "try_files $uri @app;",
            "try_files /nope =404;",
            "try_files /nope @gone;",
            "error_page 418 = @app; return 418;",
            "error_page 404 /index.html; try_files /nope =404;",
            f"rewrite ^/(.*)$ /inner/$1 break; proxy_pass {target};",
            f"rewrite ^/(.*)$ /inner/$1?more=1 break; proxy_pass {target};",
            f"rewrite ^/events(.*)$ /api/v1$1 last; proxy_pass {target};",
            f"rewrite ^/api/(.*)$ /events/$1? last; proxy_pass {target};",
            f"if ($request_method = POST) {{ return 405; }} proxy_pass {target};",
            f"if ($arg_x = 1) {{ return 409; }} proxy_pass {target};",
            f"if ($http_upgrade) {{ return 426; }} proxy_pass {target};",
            f"if ($is_args) {{ rewrite ^ /index.html last; }} proxy_pass {target};",
            f"if ($request_uri ~* EVENTS) {{ proxy_pass {target}; {self.mark()} }} return 204;",
        ]
        if not regex:
            choices += [
                f"proxy_pass {target}/;",
                f"proxy_pass {target}/base;",
                f"proxy_pass {target}/base/;",
                "proxy_pass http://pool/p/;",
                f"rewrite ^/events/(.*)$ /live/$1 break; proxy_pass {target}/kept/;",
            ]
        return pick.choice(choices)


@pytest.fixture(scope="module")
def live(
    nginx: RealNginx, echo: int, free_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("routing")
    (root / "html").mkdir()
    (root / "html" / "index.html").write_text("<!doctype html>page\n")
    writer = Writer(20240611, free_port, echo)
    servers = [writer.server("fallback.test", " default_server")]
    servers += [writer.server(f"case{i}.test") for i in range(120)]
    servers += [writer.server(name) for name in NAMES]
    text = main_conf(
        root,
        f"root {root}/html;\nserver_names_hash_bucket_size 128; map_hash_bucket_size 128;\n"
        f"upstream pool {{ server 127.0.0.1:{echo}; }}\n" + "".join(servers),
    )
    main = root / "nginx.conf"
    main.write_text(text)
    (root / "nginx.conf").chmod(0o644)
    process = running(nginx, main, free_port)
    yield Running(tree_of({str(main): text.encode()}, str(main)), free_port, nginx.version)
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()


def marked(found: Route) -> str:
    """The mark of the innermost block of a route that has one."""
    return found.setting("add_header").values[-1][1]


def difference(live: Running, host: str, target: str) -> str:
    """What nginx did that the model did not say; "" where they agree."""
    said = live.says(host, target)
    status, headers, body = live.ask(host, target)
    did = f"{status} {headers.get('x-mark')} {body[:60]!r}"
    seen = f"{host}{target}: {said.serves} {said.location and said.location.label} {said.status}"
    if headers.get("x-mark") != marked(said):
        return f"{seen}: mark {marked(said)}, nginx: {did}"
    if said.serves == "proxy":
        if status != (said.status or 200) or not body.startswith(b"{"):
            return f"{seen}: nginx did not proxy: {did}"
        told = json.loads(body)
        if told["target"] != said.uri_passed:
            return f"{seen}: passes {said.uri_passed!r}, nginx: {told['target']!r}"
        if told["version"] != "HTTP/" + said.setting("proxy_http_version").values[0][0]:
            return f"{seen}: HTTP version, nginx: {told['version']}"
        connection = said.setting("proxy_set_header").keyed("Connection") or ("",)
        if told["headers"].get("connection", "") != connection[0]:
            return f"{seen}: Connection {connection}, nginx: {told['headers']}"
        for name in ("X-Outer", "X-Inner"):
            want = said.setting("proxy_set_header").keyed(name)
            if told["headers"].get(name.lower()) != (want[0] if want else None):
                return f"{seen}: {name} {want}, nginx: {told['headers']}"
    elif said.serves == "return":
        if status != said.status:
            return f"{seen}: nginx: {did}"
    elif said.serves == "static":
        there = said.file == "/index.html"
        if (b"page" in body) != there:
            return f"{seen}: file {said.file}, nginx: {did}"
    elif status != said.status:
        return f"{seen}: {said.notes}, nginx: {did}"
    return ""


def test_location_settings_and_passed_uri_are_those_of_a_running_nginx(live: Running) -> None:
    chooser = random.Random(7)
    wrong, asked = [], 0
    for i in range(120):
        for target in chooser.sample(URLS, 12):
            asked += 1
            wrong.append(difference(live, f"case{i}.test", target))
    wrong = [line for line in wrong if line]
    assert not wrong, f"{len(wrong)} of {asked} differ:\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("host", HOSTS)
def test_server_for_a_host_is_that_of_a_running_nginx(live: Running, host: str) -> None:
    for target in ("/", "/events", "/api/x"):
        assert difference(live, host, target) == ""
