"""The sheet of the faults counts what went wrong as wrong."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lab.faults import Expected
from tests.e2e import sheet

REPAIRED = Expected("repaired", hop="nginx")
ADVISED = Expected("advised", hop="app")


def report(rule: str, hop: str, outcome: str | None = None) -> dict[str, Any]:
    changed = outcome is not None
    return {
        "causes": [{"rule": rule, "hop": hop}],
        "changes": {"outcome": outcome, "files": ["/etc/a", "/etc/b"]} if changed else None,
        "proof": {"proven": outcome == "committed"} if changed else None,
        "verdict": {"before": "broken"},
    }


def test_a_proven_repair_of_the_named_cause_is_as_it_must_be() -> None:
    line = sheet.line_of("a", REPAIRED, report("a", "nginx", "committed"), 3.0, 9.0)
    assert (line.first, line.hop, line.as_expected) == (True, True, True)
    assert (line.diagnosed, line.proven, line.files) == (3.0, 9.0, 2)


def test_another_cause_another_hop_and_an_undone_change_are_wrong() -> None:
    line = sheet.line_of("a", REPAIRED, report("b", "app", "undone"), 3.0, 9.0)
    assert (line.first, line.hop, line.as_expected, line.proven) == (False, False, False, None)


def test_a_change_where_there_must_be_none_is_wrong() -> None:
    assert not sheet.line_of("a", ADVISED, report("a", "app", "committed"), 3.0, 9.0).as_expected
    assert not sheet.line_of("a", ADVISED, report("a", "app", "undone"), 3.0, 9.0).as_expected
    assert sheet.line_of("a", ADVISED, report("a", "app"), 3.0, 9.0).as_expected


def test_a_run_without_a_report_counts_as_a_cause_not_named() -> None:
    lines = sheet.merged([asdict(sheet.no_report("a", REPAIRED))])
    assert "cause named first: 0 of 1" in sheet.summary(lines)


def test_a_twin_that_is_told_something_is_a_false_alarm() -> None:
    loud = sheet.twin_of("a", REPAIRED, report("b", "app"))
    lines = sheet.merged([asdict(loud)])
    assert "healthy twins: 1, false alarms: 1" in sheet.summary(lines)


def test_the_parts_of_a_fault_are_one_line_and_what_went_wrong_stands_out() -> None:
    line = sheet.line_of("a", REPAIRED, report("b", "nginx", "committed"), 3.0, 9.0)
    twin = replace(sheet.Line("a", "repaired"), silent=True)
    page = sheet.markdown(sheet.merged([asdict(line), asdict(twin)]), {"c": "Something else."})
    (row,) = [text for text in page.splitlines() if text.startswith("| [`a`]")]
    assert "| **no** | yes | repaired and proven | 3.0 s | 9.0 s | 2 | yes |" in row
    assert "- [`c`](causes/c.md): Something else." in page


def test_lines_of_an_earlier_run_stay_for_what_was_not_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    assert sheet.kept(file, ("a",), ()) == []
    file.write_text(json.dumps([asdict(sheet.Line(x, "repaired")) for x in ("a", "b", "gone")]))
    assert [line["fault"] for line in sheet.kept(file, ("a", "b"), ("b",))] == ["a"]
