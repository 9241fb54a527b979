"""What is said of a stream that works, and what must not be said."""

from __future__ import annotations

import zlib

import pytest
from record_builder import EVENT, GOOD_HEADERS, PING, every, healthy, stream

from ssemedic.stream.cadence import Cadence, cadence, margin, signs_of_timeouts
from ssemedic.stream.detect import observe, observe_one
from ssemedic.stream.record import Stream
from ssemedic.stream.remarks import remarks
from ssemedic.symptoms import Expected, Symptom

NGINX = (*GOOD_HEADERS, ("Server", "nginx/1.22.1"))
PAGE = Expected(origin="https://app.example.org")


def only(record: Stream, expected: Expected | None = None) -> Symptom:
    (symptom,) = remarks(record, expected)
    return symptom


def faults(data: bytes, **changes: object) -> dict[str, int]:
    found: dict[str, int] = only(stream("app", (0.03, EVENT + data), **changes)).measured["faults"]
    return found


# --- nothing to say ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        healthy("app"),
        stream("app", *every(0.4), headers=NGINX),
        stream("app", *every(15.0, PING, until=70.0), at=70.0, headers=NGINX),
        stream("app", *every(15.0, b"event: ping\ndata: \n\n", until=70.0), at=70.0, headers=NGINX),
        stream("app"),
        stream("app", (0.03, b"\xef\xbb\xbfdata: x\r\n\r\ndata: y\r\rdata: z\n\n")),
        stream("app", (0.03, b"id: 1\nretry: 3000\n\nid: 2\ndata\n\n" + EVENT)),
        stream("app", (0.03, EVENT + "data: \u20ac\ufeff\n\n".encode())),
        stream("app", (0.03, EVENT), (7.9, b"data: half")),
        stream("app", (0.03, EVENT), method="POST", end="last_chunk", at=0.5),
        stream("app", (0.03, b"data: x\n"), (0.2, b"\n")),
        stream("app", (0.03, b"data: x\n"), (3.0, b"data: y\n\n")),
        stream("app", (0.03, b"x" * 65), (0.1, b"\ndata: x\n"), (3.0, b"\n"), body=b""),
        stream("app", (0.03, EVENT), headers=(*GOOD_HEADERS, ("X-Accel-Buffering", "no"))),
        stream("app", status=502, end="last_chunk", at=0.1),
        stream("app", status=None, end="refused"),
    ],
    ids=[
        "quiet after the first event",
        "an event every 0.4 s behind nginx",
        "a comment every 15 s behind nginx",
        "a ping every 15 s behind nginx",
        "open and quiet",
        "BOM and mixed line ends",
        "id, retry and empty data",
        "UTF-8 and U+FEFF in data",
        "half an event at our end",
        "POST that is over",
        "a blank line a little late",
        "a second line late",
        "a body that was not kept",
        "X-Accel-Buffering from the app itself",
        "an error that no page reads",
        "refused",
    ],
)
def test_a_healthy_stream_gets_no_remark(record: Stream) -> None:
    assert remarks(record) == ()


def test_remarks_are_no_symptoms() -> None:
    record = stream("public", (0.03, EVENT + b"retry: soon\n\n"), headers=NGINX)
    assert observe_one(record) == () == observe([record])
    assert only(record).kind == "not_conforming"


# --- conformance --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"data: caf\xe9\n\n", {"not_utf8": 1}),
        (b": caf\xe9\n", {"not_utf8": 1}),
        (b"id: 1\x002\ndata: x\n\n", {"nul_in_id": 1}),
        (b"retry: soon\n\nretry: 3.5\n\n", {"retry_not_digits": 2}),
        (b"\xef\xbb\xbfdata: x\n\n", {"bom_inside": 1, "unknown_field": 1}),
        (b"Data: x\n\n", {"unknown_field": 1}),
        (b"event: ping\n\n", {"event_without_data": 1}),
    ],
)
def test_a_line_that_a_browser_drops_is_counted(data: bytes, found: dict[str, int]) -> None:
    assert faults(data) == found


def test_a_fault_says_where_it_is_and_what_a_browser_does() -> None:
    text = only(stream("app", (0.03, EVENT + b"retry: soon\n\n"))).text
    assert text == (
        "app: a line has a retry that is not digits alone, which a browser ignores"
        " (first at byte 9)"
    )


def test_a_last_event_without_its_blank_line_is_lost() -> None:
    over = {"method": "POST", "end": "last_chunk", "at": 0.5}
    assert faults(b"data: [DONE]\n", **over) == {"no_blank_line": 13}


def test_a_charset_that_no_browser_heeds_is_named() -> None:
    headers = (("Content-Type", 'text/event-stream; charset="iso-8859-1"'), GOOD_HEADERS[1])
    assert faults(b"", headers=headers) == {"charset": 1}


