"""Includes are followed as nginx follows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssemedic.nginx import ConfigError, Tree, files_on_disk, read_tree, tree_of

MAIN = "/etc/nginx/nginx.conf"


def names(tree: Tree) -> list[str]:
    (http,) = tree.blocks("http")
    return [d.args[0] for d in tree.flat(http.block)]


def test_a_glob_brings_files_in_byte_order_and_not_the_hidden_ones() -> None:
    files = {
        MAIN: b"http { root first; include conf.d/*.conf; root last; }",
        "/etc/nginx/conf.d/b.conf": b"root b;",
        "/etc/nginx/conf.d/a.conf": b"root a;",
        "/etc/nginx/conf.d/B.conf": b"root B;",
        "/etc/nginx/conf.d/.hidden.conf": b"root hidden;",
        "/etc/nginx/conf.d/sub/x.conf": b"root sub;",
        "/etc/nginx/conf.d/a.conf.bak": b"root bak;",
    }
    assert names(tree_of(files, MAIN)) == ["first", "B", "a", "b", "last"]


def test_collected_files_and_the_disk_give_the_same_tree(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    main = tmp_path / "nginx.conf"
    main.write_text("http { include sites/*; include sites/[ab]*; include sites/?; }")
    for name in ("b", "a1", ".x", "c"):
        (tmp_path / "sites" / name).write_text(f"root {name};")
    disk = read_tree(str(main), lambda p: Path(p).read_bytes(), files_on_disk)
    held = tree_of({str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}, str(main))
    assert names(disk) == names(held) == ["a1", "b", "c", "a1", "b", "b", "c"]


def test_an_include_without_match_is_fine_a_missing_file_is_a_note() -> None:
    tree = tree_of({MAIN: b"http {\n include none/*; include snippets/gone.conf; root r; }"}, MAIN)
    assert names(tree) == ["r"]
    assert tree.notes == (
        f"{MAIN}:2: include /etc/nginx/snippets/gone.conf cannot be read: "
        "is not among the collected files",
    )


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({MAIN: b"include nginx.conf;"}, f"{MAIN}:1: include cycle {MAIN} -> {MAIN}"),
        (
            {MAIN: b"include a;", "/etc/nginx/a": b"\ninclude b;", "/etc/nginx/b": b"include a;"},
            "/etc/nginx/b:1: include cycle /etc/nginx/a -> /etc/nginx/b -> /etc/nginx/a",
        ),
        ({MAIN: b"include;"}, f"{MAIN}:1: include takes exactly one argument"),
    ],
)
def test_a_cycle_is_an_error(files: dict[str, bytes], text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        tree_of(files, MAIN)
    assert str(raised.value) == text


def test_a_missing_main_file_is_an_error() -> None:
    with pytest.raises(ConfigError, match=f"^{MAIN}:1: cannot be read"):
        tree_of({}, MAIN)


def test_a_snippet_used_twice_is_read_once_and_counts_twice() -> None:
    files = {MAIN: b"http { include s; include s; }", "/etc/nginx/s": b"root s;"}
    tree = tree_of(files, MAIN)
    assert names(tree) == ["s", "s"]
    assert len(tree.uses("/etc/nginx/s")) == 2


def test_a_symlink_is_read_by_its_own_path_and_written_at_its_target() -> None:
    files = {MAIN: b"http { include sites-enabled/*; }", "/etc/nginx/sites-enabled/x": b"root x;"}
    tree = tree_of(files, MAIN, {"/etc/nginx/sites-enabled/x": "../sites-available/x"})
    assert names(tree) == ["x"]
    assert tree.real("/etc/nginx/sites-enabled/x") == "/etc/nginx/sites-available/x"
