"""`ssemedic analyze`: what it prints, writes and returns."""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ssemedic.cli import main
from ssemedic.commands import analyze_arguments
from tests.lint.faults import FAULTS
from tests.lint.sites import healthy

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "analyze.schema.json").read_text())
URL = "https://chat.example.org/events"
NGINX_CONF = """\
events {}
http {
    include /etc/nginx/conf.d/*.conf;
}
"""
GOOD = """\
server {
    listen 443 ssl http2;
    server_name chat.example.org;
    location /events {
        proxy_pass http://127.0.0.1:8000;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
        proxy_read_timeout 1h;
    }
}
"""
SOME = GOOD.replace("        proxy_http_version 1.1;\n", "")
BAD = GOOD.replace("proxy_pass", "add_header Connection close;\n        proxy_pass")


def folder(root: Path, site: str = GOOD, main_conf: str = NGINX_CONF) -> Path:
    """A folder as it lies in somebody's repository."""
    (root / "nginx" / "conf.d").mkdir(parents=True)
    (root / "nginx" / "nginx.conf").write_text(main_conf)
    (root / "nginx" / "conf.d" / "chat.conf").write_text(site)
    return root / "nginx"


def run(*arguments: object) -> int:
    return main(["analyze", *map(str, arguments)])


def test_a_healthy_url_is_0_and_says_what_was_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--nginx", folder(tmp_path), "--url", URL, "--nginx-version", "1.22.1") == 0
    assert capsys.readouterr().out == "nothing found in 1 URL; as nginx 1.22.1\n"


def test_an_error_is_1_with_file_line_level_sentence_and_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, BAD)
    monkeypatch.chdir(tmp_path)
    assert run("--nginx", "nginx", "--url", URL, "--nginx-version", "1.22.1") == 1
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"nginx/conf\.d/chat\.conf:5: error: .*; expected: .* \[h2_hop_header\]", out[0]
    )
    assert "    --- nginx/conf.d/chat.conf" in out
    assert "    -        add_header Connection close;" in out
    assert out[-1] == "1 error in 1 URL; as nginx 1.22.1"


def test_a_warning_fails_only_if_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, SOME)
    monkeypatch.chdir(tmp_path)
    assert run("--nginx", "nginx", "--url", URL) == 0
    out = capsys.readouterr().out
    assert out.startswith("nginx/conf.d/chat.conf:4: warning: proxy_http_version is 1.0 ")
    assert "(default of 1.26.3)" in out
    assert "    depends: the app does not stream over HTTP/1.0\n" in out
    assert "    +proxy_http_version 1.1;\n" in out
    assert out.endswith("as nginx 1.26.3 (assumed; --nginx-version says which)\n")
    assert run("--nginx", "nginx", "--url", URL, "--strict") == 1
    assert run("--nginx", "nginx", "--url", URL, "--strict", "--nginx-version", "1.30.0") == 0


def test_brief_is_one_line_for_each_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--nginx", folder(tmp_path, SOME), "--url", URL, "--brief")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_without_a_url_every_stream_is_judged_and_a_shared_finding_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = GOOD.replace(" http2", "")
    site = plain + plain.replace("/events", "/sse").replace("chat.", "live.")
    second = "    location /live { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1; }\n}\n"
    site = site.removesuffix("}\n") + second
    run("--nginx", folder(tmp_path, site), "--brief", "--nginx-version", "1.22.1")
    out = capsys.readouterr().out
    assert out.count("[cl_six_connections]") == 2  # one for each server, not for each URL
    assert "in 3 URLs" in out


def test_no_stream_at_all_is_3_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = "server { listen 80; location / { root /srv; } }\n"
    assert run("--nginx", folder(tmp_path, site)) == 3
    assert "nothing was judged" in capsys.readouterr().out


def test_a_url_that_no_server_answers_is_3_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--nginx", folder(tmp_path), "--url", "http://chat.example.org:8080/events") == 3
    assert "not judged: no server listens on port 8080" in capsys.readouterr().out


