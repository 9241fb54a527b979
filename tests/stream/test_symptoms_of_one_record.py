"""What one record shows, and what it must not show."""

from __future__ import annotations

import zlib

import pytest
from record_builder import EVENT, GOOD_HEADERS, PING, every, healthy, stream

from ssemedic.stream.coding import MAX_DECODED, MAX_LINES, parse_decoded
from ssemedic.stream.detect import Expected, observe, observe_one
from ssemedic.stream.record import End, Phases, Stream
from ssemedic.symptoms import Symptom

EVENT_STREAM = ("Content-Type", "text/event-stream")


def kinds(record: Stream, expected: Expected | None = None) -> list[str]:
    return [str(symptom.kind) for symptom in observe_one(record, expected)]


def only(record: Stream, expected: Expected | None = None) -> Symptom:
    (symptom,) = observe_one(record, expected)
    return symptom


# --- healthy shapes -------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        healthy("app"),
        stream("app", *every(0.4)),
        stream("app", *every(2.5, PING)),
        stream("app", (0.03, EVENT), (6.0, EVENT * 30), (6.3, EVENT * 30)),
        stream("app", (0.03, b"retry: 3000\n\n")),
        stream("app", (0.03, b"id: 7\n\n")),
        stream("app"),
        stream("app", (0.03, EVENT), (7.9, b"data: half an ev")),
        stream("app", (0.03, EVENT), method="POST", end="last_chunk", at=0.5),
        stream("app", (0.03, EVENT), method="POST", headers=(EVENT_STREAM,)),
        stream("app", (0.03, b"x" * 40), body=b": part of a huge comment", end="limit_bytes"),
        stream("app", (0.03, EVENT), headers=(EVENT_STREAM, ("Cache-Control", "no-store"))),
        stream("app", (0.03, EVENT), headers_at=1.9),
    ],
    ids=[
        "quiet after the first event",
        "an event every 0.4 s",
        "comments only",
        "bursts by nature",
        "retry only",
        "id only",
        "open and quiet, nothing promised",
        "an event under way at the end",
        "POST that is over",
        "POST without Cache-Control",
        "stopped by our byte limit",
        "no-store",
        "headers after 1.9 s",
    ],
)
def test_a_healthy_stream_shows_nothing(record: Stream) -> None:
    assert observe_one(record) == ()


def test_what_was_not_recorded_shows_nothing() -> None:
    assert observe_one(stream("app", end="not_recorded", status=None)) == ()


# --- no status --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("refused", "refused"),
        ("unreachable", "unreachable"),
        ("timeout_connect", "unreachable"),
        ("tls_error", "tls_error"),
        ("protocol_error", "not_http"),
        ("limit_headers", "not_http"),
        ("limit_line", "not_http"),
        ("reset", "reset"),
        ("h2_reset", "reset"),
        ("limit_time", "no_answer"),
        ("truncated", "no_answer"),
    ],
)
def test_an_end_without_a_status(end: str, kind: str) -> None:
    assert kinds(stream("app", end=end, status=None)) == [kind]


def test_no_answer_says_how_long_it_waited_for_one() -> None:
    symptom = only(stream("app", end="limit_time", status=None))
    assert symptom.measured["seconds"] == pytest.approx(8.0, abs=0.01)
    assert symptom.id == "no_answer@app"


# --- headers ------------------------------------------------------------------------------


def test_headers_after_two_seconds_are_late() -> None:
    symptom = only(stream("app", (5.0, EVENT), headers_at=5.0))
    assert (symptom.kind, symptom.measured["seconds"]) == ("headers_late", 5.0)


def test_headers_are_not_late_where_the_recorder_itself_was_held_up() -> None:
    assert kinds(stream("app", (2.8, EVENT), headers_at=2.8, stalled=1.5)) == []
    assert kinds(stream("app", (5.0, EVENT), headers_at=5.0, stalled=1.5)) == ["headers_late"]


def test_time_spent_connecting_does_not_make_headers_late() -> None:
    phases = Phases(2.9, 2.95, None, 2.96, 3.0)
    assert kinds(stream("app", (3.0, EVENT), phases=phases)) == []


@pytest.mark.parametrize("status", [204, 301, 401, 403, 404, 429, 502, 504])
def test_any_other_status_is_wrong(status: int) -> None:
    symptom = only(stream("app", status=status, end="last_chunk", at=0.05))
    assert (symptom.kind, symptom.measured["status"]) == ("wrong_status", status)


def test_a_redirect_is_a_wrong_status_with_its_target() -> None:
    symptom = only(stream("app", status=302, headers=(("Location", "/login"),), end="last_chunk"))
    assert symptom.measured["location"] == "/login"


