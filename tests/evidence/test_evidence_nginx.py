"""What runs as nginx, how it was built, and where it logs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from ansible.module_utils.sse_host import nginx, streams
from ansible.module_utils.sse_host.limits import Limits, UnavailableError

DEBIAN = """\
nginx version: nginx/1.22.1
built with OpenSSL 3.0.8 7 Feb 2023 (running with OpenSSL 3.0.19 27 Jan 2026)
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2 -fPIC' --with-ld-opt='-Wl,-z,relro' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --http-log-path=/var/log/nginx/access.log --error-log-path=stderr --pid-path=/run/nginx.pid --with-compat
"""  # noqa: E501
PLAIN = "nginx version: openresty/1.25.3.1\nconfigure arguments: --prefix=/opt/or/nginx\n"


def test_debians_build_is_read() -> None:
    built = nginx.parse_build(DEBIAN)
    assert built.version == "1.22.1"
    assert built.prefix == "/usr/share/nginx"
    stopped = nginx.Instance("/usr/sbin/nginx", None, None, None)
    assert nginx.main_file(stopped, built) == "/etc/nginx/nginx.conf"


def test_a_build_with_defaults_counts_from_its_prefix() -> None:
    built = nginx.parse_build(PLAIN)
    running = nginx.Instance("/opt/or/nginx/sbin/nginx", 9, "conf/site.conf", None)
    assert built.version == "1.25.3.1"
    assert nginx.main_file(running, built) == "/opt/or/nginx/conf/site.conf"
    assert nginx.log_paths({}, built, None) == {
        "error_log": ["/opt/or/nginx/logs/error.log"],
        "access_log": ["/opt/or/nginx/logs/access.log"],
    }


def test_something_else_is_no_nginx() -> None:
    with pytest.raises(UnavailableError, match="printed no version"):
        nginx.parse_build("Server version: Apache/2.4.57\n")


def test_log_files_are_found_where_directives_name_them_and_nowhere_else() -> None:
    config = b"""
error_log /var/log/nginx/error.log warn;
# error_log /var/log/nginx/commented.log;
http { access_log "/var/log/nginx/my access.log" main; log_format error_log_format x;
  server { access_log off; error_log stderr; access_log /var/log/nginx/$host.log;
    location / { access_log logs/rel.log; error_log syslog:server=unix:/dev/log; }
"""
    built = nginx.parse_build(DEBIAN)
    assert nginx.log_paths({"/etc/nginx/nginx.conf": config}, built, None) == {
        "error_log": ["/var/log/nginx/error.log"],
        "access_log": ["/var/log/nginx/my access.log", "/usr/share/nginx/logs/rel.log"],
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="nginx -t is run by root only")
def test_testing_a_stopped_nginx_leaves_nothing_behind(
    tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx, "_started_meanwhile", lambda: False)  # others may run here
    main = tmp_path / "nginx.conf"
    main.write_text(
        f"pid {tmp_path}/n.pid;\nerror_log {tmp_path}/e.log;\nevents {{}}\n"
        f"http {{ access_log {tmp_path}/a.log; }}\n"
    )
    stopped = nginx.Instance(shutil.which("nginx") or "", None, None, None)
    config = nginx.configuration(str(main), limits)
    opens = nginx.opened_files(config, nginx.build(stopped, limits), None)
    assert opens == [str(tmp_path / name) for name in ("n.pid", "e.log", "a.log")]
    tested, output = nginx.test(stopped, str(main), opens, limits)
    assert tested is True and "syntax is ok" in output
    assert [path.name for path in tmp_path.iterdir()] == ["nginx.conf"]


def write(folder: Path, **contents: str) -> str:
    for name, text in contents.items():
        (folder / f"{name}.conf").write_text(text)
    return str(folder / "nginx.conf")


SITE = """
upstream notify { server 127.0.0.1:8000 down; server 127.0.0.1:8001; }
server { listen 8080; listen 8443 ssl; server_name chat.example.org;
  location /events { proxy_pass http://notify/stream; }
  location /modern { proxy_http_version 1.1; proxy_pass http://unix:/run/n.sock; }
  location / { root /var/www; } }
"""


def read(folder: Path, limits: Limits) -> nginx.Config:
    return nginx.configuration(
        write(folder, nginx="events {} http { include site.conf; }", site=SITE), limits
    )


def test_the_configuration_is_read_byte_for_byte(tmp_path: Path, limits: Limits) -> None:
    config = read(tmp_path, limits)
    assert config.contents[str(tmp_path / "site.conf")] == SITE.encode()
    assert config.tree is not None and config.missing == {}


def test_the_way_leads_to_the_living_server_of_an_upstream(tmp_path: Path, limits: Limits) -> None:
    tree = read(tmp_path, limits).tree
    assert streams.way(tree, "http://chat.example.org:8080/events?v=1", "1.22.1") == streams.Way(
        target="127.0.0.1:8001",
        scheme="http",
        passed="/stream?v=1",
        http10=True,
        listen="127.0.0.1:8080",
        listen_tls=False,
    )


def test_http10_is_recorded_only_where_nginx_would_speak_it(tmp_path: Path, limits: Limits) -> None:
    tree = read(tmp_path, limits).tree
    found = streams.way(tree, "https://chat.example.org:8443/modern", "1.22.1")
    assert (found.target, found.http10, found.listen) == (
        "unix:/run/n.sock",
        False,
        "127.0.0.1:8443",
    )
    assert found.listen_tls
    assert not streams.way(tree, "http://chat.example.org:8080/events", "1.29.7").http10


def test_a_url_that_is_not_proxied_leads_to_nginx_only(tmp_path: Path, limits: Limits) -> None:
    found = streams.way(read(tmp_path, limits).tree, "http://chat.example.org:8080/x", "1.22.1")
    assert (found.target, found.listen) == (None, "127.0.0.1:8080")


def test_a_configuration_that_does_not_parse_is_still_collected(
    tmp_path: Path, limits: Limits
) -> None:
    main = write(tmp_path, nginx="http { include site.conf; }", site="server { listen 80; ")
    config = nginx.configuration(main, limits)
    assert config.tree is None
    assert set(config.contents) == {main, str(tmp_path / "site.conf")}
    assert "site.conf:1" in config.missing["nginx.tree"]


def test_an_include_that_cannot_be_read_is_named(tmp_path: Path, limits: Limits) -> None:
    config = nginx.configuration(write(tmp_path, nginx="include /nonexistent/a.conf;"), limits)
    assert "no such file" in config.missing["/nonexistent/a.conf"]
