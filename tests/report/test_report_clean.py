"""Host text on a terminal: seen, never obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssemedic.report.clean import clean


@pytest.mark.parametrize(
    ("hostile", "seen"),
    [
        ("\x1b]0;evil\x07", r"\x1b]0;evil\x07"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x9b31m", r"\x9b31m"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("a\rb", r"a\rb"),
        ("a\nb", r"a\nb"),
        ("a\u2028b", r"a\u2028b"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\xe9"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_steers_a_terminal_becomes_a_visible_escape(hostile: str, seen: str) -> None:
    assert clean(hostile) == seen


def test_letters_of_other_scripts_stay() -> None:
    assert clean("größe 大小 ✓") == "größe 大小 ✓"


def test_newlines_stay_where_lines_are_wanted_and_tabs_become_spaces() -> None:
    assert clean("a\n\tb", lines=True) == "a\n    b"


def test_marks_cannot_climb_over_the_lines_around() -> None:
    climbed = clean("e" + "\u0301" * 40)
    assert sum(unicodedata.combining(c) != 0 for c in climbed) == 2


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clean("x" * 30, limit=10) == "x" * 10 + "… (20 more characters)"


@settings(deadline=None)  # the machine may stall
@given(st.text())
def test_nothing_unseen_passes(text: str) -> None:
    shown = clean(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn"}
    shown.encode("utf-8")


@settings(deadline=None)  # the machine may stall
@given(st.text())
def test_plain_ascii_is_plain_ascii(text: str) -> None:
    assert clean(text, ascii_only=True).isascii()
