"""What only a counter-test shows: over HTTP/2, compressed, a second time, or beside another."""

from __future__ import annotations

import zlib

from record_builder import EVENT, GOOD_HEADERS, every, healthy, stream

from ssemedic.stream.record import Stream
from ssemedic.stream.varied import varied
from ssemedic.symptoms import Expected, Kind

REFUSED = {"status": 429, "headers": (("Content-Type", "text/html"),), "end": "last_chunk"}


def over_http2(**changes: object) -> Stream:
    values: dict[str, object] = {"variant": "h2", "request_version": "2", "response_version": "2"}
    return healthy("nginx", **{**values, **changes})


def kinds(*streams: Stream) -> list[Kind]:
    return [symptom.kind for symptom in varied(streams, Expected())]


def test_a_stream_that_ends_over_http2_alone_is_said_with_its_version() -> None:
    two = over_http2(end="protocol_error", at=0.05)
    (symptom,) = varied((healthy("nginx"), two), Expected())
    assert symptom.kind is Kind.NOT_HTTP
    assert symptom.measured["version"] == "2"
    assert symptom.text.startswith("nginx, over HTTP/2 only: ")


def test_a_stream_that_is_healthy_over_both_versions_shows_nothing() -> None:
    assert kinds(healthy("nginx"), over_http2()) == []


def test_what_fails_alike_over_http1_is_no_matter_of_the_version() -> None:
    closed = stream("nginx", end="truncated", at=0.05)
    assert kinds(closed, over_http2(end="protocol_error", at=0.05)) == []


def test_a_stream_cut_for_silence_hides_no_failure_over_http2() -> None:
    cut = healthy("nginx", end="truncated", at=5.06)
    assert kinds(cut, over_http2(end="protocol_error", at=0.05)) == [Kind.NOT_HTTP]


def test_where_http2_was_not_offered_no_browser_speaks_it() -> None:
    assert kinds(healthy("nginx"), over_http2(response_version="1.1", end="reset", at=0.05)) == []


def test_a_second_stream_that_is_refused_beside_the_first_is_counted() -> None:
    second = stream("nginx", variant="parallel-2", at=0.3, **REFUSED)
    (symptom,) = varied((healthy("nginx"), second), Expected())
    assert symptom.kind is Kind.FEW_STREAMS
    assert symptom.measured == {"opened": 1, "streams": 2, "statuses": [429]}


def test_it_does_not_matter_which_of_the_streams_got_the_place() -> None:
    first = stream("nginx", at=0.3, **REFUSED)
    assert kinds(first, healthy("nginx", variant="parallel-2")) == [Kind.FEW_STREAMS]


def test_streams_that_are_all_refused_have_another_reason() -> None:
    refused = [stream("nginx", variant=v, at=0.3, **REFUSED) for v in ("", "parallel-2")]
    assert kinds(*refused) == []


def test_three_streams_that_all_open_show_nothing() -> None:
    beside = [healthy("nginx", variant=f"parallel-{n}", end="limit_time") for n in (2, 3)]
    assert kinds(healthy("nginx"), *beside) == []


def test_the_app_is_not_measured_by_the_streams_of_nginx() -> None:
    second = stream("nginx", variant="parallel-2", at=0.3, **REFUSED)
    assert kinds(healthy("app"), second) == []


def silent_for_gzip(hop: str = "nginx") -> Stream:
    return stream(hop, status=None, variant="gzip")


def test_what_waits_for_who_takes_gzip_alone_is_said_so() -> None:
    (symptom,) = varied((healthy("app"), healthy("nginx"), silent_for_gzip()), Expected())
    assert symptom.kind is Kind.BUFFERED
    assert symptom.measured["variant"] == "gzip"
    assert symptom.text.startswith("nginx, for who takes gzip only: ")


def test_what_waits_for_everyone_is_no_matter_of_gzip() -> None:
    held = stream("nginx", status=None)
    assert kinds(healthy("app"), held, silent_for_gzip()) == []


def test_compressed_events_that_come_on_time_show_nothing() -> None:
    zipped = healthy("nginx", variant="gzip")
    assert kinds(healthy("app"), healthy("nginx"), zipped) == []


def test_without_a_record_of_the_app_nothing_can_be_said_to_wait() -> None:
    assert kinds(healthy("nginx"), silent_for_gzip()) == []


def kept(variant: str = "", text: bytes = EVENT * 3) -> Stream:
    return stream("nginx", (0.03, text), end="last_chunk", at=0.05, variant=variant)


def test_the_same_bytes_twice_at_once_are_an_old_stream() -> None:
    app = stream("app", *every(2.0), end="last_chunk", at=6.1)
    (symptom,) = varied((app, kept(), kept("again")), Expected())
    assert symptom.kind is Kind.REPLAYED
    assert symptom.measured == {"bytes": 3 * len(EVENT)}


def test_other_bytes_the_second_time_are_another_stream() -> None:
    app = stream("app", *every(2.0), end="last_chunk", at=6.1)
    assert kinds(app, kept(), kept("again", EVENT)) == []


def test_an_app_that_is_done_at_once_itself_is_not_replayed() -> None:
    app = stream("app", (0.03, EVENT * 3), end="last_chunk", at=0.05)
    assert kinds(app, kept(), kept("again")) == []


def to_a_page(*values: str) -> Stream:
    lines = tuple(("Access-Control-Allow-Origin", value) for value in values)
    return healthy("nginx", variant="origin", headers=(*GOOD_HEADERS, *lines))


def test_two_origin_headers_to_the_page_that_is_allowed_by_name_are_said() -> None:
    page = "https://app.example.org"
    (symptom,) = varied((healthy("nginx"), to_a_page(page, page)), Expected())
    assert symptom.kind is Kind.DUPLICATE_CORS
    assert symptom.measured["variant"] == "origin"
    assert symptom.text.startswith(f"nginx, to a page of {page}: 2 values")


def test_one_origin_header_to_that_page_is_as_it_should_be() -> None:
    assert kinds(healthy("nginx"), to_a_page("https://app.example.org")) == []
    assert kinds(healthy("nginx"), to_a_page()) == []


def test_a_compressor_that_lets_go_its_header_alone_holds_the_events() -> None:
    packed = (*GOOD_HEADERS, ("Content-Encoding", "gzip"))
    start = zlib.compressobj(wbits=31).compress(EVENT)[:10] or b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    zipped = stream("devproxy", (0.05, start), headers=packed, variant="gzip")
    (symptom,) = varied((healthy("public"), healthy("devproxy"), zipped), Expected())
    assert (symptom.kind, symptom.hop) == (Kind.BUFFERED, "devproxy")
    assert symptom.measured["variant"] == "gzip"


def test_a_compressor_that_flushes_holds_nothing() -> None:
    packed = (*GOOD_HEADERS, ("Content-Encoding", "gzip"))
    coder = zlib.compressobj(wbits=31)
    data = coder.compress(EVENT) + coder.flush(zlib.Z_SYNC_FLUSH)
    zipped = stream("devproxy", (0.05, data), headers=packed, variant="gzip")
    assert kinds(healthy("public"), healthy("devproxy"), zipped) == []


def test_an_app_that_keeps_from_who_takes_gzip_what_it_sends_to_others_is_its_own_measure() -> None:
    (symptom,) = varied((healthy("app"), silent_for_gzip("app")), Expected())
    assert (symptom.kind, symptom.hop) == (Kind.BUFFERED, "app")
    assert symptom.measured["variant"] == "gzip"
    assert symptom.text.startswith("app, for who takes gzip only: ")
    assert kinds(healthy("app"), healthy("app", variant="gzip")) == []
