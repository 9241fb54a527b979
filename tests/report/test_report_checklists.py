"""The two checklists: done and failed only for what was seen, open for all else."""

from __future__ import annotations

from typing import Any

import pytest

from ssemedic.endpoint import Endpoint
from ssemedic.report.checklists import Line, State, checklists
from ssemedic.report.next_step import command, next_steps
from ssemedic.report.present import present
from ssemedic.report.timeline import timeline
from ssemedic.token import Token
from tests.report.conftest import NOW, URL, all_streaming, evidence, report_on

Report = dict[str, Any]


def line(report: Report, task: str) -> Line:
    """The line whose task begins so."""
    lines = [line for checklist in checklists(report) for line in checklist.lines]
    return next(line for line in lines if line.task.startswith(task))


def state(report: Report, task: str) -> State:
    return line(report, task).state


def with_token(expires: float) -> Report:
    token = Token(
        length=438, is_jwt=True, algorithm="HS256", expires=expires, not_before=None, issued=None,
        issuer=None, audience=(), claims=("exp",),
    )  # fmt: skip
    return report_on(evidence(*all_streaming()), None, token)


def test_both_teams_have_every_line_that_the_first_users_asked_for(healthy: Report) -> None:
    server, frontend = checklists(healthy)
    assert (server.team, frontend.team) == ("server team", "frontend team")
    assert [line.task for line in server.lines] == [
        "Status of the service",
        "The endpoint is running",
        "Log of connection attempts",
        "The endpoint tested on the host itself",
        "Validation of the token",
        "Headers of the answer",
        "Keep-alive",
    ]
    assert [line.task for line in frontend.lines] == [
        "Diagnosis page run in the browser",
        "Error pattern noted",
        "Token: format and validity",
        "Log of the dev proxy during a test",
        "Configuration of the dev proxy",
    ]


def test_nothing_is_done_or_failed_where_nothing_was_seen(unseen: Report) -> None:
    states = {line.state for checklist in checklists(unseen) for line in checklist.lines}
    assert states == {State.OPEN}


def test_a_stopped_service_fails_its_line_with_a_link_to_the_cause(stopped: Report) -> None:
    for task in ("Status of the service", "The endpoint is running"):
        assert state(stopped, task) is State.FAILED
        assert line(stopped, task).causes == (0,)


def test_a_break_at_nginx_does_not_fail_the_lines_of_the_app(broken: Report) -> None:
    assert state(broken, "Status of the service") is State.DONE
    assert state(broken, "The endpoint is running") is State.DONE
    assert state(broken, "The endpoint tested") is State.FAILED
    assert line(broken, "The endpoint tested").causes == (0,)


def test_a_repair_that_is_proven_closes_what_failed(repaired: Report) -> None:
    assert state(repaired, "The endpoint tested") is State.DONE
    pattern = line(repaired, "Error pattern")
    assert pattern.said.startswith("Now created, established (readyState 1), and kept open.")
    assert "open for an instant (readyState 1), then an error (readyState 0)" in pattern.said
    assert pattern.causes == (0,)


def test_a_change_that_was_undone_closes_nothing(undone: Report) -> None:
    assert state(undone, "The endpoint tested") is State.FAILED
    assert present(undone).cured == ()


def test_a_change_that_is_kept_and_not_proven_closes_nothing(repaired: Report) -> None:
    repaired["proof"]["proven"] = False
    assert state(repaired, "The endpoint tested") is State.FAILED
    assert present(repaired).cured == ()


def test_a_symptom_that_came_with_the_change_is_not_forgotten(repaired: Report) -> None:
    repaired["proof"]["came"] = ["missing_cors@nginx"]
    headers = line(repaired, "Headers of the answer")
    assert headers.state is State.FAILED
    assert "missing_cors, since the change" in headers.said


def test_the_pattern_is_what_a_page_sees(broken: Report, healthy: Report) -> None:
    assert "never an event" in line(broken, "Error pattern").said
    assert line(healthy, "Error pattern").said.startswith("None: the page sees it open")


def test_a_token_is_judged_by_its_own_expiry() -> None:
    assert state(with_token(NOW + 3600), "Token: format") is State.DONE
    assert state(with_token(NOW - 60), "Token: format") is State.FAILED
    assert "expired 60" in line(with_token(NOW - 60), "Token: format").said


def test_a_token_counts_as_validated_only_where_the_app_took_it(broken: Report) -> None:
    assert state(with_token(NOW + 3600), "Validation of the token") is State.DONE
    assert state(broken, "Validation of the token") is State.OPEN


def test_keep_alive_is_open_until_it_was_watched_for_longer_than_promised() -> None:
    def promised(seconds: float) -> Report:
        return report_on(evidence(*all_streaming()), Endpoint(URL, keepalive_seconds=seconds))

    assert state(promised(5.0), "Keep-alive") is State.DONE
    assert state(promised(30.0), "Keep-alive") is State.OPEN
    assert "--for 60" in line(promised(30.0), "Keep-alive").said


def test_a_log_that_was_not_read_is_open_and_one_with_trouble_fails(healthy: Report) -> None:
    assert state(healthy, "Log of connection") is State.DONE
    healthy["missing"]["/var/log/nginx/error.log"] = "not permitted"
    assert state(healthy, "Log of connection") is State.OPEN
    healthy["symptoms"] = [
        {"id": "no_room@nginx", "kind": "no_room", "hop": "nginx", "text": "nginx logged 3 times",
         "measured": {"count": 3}, "source": "/var/log/nginx/error.log"}
    ]  # fmt: skip
    assert state(healthy, "Log of connection") is State.FAILED


@pytest.mark.parametrize(
    ("name", "who", "what"),
    [
        ("healthy", "nobody", "nothing to do"),
        ("broken", "server team", "Repair it"),
        ("stopped", "server team", "Repair it"),
        ("advised", "server team", "Move what can fail"),
        ("unseen", "server team", "Give access"),
        ("puzzling", "server team", "No known cause fits"),
        ("repaired", "nobody", "proven and kept"),
        ("undone", "server team", "The change was undone"),
    ],
)
def test_it_says_who_must_act_and_what(
    name: str, who: str, what: str, request: pytest.FixtureRequest
) -> None:
    first = next_steps(request.getfixturevalue(name))[0]
    assert first.who == who
    assert what in first.what


def test_a_failed_undo_comes_before_everything(undone: Report) -> None:
    undone["changes"]["outcome"] = "undo_failed"
    assert next_steps(undone)[0].what.startswith("Look at the host before anything else")


def test_a_url_is_quoted_for_the_shell(broken: Report) -> None:
    broken["endpoint"]["url"] = "https://chat.example.org/events?room=1&lang=en"
    said = command(broken, "diagnose")
    assert said is not None
    assert said.endswith("--url 'https://chat.example.org/events?room=1&lang=en'")


def test_the_time_line_is_in_order_and_holds_the_change(repaired: Report) -> None:
    moments = timeline(repaired)
    times = [moment.at for moment in moments if moment.at is not None]
    assert times == sorted(times)
    assert any("change 20240101T120000-4f2a begun" in moment.what for moment in moments)
    assert [m.where for m in moments].count("nginx") == 7  # asked, headers, end; first bytes after
