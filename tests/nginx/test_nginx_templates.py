"""What the templates render loads in a real nginx and does what its comments say."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from real_nginx import RealNginx, main_conf, running
from test_nginx_adopt import ENVIRONMENT, TEMPLATES

from ssemedic.nginx import parse, quoted, route, statement, tree_of
from ssemedic.nginx.ours import Line, lines_of, rendered

AWKWARD = (
    "", "a b", 'say "x"', "back\\slash", "\\d+\\.php", "it's", "tab\tinside", "#no", "a#b", "100%",
    "$host", "x;y", "{z}", "café €", "*", "~*", "'", '"', "\\", "\\n",
)  # fmt: skip


def stream_conf(location: str | None, *lines: Line) -> str:
    return ENVIRONMENT.get_template("stream.conf.j2").render(
        sse_nginx_directives=[vars(line) for line in lines], sse_nginx_location=location
    )


@pytest.mark.parametrize("value", AWKWARD)
@pytest.mark.parametrize("location", [None, "^~ /events"])
def test_a_value_is_read_back_as_it_was_given(value: str, location: str | None) -> None:
    line = Line("add_header", ("X-A", value, "always"), "inherited", "why; { } \"'")
    text = stream_conf(location, line, Line("gzip", ("off",), "some_cause"))
    source = parse("ours.conf", text.encode())
    block = source.directives[0].block if location else source.directives
    assert block is not None
    assert lines_of(source, block) == (line, Line("gzip", ("off",), "some_cause"))


@pytest.mark.parametrize("value", AWKWARD)
def test_the_model_renders_as_the_template_does(value: str) -> None:
    line = Line("add_header", ("X-A", value), "inherited", "why")
    for location in (None, "^~ /x"):
        assert stream_conf(location, line).endswith(rendered((line,), location).decode())
    assert parse("a", (statement("a", (value,))).encode()).directives[0].args == (value,)
    assert quoted("off") == "off"


@pytest.mark.parametrize("value", ["a;b", "a{b", "a}b", "a\nb", "a\rb", "a\x00b"])
def test_the_template_refuses_what_could_break_out(value: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match="in an nginx argument is refused"):
        stream_conf(None, Line("add_header", ("X", value), "some_cause"))


@pytest.mark.parametrize("value", ["a\nb", "a\x00b"])
def test_a_line_break_is_refused_in_repeated_lines_too(value: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match="in an nginx argument is refused"):
        stream_conf(None, Line("add_header", ("X", value), "inherited"))


def test_ansible_renders_the_same_text_and_refuses_the_same(tmp_path: Path) -> None:
    lines = [Line("proxy_set_header", ("Connection", ""), "a_cause", "why"),
             Line("add_header", ("X", 'a "b"; \\d'), "inherited")]  # fmt: skip
    values = {
        "sse_nginx_directives": [{**vars(x), "args": list(x.args)} for x in lines],
        "sse_nginx_location": None,
        "ansible_python_interpreter": sys.executable,
    }
    bad = [{"name": "add_header", "args": ["X", "a;b"], "cause": "c", "why": ""}]
    playbook = [{
        "hosts": "localhost", "gather_facts": False, "connection": "local", "vars": values,
        "tasks": [{"ansible.builtin.template": {
            "src": str(TEMPLATES / "stream.conf.j2"), "dest": str(tmp_path / "out"), "mode": "0644",
        }}, {"ansible.builtin.template": {
            "src": str(TEMPLATES / "stream.conf.j2"), "dest": str(tmp_path / "bad"), "mode": "0644",
        }, "vars": {"sse_nginx_directives": bad}}],
    }]  # fmt: skip
    (tmp_path / "play.yml").write_text(json.dumps(playbook))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "play.yml"],
        check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert (tmp_path / "out").read_text() == stream_conf(None, *lines)
    assert "; in an nginx argument is refused" in done.stdout + done.stderr
    assert not (tmp_path / "bad").exists()


def site(**changes: Any) -> str:
    values: dict[str, Any] = {
        "sse_nginx_site": "chat",
        "sse_nginx_listen": ["127.0.0.1:8080"],
        "sse_nginx_server_names": ["chat.example.org"],
        "sse_nginx_upstreams": ["127.0.0.1:8000"],
        "sse_nginx_path": "/events",
        **changes,
    }
    return ENVIRONMENT.get_template("site.conf.j2").render(values)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate; its key stands beside it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
         "-subj", "/CN=chat.example.org"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return folder / "cert.pem"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sse_nginx_upstreams": ["unix:/run/a.sock", "[::1]:8000"], "sse_nginx_web_root": "/srv"},
        {"sse_nginx_origins": ["https://a.example", "http://localhost:3000"]},
        {"sse_nginx_token_parameters": ["access_token", "token"]},
        {"sse_nginx_api_paths": ["/api/", "/health"], "sse_nginx_token_parameters": []},
        {"tls": True},
        {"tls": True, "sse_nginx_origins": ["https://a.example"]},
    ],
)
def test_a_whole_site_loads(
    nginx: RealNginx, tmp_path: Path, certificate: Path, changes: dict[str, Any]
) -> None:
    changes = dict(changes)
    if changes.pop("tls", False):
        changes["sse_nginx_tls_certificate"] = str(certificate)
        changes["sse_nginx_tls_key"] = str(certificate.with_name("key.pem"))
    text = site(sse_nginx_log_dir=str(tmp_path), sse_nginx_version=nginx.version, **changes)
    main = tmp_path / "nginx.conf"
    main.write_text(main_conf(tmp_path, text))
    tested = nginx.test(main)
    assert (tested.returncode, tested.stderr) == (0, "")


def test_http2_is_a_directive_from_1_25_1_on() -> None:
    tls = {"sse_nginx_tls_certificate": "/c", "sse_nginx_tls_key": "/k"}
    assert "8080 ssl http2;" in site(sse_nginx_version="1.22.1", **tls)
    assert "http2 on;" in site(sse_nginx_version="1.26.3", **tls)
    assert "http2" not in site(sse_nginx_version="1.26.3")


def test_the_stream_location_of_a_whole_site_has_every_setting() -> None:
    tree = tree_of({"/m": f"http {{ {site()} }}".encode()}, "/m")
    found = route(tree, "http://chat.example.org:8080/events?access_token=x", "1.22.1")
    got = {
        name: found.setting(name).values[0][0]
        for name in ("proxy_buffering", "proxy_http_version", "proxy_read_timeout", "gzip")
    }
    assert got == {
        "proxy_buffering": "off", "proxy_http_version": "1.1", "proxy_read_timeout": "1h",
        "gzip": "off",
    }  # fmt: skip
    assert found.setting("proxy_set_header").keyed("Connection") == ("",)
    assert found.uri_passed == "/events?access_token=x"
    assert [(t.host, t.port) for t in found.targets] == [("127.0.0.1", 8000)]


@pytest.fixture
def served(nginx: RealNginx, echo: int, free_port: int, tmp_path: Path) -> Iterator[int]:
    text = site(
        sse_nginx_listen=[f"127.0.0.1:{free_port}"],
        sse_nginx_upstreams=[f"127.0.0.1:{echo}"],
        sse_nginx_origins=["https://app.example"],
        sse_nginx_token_parameters=["access_token", "ticket"],
        sse_nginx_log_dir=str(tmp_path),
    )
    main = tmp_path / "nginx.conf"
    main.write_text(main_conf(tmp_path, text))
    process = running(nginx, main, free_port)
    yield free_port
    process.terminate()
    process.wait(10)


def ask(port: int, target: str, origin: str, method: str = "GET") -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, target, headers={"Host": "chat.example.org", "Origin": origin})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}


def test_only_listed_origins_may_read_the_stream(served: int) -> None:
    allowed = ask(served, "/events", "https://app.example")[1]
    assert allowed["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in ask(served, "/events", "https://evil.example")[1]
    status, headers = ask(served, "/events", "https://app.example", "OPTIONS")
    assert (status, headers["access-control-allow-origin"]) == (204, "https://app.example")


def test_the_access_log_keeps_no_token(served: int, tmp_path: Path) -> None:
    queries = (
        "access_token=SECRET1",
        "a=1&access_token=SECRET2&b=2",
        "ticket=SECRET3&access_token=SECRET4",
        "access_token=SECRET5&access_token=SECRET6",
    )
    for query in queries:
        assert ask(served, f"/events?{query}", "https://app.example")[0] == 200
    log = tmp_path / "chat.access.log"
    for _ in range(100):
        if log.exists() and log.read_text().count("\n") >= 4:
            break
        time.sleep(0.02)
    text = log.read_text()
    assert text.count("GET /events?") == 4
    assert "a=1&access_token=***&b=2" in text
    assert "SECRET" not in text
