"""What the hops show side by side, and where a symptom begins."""

from __future__ import annotations

from typing import Any

import pytest
from record_builder import EVENT, GOOD_HEADERS, every, healthy, stream

from ssemedic.stream.detect import Expected, observe, origins
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom


def ids(*streams: Stream, expected: Expected | None = None) -> list[str]:
    return [symptom.id for symptom in observe(streams, expected)]


def origin_ids(*streams: Stream, expected: Expected | None = None) -> list[str]:
    return [symptom.id for symptom in origins(observe(streams, expected))]


def waiting(hop: str, **changes: Any) -> Stream:
    return stream(hop, status=None, **changes)


HTML = (("Content-Type", "text/html"),)


# --- buffered -------------------------------------------------------------------------------


def test_a_hop_that_shows_nothing_of_what_the_inner_hop_sent_is_buffered() -> None:
    (symptom,) = observe([stream("app", *every(0.4)), waiting("nginx")])
    assert symptom.id == "buffered@nginx"
    assert symptom.measured["inner"] == "app"
    assert symptom.measured["inner_bytes"] > 0
    assert symptom.text.startswith("nginx: nothing, not even headers, in 8.0 s, while app sent")


def test_one_first_event_is_enough_to_see_that_a_hop_buffers() -> None:
    assert ids(healthy("app"), waiting("nginx")) == ["buffered@nginx"]


def test_a_hop_that_shows_only_headers_is_buffered() -> None:
    assert ids(healthy("app"), stream("nginx")) == ["buffered@nginx"]


def test_every_hop_outside_one_that_buffers_is_buffered_and_the_inner_one_is_the_origin() -> None:
    hops = (healthy("app"), waiting("nginx"), waiting("public"))
    assert ids(*hops) == ["buffered@nginx", "buffered@public"]
    assert origin_ids(*hops) == ["buffered@nginx"]


def test_a_buffer_at_the_public_edge_is_seen_there() -> None:
    assert ids(healthy("app"), healthy("nginx"), waiting("public")) == ["buffered@public"]


def test_a_first_byte_that_comes_much_later_is_buffered() -> None:
    late = stream("nginx", (6.5, EVENT * 16), headers_at=6.5)
    (symptom,) = observe([stream("app", *every(0.4)), late])
    assert symptom.id == "buffered@nginx"
    assert symptom.measured["lag_seconds"] == pytest.approx(6.45, abs=0.05)


def test_everything_at_the_end_of_a_short_stream_is_buffered() -> None:
    app = stream("app", *every(0.4, until=5.0), end="last_chunk", at=5.0)
    nginx = stream("nginx", (5.0, EVENT * 12), headers_at=5.0, end="last_chunk", at=5.0)
    assert origin_ids(app, nginx) == ["ended@app", "buffered@nginx"]


def test_bursts_where_the_inner_hop_flows_are_buffered() -> None:
    app = stream("app", *every(0.1, EVENT * 50))
    nginx = stream("nginx", *every(0.9, EVENT * 450, start=0.9))
    (symptom,) = observe([app, nginx])
    assert symptom.id == "buffered@nginx"
    assert symptom.measured["gap_seconds"] == 0.9


def test_one_long_gap_with_few_arrivals_is_buffered() -> None:
    app = stream("app", *every(0.5))
    nginx = stream("nginx", (0.1, EVENT), (7.0, EVENT * 14))
    assert ids(app, nginx) == ["buffered@nginx"]


# --- not buffered ---------------------------------------------------------------------------


def test_a_hop_that_waits_because_the_inner_hop_sends_nothing_is_not_buffered() -> None:
    assert ids(waiting("app"), waiting("nginx")) == ["no_answer@app", "no_answer@nginx"]
    assert origin_ids(waiting("app"), waiting("nginx")) == ["no_answer@app"]


def test_a_hop_without_headers_where_the_inner_hop_sent_only_headers_has_no_answer() -> None:
    assert ids(stream("app"), waiting("nginx")) == ["no_answer@nginx"]


def test_an_inner_hop_that_sent_its_first_byte_late_proves_no_buffer() -> None:
    app = stream("app", (6.0, EVENT), headers_at=0.02)
    assert ids(app, waiting("nginx")) == ["no_answer@nginx"]


