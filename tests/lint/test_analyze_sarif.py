"""`ssemedic analyze --format sarif`: findings at their lines, for code review."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ssemedic.cli import main
from tests.lint.test_analyze_command import BAD, GOOD, SOME, URL, folder
from tests.report.sarif_structure import run_of

OTHER = URL.replace("/events", "/events/other")


def judged(capsys: pytest.CaptureFixture[str], *more: str, code: int) -> dict[str, Any]:
    """The run of the log that is printed for the folder `nginx`."""
    given = ["analyze", "--nginx", "nginx", "--nginx-version", "1.22.1", "--format", "sarif"]
    assert main([*given, *more]) == code
    return run_of(capsys.readouterr().out)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_finding_stands_at_its_line_of_the_repository(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(here, BAD)
    (result,) = judged(capsys, "--url", URL, code=1)["results"]
    assert result["ruleId"] == "h2_hop_header"
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "nginx/conf.d/chat.conf"},
        "region": {"startLine": 5},
    }


def test_a_warning_says_what_it_depends_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(here, SOME)
    (result,) = judged(capsys, "--url", URL, code=0)["results"]
    assert result["level"] == "warning"
    assert "depends: the app does not stream over HTTP/1.0" in result["message"]["text"]


def test_a_healthy_configuration_has_no_result_and_names_what_was_asked(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(here, GOOD)
    run = judged(capsys, "--url", URL, code=0)
    assert run["results"] == []
    assert "nginx_proxy_buffering" in {r["id"] for r in run["tool"]["driver"]["rules"]}
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_two_urls_of_one_location_tell_a_finding_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(here, BAD)
    assert len(judged(capsys, "--url", URL, "--url", OTHER, code=1)["results"]) == 1


def test_a_url_that_could_not_be_judged_is_no_success(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(here, GOOD)
    plain = URL.replace("https", "http")
    (invocation,) = judged(capsys, "--url", plain, code=3)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert plain in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_lines_above_a_finding_do_not_change_its_fingerprint(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder(here, BAD) / "conf.d" / "chat.conf"
    (first,) = judged(capsys, "--url", URL, code=1)["results"]
    file.write_text("# a comment\n# and another\n" + BAD)
    (second,) = judged(capsys, "--url", URL, code=1)["results"]
    assert first["locations"] != second["locations"]
    assert first["partialFingerprints"] == second["partialFingerprints"]


def test_a_hostile_configuration_makes_no_link_and_shows_no_secret(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = 'add_header Connection "[x](http://evil) {0} \x1b token=s3cr3t-s3cr3t";'
    folder(here, BAD.replace("add_header Connection close;", secret))
    run = judged(capsys, "--url", URL, code=1)
    shown = json.dumps(run, ensure_ascii=False)
    assert shown.isprintable()
    assert "s3cr3t-s3cr3t" not in shown
