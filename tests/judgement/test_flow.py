"""A message that was sent: what each record tells of it, and what it cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssemedic.clues.flow import flow_of
from ssemedic.judge import Judgement
from ssemedic.report.canary_words import lines
from ssemedic.report.model import report_of
from ssemedic.symptoms import Kind
from tests.rules.cases import CaseFile

GOT = 'event: message\ndata: {"id": "c0ffee"}\n\n'


def judged(streams: list[dict[str, Any]], **more: Any) -> Judgement:
    data = {"streams": streams, "canary": {}, **more}
    return CaseFile(Path("tests/rules/none/case.yml"), data).judged()


def kinds(judgement: Judgement) -> list[tuple[str, str]]:
    return [(s.kind.value, s.hop) for s in judgement.case.symptoms]


def test_it_is_lost_at_the_innermost_hop_that_did_not_bring_it() -> None:
    found = judged([{"hop": "app", "body": GOT}, {"hop": "nginx"}, {"hop": "public"}])
    assert kinds(found) == [(Kind.CANARY_LOST.value, "nginx")]


def test_a_hop_that_holds_back_everything_is_not_said_to_lose_a_message() -> None:
    found = judged(
        [
            {"hop": "app", "body": GOT},
            {"hop": "nginx", "events": []},  # headers, and not a byte
            {"hop": "public", "events": []},
        ]
    )
    assert kinds(found) == [(Kind.BUFFERED.value, "nginx")]


@pytest.mark.parametrize(
    "stream",
    [
        {"started": 2.0},  # opened after the message
        {"end": "truncated", "at": 2.0},  # ended half a second after it
        {"status": 401, "headers": {"Content-Type": "text/plain"}},
    ],
)
def test_a_record_that_cannot_tell_is_no_loss(stream: dict[str, Any]) -> None:
    found = judged([{"hop": "app", **stream}])
    flow = flow_of(found.case.evidence, found.case.topology)
    assert flow is not None and flow.legs == ()
    assert Kind.CANARY_LOST.value not in [kind for kind, _ in kinds(found)]


def test_a_message_that_was_refused_is_a_note_and_no_symptom() -> None:
    found = judged(
        [{"hop": "app"}, {"hop": "nginx"}, {"hop": "public"}],
        canary={"accepted": False, "answer": "404 at nginx, 404 at app", "needle": ""},
    )
    assert kinds(found) == []
    assert any("was not taken: 404 at nginx" in note for note in found.diagnosis.notes)


def test_without_a_message_a_report_has_no_way_of_one() -> None:
    found = judged([{"hop": "app"}, {"hop": "nginx"}, {"hop": "public"}], canary=None)
    assert report_of(found)["canary"] is None
    assert lines(None) == []


def test_the_rows_say_how_far_it_came() -> None:
    found = judged(
        [{"hop": "app", "body": GOT, "started": 1.55}, {"hop": "nginx"}, {"hop": "public"}],
        brokers=[{"published": [{"subject": "a.b", "canary": True}], "clients": []}],
    )
    rows = dict(lines(report_of(found)["canary"]))
    assert rows["sent"] == "POST /api/chats/1/messages: 202 after 2 ms"
    assert rows["published"] == "on a.b after 0 ms"
    assert rows["delivered"] == "app after 80 ms"
    assert rows["lost"] == "never came at nginx, public"


def test_only_an_event_of_the_expected_name_counts() -> None:
    streams = [{"hop": hop, "body": GOT} for hop in ("app", "nginx", "public")]
    assert kinds(judged(streams, canary={"event": "message"})) == []
    assert kinds(judged(streams, canary={"event": "chat"})) == [(Kind.CANARY_LOST.value, "app")]