def test_a_hop_outside_one_without_an_answer_is_not_buffered() -> None:
    app = stream("app", (3.0, EVENT), headers_at=3.0)
    nginx, public = waiting("nginx", at=5.9), waiting("public", at=6.1)
    assert ids(app, nginx, public) == ["headers_late@app", "no_answer@nginx", "no_answer@public"]
    assert origin_ids(app, nginx, public) == ["headers_late@app"]


def test_a_stall_of_three_seconds_is_no_buffer() -> None:
    app = stream("app", *every(0.4))
    stalled = stream("nginx", (2.9, EVENT * 7), *every(0.4, start=3.2), headers_at=1.9)
    assert ids(app, stalled) == []


def test_a_stall_in_the_middle_is_no_buffer() -> None:
    app = stream("app", *every(0.4))
    stalled = stream("nginx", *every(0.4, until=2.0), (5.0, EVENT * 7), *every(0.4, start=5.2))
    assert ids(app, stalled) == []


def test_a_longer_stall_that_the_recorder_noticed_is_no_buffer() -> None:
    app = stream("app", *every(0.4))
    late = stream("nginx", (5.0, EVENT * 12), headers_at=5.0, stalled=4.0)
    assert ids(app, late) == []


def test_bursts_that_the_application_itself_makes_are_no_buffer() -> None:
    bursts = tuple((at + step, EVENT) for at in (0.1, 4.0) for step in (0.0, 0.01, 0.02, 0.03))
    assert ids(stream("app", *bursts), stream("nginx", *bursts)) == []
    assert ids(stream("app", *bursts), stream("nginx", (0.1, EVENT * 4), (4.0, EVENT * 4))) == []


def test_records_of_different_minutes_are_not_compared_by_their_gaps() -> None:
    app = stream("app", *every(0.5))
    nginx = stream("nginx", (0.1, EVENT), (7.0, EVENT * 14), started=1060.0)
    assert ids(app, nginx) == []


def test_events_coalesced_two_by_two_are_no_buffer() -> None:
    assert ids(stream("app", *every(0.2)), stream("nginx", *every(0.4, EVENT * 2))) == []


def test_a_quiet_but_healthy_chain_shows_nothing() -> None:
    assert ids(healthy("app"), healthy("nginx"), healthy("public")) == []


def test_a_refused_hop_is_refused_not_buffered() -> None:
    refused = stream("nginx", end="refused", status=None, at=0.01)
    assert ids(healthy("app"), refused) == ["refused@nginx"]


# --- silent ---------------------------------------------------------------------------------


def test_a_silent_hop_inside_a_delivering_one_is_not_buffered_but_silent() -> None:
    promised = Expected(keepalive_seconds=5.0)
    assert ids(stream("app"), stream("nginx"), expected=promised) == ["silent@app", "silent@nginx"]
    assert origin_ids(stream("app"), stream("nginx"), expected=promised) == ["silent@app"]


# --- headers that an outer hop adds ----------------------------------------------------------

BARE = (("Content-Type", "text/event-stream"),)


def test_a_header_that_nginx_adds_is_not_missing() -> None:
    assert ids(healthy("app", headers=BARE), healthy("nginx")) == []


def test_a_header_that_nobody_adds_is_missing_at_the_app() -> None:
    hops = (healthy("app", headers=BARE), healthy("nginx", headers=BARE))
    assert origin_ids(*hops) == ["missing_header@app"]


def test_a_header_that_nginx_takes_away_is_missing_there() -> None:
    assert origin_ids(healthy("app"), healthy("nginx", headers=BARE)) == ["missing_header@nginx"]


def test_a_second_cors_header_begins_where_it_is_added() -> None:
    one = (*GOOD_HEADERS, ("Access-Control-Allow-Origin", "*"))
    two = (*one, ("Access-Control-Allow-Origin", "*"))
    hops = (healthy("app", headers=one), healthy("nginx", headers=two))
    page = Expected(origin="https://app.example.org")
    assert origin_ids(*hops, expected=page) == ["duplicate_cors@nginx"]


# --- origins --------------------------------------------------------------------------------

REFUSED = stream("app", end="refused", status=None, at=0.01)


def status(hop: str, code: int) -> Stream:
    return stream(hop, (0.03, b"<html>"), status=code, headers=HTML, end="last_chunk", at=0.04)


