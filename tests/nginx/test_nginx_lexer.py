"""Every byte of a file is accounted for, and the words are those that nginx reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import crossplane
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nginx_corpus import BROKEN, LUA, PLAIN
from real_nginx import RealNginx

from ssemedic.nginx import ConfigError, Directive, Source, parse, tokens

#: What crossplane reads otherwise than nginx; the tests with nginx itself cover these.
CROSSPLANE_DIFFERS = {
    "nul and control",  # takes more characters for space
    "carriage return alone",  # ends comments there
    "variables with braces",  # takes the space behind "${x}" into the word
    "closing brace in a word",  # ends the word there
}
Shape = list[tuple[str, list[str], int, Any]]


def shape(directives: tuple[Directive, ...]) -> Shape:
    """Names, unquoted arguments, lines and blocks."""
    return [
        (d.name, list(d.args), d.line, None if d.block is None else shape(d.block))
        for d in directives
    ]


def rebuilt(source: Source) -> bytes:
    """The file put together from its directives and what lies between them; asserts that
    nothing but spaces and comments does."""
    return _rebuilt(source, source.directives, 0, len(source.content))


def _rebuilt(source: Source, directives: tuple[Directive, ...], start: int, end: int) -> bytes:
    out, pos = [], start
    for directive in directives:
        out.append(trivia(source.content[pos : directive.start]))
        if directive.block is None or directive.lua:
            out.append(source.content[directive.start : directive.end])
        else:
            out.append(source.content[directive.start : directive.open + 1])
            out.append(_rebuilt(source, directive.block, directive.open + 1, directive.close))
            out.append(source.content[directive.close : directive.end])
        pos = directive.end
    out.append(trivia(source.content[pos:end]))
    return b"".join(out)


def trivia(raw: bytes) -> bytes:
    for line in raw.split(b"\n"):
        text = line.strip(b" \t\r")
        assert not text or text.startswith(b"#"), f"{raw!r} is neither space nor comment"
    return raw


@pytest.mark.parametrize("name", [*PLAIN, *LUA])
def test_written_back_the_file_has_the_same_bytes(name: str) -> None:
    content = {**PLAIN, **LUA}[name]
    assert b"".join(token.raw for token in tokens("a.conf", content)) == content
    assert rebuilt(parse("a.conf", content)) == content


@pytest.mark.parametrize(
    "name",
    [name for name in PLAIN if name not in CROSSPLANE_DIFFERS],
)
def test_crossplane_reads_the_same_structure(name: str, tmp_path: Path) -> None:
    content = PLAIN[name]
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("latin-1").encode()
    path = tmp_path / "a.conf"
    path.write_bytes(content)
    payload = crossplane.parse(
        str(path), single=True, strict=False, check_ctx=False, check_args=False
    )
    assert payload["errors"] == []
    ours = shape(parse("a.conf", content).directives)
    assert normalised(ours) == from_crossplane(payload["config"][0]["parsed"])


def normalised(directives: Shape) -> Shape:
    """crossplane strips the parentheses of `if`, and knows no escapes but quotes."""
    out = []
    for name, args, line, block in directives:
        if name == "if":
            args = [args[0].lstrip("("), *args[1:]]
            args[-1] = args[-1].removesuffix(")")
            args = [arg for arg in args if arg]
        args = [plain(arg) for arg in args]
        out.append((name, args, line, None if block is None else normalised(block)))
    return out


def plain(text: str) -> str:
    """The text without what the two treat differently: the escapes nginx resolves."""
    for escape in ("\\n", "\\t", "\\r", '\\"', "\\'", "\\\\", "\n", "\t", "\r", "\\"):
        text = text.replace(escape, "")
    return text.replace('"', "").replace("'", "")


def from_crossplane(parsed: list[dict[str, Any]]) -> Shape:
    return [
        (
            d["directive"],
            [plain(arg) for arg in d["args"]],
            d["line"],
            from_crossplane(d["block"]) if "block" in d else None,
        )
        for d in parsed
        if d["directive"] != "#"
    ]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_one_error_with_file_and_line(content: bytes) -> None:
    with pytest.raises(ConfigError) as raised:
        parse("broken.conf", content)
    assert str(raised.value) == BROKEN[content]


def test_nginx_itself_refuses_what_we_call_broken(nginx: RealNginx, tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    for content in BROKEN:
        if b"lua" in content or content.count(b"{") > 100:
            continue  # not in this build; a limit of ours
        main.write_bytes(b"events {}\n" + content)
        assert nginx.test(main).returncode != 0, content


def test_nginx_reads_a_quoted_value_as_we_do(nginx: RealNginx, tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    for raw, read in (
        (r'"a\"b.log"', 'a"b.log'),
        (r"'a\'b.log'", "a'b.log"),
        (r"a\ b.log", r"a\ b.log"),
    ):
        root = tmp_path / "x"
        root.mkdir(exist_ok=True)
        main.write_text(f"error_log {raw};\nevents {{}}\n")
        nginx.test(main)
        assert (tmp_path / read).exists(), raw
        assert parse("a", f"error_log {raw};".encode()).directives[0].args == (read,)


def test_nginx_takes_braces_inside_words_as_we_do(nginx: RealNginx, tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    for raw, read in (("x}y.log", "x}y.log"), ("${a}{.log", None), ("x}}.log", "x}}.log")):
        main.write_text(f"error_log {raw};\nevents {{}}\n")
        nginx.test(main)
        if read is None:
            with pytest.raises(ConfigError):
                parse("a", main.read_bytes())
        else:
            assert (tmp_path / read).exists(), raw
            assert parse("a", main.read_bytes()).directives[0].args == (read,)


def test_arguments_are_unquoted_as_nginx_does() -> None:
    (header, *_), (last,) = (
        parse("a", b'add_header X "a\\"b\\\\c\\td\\.e" always;').directives,
        parse("a", b"return 200 'x y';").directives,
    )
    assert header.args == ("X", 'a"b\\c\td\\.e', "always")
    assert last.args == ("200", "x y")


def test_a_directive_knows_where_it_stands() -> None:
    content = b"# one\nserver {\n\n  listen\n 80; }\n"
    server = parse("/etc/nginx/a", content).directives[0]
    assert server.block is not None
    listen = server.block[0]
    assert (server.where, listen.where) == ("/etc/nginx/a:2", "/etc/nginx/a:4")
    assert content[listen.start : listen.end] == b"listen\n 80;"
    assert content[server.open : server.open + 1] + content[server.close : server.end] == b"{}"


space = st.sampled_from([" ", "\n", "\t", "\r\n", "  # note ; } {\n", "\n\n", " #\n"])
bare = st.text(alphabet="abcXYZ09_./:=~^*$()[]|?,+-@%&<>!é€", min_size=1, max_size=8).filter(
    lambda text: "_by_lua_block" not in text
)
quoted_text = st.text(
    alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=10
)


@st.composite
def word(draw: st.DrawFn) -> tuple[str, str]:
    """A word as written, and its value."""
    if draw(st.booleans()):
        value = draw(bare)
        return value, value
    value, mark = draw(quoted_text), draw(st.sampled_from("\"'"))
    return mark + value.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark, value


@st.composite
def statements(draw: st.DrawFn, depth: int = 3) -> tuple[str, list[Any]]:
    """Directives as written, and what they say: (name, args, block)."""
    text, said = draw(st.sampled_from(["", " ", "\n"])), []
    for _ in range(draw(st.integers(0, 4))):
        words = [draw(word()) for _ in range(draw(st.integers(1, 4)))]
        text += "".join(raw + draw(space) for raw, _ in words)
        name, *args = (value for _, value in words)
        if depth and draw(st.booleans()):
            inner, block = draw(statements(depth - 1))
            text += "{" + inner + "}"
            said.append((name, args, block))
        else:
            text += ";"
            said.append((name, args, None))
        text += draw(st.sampled_from(["", " ", "\n", "# end\n", "\r\n\t"]))
    return text, said


def told(directives: tuple[Directive, ...]) -> list[Any]:
    return [(d.name, list(d.args), None if d.block is None else told(d.block)) for d in directives]


@given(statements())
def test_any_grammatical_file_is_read_as_meant_and_loses_nothing(written: tuple[str, Any]) -> None:
    text, said = written
    content = text.encode()
    source = parse("a.conf", content)
    assert told(source.directives) == said
    assert rebuilt(source) == content
    assert b"".join(token.raw for token in tokens("a.conf", content)) == content


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_in_one_way(content: bytes) -> None:
    try:
        source = parse("a.conf", content)
    except ConfigError as error:
        assert str(error).startswith("a.conf:")
        return
    assert rebuilt(source) == content


@pytest.mark.parametrize(
    "piece",
    [
        b" ", b"#", b"# a\n", b"a ", b"a", b"\\", b"$", b"${", b"a$ ", b'"x" ', b"a b#c;", b"a{}",
        b'a "b"c ', b"a${b ", b'"', b"a 'b' $", b"x_by_lua_block{}", b"a_by_lua_block{[=[ ]",
        b"a_by_lua_block{--[[ ", b'a ";" ',
    ],
)  # fmt: skip
def test_a_long_file_takes_time_in_proportion_whatever_is_in_it(piece: bytes) -> None:
    """Each took minutes where a pattern could match in two ways."""
    for tail in (b"", b"a b;", b"}", b'"'):
        began = time.process_time()
        try:
            parse("a.conf", piece * (100_000 // len(piece)) + tail)
        except ConfigError as error:
            assert str(error).startswith("a.conf:")
        assert time.process_time() - began < 2.0


def test_a_long_bracket_of_lua_that_is_never_closed_is_an_error() -> None:
    for lua in (b"[==[ } ]=]", b"--[[ } ", b"x = [[ }"):
        with pytest.raises(ConfigError, match="Lua block is not closed"):
            parse("a.conf", b"content_by_lua_block { " + lua + b" }\n}")


def test_the_words_of_every_kind_of_statement_are_found_when_asked_for() -> None:
    content = (
        b'a b c;\na "b" c;\na \'b c\' d;\na b"c d;\na b # x\n c;\na ${b}c $d;\n'
        b'"a" b;\na\\ b c;\na \xe9 \xa0 b\x0bc;\na "\xc3\xa9";\na\tb\r\nc{d e;}\n'
    )
    found = parse("a", content).directives
    assert [(d.name, *d.args) for d in found] == [
        ("a", "b", "c"), ("a", "b", "c"), ("a", "b c", "d"), ("a", 'b"c', "d"), ("a", "b", "c"),
        ("a", "${b}c", "$d"), ("a", "b"), ("a\\ b", "c"), ("a", "\udce9", "\udca0", "b\x0bc"),
        ("a", "\u00e9"), ("a", "b", "c"),
    ]  # fmt: skip
    assert [d.line for d in found] == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]


def test_a_directive_is_itself_and_no_other() -> None:
    first, second = parse("a", b"x y;x y;").directives
    assert (first.name, first.args) == (second.name, second.args)
    assert first != second
    assert len({first, second, first}) == 2


def test_a_source_knows_its_includes_wherever_they_stand() -> None:
    source = parse("a", b'include x; b { include y; c_by_lua_block { include z; } "include" w; }')
    assert [d.args[0] for d in source.includes] == ["x", "y", "w"]
