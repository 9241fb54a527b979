"""Who is connected when a change is made: told in the plan, and again when it is done."""

from __future__ import annotations

from typing import Any

from ssemedic.report import terminal, words
from ssemedic.report.finish import with_changes, with_preview
from ssemedic.report.forms import FORMS
from ssemedic.report.schema import validate

PLACE = {"of": "nginx.service", "at": "port 8080"}
OPEN: dict[str, Any] = {**PLACE, "open": 1000, "will": "stay", "until": "", "kept": None}
DONE = {"changed": True, "id": "a", "diff": [], "seconds": 1.0}


def test_the_plan_says_how_many_stay_in_the_old_workers(broken: dict[str, Any]) -> None:
    seen = with_preview(broken, {"diff": [], "streams": [OPEN]})
    validate(seen)
    shown = " ".join(" ".join(terminal.text(seen)).split())
    assert "nginx.service, port 8080: 1,000 open connections will go on in its old workers" in shown


def test_the_plan_says_how_many_drop_and_how_long_old_workers_may_stay() -> None:
    drop = {**OPEN, "of": "notify.service", "will": "drop"}
    assert words.crowd(drop).endswith(
        "1,000 open connections will drop; browsers connect again by themselves"
    )
    assert words.crowd({**OPEN, "until": "10s"}).endswith(", for 10s at most")


def test_the_report_of_a_change_says_how_many_were_kept(broken: dict[str, Any]) -> None:
    kept = {**OPEN, "kept": 998}
    done = with_changes(broken, {**DONE, "streams": [kept]}, {}, {"changed": True}, {}, None)
    validate(done)
    assert done["changes"]["streams"] == [kept]
    shown = " ".join(" ".join(terminal.text(done)).split())
    assert "of 1,000 open connections 998 went on in its old workers, 2 ended" in shown


def test_where_nothing_was_counted_nothing_is_claimed(broken: dict[str, Any]) -> None:
    done = with_changes(broken, DONE, {}, {"changed": True}, {}, None)
    validate(done)
    assert "streams" not in done["changes"]


def test_what_an_earlier_run_left_is_told(broken: dict[str, Any]) -> None:
    receipt = {"id": "old-1", "sentence": "an earlier run ended before its change was confirmed"}
    done = with_changes(broken, {**DONE, "recovered": [receipt]}, {}, {"changed": True}, {}, None)
    assert any("change old-1, which an earlier run left half done" in n for n in done["notes"])


def test_the_ticket_tells_it_too(broken: dict[str, Any]) -> None:
    kept = {**OPEN, "kept": 998}
    done = with_changes(broken, {**DONE, "streams": [kept]}, {}, {"changed": True}, {}, None)
    assert "998 went on in its old workers, 2 ended" in FORMS["markdown"][1](done)
    assert "will go on in its old workers" in FORMS["markdown"][1](
        with_preview(broken, {"diff": [], "streams": [OPEN]})
    )


def test_drift_is_a_diff_in_the_ticket(broken: dict[str, Any]) -> None:
    path = "/etc/nginx/sites-enabled/notify"
    drift = {"path": path, "expected": "a", "found": "b", "now": "# certbot\n", "wanted": "# x\n"}
    done = with_changes(
        broken, {"failed": True, "undone": True, "msg": "drift", "drift": [drift]}, {}, {}, {}, None
    )
    text = FORMS["markdown"][1](done)
    assert "From what the plan saw to what is there now:" in text
    assert "+# certbot" in text
    assert "From what is there now to what the plan wants:" in text
    assert "-# certbot\n+# x" in text
