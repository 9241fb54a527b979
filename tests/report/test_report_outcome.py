"""How a change ended, in the word that is true of the host."""

from __future__ import annotations

from typing import Any

import pytest

from ssemedic.report import terminal
from ssemedic.report.finish import with_changes
from ssemedic.report.model import Report, exit_code
from ssemedic.report.schema import validate

REFUSED = {"failed": True, "msg": "/etc/nginx/nginx.conf: changed since", "undone": True}


DRIFT = {
    "path": "/etc/nginx/nginx.conf",
    "expected": "0" * 64,
    "found": "1" * 64,
    "now": "gzip off; # certbot\x1b[31m\n",
    "wanted": "include ours;\n",
}


def test_drift_is_shown_three_ways(broken: Report) -> None:
    saw = {"path": "/etc/nginx/nginx.conf (0644 0:0)", "before": "gzip on;\n", "after": "x\n"}
    broken["plan"] = {**broken["plan"], "diff": [saw]}
    report = with_changes(broken, {**REFUSED, "drift": [DRIFT]}, {}, {}, {}, None)
    validate(report)
    [told] = report["changes"]["drift"]
    assert (told["saw"], told["wanted"]) == ("gzip on;\n", "include ours;\n")
    shown = "\n".join(terminal.text(report))
    assert "/etc/nginx/nginx.conf changed since the plan was made: make a new one" in shown
    changes = shown[shown.index("from what the plan saw to what is there now:") :]
    seen, wanted = changes.split("from what is there now to what the plan wants:")
    assert "-gzip on;" in seen and "+gzip off; # certbot" in seen
    assert "-gzip off; # certbot" in wanted and "+include ours;" in wanted
    assert "\x1b" not in shown


def test_drift_without_the_plans_own_text_says_so(broken: Report) -> None:
    broken["plan"] = {**broken["plan"], "diff": []}
    report = with_changes(broken, {**REFUSED, "drift": [DRIFT]}, {}, {}, {}, None)
    validate(report)
    shown = "\n".join(terminal.text(report))
    assert "what the plan saw is not known" in shown
    assert "+include ours;" in shown


def test_old_workers_that_keep_streams_are_a_note(broken: Report) -> None:
    changed = {"changed": True, "id": "x", "workers_after": [9], "workers_leaving": [7, 8]}
    report = with_changes(broken, changed, {}, {"changed": True}, {}, None)
    assert "nginx: 2 old workers (7, 8) still serve" in report["notes"][-1]
    undone = with_changes(broken, changed, {}, {}, {"changed": True}, None)
    assert undone["notes"] == broken["notes"]


@pytest.mark.parametrize(
    ("changed", "outcome", "said", "code"),
    [
        (REFUSED, "refused", "nothing was changed", 4),
        ({**REFUSED, "id": "20261124T000000Z-abcdef"}, "undone", "was undone", 4),
        ({**REFUSED, "undone": False}, "undo_failed", "so did the undo", 5),
        ({**REFUSED, "undone": None}, "unsure", "it is not known how the change ended", 4),
        ({"failed": True, "msg": "MODULE FAILURE"}, "unsure", "it is not known", 4),
    ],
    ids=["refused", "undone", "undo failed", "module unsure", "module killed"],
)
def test_a_change_that_failed_says_what_became_of_the_host(
    broken: Report, changed: dict[str, Any], outcome: str, said: str, code: int
) -> None:
    report = with_changes(broken, changed, {}, {}, {}, None)
    assert report["changes"]["outcome"] == outcome
    assert report["changes"]["message"] == changed["msg"]
    assert exit_code(report) == code
    shown = " ".join("\n".join(terminal.text(report)).split())
    assert said in shown
    assert changed["msg"] in shown


def test_what_is_only_worth_tidying_does_not_make_the_cause_known(puzzling: Report) -> None:
    assert exit_code(puzzling) == 3
    tidy = {"rule": "server_scope_buffering_off", "severity": "hygiene", "status": "latent"}
    assert exit_code({**puzzling, "causes": [tidy]}) == 3
    assert exit_code({**puzzling, "causes": [{**tidy, "severity": "broken"}]}) == 1
