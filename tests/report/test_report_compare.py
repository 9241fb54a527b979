"""Two reports side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ssemedic.cli import main
from ssemedic.report.compare import compare
from ssemedic.report.saved import ReportError, checked
from tests.report.conftest import closed, evidence, report_on, streaming
from tests.report.forms_hostile import JWT, PASSWORD, hostile

Report = dict[str, Any]
REPORTS = "healthy broken buffered advised stopped unseen puzzling repaired undone"


def saved(folder: Path, **reports: Any) -> list[str]:
    """The paths of these reports, written."""
    for name, report in reports.items():
        text = report if isinstance(report, str) else json.dumps(report)
        (folder / f"{name}.json").write_text(text)
    return [str(folder / f"{name}.json") for name in reports]


@pytest.mark.parametrize("name", REPORTS.split())
def test_a_report_is_the_same_as_itself(name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name)
    found = compare(report, report)
    assert found.word == "the same"
    assert not (found.symptoms.gone or found.symptoms.new or found.causes.gone)
    assert checked(json.loads(json.dumps(report)), name) == json.loads(json.dumps(report))


def test_what_was_cured_is_gone(broken: Report, healthy: Report) -> None:
    found = compare(broken, healthy)
    assert found.word == "better"
    assert list(found.symptoms.gone) == ["closed_at_once@nginx"]
    assert list(found.causes.gone) == ["nginx_http10_upstream@nginx"]
    assert not found.symptoms.new


def test_what_came_is_new_and_worse(broken: Report, healthy: Report) -> None:
    found = compare(healthy, broken)
    assert found.word == "worse"
    assert list(found.symptoms.new) == ["closed_at_once@nginx"]


def test_one_fault_for_another_with_no_better_verdict_is_worse(
    broken: Report, buffered: Report
) -> None:
    found = compare(broken, buffered)
    assert found.is_worse
    assert list(found.symptoms.gone) == ["closed_at_once@nginx"]
    assert list(found.symptoms.new) == ["buffered@nginx"]


def test_what_stayed_is_unchanged(broken: Report, undone: Report) -> None:
    found = compare(broken, undone)
    assert found.word == "the same"
    assert list(found.symptoms.unchanged) == ["closed_at_once@nginx"]
    assert list(found.causes.unchanged) == ["nginx_http10_upstream@nginx"]


def test_of_a_repaired_host_the_proof_counts_not_the_diagnosis(
    broken: Report, repaired: Report, healthy: Report
) -> None:
    assert compare(broken, repaired).word == "better"
    assert compare(repaired, healthy).word == "the same"
    assert compare(repaired, broken).word == "worse"


def test_what_was_not_looked_for_again_is_not_gone(broken: Report, unseen: Report) -> None:
    found = compare(broken, unseen)
    assert found.is_worse
    assert not found.symptoms.gone and not found.causes.gone
    assert list(found.symptoms.unseen) == ["closed_at_once@nginx"]
    assert list(found.causes.unseen) == ["nginx_http10_upstream@nginx"]


def test_seeing_again_what_is_broken_is_worse_than_not_knowing(
    broken: Report, unseen: Report, healthy: Report
) -> None:
    assert compare(unseen, broken).is_worse
    assert compare(unseen, healthy).word == "better"


def test_another_host_url_or_order_is_said(broken: Report) -> None:
    other = {**broken, "host": "web2", "endpoint": {**broken["endpoint"], "url": "http://x/e"}}
    other["collected_at"] = broken["collected_at"] - 60
    remarks = compare(broken, other).remarks
    assert [remark.partition(":")[0] for remark in remarks] == [
        "two hosts", "two URLs", "the first report is the later one",
    ]  # fmt: skip


def test_the_command_says_better_and_is_0(
    broken: Report, healthy: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *saved(tmp_path, before=broken, after=healthy)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("web1: better: broken before, healthy after.")
    assert "gone closed_at_once@nginx: " in out
    assert "gone nginx_http10_upstream@nginx: " in out


def test_the_command_says_worse_and_is_1(
    broken: Report, healthy: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *saved(tmp_path, before=healthy, after=broken)]) == 1
    assert capsys.readouterr().out.startswith("web1: worse: healthy before, broken after.")


def test_the_command_tells_a_program_the_same(
    broken: Report, healthy: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = saved(tmp_path, before=broken, after=healthy)
    assert main(["diff", *paths, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["is"] == "better"
    assert list(told["symptoms"]["gone"]) == ["closed_at_once@nginx"]
    assert told["verdict"] == {"before": "broken", "after": "healthy"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("\xff\x00", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is no JSON object"),
        ("{}", "schema must be a number"),
        ('{"schema": 2}', "has schema 2, must be 1"),
        ('{"schema": 1, "configuration": "x"}', "is from ssemedic analyze"),
        ('{"schema": 1, "judged": {}}', "is from ssemedic probe"),
        ('{"schema": 1, "host": ["x"]}', "host must be a text"),
    ],
)
def test_what_is_no_report_is_2_and_says_why(
    text: str, said: str, broken: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *saved(tmp_path, before=broken, after=text)]) == 2
    error = capsys.readouterr().err
    assert "after.json" in error and said in error


def test_a_missing_file_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["broken", "repaired"])
def test_a_report_with_any_part_of_another_kind_is_refused_or_read(
    name: str, request: pytest.FixtureRequest
) -> None:
    whole = json.loads(json.dumps(request.getfixturevalue(name)))
    for mutated in _mutations(whole):
        try:
            compare(whole, checked(mutated, "x"))
            compare(checked(mutated, "x"), whole)
        except ReportError:
            continue


def _mutations(value: Any) -> list[Any]:
    """Copies with one part replaced, three steps deep."""
    out: list[Any] = []

    def walk(here: Any, path: tuple[Any, ...]) -> None:
        keys = here if isinstance(here, dict) else range(len(here))
        for key in list(keys):
            for wrong in (None, "x", [{}]):
                copy = json.loads(json.dumps(value))
                part = copy
                for step in path:
                    part = part[step]
                part[key] = wrong
                out.append(copy)
            if isinstance(here[key], dict | list) and len(path) < 2 and key != "plan":
                walk(here[key], (*path, key))

    walk({k: v for k, v in value.items() if k not in ("plan", "endpoint", "token")}, ())
    return out


def test_hostile_reports_steer_nothing_and_leak_nothing(
    broken: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = report_on(evidence(streaming("app"), closed(streaming("nginx"))))
    paths = saved(tmp_path, before=hostile(broken), after=hostile(other))
    for extra in ([], ["--format", "json"]):
        main(["diff", *paths, *extra])
        out = capsys.readouterr().out
        assert out
        assert JWT not in out and PASSWORD not in out
        assert all(character == "\n" or character.isprintable() for character in out)
