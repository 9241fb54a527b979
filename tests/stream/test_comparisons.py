"""Records side by side: cuts, coming back, buffers, preflights."""

from __future__ import annotations

import pytest
from record_builder import EVENT, GOOD_HEADERS, every, healthy, stream

from ssemedic.stream.bursts import buffer_size, burst_sizes
from ssemedic.stream.cuts import Cut, judge_cut
from ssemedic.stream.moments import first_byte, first_comment, first_event
from ssemedic.stream.preflight import asked_headers, is_needed, judge_preflight
from ssemedic.stream.record import Stream
from ssemedic.stream.resume import compare, ids_of, resume_point
from ssemedic.symptoms import Expected

# --- cuts ---------------------------------------------------------------------------------


def cut(at: float, *events: float) -> Stream:
    return stream("public", *((second, EVENT) for second in events), end="truncated", at=at)


def test_the_same_silence_after_different_lives_is_a_limit_on_silence() -> None:
    assert judge_cut([cut(60.1, 0.1), cut(90.0, 0.1, 30.0)]) == (Cut.IDLE, pytest.approx(60.0))


def test_the_same_life_after_different_silences_is_a_limit_on_life() -> None:
    found, seconds = judge_cut([cut(60.1, 0.1), cut(60.1, 0.1, 30.0)])
    assert (found, round(seconds or 0)) == (Cut.ABSOLUTE, 60)


def test_a_busy_stream_that_outlives_the_cut_shows_a_limit_on_silence() -> None:
    busy = stream("public", *every(5.0, until=100.0), at=100.0)
    assert judge_cut([cut(60.1, 0.1), busy])[0] is Cut.IDLE


@pytest.mark.parametrize(
    "records",
    [
        [cut(60.1, 0.1), cut(60.2, 0.1)],
        [cut(60.1, 0.1)],
        [cut(60.1, 0.1), healthy("public", at=100.0)],
        [cut(60.1, 0.1), cut(20.0, 0.1, 15.0)],
        [],
    ],
    ids=["alike", "one", "as silent and not cut", "nothing in common", "none"],
)
def test_records_that_do_not_tell_stay_unclear(records: list[Stream]) -> None:
    assert judge_cut(records) == (Cut.UNCLEAR, None)


# --- coming back ----------------------------------------------------------------------------


def numbered(*ids: int, **changes: object) -> Stream:
    data = b"".join(b"id: %d\ndata: x\n\n" % number for number in ids)
    return stream("public", (0.03, data), **changes)


FIRST = numbered(1, 2, 3, 4, 5)


def test_a_client_comes_back_where_something_must_follow() -> None:
    assert resume_point(FIRST) == "3"
    assert resume_point(numbered(1, 2)) == "1"
    assert resume_point(numbered(1)) is None
    assert resume_point(healthy("public")) is None
    assert ids_of(FIRST) == ("1", "2", "3", "4", "5")


def test_the_events_after_the_id_and_new_ones_are_healthy() -> None:
    assert compare(FIRST, numbered(4, 5), "3") == ()
    assert compare(FIRST, numbered(4, 5, 6), "3") == ()


def test_events_that_do_not_come_again_are_lost() -> None:
    (symptom,) = compare(FIRST, numbered(5, 6), "3")
    assert (symptom.kind, symptom.measured) == ("lost_on_resume", {"due": 2, "lost": 1})
    assert [s.kind for s in compare(FIRST, healthy("public"), "3")] == ["lost_on_resume"]


def test_events_that_the_client_has_are_a_replay() -> None:
    (symptom,) = compare(FIRST, numbered(1, 2, 3, 4, 5), "3")
    assert (symptom.kind, symptom.measured) == ("replayed", {"again": 3, "known": 3})


def test_a_stream_that_begins_anew_is_not_said_to_lose_what_has_yet_to_come() -> None:
    (symptom,) = compare(FIRST, numbered(1, 2), "3")
    assert symptom.kind == "replayed"
    assert symptom.text.endswith("the stream began anew at id '1'")


def test_a_replay_with_gaps_is_both() -> None:
    found = compare(FIRST, numbered(2, 3, 5), "3")
    assert [symptom.kind for symptom in found] == ["lost_on_resume", "replayed"]


def test_nothing_is_compared_with_a_refusal() -> None:
    assert compare(FIRST, stream("public", status=401), "3") == ()
    assert compare(FIRST, numbered(1), "unknown") == ()


# --- buffers --------------------------------------------------------------------------------

LINES = b"".join(b"data: %032d\n\n" % number for number in range(600))


def in_bursts(size: int, gap: float = 1.0) -> Stream:
    parts = [LINES[start : start + size] for start in range(0, len(LINES), size)]
    return stream("public", *((gap * (n + 1), part) for n, part in enumerate(parts)), at=60.0)


