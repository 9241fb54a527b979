"""What the names of nginx's upstreams resolve to."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils.sse_host import names, nginx, streams
from ansible.module_utils.sse_host.limits import Limits

HOSTS = """\
127.0.0.1 localhost
::1\tlocalhost ip6-localhost  # both families
192.0.2.7 App.Internal app # old: 192.0.2.6 app
# 192.0.2.8 gone

192.0.2.9 app
"""


def test_hosts_file_gives_every_name_its_addresses_in_order() -> None:
    table = names.hosts_table(HOSTS)
    assert table["localhost"] == ["127.0.0.1", "::1"]
    assert table["app.internal"] == ["192.0.2.7"]
    assert table["app"] == ["192.0.2.7", "192.0.2.9"]
    assert "gone" not in table


def test_a_name_is_resolved_as_the_host_does_and_a_failure_is_said(limits: Limits) -> None:
    known, unknown = names.resolved(["localhost", "no-such-host.invalid"], limits)
    assert "127.0.0.1" in known["addresses"] and known["error"] == ""
    assert known["hosts_changed"] is not None
    assert unknown["addresses"] == [] and unknown["error"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://app.internal:8000", ("app.internal",)),
        ("http://pool", ("app.internal", "localhost")),
        ("http://127.0.0.1:8000", ()),
        ("http://[::1]:8000", ()),
        ("http://unix:/run/app.sock", ()),
    ],
)
def test_only_names_are_looked_up(
    tmp_path: Path, limits: Limits, target: str, expected: tuple[str, ...]
) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(
        "events {} http { upstream pool { server app.internal:1; server 192.0.2.1; server "
        f"localhost:2; }} server {{ listen 80; location / {{ proxy_pass {target}; }} }} }}"
    )
    tree = nginx.configuration(str(main), limits).tree
    assert tree is not None
    assert streams.way(tree, "http://x.example.org/events", "1.22.1").names == expected
