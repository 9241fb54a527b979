"""Includes are followed as nginx follows them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ssemedic.nginx import ConfigError, Tree, endpoints, files_on_disk, read_tree, tree_of

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


def test_lines_are_those_of_one_name_in_one_block_includes_followed() -> None:
    files = {
        MAIN: b"user a; http { root 1; include s; server { root 2; } root 3; }",
        "/etc/nginx/s": b"root s; index x;",
    }
    tree = tree_of(files, MAIN)
    (http,) = tree.blocks("http")
    assert [d.args[0] for d in tree.lines(http, "root")] == ["1", "s", "3"]
    assert [d.args for d in tree.lines(None, "user")] == [("a",)]
    assert tree.lines(http, "user") == ()
    assert tree.lines(http, "root") is tree.lines(http, "root")


def test_what_is_worked_out_once_is_kept_for_its_tree_alone() -> None:
    one, other = tree_of({MAIN: b"user a;"}, MAIN), tree_of({MAIN: b"user b;"}, MAIN)
    made: list[str] = []

    def of(tree: Tree) -> str:
        return tree.once("user", lambda: made.append("x") or tree.lines(None, "user")[0].args[0])

    assert [of(one), of(other), of(one), of(other)] == ["a", "b", "a", "b"]
    assert len(made) == 2


def test_includes_that_nest_too_deep_are_an_error_not_a_crash() -> None:
    files = {f"/etc/nginx/{n}": f"include {n + 1};".encode() for n in range(3000)}
    with pytest.raises(ConfigError, match=r"^/etc/nginx/\d+:1: includes nest deeper than 100$"):
        tree_of({MAIN: b"include 0;", **files}, MAIN)


def test_a_few_files_that_include_each_other_again_and_again_are_an_error() -> None:
    files = {f"/etc/nginx/{n}": f"include {n + 1}; include {n + 1};".encode() for n in range(40)}
    files["/etc/nginx/40"] = b"root x;"
    with pytest.raises(ConfigError, match="includes open files more than 100000 times"):
        tree_of({MAIN: b"include 0;", **files}, MAIN)


def test_an_include_is_relative_to_the_main_file_as_it_is_named() -> None:
    files = {"a.conf": b"http { include sub/x; }", "sub/x": b"include y;", "y": b"root r;"}
    assert names(tree_of(files, "a.conf")) == ["r"]
    files = {f"/etc//nginx/{name}": text for name, text in files.items()}
    assert names(tree_of(files, "/etc//nginx/a.conf")) == ["r"]


def test_a_configuration_with_many_servers_takes_time_in_proportion() -> None:
    def seconds(servers: int) -> float:
        site = (
            "server {{ listen 80; server_name s{n}; location /events {{ proxy_pass http://a; }} }}"
        )
        http = "http {" + "".join(site.format(n=n) for n in range(servers)) + "}"
        began = time.process_time()
        tree = tree_of({MAIN: http.encode()}, MAIN)
        assert len(endpoints(tree, "1.22.1")) == servers
        return time.process_time() - began

    seconds(50)
    few, many = seconds(200), seconds(1600)
    assert many < 20 * few  # 8 times as many; the square would be 64