def test_a_circle_of_redirects_is_one_symptom() -> None:
    record = stream(
        "public", status=302, end="limit_redirects", redirects=("http://a/", "http://b/")
    )
    assert only(record).kind == "redirect_loop"


def test_204_tells_a_browser_not_to_come_back() -> None:
    assert "not to come back" in only(stream("app", status=204, end="last_chunk", at=0.05)).text


def test_html_instead_of_a_stream() -> None:
    headers = (("Content-Type", "text/html; charset=utf-8"),)
    assert kinds(stream("app", (0.03, b"<html>"), headers=headers, end="last_chunk")) == [
        "html_instead"
    ]


@pytest.mark.parametrize("value", ["application/json", "text/plain", ""])
def test_another_type_instead_of_a_stream(value: str) -> None:
    headers = (("Content-Type", value),) if value else ()
    assert only(stream("app", headers=headers)).measured["content_type"] == value


def test_a_charset_beside_the_type_is_a_stream() -> None:
    headers = (("content-type", "Text/Event-Stream; charset=utf-8"), GOOD_HEADERS[1])
    assert kinds(stream("app", (0.03, EVENT), headers=headers)) == []


def test_a_missing_cache_control_is_named() -> None:
    symptom = only(stream("app", (0.03, EVENT), headers=(EVENT_STREAM,)))
    assert symptom.kind == "missing_header"
    assert symptom.measured == {"header": "Cache-Control", "observed": None}


def test_a_cache_control_that_lets_caches_keep_it_is_named() -> None:
    headers = (EVENT_STREAM, ("Cache-Control", "public, max-age=60"))
    assert only(stream("app", (0.03, EVENT), headers=headers)).measured["observed"] == (
        "public, max-age=60"
    )


# --- how it ends ----------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["last_chunk", "eof", "truncated", "reset", "h2_reset"])
def test_a_stream_that_ends_at_once_without_a_byte(end: str) -> None:
    symptom = only(stream("app", end=end, at=0.03))
    assert (symptom.kind, symptom.measured["end"]) == ("closed_at_once", end)
    assert symptom.measured["seconds"] == pytest.approx(0.01)


def test_a_stream_that_ends_at_once_after_a_comment() -> None:
    assert kinds(stream("app", (0.03, PING), end="last_chunk", at=0.1)) == ["closed_at_once"]


def test_a_stream_that_ends_at_once_after_an_event_has_ended() -> None:
    assert kinds(stream("app", (0.03, EVENT), end="last_chunk", at=0.1)) == ["ended"]


def test_our_own_limit_closes_nothing() -> None:
    assert kinds(stream("app", end="limit_time", at=0.5)) == []


def test_a_clean_end_after_events_has_ended() -> None:
    symptom = only(stream("app", (0.03, EVENT), (3.0, EVENT), end="last_chunk", at=3.0))
    assert (symptom.kind, symptom.measured["events"]) == ("ended", 2)


@pytest.mark.parametrize("end", ["truncated", "reset", "h2_reset"])
def test_a_break_after_silence_is_a_cut_when_idle(end: str) -> None:
    symptom = only(stream("nginx", (0.03, EVENT), (2.2, EVENT), end=end, at=7.2))
    assert symptom.kind == "cut_when_idle"
    assert symptom.measured["idle_seconds"] == 5.0
    assert symptom.measured["total_seconds"] == pytest.approx(7.2, abs=0.01)
    assert "known_limits" not in symptom.measured


def test_a_cut_at_a_known_limit_names_it() -> None:
    symptom = only(stream("nginx", (0.03, EVENT), end="truncated", at=60.06))
    assert symptom.measured["known_limits"] == [
        "60 s: nginx proxy_read_timeout, AWS load balancers"
    ]
    assert "nginx proxy_read_timeout" in symptom.text


def test_a_cut_without_any_byte_counts_from_the_headers() -> None:
    symptom = only(stream("nginx", end="truncated", at=5.02))
    assert (symptom.kind, symptom.measured["idle_seconds"]) == ("cut_when_idle", 5.0)


def test_a_break_while_bytes_flow_is_a_cut_after() -> None:
    symptom = only(stream("app", *every(0.5, until=15.1), end="truncated", at=15.1))
    assert symptom.kind == "cut_after"
    assert symptom.measured["total_seconds"] == pytest.approx(15.1, abs=0.01)
    assert symptom.measured["known_limits"][0].startswith("15 s: Envoy")


def test_a_cut_after_less_silence_than_it_outlived_is_no_cut_when_idle() -> None:
    record = stream("nginx", (0.03, EVENT), (10.0, EVENT), end="truncated", at=15.0)
    symptom = only(record)
    assert (symptom.kind, symptom.measured["survived_seconds"]) == ("cut_after", 9.97)
    assert symptom.measured["known_limits"][0].startswith("15 s: Envoy")
    steady = stream("nginx", (0.03, EVENT), (5.0, EVENT), end="truncated", at=10.0)
    assert kinds(steady) == ["cut_when_idle"]


