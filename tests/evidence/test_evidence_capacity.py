"""nginx's limits for a number of streams: raised where they are lower, never lowered."""

from __future__ import annotations

import base64

import pytest
from ansible.module_utils.sse_host import capacity
from ansible.module_utils.sse_host.limits import UnavailableError
from ansible.module_utils.ssemedic.nginx import tree_of

MAIN = "/etc/nginx/nginx.conf"
DEBIAN = """user www-data;
worker_processes auto;
pid /run/nginx.pid;
include /etc/nginx/modules-enabled/*.conf;

events {
\tworker_connections 768;
\t# multi_accept on;
}

http {
}
"""


def edited(text: str, streams: int = 1000) -> str:
    tree = tree_of({MAIN: text.encode()}, MAIN)
    changes = capacity._edits(tree, capacity.needed(streams))
    if not changes:
        return text
    (change,) = changes
    assert change["path"] == MAIN
    assert len(change["expected_sha256"]) == 64
    return base64.b64decode(change["content_b64"]).decode()


def test_a_worker_has_room_for_every_stream_twice_and_files_beyond() -> None:
    for streams in (1, 1000, 9500):
        needed = capacity.needed(streams)
        assert needed.connections >= 2 * streams + 256
        assert needed.files > needed.connections


def test_the_distributions_file_gets_three_lines_and_keeps_the_rest() -> None:
    after = edited(DEBIAN)
    assert "\tworker_connections 2512;\n\t# multi_accept on;\n" in after
    added = sorted(set(after.splitlines()) - set(DEBIAN.splitlines()))
    assert added == [
        "\tworker_connections 2512;", "worker_rlimit_nofile 2768;", "worker_shutdown_timeout 5m;",
    ]  # fmt: skip
    kept = [line for line in DEBIAN.splitlines() if "worker_connections" not in line]
    assert [line for line in after.splitlines() if line in kept] == kept


def test_the_second_time_nothing_changes() -> None:
    after = edited(DEBIAN)
    assert edited(after) == after


@pytest.mark.parametrize(
    "line",
    ["worker_connections 65536;", "worker_rlimit_nofile 200000;", "worker_shutdown_timeout 1h;"],
)
def test_what_is_enough_already_stays(line: str) -> None:
    if "connections" in line:
        text = DEBIAN.replace("worker_connections 768;", line)
    else:
        text = f"{line}\n{DEBIAN}"
    after = edited(text)
    assert after.count(line.split()[0]) == 1
    assert line in after


def test_a_value_given_twice_is_left_to_a_person() -> None:
    with pytest.raises(UnavailableError, match="twice"):
        edited("worker_rlimit_nofile 5;\nworker_rlimit_nofile 6;\n" + DEBIAN)


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# mine\n[Unit]\nAfter=a.service\n",
        "[Service]\nTimeoutStopSec=5\nLimitNOFILE=100\n",
        "[Service]\nLimitNOFILE=1:2\n[Install]\nWantedBy=x\n",
    ],
)
def test_a_drop_in_keeps_what_else_it_sets(before: str) -> None:
    after = capacity.with_limit(before, 5000)
    assert after.count("LimitNOFILE=5000") == 1
    assert after.count("LimitNOFILE=") == 1
    section = after.split("LimitNOFILE=")[0].rsplit("[", 1)[1].split("]")[0]
    assert section == "Service"
    for line in before.splitlines():
        assert line.startswith("LimitNOFILE") or line in after.splitlines()
    assert capacity.with_limit(after, 5000) == after