@pytest.mark.parametrize(
    ("app", "nginx"),
    [
        (REFUSED, status("nginx", 502)),
        (REFUSED, stream("nginx", headers=HTML, end="last_chunk")),
        (REFUSED, waiting("nginx")),
        (waiting("app"), status("nginx", 504)),
        (waiting("app", end="truncated", at=0.01), status("nginx", 502)),
        (status("app", 401), status("nginx", 401)),
        (status("app", 500), status("nginx", 502)),
        (stream("app", end="truncated", at=0.03), stream("nginx", end="truncated", at=0.03)),
        (stream("app", end="eof", at=0.03), stream("nginx", end="last_chunk", at=0.03)),
        (stream("app", (6.0, EVENT), headers_at=6.0), waiting("nginx")),
        (stream("app", (5.0, EVENT), headers_at=5.0), status("nginx", 504)),
        (
            stream("app", (0.03, EVENT), end="truncated", at=5.0),
            stream("nginx", (0.03, EVENT), end="truncated", at=5.01),
        ),
        (
            stream("app", (0.03, b"data: x\n"), (5.0, b"data: y\n")),
            stream("nginx", (0.03, b"data: x\n"), (5.0, b"data: y\n")),
        ),
    ],
    ids=[
        "refused, 502",
        "refused, html",
        "refused, no answer",
        "no answer, 504",
        "closed before headers, 502",
        "401, 401",
        "500, 502",
        "closed at once, both broken",
        "closed at once, both clean",
        "headers late, no answer",
        "headers late, 504",
        "cut when idle, both",
        "not parsable, both",
    ],
)
def test_what_follows_from_the_app_begins_at_the_app(app: Stream, nginx: Stream) -> None:
    assert {symptom.hop for symptom in observe([app, nginx])} == {"app", "nginx"}
    assert {symptom.hop for symptom in origins(observe([app, nginx]))} == {"app"}


@pytest.mark.parametrize(
    ("app", "nginx", "wanted"),
    [
        (
            stream("app", (5.0, EVENT), headers_at=5.0),
            stream("nginx", headers=HTML, end="last_chunk", at=0.03),
            "html_instead@nginx",
        ),
        (status("app", 401), status("nginx", 404), "wrong_status@nginx"),
        (stream("app", (6.0, EVENT), headers_at=6.0), status("nginx", 502), "wrong_status@nginx"),
        (REFUSED, status("nginx", 404), "wrong_status@nginx"),
        (REFUSED, stream("nginx", end="refused", status=None), "refused@nginx"),
        (
            stream("app", (0.03, EVENT), end="truncated", at=7.5),
            stream("nginx", (0.03, EVENT), end="truncated", at=5.0),
            "cut_when_idle@nginx",
        ),
        (healthy("app", headers=BARE), status("nginx", 502), "wrong_status@nginx"),
    ],
    ids=[
        "headers late, html",
        "401, 404",
        "headers late, 502",
        "refused, 404",
        "refused, refused",
        "cut later, cut sooner",
        "header missing, 502",
    ],
)
def test_what_does_not_follow_from_the_app_is_an_origin_of_its_own(
    app: Stream, nginx: Stream, wanted: str
) -> None:
    assert wanted in origin_ids(app, nginx)
    assert any(id_.endswith("@app") for id_ in origin_ids(app, nginx))


def test_nginx_that_cuts_a_stream_the_app_keeps_open_is_the_origin() -> None:
    nginx = stream("nginx", (0.03, EVENT), end="truncated", at=5.03)
    public = stream("public", (0.05, EVENT), end="truncated", at=5.05)
    assert origin_ids(healthy("app"), nginx, public) == ["cut_when_idle@nginx"]


def test_a_dead_nginx_explains_the_dead_public_address() -> None:
    def dead(hop: str) -> Stream:
        return stream(hop, end="refused", status=None)

    assert origin_ids(healthy("app"), dead("nginx"), dead("public")) == ["refused@nginx"]


def test_a_closed_public_port_is_not_explained_by_a_dead_app_behind_a_live_nginx() -> None:
    public = stream("public", end="refused", status=None)
    assert origin_ids(REFUSED, status("nginx", 502), public) == ["refused@app", "refused@public"]


def test_symptoms_from_a_log_take_part() -> None:
    logged = Symptom(Kind.CUT_WHEN_IDLE, "nginx", "cut", {"count": 3}, "/var/log/nginx/error.log")
    outer = Symptom(Kind.CUT_WHEN_IDLE, "public", "cut", {"idle_seconds": 60.0})
    assert origins((logged, outer)) == (logged,)