def test_a_reset_while_bytes_flow_is_a_reset() -> None:
    assert kinds(stream("app", *every(0.5, until=4.0), end="reset", at=4.0)) == ["reset"]


def test_framing_that_breaks_in_the_body_is_not_http() -> None:
    record = stream("app", (0.03, EVENT), end="protocol_error", at=1.0)
    assert kinds(record) == ["not_http"]


# --- bytes that are no events -----------------------------------------------------------------


def test_events_without_a_blank_line_are_not_parsable() -> None:
    assert kinds(stream("app", *every(0.4, b"data: x\n"))) == ["not_parsable"]


def test_pings_do_not_hide_events_without_a_blank_line() -> None:
    arrivals = ((0.03, b"data: x\n"), (2.0, b": ping\n"), (4.0, b"data: y\n"))
    assert kinds(stream("app", *arrivals)) == ["not_parsable"]


def test_json_lines_are_not_parsable() -> None:
    assert kinds(stream("app", *every(0.4, b'{"a": 1}\n\n'))) == ["not_parsable"]


def test_a_line_without_end_is_not_parsable_even_after_events() -> None:
    record = stream("app", (0.03, EVENT + b"data: " + b"x" * 900), end="limit_event", at=0.1)
    assert kinds(record) == ["not_parsable"]


def test_bytes_that_drip_are_not_parsable() -> None:
    assert kinds(stream("app", *every(1.0, b"d"))) == ["not_parsable"]


def test_a_large_event_over_a_slow_network_is_parsable() -> None:
    assert kinds(stream("app", *every(0.1, b"d" * 100))) == []
    assert kinds(stream("app", *every(1.0, b"d", start=6.0))) == []


def test_an_event_that_just_began_is_still_parsable() -> None:
    assert kinds(stream("app", (6.0, b"data: x\n"))) == []


def test_an_event_larger_than_what_was_kept_is_parsable() -> None:
    record = stream("app", (0.03, b"data: a\ndata: " + b"x" * 100), (0.2, b"x" * 100))
    assert kinds(Stream(**{**vars(record), "body": record.body[:50]})) == []
    assert kinds(record) == ["not_parsable"]


def gzipped(*parts: bytes, flush: int) -> list[bytes]:
    coder = zlib.compressobj(wbits=31)
    return [coder.compress(part) + coder.flush(flush) for part in parts]


GZIP = (*GOOD_HEADERS, ("Content-Encoding", "gzip"))


def test_a_coding_that_holds_the_events_is_compressed() -> None:
    head = gzipped(b"", flush=zlib.Z_SYNC_FLUSH)[0]
    symptom = only(stream("app", (0.03, head), headers=GZIP))
    assert (symptom.kind, symptom.measured["encoding"]) == ("compressed", "gzip")


def test_a_coding_flushed_with_each_event_is_healthy() -> None:
    first, second = gzipped(EVENT, EVENT, flush=zlib.Z_SYNC_FLUSH)
    assert kinds(stream("nginx", (0.03, first), (0.5, second), headers=GZIP)) == []


def test_a_coding_that_cannot_be_decoded_is_compressed() -> None:
    headers = (*GOOD_HEADERS, ("Content-Encoding", "compress"))
    assert kinds(stream("app", (0.03, b"\x8b\x00"), headers=headers)) == ["compressed"]


def test_a_coding_that_is_unknown_says_nothing_of_a_clean_end() -> None:
    headers = (*GOOD_HEADERS, ("Content-Encoding", "compress"))
    over = stream("app", (0.03, b"\x8b\x00"), headers=headers, end="last_chunk", at=0.1)
    assert kinds(over) == ["compressed"]
    assert "cannot be decoded here" in only(over).text


def test_a_coding_named_identity_is_none() -> None:
    headers = (*GOOD_HEADERS, ("Content-Encoding", "identity"))
    assert kinds(stream("app", (0.03, EVENT), headers=headers)) == []


def test_a_compressed_bomb_is_decoded_up_to_a_limit() -> None:
    bomb = zlib.compressobj(9, wbits=31)
    data = bomb.compress(b"x" * 50_000_000) + bomb.flush()
    assert len(data) < 65_000
    record = stream("app", (0.03, data), headers=GZIP)
    parsed = parse_decoded(record)
    assert parsed is not None
    assert parsed.pending == MAX_DECODED
    assert kinds(record) == ["compressed"]
    assert kinds(Stream(**{**vars(record), "end": End("last_chunk", 0.1)})) == ["compressed"]


