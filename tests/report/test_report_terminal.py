"""The report on a terminal: the right sentence on top, and host text that does nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from ssemedic.report.terminal import Stage, render_candidates, text
from ssemedic.report.words import verdict_sentence

Report = dict[str, Any]
Screen = Callable[..., str]

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MX0.c2lnbmF0dXJlLWJ5dGVz"
HOSTILE = (
    "\x1b]0;evil\x07 [red]loud[/red] [link=http://x]y[/link] {{ lookup('pipe', 'id') }} \u202e"
)


def flat(screen: str) -> str:
    """Without line breaks, so that wrapping does not matter."""
    return " ".join(screen.split())


def test_the_verdict_names_the_hop_and_the_cause(broken: Report) -> None:
    assert verdict_sentence(broken) == (
        "web1: broken. nginx ends the stream at once: it speaks HTTP/1.0 to an app that does "
        "not stream over it (the default of nginx 1.22.1)."
    )


def test_the_verdict_does_not_say_the_same_twice(buffered: Report) -> None:
    assert verdict_sentence(buffered) == (
        "web1: broken. nginx holds events back until its buffer fills "
        "(the default of nginx 1.22.1)."
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("healthy", "web1: healthy. The stream comes through at every hop: app, nginx, public."),
        ("advised", "web1: broken. The app ends the stream at once: it answers 200 and then"),
        ("stopped", "web1: broken. The app refuses the connection: the service behind the"),
        ("unseen", "web1: unknown. No verdict is possible: no Python 3.8 or later on the host."),
        ("puzzling", "and no known cause explains it."),
        ("repaired", "web1: repaired and proven, healthy now. It was broken: nginx ends the"),
        ("undone", "web1: still broken; the change did not cure it and was undone. nginx ends"),
    ],
)
def test_the_verdict_is_one_clear_sentence(
    name: str, sentence: str, request: pytest.FixtureRequest
) -> None:
    assert sentence in verdict_sentence(request.getfixturevalue(name))


def test_a_failed_undo_is_said_first(undone: Report, screen: Screen) -> None:
    undone["changes"]["outcome"] = "undo_failed"
    assert verdict_sentence(undone).startswith("web1: the change failed, and so did the undo.")
    assert "THE UNDO FAILED" in screen(undone)


def test_a_latent_cause_is_not_called_a_break(healthy: Report, broken: Report) -> None:
    healthy["causes"] = [{**broken["causes"][0], "status": "latent", "explains": []}]
    healthy["verdict"]["before"] = "degraded"
    assert "degraded. The stream works, but nginx speaks" in verdict_sentence(healthy)


def test_a_suspicion_is_not_stated_as_a_fact(broken: Report) -> None:
    broken["causes"][0]["status"] = "suspected"
    assert "at once: probably it speaks HTTP/1.0" in verdict_sentence(broken)


def test_the_verdict_stands_on_top(broken: Report, screen: Screen) -> None:
    assert screen(broken).startswith("web1: broken.")


def test_the_hops_stand_in_a_row_with_the_break_between_them(
    broken: Report, screen: Screen
) -> None:
    shown = screen(broken)
    assert "✓ app  ──✗──▶  ✗ nginx  ─────▶  ✗ public" in shown
    lines = shown.splitlines()
    at = next(i for i, line in enumerate(lines) if "breaks between app and nginx" in line)
    assert any(line.startswith("  ✓ app") for line in lines[:at])
    assert lines[at + 1].startswith("  ✗ nginx")


def test_a_consequence_is_not_shown_as_a_symptom_of_its_own(broken: Report, screen: Screen) -> None:
    shown = screen(broken)
    assert shown.count("closed_at_once: ") == 1
    assert shown.count("closed_at_once, in consequence") == 1


def test_a_cause_shows_where_what_and_its_evidence(broken: Report, screen: Screen) -> None:
    shown = flat(screen(broken))
    cause = broken["causes"][0]
    for said in (cause["rule"], cause["observed"], cause["expected"], *cause["evidence"]):
        assert said in shown


def test_the_plan_is_a_diff_with_its_cost(broken: Report, screen: Screen) -> None:
    shown = screen(broken, stage=Stage.PLAN)
    assert "open streams go on in the old workers" in shown
    assert "+        include /etc/nginx/ssemedic/chat-example-org-events.conf;" in shown
    assert "--- /dev/null" in shown
    assert "+proxy_http_version 1.1;" in shown


def test_a_plan_without_its_diff_shows_the_directives(buffered: Report, screen: Screen) -> None:
    assert "proxy_buffering off;" in screen(buffered, stage=Stage.PLAN)


def test_advice_says_who_can_act(advised: Report, screen: Screen) -> None:
    shown = flat(screen(advised, stage=Stage.PLAN))
    assert "Nothing that we could change on this host cures it." in shown
    assert "server team (app_raise_after_200)" in shown
    assert advised["plan"]["advice"][0]["text"] in shown


def test_a_unit_is_told_what_to_do(stopped: Report, screen: Screen) -> None:
    assert "notify.service: enable, start" in screen(stopped, stage=Stage.PLAN)


def test_the_changes_name_their_transaction_and_the_new_workers(
    repaired: Report, screen: Screen
) -> None:
    shown = screen(repaired, stage=Stage.CHANGES)
    assert "id      20240101T120000-4f2a" in shown
    assert "51, 52 → 77, 78" in shown
    assert "@@" not in shown, "the diff of the plan is shown twice"


def test_a_kept_change_says_how_to_undo_it(repaired: Report, screen: Screen) -> None:
    command = (
        "ansible-playbook playbooks/rollback.yml -e sse_hosts=web1 "
        "-e sse_transaction_id=20240101T120000-4f2a"
    )
    assert command in screen(repaired, stage=Stage.CHANGES)
    repaired["changes"]["outcome"] = "undone"
    assert command not in screen(repaired, stage=Stage.CHANGES)


@pytest.mark.parametrize("name", ["1;reboot", "{{ lookup('pipe', 'id') }}", "-x", "$(id)", ""])
def test_no_command_to_paste_holds_what_the_host_chose(
    name: str, repaired: Report, screen: Screen
) -> None:
    repaired["changes"]["id"] = name
    assert "rollback.yml" not in screen(repaired, stage=Stage.CHANGES)


def test_the_proof_compares_every_hop_and_the_message(repaired: Report, screen: Screen) -> None:
    shown = screen(repaired, stage=Stage.PROOF)
    assert "✓ proven" in shown
    assert shown.count("before") == 3
    assert "closed_at_once@nginx" in shown
    assert "sent → delivered in 0.12 s" in shown


def test_a_hop_without_a_record_is_no_proof(repaired: Report, screen: Screen) -> None:
    repaired["proof"] |= {"proven": False, "not_streaming": ["public"]}
    repaired["proof"]["hops"][-1]["after"] = None
    repaired["proof"]["message"] |= {"delivered": False}
    shown = screen(repaired, stage=Stage.PROOF)
    assert "✗ not proven" in shown
    assert "not recorded" in shown
    assert "NOT delivered" in shown


def test_the_unexplained_is_called_unexplained(puzzling: Report, screen: Screen) -> None:
    shown = flat(screen(puzzling))
    assert "Not explained No known cause fits" in shown
    assert "Causes" not in shown


def test_missing_evidence_and_skipped_rules_say_why(unseen: Report, screen: Screen) -> None:
    shown = flat(screen(unseen))
    assert "nginx not permitted" in shown
    skipped = [rule for rule, why in unseen["skipped"].items() if why == "not permitted"]
    assert f"not permitted: {', '.join(skipped[:3])} and {len(skipped) - 3} more" in shown
    assert ", ".join(skipped) in flat(screen(unseen, verbose=True))


def test_what_was_cleared_is_counted_and_named_on_request(healthy: Report, screen: Screen) -> None:
    assert "known causes checked and ruled out." in screen(healthy)
    assert "sd_start_limit" not in screen(healthy)
    assert "sd_start_limit" in screen(healthy, verbose=True)


def test_a_conflict_has_no_plan_and_is_said(broken: Report, screen: Screen) -> None:
    broken |= {"plan": None, "notes": ["no plan: proxy_buffering: a asks for off, b for on"]}
    assert "no plan: proxy_buffering" in screen(broken)


def poisoned(value: Any) -> Any:
    """The same data with hostile text in every free text and name of the host."""
    if isinstance(value, dict):
        fixed = {"kind", "id", "status", "severity", "layer", "outcome", "before", "after",
                 "disruption", "name", "hop", "hops", "explains", "state"}  # fmt: skip
        return {k: v if k in fixed and not isinstance(v, (dict, list)) else poisoned(v)
                for k, v in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return f"{value}{HOSTILE}{JWT}" if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["healthy", "repaired", "advised", "stopped", "unseen", "undone"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_hostile_host_text_is_inert_everywhere(
    name: str, width: int, request: pytest.FixtureRequest, screen: Screen
) -> None:
    report = poisoned(request.getfixturevalue(name))
    for hop in report["hops"]:
        hop["symptoms"] = []
    shown = screen(report, width=width, no_color=True)
    odd = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n"}
    assert odd == set()
    squeezed = "".join(shown.split())
    assert r"\x1b]0;evil\x07" in squeezed
    assert "[red]loud[/red]" in squeezed
    assert "{{lookup('pipe','id')}}" in squeezed
    assert JWT not in squeezed


def test_colours_are_escapes_of_our_own_alone(advised: Report, screen: Screen) -> None:
    shown = screen(advised, force_terminal=True, color_system="standard")
    assert "\x1b[1;31m" in shown
    assert "\x1b]" not in shown
    assert r"\x1b]0;evil\x07" in shown


def test_no_color_means_not_one_escape(
    repaired: Report, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = screen(repaired, force_terminal=True, color_system="truecolor")
    assert "\x1b" not in shown


def test_a_pipe_gets_no_escape(repaired: Report, screen: Screen) -> None:
    assert "\x1b" not in screen(repaired)


def test_an_ascii_terminal_gets_ascii(repaired: Report, screen: Screen) -> None:
    repaired["host"] = "wéb1"
    shown = screen(repaired, encoding="ascii")
    assert "w\\xe9b1: repaired" in shown
    assert "+ app  --X-->  X nginx" in shown


@pytest.mark.parametrize("name", ["healthy", "repaired", "advised", "stopped", "puzzling"])
def test_eighty_columns_are_enough_for_all_but_a_diff_and_a_command(
    name: str, request: pytest.FixtureRequest, screen: Screen
) -> None:
    lines = screen(request.getfixturevalue(name)).splitlines()
    assert [line for line in lines if len(line) > 80 and "rollback.yml" not in line] == []
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_private_key_over_many_lines_of_a_diff_is_masked(broken: Report, screen: Screen) -> None:
    key = "MC4CAQAwBQYDK2Vw\nBCIEIDkanarienvogel"
    pem = f"-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----"
    broken["plan"]["diff"][0]["after"] += pem
    assert "kanarienvogel" not in screen(broken)


def test_plain_lines_hold_the_whole_report(repaired: Report) -> None:
    lines = text(repaired)
    assert lines[0].startswith("web1: repaired and proven")
    assert any("sent → delivered" in line for line in lines)
    assert "\x1b" not in "".join(lines)


def test_plain_lines_ignore_the_terminal_around(
    repaired: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = text(repaired)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    assert text(repaired) == before


def test_candidates_say_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    found = {
        "url": f"http://web1:8080/events{HOSTILE}",
        "where": "/etc/nginx/sites-enabled/notify:5",
        "targets": ["127.0.0.1:8000"],
        "reasons": ["the path speaks of events"],
    }
    render_candidates("web1", [found], Console(width=100, no_color=True))
    render_candidates("web2", [], Console(width=100, no_color=True))
    shown = capsys.readouterr().out
    assert "http://web1:8080/events" in shown
    assert "sites-enabled/notify:5 → 127.0.0.1:8000" in shown
    assert "Name one with --url." in shown
    assert "\x1b" not in shown
    assert "web2: no URL was given, and nginx there leads to nothing" in shown
