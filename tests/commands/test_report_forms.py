"""`--format`, `-o`, `--report`: where each form goes, and what a check returns."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from ssemedic.cli import main
from ssemedic.commands import form, form_arguments
from ssemedic.commands.output import UsageError
from ssemedic.report.forms import FORMS
from tests.report.conftest import all_streaming, evidence, report_on
from tests.report.sarif_structure import run_of

TERMINAL = Console(file=io.StringIO())


def arguments(*given: str) -> argparse.Namespace:
    """What these arguments say of the report's form."""
    parser = argparse.ArgumentParser()
    form_arguments.add_arguments(parser, check=True)
    return parser.parse_args(list(given))


@pytest.fixture
def report() -> dict[str, Any]:
    return report_on(evidence(*all_streaming()))


def test_every_form_can_be_named_and_has_a_file_of_its_own() -> None:
    assert set(form_arguments.NAMES) == set(FORMS)
    assert len({file for file, _ in FORMS.values()}) == len(FORMS)


def test_a_folder_gets_every_form_and_only_its_owner_reads_them(
    report: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "reports"
    form.write_files(arguments("--report", str(folder)), report)
    assert {path.name for path in folder.iterdir()} == {file for file, _ in FORMS.values()}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert json.loads((folder / "report.json").read_text()) == json.loads(json.dumps(report))
    run_of((folder / "report.sarif").read_text())
    ElementTree.fromstring((folder / "report.junit.xml").read_text())
    assert list(text_string_to_metric_families((folder / "report.prom").read_text()))


def test_a_folder_that_cannot_be_made_is_a_usage_error(
    report: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        form.write_files(arguments("--report", str(tmp_path / "file")), report)


@pytest.mark.parametrize("name", form_arguments.NAMES)
def test_a_form_goes_to_standard_output_or_to_its_file_never_to_both(
    name: str, report: dict[str, Any], tmp_path: Path, capfdbinary: Any
) -> None:
    wanted = FORMS[name][1](report).encode()
    form.write_stdout(arguments("--format", name), report)
    assert capfdbinary.readouterr().out == wanted
    chosen = arguments("--format", name, "-o", str(tmp_path / "out"))
    form.write_files(chosen, report)
    form.write_stdout(chosen, report)
    assert capfdbinary.readouterr().out == b""
    assert (tmp_path / "out").read_bytes() == wanted


def test_people_read_standard_error_where_a_program_reads_standard_output() -> None:
    assert form.console_for(arguments(), TERMINAL) is TERMINAL
    assert form.console_for(arguments("--format", "sarif"), TERMINAL).stderr
    assert form.console_for(arguments("--format", "sarif", "-o", "x"), TERMINAL) is TERMINAL
    assert form.console_for(arguments("--format", "nagios"), TERMINAL).quiet


def test_a_file_without_a_form_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="needs --format"):
        form.console_for(arguments("-o", "x"), TERMINAL)


@pytest.mark.parametrize(
    "wrong", [["--for", "0"], ["--token-file", "missing"], ["--inventory", "missing"]]
)
def test_a_check_that_cannot_be_made_is_unknown_never_ok_or_critical(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", "--host", "web1", "--format", "nagios", *wrong]) == 3
    out = capsys.readouterr().out
    assert out.startswith("SSE UNKNOWN: ") and out.count("\n") == 1
    assert main(["diagnose", "--host", "web1", *wrong]) == 2


def test_a_repair_is_no_check(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["remediate", "--host", "web1", "--format", "nagios"])
    assert left.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
