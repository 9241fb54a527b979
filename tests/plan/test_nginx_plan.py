"""Remedies of several causes become one edit, or a conflict that is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ssemedic.case import Case
from ssemedic.diagnosis import Cause
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, NginxRemedy, Status
from ssemedic.nginx import Line, route, tree_of
from ssemedic.nginx_plan import (
    NginxChange,
    PlanError,
    Wanted,
    edit_for,
    in_good_time,
    nginx_change,
    slug,
    wanted_by,
)
from ssemedic.rules import all_rules

RULES = {rule.id: rule for rule in all_rules()}
URL = "http://chat.example.org/events"
MAIN = "/etc/nginx/nginx.conf"
CONF = """\
worker_processes 2;
events { worker_connections 512; }
http { server { listen 80; server_name chat.example.org;
    location /events { proxy_pass http://127.0.0.1:8080; add_header X-A 1; %s }
    location / { return 204; }
}
server { listen 8080; server_name _; location / { proxy_pass http://127.0.0.1:8000; } } }
"""


def cause(rule: str, remedy: NginxRemedy, hop: str = "nginx") -> Cause:
    finding = Finding(hop=hop, where="x:1", observed="o", expected="e", remedy=remedy)
    return Cause(RULES[rule], Status.CONFIRMED, finding, ())


def settings(**lines: tuple[str, ...]) -> NginxRemedy:
    return NginxRemedy({name: (args,) for name, args in lines.items()})


BUFFERING = cause("nginx_proxy_buffering", settings(proxy_buffering=("off",)))
TIMEOUT = cause("nginx_read_timeout_idle", settings(proxy_read_timeout=("1h",)))


def wanted(*causes: Cause) -> Wanted:
    return wanted_by([(c.rule, cast(NginxRemedy, c.finding.remedy)) for c in causes])


def change(*causes: Cause, inside: str = "") -> NginxChange:
    """The change for causes on a host of that configuration."""
    tree = tree_of({MAIN: (CONF % inside).encode()}, MAIN)
    topology = SimpleNamespace(
        tree=tree,
        route=route(tree, URL, "1.22.1"),
        inner=route(tree, "http://x:8080/events", "1.22.1"),
    )
    case = SimpleNamespace(topology=topology, endpoint=Endpoint(url=URL))
    return nginx_change(cast(Case, case), causes)


def test_a_wish_of_two_causes_is_one_line_that_names_both() -> None:
    connection = NginxRemedy({"proxy_set_header": (("Connection", ""),)})
    merged = wanted(
        cause("nginx_http10_upstream", connection),
        cause("nginx_upgrade_connection", connection),
        TIMEOUT,
        cause("nginx_proxy_buffering", settings(proxy_read_timeout=("60m",))),
    )
    assert [(line.name, line.cause) for line in merged.lines] == [
        ("proxy_set_header", "nginx_http10_upstream, nginx_upgrade_connection"),
        ("proxy_read_timeout", "nginx_read_timeout_idle, nginx_proxy_buffering"),
    ]


def test_headers_of_other_names_stand_side_by_side() -> None:
    merged = wanted(
        cause("nginx_http10_upstream", settings(proxy_set_header=("Connection", ""))),
        cause("nginx_host_header_rejected", settings(proxy_set_header=("Host", "$host"))),
        cause("nginx_duplicate_cors", settings(proxy_hide_header=("A",))),
        cause("h2_hop_header", settings(proxy_hide_header=("Upgrade",))),
    )
    assert len(merged.lines) == 4


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (settings(proxy_buffering=("off",)), settings(proxy_buffering=("on",)), "proxy_buffering"),
        (settings(proxy_read_timeout=("1h",)), settings(proxy_read_timeout=("2h",)), "asks for 1h"),
        (settings(add_header=("X", "1")), NginxRemedy(without=(("add_header", "x"),)), "for none"),
        (settings(proxy_set_header=("host", "a")), settings(proxy_set_header=("Host", "b")),
         "asks for host a"),
        (NginxRemedy(location="^~ /a"), NginxRemedy(location="^~ /b"), "asks for ^~ /b"),
        (NginxRemedy(process={"worker_shutdown_timeout": "60s"}),
         NginxRemedy(process={"worker_shutdown_timeout": "5m"}), "worker_shutdown_timeout"),
    ],
)  # fmt: skip
def test_causes_that_contradict_each_other_are_a_conflict(
    first: NginxRemedy, second: NginxRemedy, said: str
) -> None:
    causes = [cause("nginx_proxy_buffering", first), cause("nginx_cache_sse", second)]
    with pytest.raises(PlanError, match=said.replace("^", r"\^")):
        wanted(*causes)


def test_of_two_numbers_the_higher_and_of_two_locations_the_narrower_counts() -> None:
    merged = wanted(
        cause(
            "nginx_worker_connections",
            NginxRemedy(process={"worker_connections": "4096"}, location="^~ /events"),
        ),
        cause(
            "nginx_reload_old_workers",
            NginxRemedy(process={"worker_connections": "900"}, location="= /events"),
        ),
    )
    assert merged.process == {"worker_connections": "4096"}
    assert merged.location == "= /events"


def test_settings_lines_to_take_away_and_limits_are_one_edit() -> None:
    made = change(
        BUFFERING,
        cause("h2_hop_header", NginxRemedy(without=(("add_header", "X-A"),))),
        cause("nginx_worker_connections", NginxRemedy(process={"worker_connections": "4096"})),
    )
    assert made.by_hand == ()
    assert made.edit is not None
    (file,) = made.edit.files
    text = file.content.decode()
    assert "worker_connections 4096;" in text
    assert "X-A" not in text
    assert "include /etc/nginx/ssemedic/chat-example-org-events.conf;" in text
    assert made.edit.directives == (
        Line("proxy_buffering", ("off",), "nginx_proxy_buffering",
             RULES["nginx_proxy_buffering"].title),
    )  # fmt: skip
    assert made.edit.notes == ("worker_connections 4096; for nginx_worker_connections",)


def test_limits_alone_need_no_file_of_ours() -> None:
    made = change(
        cause("nginx_worker_connections", NginxRemedy(process={"worker_connections": "4096"}))
    )
    assert made.edit is not None
    assert made.edit.directives == ()
    assert [file.path for file in made.edit.files] == [MAIN]


def test_what_cannot_be_edited_is_advice_and_the_rest_is_done() -> None:
    limits = NginxRemedy(process={"worker_connections": "4096"})
    made = change(BUFFERING, cause("nginx_worker_connections", limits), inside="if ($args) {}")
    assert made.edit is not None  # an `if` that does not hold is no obstacle
    made = change(
        BUFFERING,
        cause("nginx_worker_connections", limits),
        inside="access_by_lua_block { x() }",
    )
    assert made.edit is not None
    assert made.edit.directives == ()
    ((rule, text),) = made.by_hand
    assert rule == "nginx_proxy_buffering"
    assert text.startswith(f"Not changed by us: the location cannot be told for sure: {MAIN}:4")
    assert text.endswith(f"By hand, at {MAIN}:4, in location /events:\n    proxy_buffering off;")


def test_a_configuration_alone_gets_the_same_edit() -> None:
    tree = tree_of({MAIN: (CONF % "").encode()}, MAIN)
    remedy = cast(NginxRemedy, BUFFERING.finding.remedy)
    alone = edit_for(route(tree, URL, "1.22.1"), URL, [(BUFFERING.rule, remedy)])
    assert alone == change(BUFFERING).edit


def test_what_is_so_already_is_no_edit() -> None:
    assert change(BUFFERING, inside="proxy_buffering off;") == NginxChange(None, False, ())


def test_a_reload_needs_no_edit() -> None:
    made = change(cause("nginx_stale_upstream_dns", NginxRemedy(reload=True)))
    assert made == NginxChange(None, True, ())


def test_the_server_behind_is_changed_first() -> None:
    behind = cause("nginx_proxy_buffering", settings(proxy_buffering=("off",)), hop="inner")
    made = change(behind, TIMEOUT)
    assert made.edit is not None
    assert made.edit.ours.endswith("/chat-example-org-events-inner.conf")
    assert made.edit.location == "= /events"
    assert made.by_hand[0][0] == "nginx_read_timeout_idle"
    assert "the server behind it first" in made.by_hand[0][1]


@pytest.mark.parametrize(
    ("remedy", "expected"),
    [
        (settings(gzip=("off",)), "in the location of the stream: gzip off;"),
        (NginxRemedy(without=(("add_header", "Connection"),)),
         "in the location of the stream, none of: add_header Connection"),
        (NginxRemedy(process={"worker_connections": "9"}), "in nginx.conf: worker_connections 9;"),
        (NginxRemedy(reload=True), "systemctl reload nginx"),
    ],
)  # fmt: skip
def test_what_is_not_urgent_is_written_out(remedy: NginxRemedy, expected: str) -> None:
    assert in_good_time(remedy) == expected


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://Chat.Example.org/events?x=1", "chat-example-org-events"),
        ("http://10.0.0.1/a/b_c/", "10-0-0-1-a-b-c"),
        ("http://[::1]/", "1"),
    ],
)
def test_a_file_is_named_after_its_endpoint(url: str, name: str) -> None:
    assert slug(url) == name


def test_a_remedy_survives_the_way_through_a_report() -> None:
    from ssemedic.report.model import _remedy, _remedy_of

    remedy = replace(
        settings(proxy_buffering=("off",)),
        without=(("add_header", "Connection"),),
        process={"worker_connections": "9"},
        reload=True,
        location="= /events",
    )
    data = cast(Mapping[str, Any], _remedy(remedy))
    assert _remedy_of(data) == remedy
