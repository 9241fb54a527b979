"""Files are found as the host would find them, wherever they lie here."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssemedic.lint import Configuration, read_configuration
from ssemedic.nginx import ConfigError

HTTP = "events {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n    include snippets/a;\n}\n"


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def names(configuration: Configuration) -> list[str]:
    return list(configuration.tree.sources)


def test_includes_by_absolute_and_relative_names_come_from_the_folder(tmp_path: Path) -> None:
    files = {"nginx.conf": HTTP, "conf.d/b.conf": "", "conf.d/a.conf": "", "snippets/a": ""}
    found = read_configuration(written(tmp_path, files))
    assert names(found) == [
        "/etc/nginx/nginx.conf",
        "/etc/nginx/conf.d/a.conf",
        "/etc/nginx/conf.d/b.conf",
        "/etc/nginx/snippets/a",
    ]
    assert found.path("/etc/nginx/snippets/a") == f"{tmp_path}/snippets/a"
    assert found.here("see /etc/nginx/snippets/a:3, not /etc/nginx/ssemedic/x.conf") == (
        f"see {tmp_path}/snippets/a:3, not /etc/nginx/ssemedic/x.conf"
    )


def test_a_folder_may_be_another_one_on_the_host(tmp_path: Path) -> None:
    main = "http { include /opt/nginx/conf/a; }"
    found = read_configuration(written(tmp_path, {"nginx.conf": main, "a": ""}), "/opt/nginx/conf/")
    assert names(found) == ["/opt/nginx/conf/nginx.conf", "/opt/nginx/conf/a"]


def test_a_link_to_a_name_of_the_host_is_followed_in_the_folder(tmp_path: Path) -> None:
    written(tmp_path, {"nginx.conf": "include sites-enabled/*;", "sites-available/x": "user a;"})
    (tmp_path / "sites-enabled").mkdir()
    (tmp_path / "sites-enabled/x").symlink_to("/etc/nginx/sites-available/x")
    (tmp_path / "sites-enabled/y").symlink_to("../sites-available/x")
    found = read_configuration(tmp_path)
    assert found.tree.notes == ()
    assert names(found)[1:] == ["/etc/nginx/sites-enabled/x", "/etc/nginx/sites-enabled/y"]
    for name in names(found)[1:]:
        assert found.tree.real(name) == "/etc/nginx/sites-available/x"


def test_a_loop_of_links_is_a_note(tmp_path: Path) -> None:
    written(tmp_path, {"nginx.conf": "include a;"})
    (tmp_path / "a").symlink_to("/etc/nginx/a")
    assert "is a loop of links" in read_configuration(tmp_path).tree.notes[0]


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    secret = written(tmp_path / "elsewhere", {"secret": "user a;"}) / "secret"
    main = f"include {secret};\ninclude {secret.parent}/*;\n"
    found = read_configuration(written(tmp_path / "nginx", {"nginx.conf": main}))
    assert names(found) == ["/etc/nginx/nginx.conf"]
    assert "is outside of /etc/nginx, so it is not here" in found.tree.notes[0]


def test_a_file_of_conf_d_alone_stands_in_an_http_block(tmp_path: Path) -> None:
    site = "upstream app { server 127.0.0.1:1; }\nserver { include snippets/a; }\n"
    files = {"conf.d/chat.conf": site, "snippets/a": "listen 81;", "nginx.conf": "broken"}
    found = read_configuration(written(tmp_path, files) / "conf.d/chat.conf")
    assert names(found)[1:] == ["/etc/nginx/conf.d/chat.conf", "/etc/nginx/snippets/a"]
    (http,) = found.tree.blocks("http")
    (server,) = found.tree.blocks("server", http)
    assert server.where == "/etc/nginx/conf.d/chat.conf:2"


def test_a_folder_without_nginx_conf_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no nginx\.conf"):
        read_configuration(tmp_path)


def test_the_files_have_their_own_names_where_the_folder_is_the_hosts(tmp_path: Path) -> None:
    written(tmp_path, {"nginx.conf": "include a;", "a": ""})
    found = read_configuration(tmp_path, str(tmp_path))
    assert names(found) == [f"{tmp_path}/nginx.conf", f"{tmp_path}/a"]
    assert found.here(f"{tmp_path}/a:1") == f"{tmp_path}/a:1"
