"""An edit is the smallest that works, loads in a real nginx, and made twice is made once."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
import pytest
from real_nginx import RealNginx, main_conf

from ssemedic.nginx import Edit, Line, Refusal, Route, Tree, adopt, files_on_disk, read_tree, route

TEMPLATES = Path(__file__).parents[2] / "templates" / "nginx"
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    trim_blocks=True,  # as Ansible does
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
BUFFERING = Line("proxy_buffering", ("off",), "nginx_proxy_buffering", "events wait in a buffer")
VERSION = Line("proxy_http_version", ("1.1",), "nginx_http10_upstream", "the app needs 1.1")
CONNECTION = Line("proxy_set_header", ("Connection", ""), "nginx_http10_upstream")
TIMEOUT = Line("proxy_read_timeout", ("1h",), "nginx_read_timeout_idle", "silent for 90 s")
TARGET = Line("proxy_pass", ("http://127.0.0.1:9001",), "nginx_upstream_wrong_target")


@dataclass
class Host:
    """A folder in the shape of /etc/nginx, with one site behind a symlink."""

    root: Path
    nginx: RealNginx
    url: str = "http://chat.example.org:8080/events"

    @property
    def ours(self) -> str:
        return str(self.root / "ssemedic" / "events.conf")

    @property
    def site(self) -> Path:
        return self.root / "sites-available" / "chat"

    def write(self, site: str | bytes, http: str = "", **others: str) -> None:
        for folder in ("sites-available", "sites-enabled", "ssemedic", "snippets"):
            (self.root / folder).mkdir(exist_ok=True)
        (self.root / "nginx.conf").write_text(
            main_conf(self.root, f"{http}\ninclude {self.root}/sites-enabled/*;")
        )
        self.site.write_bytes(site.encode() if isinstance(site, str) else site)
        link = self.root / "sites-enabled" / "chat"
        if not link.is_symlink():
            link.symlink_to("../sites-available/chat")
        for name, text in others.items():
            (self.root / "snippets" / f"{name}.conf").write_text(text)

    def tree(self) -> Tree:
        links = {str(self.root / "sites-enabled" / "chat"): str(self.site)}
        main = str(self.root / "nginx.conf")
        return read_tree(main, lambda p: Path(p).read_bytes(), files_on_disk, links)

    def route(self) -> Route:
        return route(self.tree(), self.url, "1.22.1")

    def adopt(
        self,
        *settings: Line,
        location: str | None = None,
        without: tuple[Line, ...] = (),
        process: dict[str, str] | None = None,
    ) -> Edit | Refusal:
        return adopt(
            self.tree(), self.route(), settings, self.ours, location, without, process or {}
        )

    def apply(self, edit: Edit) -> None:
        """As the role does: the template renders our file, the edits replace theirs."""
        for change in edit.files:
            Path(change.path).write_bytes(change.content)
        if edit.directives:
            Path(edit.ours).write_text(rendered(edit))

    def repair(
        self,
        *settings: Line,
        location: str | None = None,
        without: tuple[Line, ...] = (),
        process: dict[str, str] | None = None,
    ) -> tuple[Edit, str]:
        """Adopt and apply; gives the edit and the diff of the admin's site."""
        before = self.site.read_bytes()
        edit = self.adopt(*settings, location=location, without=without, process=process)
        assert isinstance(edit, Edit), edit
        self.apply(edit)
        tested = self.nginx.test(self.root / "nginx.conf")
        assert tested.returncode == 0, tested.stderr
        again = self.adopt(*settings, location=location, without=without, process=process)
        assert isinstance(again, Edit), again
        assert again.files == ()
        assert rendered(again) == rendered(edit)
        assert (self.root / "sites-enabled" / "chat").is_symlink()
        return edit, diff(before, self.site.read_bytes(), self.ours)


@pytest.fixture
def host(nginx: RealNginx, tmp_path: Path) -> Host:
    return Host(tmp_path, nginx)


def rendered(edit: Edit) -> str:
    return ENVIRONMENT.get_template("stream.conf.j2").render(
        sse_nginx_directives=[asdict(line) for line in edit.directives],
        sse_nginx_location=edit.location,
    )


