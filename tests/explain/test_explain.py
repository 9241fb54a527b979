"""Every cause is explained in all its parts, and found by what people search for."""

from __future__ import annotations

import json
import re

import pytest

from docs.build import EXAMPLES, examples, page, symptoms
from ssemedic.cli import main
from ssemedic.explain.find import by_words
from ssemedic.explain.kinds import KINDS, STATUSES
from ssemedic.explain.parts import by_frequency, explanation
from ssemedic.rules import all_rules
from ssemedic.symptoms import Kind

RULES = by_frequency(all_rules())
LIVE = examples()
IDS = [rule.id for rule in RULES]
PARTS = (
    "## What the wire shows",
    "## How it is detected",
    "## What is changed",
    "## By hand",
    "## How to see that it worked",
    "## Sources",
)


def test_every_kind_of_symptom_can_be_met_searched_for_and_seen_gone() -> None:
    assert set(KINDS) == set(Kind)
    for kind, met in KINDS.items():
        assert met.seen.endswith(".") and met.wire.endswith(".") and met.gone.endswith("."), kind
        assert len(met.searched) >= 2, kind


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_every_rule_has_every_part_of_its_page(rule: object) -> None:
    found = next(r for r in RULES if r is rule)
    told = explanation(found, LIVE.get(found.id, {}))
    assert found.id in LIVE, "no broken case names it, so there is no example"
    assert told.wire and told.detected and told.changed and told.by_hand and told.worked
    assert told.sources, "must have an entry in ssemedic/explain/sources.yml"
    assert len(told.worked) >= 1 and "no longer names" in told.worked[-1]
    text = page(found, LIVE[found.id])
    assert [part for part in PARTS if part not in text] == []


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_every_rule_is_reachable_from_the_index_of_symptoms(rule: object) -> None:
    found = next(r for r in RULES if r is rule)
    assert f"(causes/{found.id}.md)" in symptoms(RULES)


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if any(s.kind is k for r in RULES for s in r.explains)]
)
def test_each_phrase_leads_to_its_symptom_and_all_its_causes(kind: Kind) -> None:
    for phrase in KINDS[kind].searched:
        fits, named = by_words(phrase, RULES)
        assert fits or named, phrase
        assert kind in [fit.kind for fit in fits] or not _decides(phrase), phrase


def _decides(phrase: str) -> bool:
    """False for a phrase with a status, which leaves only the causes of that status."""
    return not re.search(r"\b\d{3}\b", phrase)


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ("ERR_INCOMPLETE_CHUNKED_ENCODING", "nginx_read_timeout_idle"),
        ('MIME type "text/html"', "nginx_html_fallback"),
        ("stays pending", "nginx_proxy_buffering"),
        ("works with curl, not in the browser", "nginx_gzip_event_stream"),
        ("readyState 1 then 0", "app_raise_after_200"),
        ("net::ERR_HTTP2_PROTOCOL_ERROR", "h2_hop_header"),
        ("502", "sd_unit_dead_or_disabled"),
        ("504 gateway timeout", "app_headers_not_flushed"),
        ("fires only when the server stops", "nginx_proxy_buffering"),
        ("CORS", "nginx_duplicate_cors"),
        ("every 60 seconds", "nginx_read_timeout_idle"),
        ("disconnects every 60 seconds", "nginx_read_timeout_idle"),
        ("seventh tab hangs", "cl_six_connections"),
        ("too many open files", "nginx_worker_connections"),
        ("401", "auth_token_expired_url"),
        ("token in access log", "nginx_token_in_access_log"),
    ],
)
def test_what_people_search_for_finds_the_cause(
    asked: str, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", asked]) == 0
    assert f"  {rule} " in capsys.readouterr().out


def test_a_frequent_cause_stands_before_a_rare_one(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "stays", "pending"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "nginx_proxy_buffering"


def test_one_cause_is_explained_in_all_parts(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("nginx_proxy_buffering", "nginx-proxy-buffering"):
        assert main(["explain", name]) == 0
        out = capsys.readouterr().out
        for part in ("What the wire shows", "How it is detected", "By hand", "That it worked"):
            assert f"\n{part}\n" in out
        assert "https://github.com/" in out


def test_what_fits_nothing_is_said_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "zzqx", "unheard-of"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "is no rule and fits no symptom" in said


def test_statuses_of_the_index_are_those_that_rules_explain() -> None:
    text = symptoms(RULES)
    explained = {status for rule in RULES for sign in rule.explains for status in sign.statuses}
    for status in explained & set(STATUSES):
        assert f"**{STATUSES[status]}**" in text


def test_the_saved_examples_are_those_that_the_rules_give_now() -> None:
    assert json.loads(EXAMPLES.read_text("utf-8")) == LIVE, "run `make docs`"
