"""nginx's regular expressions: the notation of PCRE, its captures, and an end in bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssemedic.nginx.machine import Machine, cost
from ssemedic.nginx.pattern import TooHardError, compiled, search


def found(pattern: str, subject: str, ignore_case: bool = False) -> dict[str, str] | None:
    ready = compiled(pattern, ignore_case)
    assert ready is not None, "cannot be expressed"
    captures, matched = search(ready, subject)
    return captures if matched else None


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        (r"^/(?<a>\w+)/(?'b'\w+)/(?P<c>\w+)$", "/x/y/z", {"a": "x", "b": "y", "c": "z", "2": "y"}),
        (r"^/e\K(v)", "/ev", {"1": "v"}),
        (r"^/[^/]++/(x)", "/ab/x", {"1": "x"}),
        (r"^(?>/a+)b", "/aaab", {"0": "/aaab"}),
        (r"a(?i)b|c", "C", {"0": "C"}),
        (r"(?i:x)y", "Xy", {"0": "Xy"}),
        (r"[[:alpha:]]+\z", "ab", {"0": "ab"}),
        (r"[]a]+", "]a", {"0": "]a"}),
        (r"[^]a]", "b", {"0": "b"}),
        (r"\Q.+\E", ".+", {"0": ".+"}),
        (r"x{,2}", "x{,2}", {"0": "x{,2}"}),
        (r"(a)\1", "aa", {"1": "a"}),
        (r"(?<n>a)\k<n>", "aa", {"n": "a"}),
        (r"(?<n>a)\g{1}", "aa", {"n": "a"}),
        (r"\x2fe\x{76}", "/ev", {"0": "/ev"}),
        (r"a\h+b\R", "a\t b\r\n", {"0": "a\t b\r\n"}),
        (r"(?#why)a", "a", {"0": "a"}),
        (r"(a)?(b)", "b", {"1": "", "2": "b"}),
        ("é+", "éé", {"0": "é"}),  # on bytes: the last byte alone is repeated
        (r"/$", "/\n", {"0": "/"}),
        (r"/\Z", "/\n", {"0": "/"}),
        (r"/\z", "/\n", None),
        (r"^(?!/live)", "/live", None),
        (r"(?<!a)b", "ab", None),
    ],
)  # fmt: skip
def test_the_notation_of_pcre(pattern: str, subject: str, expected: dict[str, str] | None) -> None:
    got = found(pattern, subject)
    if expected is None:
        assert got is None
    else:
        assert got is not None
        assert {key: got[key] for key in expected} == expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?R)",
        r"(?|a|b)",
        r"\p{L}",
        r"(*UTF8)x",
        "(",
        ")",
        "a)",
        "[a",
        r"(?x) a",
        "\\",
        r"\X",
        r"\k<n>(?<n>z)",
    ],
)
def test_what_cannot_be_said_is_none_and_no_guess(pattern: str) -> None:
    assert compiled(pattern, ignore_case=False) is None


def test_case_is_that_of_ascii_alone() -> None:
    assert found("^/EVENTS", "/events", ignore_case=True)
    assert not found("É", "é", ignore_case=True)


@pytest.mark.parametrize(
    ("pattern", "subject", "matches"),
    [
        (r"^(a+)+$", "a" * 5000 + "b", False),
        (r"^(a|aa)+$", "a" * 60 + "b", False),
        (r"^(.*)*x", "a" * 4000, False),
        (r"^((a?){30})a{30}$", "a" * 30, True),
        (r"^/(.*)/(.*)/(.*)/(.*)/(.*)z$", "/a" * 800, False),
        (r"(\w+\s?)*!", "word " * 500, False),
        (r"^([a-z0-9]+/)*events$", "a1/b2/" * 40 + "events", True),
    ],
)  # fmt: skip
def test_patterns_that_backtrack_for_ever_end_soon(
    pattern: str, subject: str, matches: bool
) -> None:
    start = time.process_time()
    try:
        assert (found(pattern, subject) is not None) == matches
    except TooHardError:
        assert not matches
    assert time.process_time() - start < 1.5


def test_a_back_reference_in_such_a_pattern_is_given_up_at_once() -> None:
    with pytest.raises(TooHardError):
        found(r"^(a+)+\1$", "a" * 40 + "b")


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", "^", "$", r"\b", ""])


REPEATS = st.sampled_from(["*", "+", "?", "*?", "{1,2}", "{2}"])


def _patterns() -> st.SearchStrategy[str]:
    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda x: f"(?:{x[0]}|{x[1]})"),
            inner.map(lambda x: f"({x})"),
            inner.map(lambda x: f"(?={x})"),
            inner.map(lambda x: f"(?!{x})"),
            st.tuples(st.sampled_from("ab."), REPEATS).map("".join),
            st.tuples(inner, st.sampled_from("ab.")).map(lambda x: f"(?:{x[0]}{x[1]})*"),
        )  # fmt: skip

    return st.recursive(ATOMS, grown, max_leaves=7)


@settings(max_examples=300, deadline=None)
@given(pattern=_patterns(), subject=st.text("ab", max_size=8))
def test_the_bounded_matcher_finds_what_backtracking_finds(pattern: str, subject: str) -> None:
    raw, text = pattern.encode(), subject.encode()
    expected = re.compile(raw).search(text)
    got = Machine(raw).search(text)
    assert (got is None) == (expected is None), pattern
    if got is not None and expected is not None:
        spans = [expected.span(group) for group in range(expected.re.groups + 1)]
        assert list(zip(got[::2], got[1::2], strict=True)) == spans


def test_the_estimate_tells_plain_patterns_from_dangerous_ones() -> None:
    assert cost(rb"^/api/(.*)$", 0, 60) < 1e5
    assert cost(rb"^(a+)+$", 0, 60) == float("inf")
    assert cost(rb"\.(?:js|css|png)$", 0, 2000) < 1e5