def diff(before: bytes, after: bytes, ours: str) -> str:
    """Changed lines alone, "-old" and "+new", our path shortened."""
    lines = difflib.unified_diff(
        before.decode("latin-1").split("\n"), after.decode("latin-1").split("\n"), n=0, lineterm=""
    )
    kept = [x for x in lines if x[0] in "+-" and not x.startswith(("+++", "---"))]
    return "\n".join(kept).replace(ours, "OURS")


def values(found: Route, name: str) -> list[str]:
    return [" ".join(args) for args in found.setting(name).values]


SITE = """\
# The chat.
server {
    listen 8080;
    server_name chat.example.org;

    location /events {
        proxy_pass http://127.0.0.1:8000;  # the app
        proxy_read_timeout 60s;
    }
    location / { return 204; }
}
"""


def test_a_setting_that_is_absent_costs_one_line(host: Host) -> None:
    host.write(SITE)
    edit, changed = host.repair(BUFFERING)
    assert changed == "+        include OURS;"
    assert values(host.route(), "proxy_buffering") == ["off"]
    assert edit.directives == (BUFFERING,)
    assert [change.path for change in edit.files] == [str(host.site)]


def test_a_contradicting_line_gives_way_in_place(host: Host) -> None:
    host.write(SITE)
    _, changed = host.repair(TIMEOUT)
    assert changed == "-        proxy_read_timeout 60s;\n+        include OURS;"
    assert values(host.route(), "proxy_read_timeout") == ["1h"]


def test_a_second_repair_adds_to_the_first(host: Host) -> None:
    host.write(SITE)
    host.repair(TIMEOUT)
    edit, changed = host.repair(BUFFERING)
    assert changed == ""
    assert edit.directives == (TIMEOUT, BUFFERING)
    assert values(host.route(), "proxy_read_timeout") == ["1h"]


def test_a_later_value_replaces_ours(host: Host) -> None:
    host.write(SITE)
    host.repair(TIMEOUT)
    longer = Line("proxy_read_timeout", ("2h",), "nginx_read_timeout_idle")
    edit, changed = host.repair(longer)
    assert (changed, edit.directives) == ("", (longer,))


def test_what_is_already_so_is_left_alone(host: Host) -> None:
    host.write(SITE.replace("60s", "3600"))
    edit = host.adopt(TIMEOUT)
    assert isinstance(edit, Edit)
    assert (edit.files, edit.directives) == ((), ())


def test_inherited_headers_are_repeated_so_that_none_is_lost(host: Host) -> None:
    csp = "default-src 'self'; frame-ancestors \"none\"; x \\d {y}"
    server = (
        "server_name chat.example.org;\n"
        "    proxy_set_header Host $host;\n"
        "    proxy_set_header Connection $http_connection;\n"
        '    proxy_set_header X-Who "a;b{c}";\n'
        f"    add_header Content-Security-Policy '{csp}' always;\n".replace("'self'", "\\'self\\'")
    )
    host.write(SITE.replace("server_name chat.example.org;\n", server))
    before = host.route()
    edit, changed = host.repair(CONNECTION)
    assert changed == "+        include OURS;"
    assert values(host.route(), "proxy_set_header") == ["Host $host", "X-Who a;b{c}", "Connection "]
    assert values(host.route(), "add_header") == values(before, "add_header")
    assert values(before, "add_header") == [f"Content-Security-Policy {csp} always"]
    assert [line.cause for line in edit.directives] == [
        "inherited", "inherited", "nginx_http10_upstream",
    ]  # fmt: skip


def test_a_repeated_security_header_keeps_its_value(host: Host) -> None:
    csp = "default-src 'self'; script-src 'none'"
    host.write(SITE, http=f'add_header Content-Security-Policy "{csp}" always;')
    host.repair(Line("add_header", ("Cache-Control", "no-cache"), "app_headers"))
    assert values(host.route(), "add_header") == [
        f"Content-Security-Policy {csp} always", "Cache-Control no-cache",
    ]  # fmt: skip


