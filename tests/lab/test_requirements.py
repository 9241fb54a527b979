"""Where the lab cannot run, it says in one sentence what is missing and what would do."""

from __future__ import annotations

import os
import platform

import pytest

from lab.__main__ import main


def test_without_root_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for command in (
        ["setup"],
        ["up", "1"],
        ["down"],
        ["status"],
        ["break", "web1", "sd_start_limit"],
    ):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert "is not root, must be root" in said
        assert "would do" in said


def test_without_linux_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert main(["up"]) == 2
    assert "is Darwin, must be Linux" in capsys.readouterr().err


def test_without_nspawn_it_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["up", "1"]) == 2
    said = capsys.readouterr().err
    assert "systemd-container" in said
    assert "`python -m lab setup` installs them" in said


@pytest.mark.parametrize("words", [["up", "0"], ["up", "100"], ["up", "db1"], ["up", "web0"]])
def test_a_host_that_cannot_exist_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "must be 1 to 99" in said or "are called web1 ... web99" in said
