"""The parser against WHATWG HTML, 9.2.5 and 9.2.6, its examples by name."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssemedic.stream import parser
from ssemedic.stream.parser import Comment, Fault, Parsed, Parser, parse
from ssemedic.stream.record import End, Read, Stream


def parsed(*parts: bytes) -> Parsed:
    machine = Parser()
    for number, part in enumerate(parts):
        machine.feed(part, float(number))
    return machine.finish()


def data(*parts: bytes) -> list[str]:
    return [event.data for event in parsed(*parts).events]


# --- the examples of 9.2.6 ------------------------------------------------------------


def test_example_three_data_lines_make_one_event() -> None:
    assert data(b"data: YHOO\ndata: +2\ndata: 10\n\n") == ["YHOO\n+2\n10"]


def test_example_four_blocks() -> None:
    result = parsed(
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event"
    )
    assert [(event.data, event.id) for event in result.events] == [
        ("first event", "1"),
        ("second event", ""),
    ]
    assert result.comments == (Comment("test stream", 0, 0.0),)
    assert result.pending == len(b"data:  third event")


def test_example_four_blocks_third_event_keeps_one_leading_space() -> None:
    assert data(b"data:  third event\n\n") == [" third event"]


def test_example_empty_data() -> None:
    assert data(b"data\n\ndata\ndata\n\ndata:") == ["", "\n"]


def test_example_space_after_the_colon_is_ignored() -> None:
    assert data(b"data:test\n\ndata: test\n\n") == ["test", "test"]


def test_example_named_events() -> None:
    text = (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n"
    )
    assert [(event.type, event.data) for event in parsed(text).events] == [
        ("add", "73857293"),
        ("remove", "2153"),
        ("add", "113411"),
    ]


# --- the rules -----------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_line_ending_ends_a_line(end: bytes) -> None:
    assert data(end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])) == ["a\nb", "c"]


def test_a_crlf_split_across_reads_is_one_line_ending() -> None:
    assert data(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == ["a\nb"]


def test_a_cr_at_the_end_of_a_read_dispatches_without_waiting() -> None:
    assert data(b"data: a\r\r") == ["a"]


def test_cr_cr_lf_is_a_line_and_a_blank_line() -> None:
    assert data(b"data: a\r\r\ndata: b\n\n") == ["a", "b"]


def test_a_leading_byte_order_mark_is_ignored_and_the_first_event_kept() -> None:
    assert data(b"\xef\xbb\xbfdata: a\n\n") == ["a"]
    assert data(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == ["a"]


def test_only_one_byte_order_mark_is_ignored() -> None:
    assert data(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n") == []
    assert data(b"data: a\n\n\xef\xbb\xbfdata: b\n\n") == ["a"]


def test_an_event_without_data_is_not_dispatched_and_its_type_is_forgotten() -> None:
    result = parsed(b"event: ping\n\ndata: a\n\n")
    assert [(event.type, event.data) for event in result.events] == [("message", "a")]


def test_an_id_without_data_is_remembered() -> None:
    result = parsed(b"id: 7\n\ndata: a\n\n")
    assert (result.events[0].id, result.last_id) == ("7", "7")


def test_an_id_with_nul_is_ignored() -> None:
    assert parsed(b"id: 1\n\nid: 2\0\ndata: a\n\n").events[0].id == "1"


def test_an_id_of_an_unfinished_event_is_not_in_force() -> None:
    assert parsed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n").last_id == "1"


@pytest.mark.parametrize("value", ["+5", "-5", "5 ", " 5", "5.0", "5s", "", "\u0665", "9" * 5000])
def test_retry_is_ascii_digits_only(value: str) -> None:
    assert parsed(f"retry: {value}\n\n".encode()).retry is None


def test_retry_is_milliseconds_and_needs_no_blank_line() -> None:
    assert parsed(b"retry: 3000\n").retry == 3000


def test_unknown_fields_and_field_names_in_other_case_are_ignored() -> None:
    assert data(b"Data: a\ndata : b\n data: c\nfoo\n\n") == []


def test_a_value_keeps_its_colons() -> None:
    assert data(b"data: http://a:1/\n\n") == ["http://a:1/"]


def test_bytes_that_are_not_utf8_are_replaced_and_end_no_line() -> None:
    assert data(b"data: \xff\xe2\x82\n\ndata: b\n\n") == ["\ufffd\ufffd", "b"]


def test_other_line_separators_are_data() -> None:
    assert data("data: a\u2028b\x0bc\x85d\n\n".encode()) == ["a\u2028b\x0bc\x85d"]


def test_comments_are_kept_and_do_not_end_an_event() -> None:
    result = parsed(b"data: a\n: ping - 1\n:\ndata: b\n\n")
    assert [comment.text for comment in result.comments] == ["ping - 1", ""]
    assert [event.data for event in result.events] == ["a\nb"]


def test_an_unfinished_last_event_is_dropped_and_counted() -> None:
    result = parsed(b"data: a\n\ndata: b\n")
    assert (len(result.events), result.pending) == (1, 8)


def test_places_and_times_are_those_of_the_bytes() -> None:
    result = parsed(b"data: a\n", b"\n: c\n", b"event: x\ndata: b\n\n")
    assert [(e.offset, e.end, e.at) for e in result.events] == [(0, 9, 1.0), (13, 31, 2.0)]
    assert [(c.offset, c.at) for c in result.comments] == [(9, 1.0)]


def test_an_endless_line_is_kept_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_LINE", 10)
    result = parsed(b"data: 12", b"3456789", b"0\n\ndata: b\n\n")
    assert [event.data for event in result.events] == ["1234", "b"]
    assert result.dropped == 6


ENDINGS = (b"\r", b"\n", b"\r\n")
WORDS = (b"data", b"id", b"event", b"retry", b"x", b":", b" ", b"1", b"\0", b"\xc3", b"\xa9")
LINES = (b"\xef\xbb\xbf", b": ping\n", b"data: y\n\n")
PIECES = st.lists(st.sampled_from(ENDINGS + WORDS + LINES), max_size=60)


@given(pieces=PIECES, cuts=st.lists(st.integers(0, 200), max_size=20))
def test_any_split_of_the_bytes_gives_the_same_result(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    split, single, at_once = Parser(), Parser(), Parser()
    for start, end in pairwise(places):
        split.feed(whole[start:end])
    for byte in whole:
        single.feed(bytes([byte]))
    at_once.feed(whole)
    assert split.finish() == single.finish() == at_once.finish()


def test_a_record_is_parsed_with_the_times_of_its_reads() -> None:
    stream = Stream(
        *("app", "inside", "127.0.0.1:1", "http://x/", 0.0, 8.0, End("limit_time", 8.0)),
        reads=(Read(0.5, 9), Read(1.5, 9), Read(2.5, 900)),
        body=b"data: a\n\ndata: b\n\n" + b"x" * 10,  # the rest was not kept
    )
    assert [(event.data, event.at) for event in parse(stream).events] == [("a", 0.5), ("b", 1.5)]


def test_lines_that_are_no_field_are_counted() -> None:
    assert parsed(b'{"a": 1}\n\nretry: x\nid: 1\n\n').ignored == 1


def test_a_fault_is_counted_and_its_first_place_kept() -> None:
    result = parsed(b"data: a\n\nretry: x\nretry: 5\nretry: y\n\n")
    assert result.faults == (Fault("retry_not_digits", 9, 2),)


def test_a_character_cut_by_our_own_limit_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_LINE", 7)
    assert parsed("data: \u20ac\n\n".encode()).faults == ()


def test_an_unfinished_event_says_since_when() -> None:
    assert parsed(b"data: a\n\n", b"data: b\n", b"data: c\n").pending_since == 1.0
    assert parsed(b"data: a\n\n", b"data: b").pending_since is None