def test_headers_of_the_location_stay_but_the_contradicting_one(host: Host) -> None:
    own = (
        "proxy_read_timeout 60s;\n"
        "        proxy_set_header Host $host;\n"
        "        proxy_set_header connection upgrade;\n"
    )
    host.write(SITE.replace("proxy_read_timeout 60s;\n", own))
    edit, changed = host.repair(VERSION, CONNECTION)
    assert changed == "-        proxy_set_header connection upgrade;\n+        include OURS;"
    assert edit.directives == (VERSION, CONNECTION)
    assert values(host.route(), "proxy_set_header") == ["Host $host", "Connection "]


def test_a_header_that_only_the_location_set_does_not_bring_back_outer_ones(host: Host) -> None:
    host.write(
        SITE.replace("proxy_read_timeout 60s;", "proxy_set_header Connection close;"),
        http="proxy_set_header X-Outer yes;",
    )
    _, changed = host.repair(CONNECTION)
    assert changed == "-        proxy_set_header Connection close;\n+        include OURS;"
    assert values(host.route(), "proxy_set_header") == ["Connection "]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:9001"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:9001/"),
        ("https://127.0.0.1:8000/base/x", "https://127.0.0.1:9001/base/x"),
        ("http://unix:/run/app.sock", "http://127.0.0.1:9001"),
        ("http://unix:/run/app.sock:/base", "http://127.0.0.1:9001/base"),
        ("http://app", "http://127.0.0.1:9001"),
        ("http://$backend", "http://127.0.0.1:9001"),
    ],
)
def test_a_wrong_target_is_replaced_with_scheme_and_uri_kept(
    host: Host, written: str, expected: str
) -> None:
    site = SITE.replace("http://127.0.0.1:8000;  # the app", f"{written};")
    site = site.replace(
        "    location /events", "    set $backend 127.0.0.1:1;\n    location /events"
    )
    host.write(site, http="upstream app { server 127.0.0.1:8000; }")
    _, changed = host.repair(TARGET)
    assert changed == f"-        proxy_pass {written};\n+        include OURS;"
    assert values(host.route(), "proxy_pass") == [expected]
    assert [(t.host, t.port) for t in host.route().targets] == [("127.0.0.1", 9001)]


def test_a_comment_behind_a_removed_line_stays(host: Host) -> None:
    host.write(SITE)
    _, changed = host.repair(TARGET)
    assert changed == (
        "-        proxy_pass http://127.0.0.1:8000;  # the app\n"
        "+        # the app\n"
        "+        include OURS;"
    )


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("location /events { proxy_pass http://a; }",
         "location /events { proxy_pass http://a; include OURS; }"),
        ("location /events {proxy_pass http://a; proxy_buffering on;}",
         "location /events {proxy_pass http://a; include OURS;}"),
        ("location /events {\n\t\tproxy_pass http://a;\n\t}",
         "location /events {\n\t\tproxy_pass http://a;\n\t\tinclude OURS;\n\t}"),
        ("location /events {\r\n  proxy_pass http://a; # x\r\n}",
         "location /events {\r\n  proxy_pass http://a; # x\r\n  include OURS;\r\n}"),
        ("location /events\n{\n  proxy_pass\n    http://a;\n\n  # end\n}",
         "location /events\n{\n  proxy_pass\n    http://a;\n  include OURS;\n\n  # end\n}"),
        ("location /events {\n  proxy_pass http://a; proxy_buffering on; proxy_redirect off;\n}",
         "location /events {\n  proxy_pass http://a; include OURS; proxy_redirect off;\n}"),
        ("location /events { # \xe9\xff\n  proxy_buffering\n    on;\n  proxy_pass http://a;\n}",
         "location /events { # \xe9\xff\n  include OURS;\n  proxy_pass http://a;\n}"),
        ("location ~ ^/ev(ents)?$ {\n  proxy_pass http://a; }",
         "location ~ ^/ev(ents)?$ {\n  proxy_pass http://a; include OURS; }"),
        ("location / {\n  return 204;\n  location /events {\n    proxy_pass http://a;\n  }\n}",
         "location / {\n  return 204;\n  location /events {\n    proxy_pass http://a;\n"
         "    include OURS;\n  }\n}"),
        ("location /events {\n  try_files /x @app;\n}\nlocation @app {\n  proxy_pass http://a;\n}",
         "location /events {\n  try_files /x @app;\n}\nlocation @app {\n  proxy_pass http://a;\n"
         "  include OURS;\n}"),
    ],
)  # fmt: skip
def test_the_style_of_the_block_is_kept(host: Host, block: str, expected: str) -> None:
    frame = "server {{ listen 8080; server_name chat.example.org;\n{}\n}}\n"
    host.write(frame.format(block).encode("latin-1"), http="upstream a { server 127.0.0.1:1; }")
    host.repair(BUFFERING)
    text = host.site.read_bytes().decode("latin-1").replace(host.ours, "OURS")
    assert text == frame.format(expected)
    assert values(host.route(), "proxy_buffering") == ["off"]


