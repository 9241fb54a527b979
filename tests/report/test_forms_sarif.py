"""SARIF 2.1.0: what code review and security dashboards take in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ssemedic.report.forms.sarif import level, message, places, sarif, uri
from ssemedic.rules import all_rules
from tests.report.forms_hostile import JWT, PASSWORD, hostile
from tests.report.sarif_structure import run_of

Report = dict[str, Any]
REPORTS = "healthy broken buffered advised stopped unseen puzzling repaired undone"


@pytest.mark.parametrize("name", REPORTS.split())
def test_every_report_makes_a_log_that_keeps_to_the_standard(
    name: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    run = run_of(sarif(report))
    asked = {*report["cleared"], *report["skipped"], *(c["rule"] for c in report["causes"])}
    assert asked <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_a_confirmed_cause_of_a_broken_stream_is_an_error_at_its_hop(broken: Report) -> None:
    (result,) = run_of(sarif(broken))["results"]
    assert result["ruleId"] == "nginx_http10_upstream"
    assert result["level"] == "error"
    assert result["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "web1/nginx", "kind": "hop"}]}
    ]


def test_a_cause_in_a_file_has_its_line(broken: Report) -> None:
    broken["causes"][0]["where"] = "/etc/nginx/sites-enabled/chat:14"
    (result,) = run_of(sarif(broken))["results"]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "file:///etc/nginx/sites-enabled/chat"},
        "region": {"startLine": 14},
    }
    assert result["locations"][0]["logicalLocations"]


def test_a_second_place_is_a_related_one(broken: Report) -> None:
    broken["causes"][0]["where"] = "/etc/nginx/a.conf:3 and /etc/nginx/b.conf:4"
    (result,) = run_of(sarif(broken))["results"]
    assert len(result["locations"]) == 1
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"]["region"] == {"startLine": 4}


def test_the_rules_carry_the_help_that_users_read(broken: Report) -> None:
    run = run_of(sarif(broken))
    rules = {rule.id: rule for rule in all_rules()}
    for told in run["tool"]["driver"]["rules"]:
        rule = rules[told["id"]]
        assert told["shortDescription"]["text"] == message(rule.title)
        assert f"ssemedic explain {rule.id}" in told["help"]["text"]


def test_what_could_not_be_checked_is_a_notification_and_no_pass(unseen: Report) -> None:
    run = run_of(sarif(unseen))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    told = invocation["toolExecutionNotifications"]
    skipped = {note["associatedRule"]["id"] for note in told if "associatedRule" in note}
    assert skipped == set(unseen["skipped"])
    assert run["results"] == []


def test_an_unexplained_symptom_is_a_result_of_its_own_rule(puzzling: Report) -> None:
    results = run_of(sarif(puzzling))["results"]
    assert [result["ruleId"] for result in results] == ["unexplained"]
    assert results[0]["level"] == "error"


def test_a_cause_that_was_cured_is_no_result(repaired: Report) -> None:
    assert run_of(sarif(repaired))["results"] == []


def test_the_fingerprint_stays_when_lines_move(broken: Report) -> None:
    prints = []
    for where in ("/etc/nginx/sites-enabled/chat:14", "/etc/nginx/sites-enabled/chat:99"):
        broken["causes"][0]["where"] = where
        (result,) = run_of(sarif(broken))["results"]
        prints.append(result["partialFingerprints"])
    assert prints[0] == prints[1]
    for other in ({"host": "web2"}, {"endpoint": {**broken["endpoint"], "url": "http://x/e"}}):
        (result,) = run_of(sarif({**broken, **other}))["results"]
        assert result["partialFingerprints"] != prints[0]


@pytest.mark.parametrize(
    ("severity", "status", "expected"),
    [
        ("broken", "confirmed", "error"),
        ("broken", "suspected", "warning"),
        ("broken", "latent", "warning"),
        ("degraded", "confirmed", "warning"),
        ("degraded", "latent", "note"),
        ("hygiene", "confirmed", "note"),
        ("hygiene", "latent", "note"),
    ],
)
def test_the_level_is_of_severity_and_certainty(severity: str, status: str, expected: str) -> None:
    assert level(severity, status) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("/etc/nginx/nginx.conf:3", (("/etc/nginx/nginx.conf", 3),)),
        ("/etc/nginx/my site:3", (("/etc/nginx/my site", 3),)),
        ("default of 1.22.1", ()),
        ("notify.service", ()),
        ("127.0.0.1:8000", ()),
        ("/etc/nginx/nginx.conf:0", ()),
    ],
)
def test_only_a_file_with_a_line_is_a_place(where: str, expected: tuple[Any, ...]) -> None:
    assert places(where) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/nginx/my site#1%.conf", "file:///etc/nginx/my%20site%231%25.conf"),
        ("nginx/conf.d/chat.conf", "nginx/conf.d/chat.conf"),
        ("./nginx.conf", "nginx.conf"),
        ("//evil.example/x", "file:///evil.example/x"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
    ],
)
def test_a_path_is_a_uri_of_a_file_and_of_nothing_else(path: str, expected: str) -> None:
    assert uri(path) == expected


def test_a_message_has_no_placeholder_and_no_link_of_a_host() -> None:
    assert message("{0} {a}") == "{{0}} {{a}}"
    assert message("[x](http://evil)") == r"\[x\](http://evil)"
    assert message("proxy_set_header [as it is]") == "proxy_set_header [as it is]"


@pytest.mark.parametrize("name", REPORTS.split())
def test_a_hostile_host_adds_no_result_and_no_secret(
    name: str, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(name)
    text = sarif(hostile(report))
    assert JWT not in text and PASSWORD not in text
    run, plain = run_of(text), run_of(sarif(report))
    assert [r["ruleId"] for r in run["results"]] == [r["ruleId"] for r in plain["results"]]
    shown = json.dumps(json.loads(text), ensure_ascii=False)
    assert shown.isprintable()