def test_a_compressed_bomb_of_lines_is_read_up_to_a_limit() -> None:
    coder = zlib.compressobj(9, wbits=31)
    data = coder.compress(b":\n" * 500_000) + coder.flush()
    parsed = parse_decoded(stream("app", (0.03, data), headers=GZIP))
    assert parsed is not None
    assert MAX_LINES <= len(parsed.comments) < 2 * MAX_LINES


# --- promised, and not kept -----------------------------------------------------------------


def test_no_byte_although_a_keepalive_was_promised_is_silent() -> None:
    assert kinds(stream("app"), Expected(keepalive_seconds=5.0)) == ["silent"]


def test_no_byte_before_the_keepalive_is_due_is_healthy() -> None:
    assert kinds(stream("app"), Expected(keepalive_seconds=30.0)) == []
    assert kinds(stream("app"), Expected(keepalive_seconds=7.9)) == []


def test_a_quiet_stream_with_a_first_event_is_not_silent() -> None:
    assert kinds(healthy("app"), Expected(keepalive_seconds=5.0)) == []


# --- CORS -------------------------------------------------------------------------------------

PAGE = Expected(origin="https://app.example.org")


def cors(*values: str) -> Stream:
    lines = tuple(("Access-Control-Allow-Origin", value) for value in values)
    return stream("public", (0.03, EVENT), headers=GOOD_HEADERS + lines)


@pytest.mark.parametrize("value", ["*", "https://app.example.org"])
def test_an_allowed_origin_is_healthy(value: str) -> None:
    assert kinds(cors(value), PAGE) == []


@pytest.mark.parametrize("values", [("*", "*"), ("https://app.example.org, *",)])
def test_two_allowed_origins_are_a_duplicate(values: tuple[str, ...]) -> None:
    assert kinds(cors(*values), PAGE) == ["duplicate_cors"]


@pytest.mark.parametrize("values", [(), ("https://other.example.org",), ("null",)])
def test_an_origin_that_is_not_allowed_is_missing(values: tuple[str, ...]) -> None:
    assert kinds(cors(*values), PAGE) == ["missing_cors"]


WITH_COOKIES = Expected(origin="https://app.example.org", credentials=True)


@pytest.mark.parametrize("value", ["*", "https://app.example.org"])
def test_a_page_with_cookies_needs_its_own_origin_and_credentials(value: str) -> None:
    symptom = only(cors(value), WITH_COOKIES)
    assert (symptom.kind, symptom.measured["observed"]) == ("missing_cors", value)


def test_a_page_with_cookies_that_is_allowed_is_healthy() -> None:
    allowed = cors("https://app.example.org")
    lines = (*allowed.headers, ("Access-Control-Allow-Credentials", "true"))
    assert kinds(Stream(**{**vars(allowed), "headers": lines}), WITH_COOKIES) == []


def test_cors_is_not_judged_without_a_page_or_for_the_own_origin() -> None:
    assert kinds(cors("a", "b")) == []
    assert kinds(cors(), Expected(origin="http://chat.example.org")) == []


# --- what is left out --------------------------------------------------------------------------


def test_a_counter_test_is_no_hop_but_can_be_looked_at_alone() -> None:
    record = stream("app", end="last_chunk", at=0.03, variant="http10")
    assert observe([healthy("app"), record]) == ()
    assert kinds(record) == ["closed_at_once"]


def test_the_text_of_a_symptom_begins_with_the_hop() -> None:
    record = stream("nginx", end="limit_time", status=None)
    assert only(record).text.startswith("nginx: no status line within 8.0 s")
    assert End("limit_time", 8.0) == record.end


@pytest.mark.parametrize(
    "goodbye",
    [b"data: [DONE]\n\n", b"event: done\ndata: {}\n\n", b"event: message_stop\ndata: {}\n\n"],
    ids=["[DONE]", "done", "message_stop"],
)
def test_an_end_that_was_announced_is_no_symptom(goodbye: bytes) -> None:
    parts = ((0.1, b"data: a\n\n"), (0.5, b"data: b\n\n"), (1.0, goodbye))
    assert observe_one(stream("app", *parts, end="last_chunk", at=1.0)) == ()


def test_a_goodbye_that_was_not_the_last_word_announces_nothing() -> None:
    parts = ((0.1, b"data: [DONE]\n\n"), (0.5, b"data: b\n\n"))
    (symptom,) = observe_one(stream("app", *parts, end="last_chunk", at=1.0))
    assert symptom.kind == "ended"


def test_a_stream_that_is_broken_off_after_its_goodbye_is_broken_off_all_the_same() -> None:
    parts = ((0.1, b"data: a\n\n"), (0.5, b"data: [DONE]\n\n"))
    (symptom,) = observe_one(stream("app", *parts, end="truncated", at=0.5))
    assert symptom.kind == "cut_after"