@pytest.mark.parametrize(
    "twin",
    [
        "    if ($host = chat.example.org) { return 301 https://$host$request_uri; } return 404;",
        "    return 301 https://$host$request_uri;",
        "    location / { return 308 https://$host$request_uri; }",
    ],
)
def test_a_url_that_is_sent_on_to_its_https_twin_is_3_and_names_that(
    twin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = f"{GOOD}server {{\n    listen 80;\n    server_name chat.example.org;\n{twin}\n}}\n"
    assert run("--nginx", folder(tmp_path, site), "--url", URL.replace("https", "http")) == 3
    assert f"redirects to {URL}: name that URL" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("listen", "url", "said"),
    [
        ("listen 443 http2;", URL, "listens without TLS, and the URL is https"),
        ("listen 80 ssl;", URL.replace("https", "http"), "listens with TLS, and the URL is http"),
    ],
)
def test_a_url_of_the_wrong_scheme_is_3_and_says_so(
    listen: str, url: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = GOOD.replace("listen 443 ssl http2;", listen)
    assert run("--nginx", folder(tmp_path, site), "--url", url) == 3
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main_conf", "said"),
    [
        ("http {\n", 'nginx/nginx.conf:1: block "http" is not closed by "}"'),
        ("include nginx.conf;", "nginx/nginx.conf:1: include cycle"),
        ("x" * 5000, f'nginx/nginx.conf:1: "{"x" * 60}..." is not ended by ";"'),
        (
            "# configuration file /etc/nginx/nginx.conf:\nhttp {\n",
            '/etc/nginx/nginx.conf:1: block "http" is not closed by "}" (is nginx cut?)',
        ),
        (
            "nginx: [emerg] no such thing\n",
            "nginx: nginx -T refused the configuration: no such thing",
        ),
    ],
)
def test_what_nginx_could_not_read_is_2_in_one_sentence(
    main_conf: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder(tmp_path, main_conf=main_conf)
    monkeypatch.chdir(tmp_path)
    assert run("--nginx", "nginx", "--url", URL) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"ssemedic: {said}")
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nginx", "none"], "none: No such file or directory"),
        (["--nginx", "."], "holds no nginx.conf"),
        (["--nginx", "nginx", "--url", "ftp://x/"], "url: is not one a browser opens"),
        (["--nginx", "nginx", "--url", URL, "--origin", "foo"], "must look like https://host"),
        (["--nginx", "nginx", "--url", URL, "--origin", "https://a/"], "origin: is 'https://a/'"),
        (["--nginx", "nginx", "--url", URL + "?access_token=x"], "carries a token"),
        (["--nginx", "nginx", "--nginx-version", "new"], "--nginx-version: 'new' names no version"),
        (["--nginx", "nginx", "--prefix", "nginx"], "--prefix: nginx must be a full path"),
        (["--nginx", "nginx", "--keepalive", "0"], "must be more than 0 seconds"),
        (["--nginx", "nginx", "--keepalive", "nan"], "must be more than 0 seconds"),
        (["--nginx", "nginx", "--build", "nginx/nginx.conf"], "is not what nginx -V prints"),
    ],
)
def test_a_usage_error_is_2_in_one_sentence(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


def test_a_dump_comes_by_file_or_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = (
        "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
        f"# configuration file /etc/nginx/nginx.conf:\n{NGINX_CONF}\n"
        f"# configuration file /etc/nginx/conf.d/chat.conf:\n{BAD}\n"
    )
    (tmp_path / "dump").write_text(dump)
    asked = ("--url", URL, "--brief", "--nginx-version", "1.22.1")
    assert run("--nginx", tmp_path / "dump", *asked) == 1
    of_file = capsys.readouterr().out
    assert of_file.startswith("/etc/nginx/conf.d/chat.conf:5: error: ")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(dump.encode())))
    assert run("--nginx", "-", *asked) == 1
    assert capsys.readouterr().out == of_file


def test_the_version_comes_from_what_nginx_says_of_its_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = tmp_path / "build"
    build.write_text("nginx version: nginx/1.30.0\nconfigure arguments: --with-http_v2_module\n")
    assert run("--nginx", folder(tmp_path, SOME), "--url", URL, "--strict", "--build", build) == 0
    assert capsys.readouterr().out == "nothing found in 1 URL; as nginx 1.30.0\n"


def test_explain_shows_where_each_setting_comes_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    run("--nginx", "nginx", "--url", URL, "--explain", "--nginx-version", "1.22.1")
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["server", "chat.example.org", "nginx/conf.d/chat.conf:1"] in shown
    assert ["location", "/events", "nginx/conf.d/chat.conf:4"] in shown
    assert ["target", "127.0.0.1:8000", "nginx/conf.d/chat.conf:5"] in shown
    assert ["proxy_read_timeout", "1h", "nginx/conf.d/chat.conf:9"] in shown
    assert ["proxy_send_timeout", "60s", "default", "of", "1.22.1"] in shown
    assert ["proxy_set_header", "Connection", '""', "nginx/conf.d/chat.conf:7"] in shown


def test_json_is_of_the_published_form_for_healthy_broken_and_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, Any]] = []
    for number, (name, fault) in enumerate({"": None, **FAULTS}.items()):
        site = healthy(number)
        if fault is not None and fault.plant(site) is None:
            continue
        root = tmp_path / str(number)
        for path, content in site.render().files.items():
            file = root / path.removeprefix("/etc/nginx/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        asked = ["--url", site.url, "--url", "http://nowhere.example:9/", "--format", "json"]
        code = run("--nginx", root, "--nginx-version", site.version, *asked)
        told = json.loads(capsys.readouterr().out)
        Draft202012Validator(SCHEMA).validate(told)
        assert told["exit_code"] == code, name
        seen += told["urls"]
    assert any(one["findings"] for one in seen)
    assert any(one["unknown"] for one in seen)
    assert any(one["change"] for one in seen)


def test_hostile_names_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = BAD.replace("chat.example.org;", 'chat.example.org "\x1b]0;owned\x07\u202e";')
    site = site.replace("Connection close", 'Connection "\x1b]0;x"')
    run("--nginx", folder(tmp_path, site), "--url", URL, "--explain")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b]0" in out


def test_the_page_names_every_option_and_exit_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "analyze.md").read_text()
    parser = argparse.ArgumentParser()
    analyze_arguments.add_arguments(parser)
    for action in parser._actions:
        for option in action.option_strings:
            assert option in text or option in ("-h", "--help"), option
    for line in analyze_arguments.EXIT_CODES.splitlines()[1:]:
        assert re.search(rf"^\| {line.split()[0]} \|", text, re.MULTILINE), line