def test_a_snippet_of_this_location_alone_may_lose_a_line(host: Host) -> None:
    snippet = host.root / "snippets" / "proxy.conf"
    host.write(
        SITE.replace("proxy_read_timeout 60s;", f"include {snippet};"),
        proxy="proxy_buffering on;\nproxy_set_header Host $host;\n",
    )
    _, changed = host.repair(BUFFERING)
    assert changed == "+        include OURS;"
    assert snippet.read_text() == "proxy_set_header Host $host;\n"


def test_a_snippet_that_others_use_too_is_not_touched(host: Host) -> None:
    snippet = host.root / "snippets" / "proxy.conf"
    include = f"include {snippet};"
    host.write(
        SITE.replace("proxy_read_timeout 60s;", include).replace("return 204;", include),
        proxy="proxy_buffering on;\n",
    )
    refused = host.adopt(BUFFERING)
    assert isinstance(refused, Refusal)
    assert refused.reason == (
        f"{snippet}:1: proxy_buffering on; contradicts, "
        "and stands in a file that other locations include too"
    )
    assert refused.advice == ("proxy_buffering off;",)


FALLBACK = """\
server {
    listen 8080;
    server_name chat.example.org;
    add_header X-Frame-Options DENY;
    proxy_set_header X-Site chat;
    root /nonexistent;
    location / {
        try_files $uri $uri/ /index.html;
    }
}
"""


def test_a_page_in_place_of_the_stream_gets_a_location_beside_it(host: Host) -> None:
    host.write(FALLBACK)
    assert host.route().serves == "static"
    edit, changed = host.repair(TARGET, VERSION, CONNECTION, BUFFERING)
    assert changed == "+    include OURS;"
    assert edit.location == "^~ /events"
    found = host.route()
    assert (found.serves, found.uri_passed) == ("proxy", "/events")
    assert values(found, "proxy_set_header") == ["X-Site chat", "Connection "]
    assert values(found, "add_header") == ["X-Frame-Options DENY"]
    assert host.route().location is not None and host.route().location.where.startswith(host.ours)


def test_a_new_location_takes_later_settings_and_a_new_target(host: Host) -> None:
    host.write(FALLBACK)
    host.repair(TARGET, VERSION)
    moved = Line("proxy_pass", ("http://127.0.0.1:9002",), "nginx_upstream_wrong_target")
    edit, changed = host.repair(moved, TIMEOUT)
    assert (changed, edit.location) == ("", "^~ /events")
    assert edit.directives == (moved, VERSION, TIMEOUT)
    assert host.route().targets[0].port == 9002


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("location /events {\n", "location /events { if ($host) {\n", "served inside an if block"),
        ("# The chat.", "# This file is managed by Puppet.", "belongs to another tool"),
        ("# The chat.", "# DO NOT EDIT, see the wiki", "belongs to another tool"),
        ("proxy_pass http://127.0.0.1:8000;", "return 503;", "answers by itself with 503"),
        ("proxy_pass http://127.0.0.1:8000;", "uwsgi_pass 127.0.0.1:1;", "has no counterpart"),
        ("proxy_pass http://127.0.0.1:8000;", "proxy_pass http://$cookie_x;", "cannot be told"),
        ("proxy_pass http://127.0.0.1:8000;", "access_by_lua_block { x() } proxy_pass http://a;",
         "cannot be told"),
        ("location /events {", "location ~ (?|/events) {", "cannot be told"),
        ("listen 8080;", "listen 8081;", "no server listens on port 8080"),
    ],
)  # fmt: skip
def test_what_is_not_safe_is_refused_with_the_lines_as_advice(
    host: Host, old: str, new: str, reason: str
) -> None:
    text = SITE.replace(old, new)
    if "if (" in new:
        text = text.replace("60s;\n", "60s; }\n").replace("proxy_read_timeout 60s;", "")
    host.write(text)
    refused = host.adopt(BUFFERING, CONNECTION)
    assert isinstance(refused, Refusal), refused
    assert reason in refused.reason
    assert refused.advice == ("proxy_buffering off;", 'proxy_set_header Connection "";')


