"""Which lines of nginx's error log count: those of the workers in charge, of our request."""

from __future__ import annotations

from dataclasses import replace

from ssemedic.clues.logged import CONNECTIONS_LIMITED, NO_CONNECTIONS, logged, logged_symptoms
from ssemedic.evidence import Evidence, Log, LogLine
from ssemedic.symptoms import Kind
from tests.rules.cases import HERE, NOW, CaseFile

URL = "http://web1:8080/events"
SOURCE = "/var/log/nginx/error.log"
LIMITED = (
    '2027/01/15 07:59:00 [error] {pid}#{pid}: *3 limiting connections by zone "perip", '
    'client: 192.0.2.7, server: _, request: "GET {path} HTTP/1.1", host: "web1:8080"'
)
FULL = "2027/01/15 07:59:00 [alert] {pid}#{pid}: 12 worker_connections are not enough"


def evidence(*lines: tuple[float, str], started: float = -3600.0) -> Evidence:
    """One worker in charge, 11, and one that is shutting down, 7."""
    found = CaseFile(HERE / "x" / "healthy_x.yml", {"streams": [{"hop": "app"}]}).evidence()
    assert found.nginx is not None
    (worker,) = found.nginx.workers
    present = replace(worker, started=NOW + started)
    old = replace(worker, pid=7, started=NOW - 9000, shutting_down=True)
    log = Log(SOURCE, tuple(LogLine(NOW + at, text) for at, text in lines))
    return replace(found, logs=(log,), nginx=replace(found.nginx, workers=(old, present)))


def test_two_refusals_of_our_path_are_a_symptom_and_one_is_none() -> None:
    line = LIMITED.format(pid=11, path="/events?access_token=***")
    (symptom,) = logged_symptoms(evidence((-60, line), (-30, line)), URL)
    assert (symptom.kind, symptom.hop, symptom.source) == (Kind.FEW_STREAMS, "nginx", SOURCE)
    assert symptom.measured["count"] == 2
    assert logged_symptoms(evidence((-60, line)), URL) == ()


def test_another_path_is_not_ours() -> None:
    line = LIMITED.format(pid=11, path="/events/old")
    assert logged_symptoms(evidence((-60, line), (-30, line)), URL) == ()


def test_a_worker_without_connections_concerns_every_url() -> None:
    line = FULL.format(pid=11)
    (symptom,) = logged_symptoms(evidence((-60, line), (-30, line)), "http://web1:8080/other")
    assert symptom.kind is Kind.NO_ROOM


def test_within_the_second_of_a_reload_the_process_tells_old_lines_from_new_ones() -> None:
    reloaded = -10.4  # nginx stamps whole seconds: a line of 0.2 s later reads as 0.6 s earlier
    old, new = FULL.format(pid=7), FULL.format(pid=11)
    assert not logged(evidence((-11, old), (-11, old), started=reloaded), NO_CONNECTIONS, URL)
    assert len(logged(evidence((-11, new), started=reloaded), NO_CONNECTIONS, URL)) == 1
    assert not logged(evidence((-13, new), started=reloaded), NO_CONNECTIONS, URL)


def test_two_troubles_at_once_are_two_symptoms() -> None:
    lines = [LIMITED.format(pid=11, path="/events"), FULL.format(pid=11)] * 2
    found = evidence(*((-60.0 + at, line) for at, line in enumerate(lines)))
    assert {s.kind for s in logged_symptoms(found, URL)} == {Kind.FEW_STREAMS, Kind.NO_ROOM}
    assert len(logged(found, CONNECTIONS_LIMITED, URL)) == 2
