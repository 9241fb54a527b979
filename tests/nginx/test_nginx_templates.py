"""What the templates render loads in a real nginx and does what its comments say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
from test_nginx_adopt import ENVIRONMENT, TEMPLATES

from ssemedic.nginx import parse, quoted, statement
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