def test_certbots_comments_do_not_hinder(host: Host) -> None:
    host.write(SITE.replace("listen 8080;", "listen 8080; # managed by Certbot"))
    _, changed = host.repair(BUFFERING)
    assert changed == "+        include OURS;"


def test_a_file_that_ansible_writes_is_edited_with_a_note(host: Host) -> None:
    host.write("# Ansible managed\n" + SITE)
    edit, _ = host.repair(BUFFERING)
    assert "is written by a playbook, whose next run undoes the edit" in edit.notes[0]


def test_a_location_that_exists_without_upstream_is_not_doubled(host: Host) -> None:
    host.write(FALLBACK.replace("location / {", "location /events {"))
    refused = host.adopt(TARGET)
    assert isinstance(refused, Refusal)
    assert "location /events exists and does not pass it on" in refused.reason


def test_our_file_is_never_shared_by_two_locations(host: Host) -> None:
    host.write(SITE.replace("return 204;", f"include {host.ours};"))
    Path(host.ours).write_text("proxy_buffering off;\n")
    edit, changed = host.repair(BUFFERING)
    assert edit.ours == host.ours.replace(".conf", "-2.conf")
    assert changed == f"+        include {edit.ours};"
    assert Path(host.ours).read_text() == "proxy_buffering off;\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (Line("proxy_buffering", ("off; } location /x {",), "c"), "holds ';'"),
        (Line("proxy_set_header", ("A", "b\nc"), "c"), "control character"),
        (Line("proxy_read_timeout", ("$t",), "c"), "holds the variable $t"),
        (Line("proxy_set_header", ("A", "$secret"), "c"), "holds the variable $secret"),
        (Line("evil;x", ("a",), "c"), "is no directive's name"),
    ],
)
def test_values_that_could_break_out_are_refused(host: Host, line: Line, reason: str) -> None:
    host.write(SITE)
    refused = host.adopt(line)
    assert isinstance(refused, Refusal)
    assert reason in refused.reason


def test_a_snippet_of_several_servers_is_left_alone_and_the_one_server_gets_a_copy(
    host: Host,
) -> None:
    snippet = host.root / "snippets" / "app.conf"
    server = "server {{ listen {}; server_name chat.example.org; include {}; }}\n"
    text = "location /events {\n  proxy_pass http://127.0.0.1:1;\n}\n"
    host.write(server.format(8080, snippet) + server.format(8081, snippet), app=text)
    edit, changed = host.repair(BUFFERING)
    assert edit.location == "= /events"
    assert snippet.read_text() == text
    assert [line for line in changed.splitlines() if "8081" in line] == []
    assert values(host.route(), "proxy_buffering") == ["off"]
    other = route(host.tree(), host.url.replace("8080", "8081"), "1.22.1")
    assert values(other, "proxy_buffering") == ["on"]


def test_a_snippet_of_several_servers_that_cannot_be_copied_is_refused(host: Host) -> None:
    snippet = host.root / "snippets" / "app.conf"
    server = "server {{ listen {}; server_name chat.example.org; include {}; }}\n"
    text = "location = /events {\n  proxy_pass http://127.0.0.1:1;\n}\n"
    host.write(server.format(8080, snippet) + server.format(8081, snippet), app=text)
    refused = host.adopt(BUFFERING)
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith(f"{snippet}:1: is brought to several servers; ")
    assert refused.where == f"{snippet}:1, in location = /events"
    assert refused.advice == ("proxy_buffering off;",)
