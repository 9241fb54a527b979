"""A strip shows buffering and cuts at a glance."""

from __future__ import annotations

from typing import Any

from ssemedic.report.strip import ASCII, UNICODE, draw, scale

WIDTH = 40


def record(*reads: tuple[float, int], end: str = "limit_time", at: float = 8.0) -> dict[str, Any]:
    return {
        "status": 200,
        "headers_at": 0.01,
        "reads": [list(read) for read in reads],
        "end": {"kind": end, "at": at, "detail": ""},
        "window": 8.0,
    }


def drawn(stream: dict[str, Any]) -> str:
    return draw(stream, scale([stream], WIDTH), ASCII)


def marks(strip: str) -> int:
    return sum(sign in ASCII.sizes for sign in strip)


def test_events_on_time_are_spread_over_the_window() -> None:
    strip = drawn(record(*((n + 0.5, 20) for n in range(8))))
    assert marks(strip) == 8
    assert strip.endswith(ASCII.open)
    assert len(strip) == WIDTH + 1


def test_a_burst_is_one_tall_mark_after_silence() -> None:
    strip = drawn(record((7.9, 9000)))
    assert strip[-2] == ASCII.sizes[-1]
    assert marks(strip) == 1


def test_a_single_event_is_never_as_tall_as_a_full_buffer() -> None:
    assert drawn(record((4.0, 40)))[WIDTH // 2] != ASCII.sizes[-1]


def test_a_cut_ends_the_strip_where_it_happened() -> None:
    strip = drawn(record((0.02, 20), end="truncated", at=4.0))
    assert strip[-1] == ASCII.cut
    assert len(strip) == WIDTH // 2 + 2


def test_waiting_for_headers_does_not_look_like_a_quiet_stream() -> None:
    late = {**record((6.0, 20)), "headers_at": 5.0}
    strip = drawn(late)
    assert strip[: WIDTH // 2].strip(ASCII.waiting) == ""
    assert strip[WIDTH * 5 // 8] == ASCII.headers


def test_no_answer_does_not_look_open() -> None:
    silent = {**record(), "status": None, "headers_at": None}
    assert drawn(silent)[-1] == ASCII.unseen


def test_a_record_longer_than_its_window_still_fits() -> None:
    late = record((9.0, 5), end="eof", at=9.5)
    assert drawn(late)[-1] == ASCII.ended


def test_both_sets_of_signs_are_told_apart() -> None:
    for signs in (ASCII, UNICODE):
        ends = {signs.open, signs.ended, signs.cut, signs.unseen}
        assert len(ends) == 4
        assert not ends & set(signs.sizes + signs.waiting + signs.quiet + signs.headers)
