"""The categories of the public suites for event-stream clients, and healthy streams at large."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_builder import GOOD_HEADERS, stream

from ssemedic.stream.detect import observe_one
from ssemedic.stream.parser import Parsed, Parser
from ssemedic.stream.record import Stream
from ssemedic.stream.remarks import remarks


def parsed(data: bytes) -> Parsed:
    machine = Parser()
    machine.feed(data)
    return machine.finish()


def events(data: bytes) -> list[tuple[str, str, str]]:
    return [(event.type, event.data, event.id) for event in parsed(data).events]


def data(text: bytes) -> list[str]:
    return [event.data for event in parsed(text).events]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:\n\n", [""]),
        (b"data\n\n", [""]),
        (b"data:\ndata\ndata:test\n\n", ["\n\ntest"]),
        (b"data:\x09test\rdata: \ndata:test\n\n", ["\ttest\n\ntest"]),
        (b"data:\0\n\n", ["\0"]),
        (b"\0data: a\n\n", []),
        (b"data:test\r\n\r\ndata:test\n\ndata:test\r\r", ["test"] * 3),
        (b"retry:1000\ndata:test1\n\ndata:test2", ["test1"]),
        (b":\0\n:\r\0data: a\n:\rdata: b\n\n", ["b"]),
        (b":" + b"x" * 2048 + b"\ndata:2\n\n", ["2"]),
        ("data: ok\u2026\n\n".encode(), ["ok\u2026"]),
        (b"event: a\nevent: b\ndata: x\n\n", ["x"]),
        (b"\n\n\n\ndata: a\n\n\n\n", ["a"]),
    ],
    ids=[
        "one field",
        "empty value",
        "no colon",
        "three lines of data",
        "leading tab is data",
        "NUL in data",
        "NUL before a name",
        "newlines of every kind",
        "data before the final empty line",
        "comments with NUL",
        "a very long comment",
        "UTF-8",
        "a field twice",
        "blank lines by themselves",
    ],
)
def test_data_is_what_a_browser_reads(text: bytes, expected: list[str]) -> None:
    assert data(text) == expected


def test_an_empty_event_name_is_message() -> None:
    assert events(b"event: \ndata: a\n\nevent:test\ndata: b\n\ndata: c\n\n") == [
        ("message", "a", ""),
        ("test", "b", ""),
        ("message", "c", ""),
    ]


def test_an_id_stays_until_another_comes_and_an_empty_one_resets_it() -> None:
    text = b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: \xe2\x80\xa6\ndata: d\n\n"
    assert [event[2] for event in events(text)] == ["1", "1", "", "\u2026"]


def test_field_names_are_exact() -> None:
    text = (
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n"
        b"data:test\n:stilltest\nDATA: x\ndata:test\n\n"
    )
    assert data(text) == ["test\n\ntest\ntest"]


def test_the_last_retry_counts_and_a_bogus_one_does_not() -> None:
    assert parsed(b"retry: 3000\nretry: 1000x\n\n").retry == 3000
    assert parsed(b"retry: 03000\n\n").retry == 3000
    assert parsed(b"retry\n\n").retry is None


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("text/event-stream", True),
        ("text/event-stream;", True),
        ("text/event-stream; charset=UTF-8", True),
        ("TEXT/Event-Stream;charset=windows-1251", True),
        ("text/event-stream-x", False),
        ("text/plain", False),
        ("x bogus", False),
    ],
)
def test_only_one_media_type_is_a_stream(value: str, accepted: bool) -> None:
    assert stream("app", headers=(("Content-Type", value),)).is_event_stream is accepted


# --- healthy streams of every shape -------------------------------------------------------

NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])
TEXT = st.text(st.characters(exclude_characters="\r\n\0\ufeff", exclude_categories=("Cs",)))
FIELD = st.one_of(
    TEXT.map(lambda text: f"data: {text}"),
    TEXT.map(lambda text: f":{text}"),
    st.integers(0, 99999).map(lambda number: f"id: {number}"),
    st.integers(0, 99999).map(lambda number: f"retry: {number}"),
)


@st.composite
def healthy(draw: st.DrawFn) -> Stream:
    """A stream as servers of every kind send it, cut into reads of any size at any pace."""
    newline = draw(NEWLINES)
    blocks = draw(st.lists(st.lists(FIELD, max_size=4), max_size=12))
    whole = "".join(newline.join([*block, "data: x", "", ""]) for block in blocks).encode()
    cuts = draw(st.lists(st.integers(0, len(whole)), max_size=12))
    places = sorted({0, len(whole), *cuts})
    parts = [whole[start:end] for start, end in pairwise(places)]
    pauses = draw(st.lists(st.floats(0.003, 0.2), min_size=len(parts), max_size=len(parts)))
    times = list(accumulate(pauses, initial=0.03))[1:]
    changes = {"at": 60.0, "window": 60.0}
    if draw(st.booleans()) and parts:
        changes = {"method": "POST", "end": "last_chunk", "at": times[-1]}
    return stream("public", *zip(times, parts, strict=True), headers=GOOD_HEADERS, **changes)


@settings(max_examples=300)
@given(record=healthy())
def test_no_healthy_stream_shows_a_symptom_or_gets_a_remark(record: Stream) -> None:
    assert observe_one(record) == ()
    assert remarks(record) == ()