def test_blank_lines_that_come_with_the_next_event_make_each_one_late() -> None:
    late = ((0.03, b"data: a\n"), (2.0, b"\ndata: b\n"), (4.0, b"\ndata: c\n"))
    assert only(stream("app", *late)).measured["faults"] == {"late_blank_line": 2}


def test_faults_under_a_coding_are_found() -> None:
    coder = zlib.compressobj(wbits=31)
    data = coder.compress(EVENT + b"retry: x\n\n") + coder.flush()
    headers = (*GOOD_HEADERS, ("Content-Encoding", "gzip"))
    assert only(stream("app", (0.03, data), headers=headers)).kind == "not_conforming"


# --- keep-alive -----------------------------------------------------------------------------


def test_a_keepalive_by_comment_has_a_cadence() -> None:
    found = cadence(stream("app", (0.03, EVENT), *every(2.0, PING, start=2.0)))
    assert found == Cadence("comment", pytest.approx(2.0), 3)


def test_a_keepalive_by_named_event_has_a_cadence() -> None:
    ping = b"event: Heartbeat\ndata: {}\n\n"
    found = cadence(stream("app", *every(2.0, ping)))
    assert found is not None
    assert (found.by, found.seconds) == ("Heartbeat", pytest.approx(2.0))


@pytest.mark.parametrize(
    "arrivals",
    [
        ((0.03, PING), (2.0, PING)),
        ((0.03, PING), (1.0, PING), (5.0, PING), (7.9, PING)),
        every(1.0, b"event: price\ndata: " + b"x" * 100 + b"\n\n"),
        every(1.0),
        (),
    ],
    ids=["two comments", "comments at random", "events with much to say", "messages", "nothing"],
)
def test_what_is_no_rhythm_has_no_cadence(arrivals: tuple[tuple[float, bytes], ...]) -> None:
    assert cadence(stream("app", *arrivals)) is None


def slow(gap: float, at: float = 172.0, **changes: object) -> Stream:
    return stream("public", *every(gap, PING, until=at), at=at, window=at, **changes)


def test_a_keepalive_near_the_limit_of_nginx_is_slow() -> None:
    symptom = only(slow(57.0, headers=NGINX))
    assert symptom.kind == "keepalive_slow"
    assert (symptom.measured["limit"], symptom.measured["margin"]) == (60.0, 3.0)
    assert "must be 30 s or less" in symptom.text


def test_a_limit_that_the_stream_outlived_is_none() -> None:
    assert remarks(slow(65.0, at=300.0, headers=NGINX)) == ()


def test_without_a_limit_on_the_way_no_keepalive_is_slow() -> None:
    assert remarks(slow(57.0)) == ()
    assert margin(slow(57.0)) is None


def test_a_limit_that_is_known_counts_more_than_a_products_default() -> None:
    record = slow(57.0, headers=NGINX)
    assert remarks(record, timeouts=((3600.0, "nginx"),)) == ()
    found = margin(record, ((100.0, "a"), (62.0, "b")))
    assert found is not None
    assert (found.whose, found.seconds, found.is_small) == ("b", pytest.approx(5.0), True)


def test_a_promise_is_judged_where_the_record_is_too_short_to_see_it() -> None:
    record = healthy("public", headers=NGINX)
    assert only(record, Expected(keepalive_seconds=60.0)).kind == "keepalive_slow"
    assert remarks(record, Expected(keepalive_seconds=30.0)) == ()


def test_products_are_known_by_their_headers() -> None:
    headers = (("Server", "cloudflare"), ("CF-RAY", "1"), ("Via", "1.1 vegur"))
    assert [limit for limit, _ in signs_of_timeouts(stream("public", headers=headers))] == [100, 55]


# --- headers ----------------------------------------------------------------------------------


def test_an_accel_header_that_nginx_lets_through_is_at_the_wrong_hop() -> None:
    headers = (*NGINX, ("X-Accel-Buffering", "no"))
    assert only(healthy("public", headers=headers)).kind == "wrong_hop_header"


def test_an_error_that_a_page_cannot_read_is_named() -> None:
    symptom = only(stream("public", status=401, end="last_chunk", at=0.1), PAGE)
    assert (symptom.kind, symptom.measured["status"]) == ("error_without_cors", 401)


@pytest.mark.parametrize("value", ["*", "https://app.example.org"])
def test_an_error_that_a_page_can_read_is_fine(value: str) -> None:
    allowed = (("Access-Control-Allow-Origin", value),)
    assert remarks(stream("public", status=401, headers=allowed, end="eof", at=0.1), PAGE) == ()


def test_a_refused_stream_with_a_page_of_its_own_origin_is_fine() -> None:
    own = Expected(origin="http://chat.example.org")
    assert remarks(stream("public", status=401, end="last_chunk", at=0.1), own) == ()