@pytest.mark.parametrize("size", [1024, 4096, 8192 // 2])
def test_bursts_of_one_size_that_cut_events_in_two_show_the_buffer(size: int) -> None:
    assert buffer_size(in_bursts(size)) == size


def test_reads_that_follow_at_once_are_one_burst() -> None:
    reads = ((1.0, b"x" * 1000), (1.01, b"x" * 24), (2.0, b"x"))
    assert burst_sizes(stream("public", *reads)) == (1024, 1)


@pytest.mark.parametrize(
    "record",
    [
        healthy("public"),
        stream("public", *every(0.4)),
        stream("public", *every(0.5, b"data: " + b"x" * 4088 + b"\n\n")),
        stream("public", *((float(n), LINES[: 40 * 102]) for n in range(1, 6))),
        in_bursts(3000),
        stream("public", *((float(n), b"data: " + b"x" * 9000) for n in range(1, 6))),
    ],
    ids=[
        "quiet",
        "steady",
        "events of 4 KiB",
        "an app that writes 4 KiB of whole events",
        "no size of a buffer",
        "large events",
    ],
)
def test_a_stream_without_a_buffer_shows_none(record: Stream) -> None:
    assert buffer_size(record) is None


# --- preflight ------------------------------------------------------------------------------

PAGE = Expected(origin="https://app.example.org")
WITH_COOKIES = Expected(origin="https://app.example.org", credentials=True)


def answer(*headers: tuple[str, str], status: int = 204) -> Stream:
    return stream("public", status=status, headers=headers, end="last_chunk", at=0.05)


ORIGIN = ("Access-Control-Allow-Origin", "https://app.example.org")
NAMES = ("Access-Control-Allow-Headers", "Authorization, Content-Type")


def refused(record: Stream, expected: Expected = PAGE, method: str = "POST") -> str:
    found = judge_preflight(record, method, ("authorization",), expected)
    return found[0].text if found else ""


def test_a_browser_asks_first_for_what_is_not_simple() -> None:
    json = (("Content-Type", "application/json"), ("Cookie", "a=b"), ("Accept", "x"))
    assert asked_headers(json, bearer=True) == ("authorization", "content-type")
    assert asked_headers((("Content-Type", "text/plain; charset=utf-8"),), bearer=False) == ()
    assert is_needed("GET", ("authorization",))
    assert is_needed("DELETE", ())
    assert not is_needed("POST", ())


def test_a_preflight_that_allows_it_is_healthy() -> None:
    assert refused(answer(ORIGIN, NAMES)) == ""
    assert refused(answer(ORIGIN, NAMES, status=200)) == ""
    assert refused(answer(("Access-Control-Allow-Origin", "*"), NAMES)) == ""
    allowed = ("Access-Control-Allow-Credentials", "true")
    assert refused(answer(ORIGIN, NAMES, allowed), WITH_COOKIES) == ""
    methods = ("Access-Control-Allow-Methods", "GET, PUT")
    assert refused(answer(ORIGIN, NAMES, methods), method="PUT") == ""


@pytest.mark.parametrize(
    ("record", "expected", "said"),
    [
        (answer(ORIGIN, NAMES, status=405), PAGE, "answered 405"),
        (answer(ORIGIN, NAMES, status=302), PAGE, "answered 302"),
        (stream("public", status=None, end="refused"), PAGE, "no answer (refused)"),
        (answer(NAMES), PAGE, "Access-Control-Allow-Origin is missing"),
        (answer(ORIGIN, ORIGIN, NAMES), PAGE, "Access-Control-Allow-Origin is https"),
        (answer(("Access-Control-Allow-Origin", "*"), NAMES), WITH_COOKIES, "is *, must be"),
        (answer(ORIGIN, NAMES), WITH_COOKIES, "Allow-Credentials must be true"),
        (answer(ORIGIN), PAGE, "leaves out authorization"),
        (answer(ORIGIN, ("Access-Control-Allow-Headers", "*")), PAGE, "leaves out authorization"),
    ],
)
def test_a_preflight_that_refuses_says_what_must_be_there(
    record: Stream, expected: Expected, said: str
) -> None:
    assert said in refused(record, expected)


def test_a_method_that_is_left_out_is_named() -> None:
    assert "leaves out PUT" in refused(answer(ORIGIN, NAMES), method="PUT")


# --- moments --------------------------------------------------------------------------------


def test_the_first_of_each_is_found_in_the_record() -> None:
    record = stream("app", (0.1, b": hel"), (0.2, b"lo\n"), (0.3, b"data: x\n"), (0.4, b"\n"))
    assert (first_byte(record), first_comment(record), first_event(record)) == (0.1, 0.2, 0.4)
    nothing = stream("app", headers=(*GOOD_HEADERS, ("Content-Encoding", "br")))
    assert (first_byte(nothing), first_comment(nothing), first_event(nothing)) == (None, None, None)
