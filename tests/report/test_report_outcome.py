"""How a change ended, in the word that is true of the host."""

from __future__ import annotations

from typing import Any

import pytest

from ssemedic.report import terminal
from ssemedic.report.finish import with_changes
from ssemedic.report.model import Report, exit_code

REFUSED = {"failed": True, "msg": "/etc/nginx/nginx.conf: changed since", "undone": True}


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
