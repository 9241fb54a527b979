"""What `nginx -T` prints is read as the files it was made of, and written back byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nginx_corpus import PLAIN
from real_nginx import RealNginx, main_conf

from ssemedic.nginx import (
    ConfigError,
    Directive,
    Dump,
    files_on_disk,
    is_dump,
    read_dump,
    read_tree,
    tree_of,
    tree_of_dump,
)

MAIN = "/etc/nginx/nginx.conf"
OK = (
    b"nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
    b"nginx: configuration file /etc/nginx/nginx.conf test is successful\n"
)


def printed(files: dict[str, bytes]) -> bytes:
    """As nginx.c prints them."""
    return b"".join(
        b"# configuration file " + path.encode() + b":\n" + content + b"\n"
        for path, content in files.items()
    )


def shape(directives: tuple[Directive, ...] | None) -> object:
    return [(d.name, d.args, d.where, shape(d.block)) for d in directives or ()]


FILES = {
    MAIN: b"http {\n# configuration file /etc/nginx/conf.d/a.conf:\ninclude conf.d/*;\n}",
    "/etc/nginx/conf.d/a.conf": b"",
    "/etc/nginx/conf.d/b.conf": b"server {\r\n include /etc/nginx/snippets/x;\r\n}\r\n",
    "/etc/nginx/snippets/x": b"listen 80;\n# configuration file /etc/nginx/nginx.conf:\n\n\n",
    "/etc/nginx/conf.d/c.conf": b"# end",
}


@pytest.mark.parametrize("before", [b"", OK, b"$ sudo nginx -T\n" + OK, b"root@web1:~# nginx -T\n"])
@pytest.mark.parametrize("after", [b"", OK, b"root@web1:~# "])
def test_a_dump_is_its_files_whatever_is_printed_around_it(before: bytes, after: bytes) -> None:
    content = before + printed(FILES) + after
    dump = read_dump(content)
    assert dict(dump.files) == FILES
    assert (dump.main, dump.content) == (MAIN, content)
    held, of_dump = tree_of(FILES, MAIN), tree_of_dump(dump)
    assert of_dump.includes == held.includes
    for path, source in held.sources.items():
        assert shape(of_dump.sources[path].directives) == shape(source.directives)


def test_nginx_prints_what_we_take_for_a_dump(nginx: RealNginx, tmp_path: Path) -> None:
    """Empty files, none with a line break at the end, one twice, links, lines like marks."""
    main = tmp_path / "nginx.conf"
    inside = (
        f"\n# configuration file {tmp_path}/sites/a:\ninclude sites/*; include {tmp_path}/sni*;\n"
        "include none/*;\nserver { listen 127.0.0.1:1; include snip; include empty; }"
    )
    main.write_text(main_conf(tmp_path, inside).rstrip())
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/a").write_bytes(b"# configuration file /x:\n#\xff\xfe no line break")
    (tmp_path / "sites/b").symlink_to("../target")
    (tmp_path / "target").write_text("tcp_nopush on;\n\n\n")
    (tmp_path / "snip").write_bytes(b"charset utf-8;\r\n")
    (tmp_path / "empty").touch()
    command = [nginx.binary, "-T", "-p", tmp_path, "-c", main]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    dump = read_dump(done.stderr + done.stdout)
    assert [Path(path).name for path, _ in dump.files] == ["nginx.conf", "a", "b", "snip", "empty"]
    for path, content in dump.files:
        assert Path(path).read_bytes() == content
    disk = read_tree(str(main), lambda path: Path(path).read_bytes(), files_on_disk)
    assert tree_of_dump(dump).includes == disk.includes
    assert list(tree_of_dump(dump).sources) == list(disk.sources)


def test_a_dump_that_nginx_refused_names_the_reason(nginx: RealNginx, tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text("error_log stderr;\nhttp { unheard_of 1; }\n")
    command = [nginx.binary, "-T", "-p", tmp_path, "-c", main]
    done = subprocess.run(command, capture_output=True, check=False, timeout=20)
    with pytest.raises(ConfigError, match=r'refused the configuration: .*"unheard_of"'):
        read_dump(done.stderr + done.stdout)


def test_a_dump_with_the_line_ends_of_windows_keeps_them() -> None:
    content = printed({MAIN: b"include a;\n", "/etc/nginx/a": b"user b;\n"})
    content = content.replace(b"\n", b"\r\n")
    dump = read_dump(content)
    assert dict(dump.files) == {MAIN: b"include a;\r\n", "/etc/nginx/a": b"user b;\r\n"}
    assert dump.content == content


def test_a_dump_whose_last_line_breaks_got_lost_is_still_one() -> None:
    content = printed({MAIN: b"include a;\n", "/etc/nginx/a": b"user b;\n"}).rstrip()
    dump = read_dump(content)
    assert dump.files[1] == ("/etc/nginx/a", b"user b;")
    assert dump.content == content


def test_a_path_may_hold_spaces_colons_and_bytes_that_are_no_utf_8() -> None:
    name = b"/etc/nginx/a b:c\xff:"
    content = b'# configuration file /etc/nginx/nginx.conf:\ninclude "a b:c\xff:";\n'
    content += b"\n# configuration file " + name + b":\nuser a;\n"
    dump = read_dump(content)
    assert dump.files[1][0] == name.decode("utf-8", "surrogateescape")
    assert dump.content == content
    assert len(tree_of_dump(dump).sources) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "d: is empty, must be what nginx -T prints"),
        (b"http { }\n", 'd:1: must be "# configuration file PATH:", as nginx -T prints'),
        (OK + b"http {\n", 'd:3: must be "# configuration file PATH:", as nginx -T prints'),
        (OK, "d: holds what nginx says beside the dump, and no file"),
        (b"# configuration file nginx.conf:\n", 'd:1: must be "# configuration file PATH:"'),
    ],
)
def test_what_is_no_dump_is_said_in_one_sentence(content: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_dump(content, "d")
    assert str(raised.value).startswith(said)


def test_a_dump_cut_anywhere_before_its_last_file_is_an_error() -> None:
    files = {
        MAIN: b"http {\n  include a;\n  include b;\n}\n",
        "/etc/nginx/a": b"server {\n  listen 80;\n}\n",
        "/etc/nginx/b": b"server {\n  listen 81;\n}\n",
    }
    content = printed(files)
    for length in range(1, len(content) - 1):
        cut = content[:length]
        if cut.rstrip() == content.rstrip() or cut.rstrip().endswith(b"/b:"):
            continue  # whole, or the last file is taken for empty
        with pytest.raises(ConfigError, match=r"cut|must be"):
            tree_of_dump(read_dump(cut))


def test_a_mark_inside_a_file_counts_only_where_a_file_can_begin() -> None:
    files = {
        MAIN: b"include a;\ninclude b;\n# configuration file /etc/nginx/c:\n",
        "/etc/nginx/a": b"events {\n# configuration file /etc/nginx/b:\n}\n",
        "/etc/nginx/b": b"# configuration file /etc/nginx/a:\n\n" * 2,
    }
    assert dict(read_dump(printed(files)).files) == files


def test_a_flood_of_marks_is_refused_in_time() -> None:
    content = printed({MAIN: b"# configuration file /x:\n" * 5000})
    with pytest.raises(ConfigError, match=r"^dump:\d+: no include names /x$"):
        read_dump(content)


def test_a_plain_configuration_is_no_dump() -> None:
    assert not is_dump(b"user www-data;\n# configuration file /etc/nginx/nginx.conf:\n")
    assert is_dump(printed(FILES))
    assert is_dump(OK + printed(FILES))
    assert is_dump(b"nginx: [emerg] x\n")


@given(
    st.dictionaries(
        st.sampled_from(["a", "b.conf", "sub/c", "d e"]),
        st.sampled_from([*PLAIN.values(), b"", b"\n", b"# configuration file /etc/nginx/a:"]),
    )
)
def test_any_files_are_the_same_from_their_dump(extra: dict[str, bytes]) -> None:
    include = "".join(f'include "{name}";\n' for name in extra).encode()
    files = {MAIN: include, **{f"/etc/nginx/{name}": text for name, text in extra.items()}}
    if any(b"include " in text for text in extra.values()):
        return  # those of the corpus lead elsewhere
    dump = read_dump(printed(files))
    assert dump.content == printed(files)
    assert isinstance(dump, Dump)
    assert dict(dump.files) == files


pieces = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b"# configuration file /etc/nginx/a:", b"include *;", b"}", b" ",
         b"# configuration file /b:\r\n", b"nginx: [warn] x\n", b"events {", b"\xff", OK]
    ),
    max_size=20,
)  # fmt: skip


@given(pieces, st.sampled_from([b"\n", b"\r\n"]))
def test_any_bytes_after_the_first_mark_are_written_back(parts: list[bytes], eol: bytes) -> None:
    content = b"# configuration file /etc/nginx/nginx.conf:" + eol + b"".join(parts)
    assert read_dump(content).content == content
