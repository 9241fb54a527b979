"""The admin's own log format, with the tokens masked and nothing else changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import jinja2
import pytest
import yaml
from real_nginx import RealNginx, main_conf, running
from test_nginx_adopt import ENVIRONMENT
from test_nginx_site import LEAKS, ROLE, Served

from ssemedic.clues.masked_log import (
    MaskedFormat,
    MaskedLog,
    UnmaskableError,
    leaking,
    masked_log,
    path_only,
)
from ssemedic.endpoint import Endpoint
from ssemedic.nginx import Route, parse, route, tree_of
from ssemedic.rules import all_rules

SLUG = "chat-production-example-org-api-v1-chats-events"


def way(log: str, http: str = "include /etc/nginx/conf.d/*.conf;") -> Route:
    text = f"""http {{ {http}
      log_format json escape=json '{{"at":$time_iso8601,"r":"$request_uri","c":"$http_cookie"}}';
      log_format args '$uri?$args "$http_referer"' ' $arg_access_token';
      log_format path '$remote_addr $request_method $uri $status $request_time';
      log_format braces "${{request}} \\"x\\" $request_length";
      server {{ listen 80; location /events {{ {log} proxy_pass http://127.0.0.1:8000; }} }} }}"""
    tree = tree_of({"/etc/nginx/nginx.conf": text.encode()}, "/etc/nginx/nginx.conf")
    return route(tree, "http://web1/events", "1.22.1")


def rendered(masked: MaskedLog) -> str:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8"))
    return ENVIRONMENT.get_template("masked-log.conf.j2").render(
        {**defaults, "sse_nginx_masked_log": asdict(masked)}
    )


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("access_log /l;", "$request"),
        ("access_log /l combined;", "$request"),
        ("access_log /l json;", "$request_uri"),
        ("access_log /l args;", "$arg_access_token"),
        ("access_log /l braces buffer=32k;", "$request"),
        ("", "$request"),
        ("access_log /l path;", None),
        ("access_log off;", None),
        ("access_log /l nowhere;", None),
    ],
)
def test_a_format_leaks_by_the_variable_that_holds_the_query(
    line: str, variable: str | None
) -> None:
    found = leaking(way(line), "access_token")
    assert [name for _, name in found] == ([variable] if variable else [])


@pytest.mark.parametrize(
    ("line", "told"), [("access_log /l args;", 1), ("access_log /l own;", 1), ("access_log /l;", 0)]
)
def test_the_linter_names_a_format_that_can_only_mean_the_token(line: str, told: int) -> None:
    """The query alone may hold no token at all: that takes a host to see."""
    (rule,) = (one for one in all_rules() if one.id == "nginx_token_in_access_log")
    assert rule.configured is not None
    found = way(line, "log_format own '$remote_addr $arg_access_token';")
    assert len(list(rule.configured(found, Endpoint("http://web1/events")))) == told


def test_without_a_token_in_the_query_no_format_leaks() -> None:
    assert leaking(way("access_log /l;"), "") == ()


def test_the_admins_text_stays_but_for_the_masked_variables() -> None:
    masked = masked_log(
        way("access_log /l args buffer=32k flush=5s;"), "web1-events", "access_token"
    )
    assert masked.path == "/etc/nginx/conf.d/00-ssemedic-web1-events.conf"
    assert masked.formats == (
        MaskedFormat(
            "ssemedic_web1_events_0",
            "",
            '$uri?${ssemedic_web1_events_args} "${ssemedic_web1_events_http_referer}" ***',
        ),
    )
    assert masked.lines == (("/l", "ssemedic_web1_events_0", "buffer=32k", "flush=5s"),)


def test_each_leaking_log_gets_its_format_and_the_others_are_left_alone() -> None:
    found = way("access_log /a json; access_log /b path; access_log /c; access_log /d json;")
    masked = masked_log(found, "web1-events", "access_token")
    assert [one.escape for one in masked.formats] == ["escape=json", ""]
    assert [(line[0], line[1][-2:]) for line in masked.lines] == [
        ("/a", "_0"), ("/c", "_1"), ("/d", "_0"),
    ]  # fmt: skip
    assert '"c":"***"' in masked.formats[0].text


@pytest.mark.parametrize(
    ("line", "http"),
    [
        ("access_log /l;", ""),
        ("access_log /l;", "include /etc/nginx/conf.d/a*.conf;"),
        ("access_log /l;", "include /etc/nginx/sites/*/x.conf;"),
        ("", "include /etc/nginx/conf.d/*.conf;"),
    ],
)
def test_what_cannot_be_masked_safely_is_said(line: str, http: str) -> None:
    with pytest.raises(UnmaskableError):
        masked_log(way(line, http), "web1-events", "access_token")


def test_a_person_is_told_the_same_format_with_the_path_alone() -> None:
    (log,) = way("access_log /l args;").access_logs
    assert path_only(log) == """log_format no_query '$uri "-" -';"""
    (log,) = way("access_log /l;").access_logs
    assert "$request_method $uri $server_protocol" in path_only(log)
    assert not leaking(way("access_log /l no_query;", path_only(log)), "access_token")


@pytest.mark.parametrize("text", ["a\nb", "a\x00b"])
def test_a_line_break_in_a_format_is_refused(text: str) -> None:
    bad = MaskedLog("/x", (MaskedFormat("f", "", text),), (), "access_token", ())
    with pytest.raises(jinja2.UndefinedError, match="line break"):
        rendered(bad)


@pytest.mark.parametrize("text", ["a;b}{ #x", 'q"q', "back\\slash \\x22", "it's $status"])
def test_any_other_text_is_read_back_as_it_was(text: str) -> None:
    made = MaskedLog("/x", (MaskedFormat("f", "escape=json", text),), (), "", ())
    (line,) = parse("x", rendered(made).encode()).directives
    assert line.args == ("f", "escape=json", text)


def test_the_defined_format_loads_beside_another_and_keeps_no_token(
    nginx: RealNginx, echo: int, free_port: int, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    folder = tmp_path / "conf.d"
    folder.mkdir()
    before = f"include {folder}/*.conf;"
    server = "server {{ listen 127.0.0.1:{port}; location / {{ {log} {onward} }} }}"

    def conf(line: str) -> str:
        onward = f"proxy_pass http://127.0.0.1:{echo};"
        block = server.format(port=free_port, log=line, onward=onward)
        return main_conf(tmp_path, f"{before}\n{block}")

    main = tmp_path / "nginx.conf"
    main.write_text(conf(f"access_log {log} combined;"))
    files: Mapping[str, bytes] = {str(main): main.read_bytes()}
    found = route(tree_of(files, str(main)), f"http://127.0.0.1:{free_port}/events", "1.22.1")
    masked = masked_log(found, SLUG, "x-auth")
    (folder / Path(masked.path).name).write_text(rendered(masked))
    other = masked_log(found, "web2-events", "access_token")
    (folder / Path(other.path).name).write_text(rendered(other))
    main.write_text(conf(f"access_log {' '.join(masked.lines[0])};"))
    tested = nginx.test(main)
    assert (tested.returncode, tested.stderr) == (0, "")
    process = running(nginx, main, free_port)
    try:
        served = Served(free_port, log)
        for target, referer in LEAKS.values():
            target = target.replace("CANARY_", "kept")
            served.ask(target, **({"Referer": referer} if referer else {}))
        served.ask("/events?x-auth=CANARY&a=1")
        served.ask("/plain?a=1")
        lines = served.lines(len(LEAKS) + 2)
        assert "ANARY" not in "\n".join(lines)
        assert '"GET /events?x-auth=***&a=1 HTTP/1.1" 200 ' in lines[-2]
        assert '"GET /plain?a=1 HTTP/1.1" 200 ' in lines[-1]
    finally:
        process.terminate()
        process.wait(10)
