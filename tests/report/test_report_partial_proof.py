"""A change is proven by what it was made for; what needs a person may stay, nothing else."""

from __future__ import annotations

from typing import Any

import yaml

from ssemedic.report.model import Report, proof_of, report_of
from ssemedic.report.words import verdict_parts
from tests.rules.cases import HERE, CaseFile

PATH = HERE / "nginx_intercept_errors" / "broken_401_becomes_a_page.yml"
REFUSED = {"status": 401, "headers": {"Content-Type": "application/json"}, "body": "{}"}


def report(*streams: dict[str, Any]) -> Report:
    data = yaml.safe_load(PATH.read_text("utf-8"))
    if streams:
        data["streams"] = list(streams)
    return report_of(CaseFile(PATH, data).judged())


def hop(name: str, **changes: Any) -> dict[str, Any]:
    return {"hop": name, "end": "last_chunk", "at": 0.02, **REFUSED, **changes}


def test_the_page_is_gone_and_the_refusal_is_for_a_person() -> None:
    proof = proof_of(report(), report(hop("app"), hop("nginx"), hop("public")))
    assert proof["proven"]
    assert proof["gone"] == ["html_instead@nginx"]
    assert proof["stayed"] == ["wrong_status@app"]


def test_nothing_is_proven_while_the_page_is_still_there() -> None:
    assert not proof_of(report(), report())["proven"]


def test_nothing_is_proven_when_something_new_came() -> None:
    worse = report(hop("app"), hop("nginx", status=502), hop("public", status=502))
    assert not proof_of(report(), worse)["proven"]


def test_nothing_is_proven_where_a_hop_was_not_seen_again() -> None:
    assert not proof_of(report(), report(hop("app"), hop("public")))["proven"]


def test_what_no_cause_explains_may_not_stay() -> None:
    before = report()
    for cause in before["causes"]:
        if cause["rule"] == "auth_token_expired_url":
            cause["explains"] = []
    assert not proof_of(before, report(hop("app"), hop("nginx"), hop("public")))["proven"]


def test_what_the_change_was_made_for_may_not_stay() -> None:
    before = report()
    for cause in before["causes"]:
        cause["remedy"] = {"role": "sse_nginx"}
    assert not proof_of(before, report(hop("app"), hop("nginx"), hop("public")))["proven"]


def test_the_last_sentence_names_what_is_left_and_not_what_was_repaired() -> None:
    before, after = report(), report(hop("app"), hop("nginx"), hop("public"))
    done = {
        **before,
        "changes": {"outcome": "committed"},
        "proof": proof_of(before, after),
        "verdict": {"before": "broken", "after": "broken"},
    }
    verdict, why = verdict_parts(done)
    assert verdict == "web1: the change is proven; broken still, and that needs a person."
    assert "token" in why
    assert "page" not in why


CACHED = """
claim: x
http: "  proxy_cache_path /var/cache/c keys_zone=c:1m;"
server: |
  location /events { proxy_pass http://127.0.0.1:8000; proxy_cache c; proxy_cache_valid any 10s; }
"""
#: A stream as it should be, but for the header that nobody asked for.
BARE = {"headers": {"Cache-Control": None}, "end": "limit_time", "at": 10.0}
NOTHING = {"status": None, "end": "limit_time", "at": 10.0}


def cached(app: dict[str, Any], outside: dict[str, Any]) -> Report:
    streams = [{"hop": "app", **app}, *({"hop": h, **outside} for h in ("nginx", "public"))]
    data = yaml.safe_load(CACHED) | {"streams": streams}
    return report_of(CaseFile(PATH, data).judged())


def test_a_header_that_does_no_harm_may_stay_missing() -> None:
    proof = proof_of(cached(BARE, NOTHING), cached(BARE, BARE))
    assert (proof["gone"], proof["stayed"]) == (["buffered@nginx"], ["missing_header@app"])
    assert proof["proven"]


def test_a_header_may_show_as_missing_once_there_is_a_stream_to_look_at() -> None:
    refused = {"status": None, "end": "refused", "at": 0.01}
    proof = proof_of(cached(refused, {"status": 502, "body": ""}), cached(BARE, BARE))
    assert proof["came"] == ["missing_header@app"]
    assert proof["proven"]


def test_a_header_that_went_with_the_change_is_no_proof() -> None:
    proof = proof_of(cached({}, {}), cached({}, BARE))
    assert proof["came"] == ["missing_header@nginx"]
    assert not proof["proven"]


def buffered_and_twice_allowed(seen: bool) -> Report:
    """Events are held back; two owners of the CORS header show once they are not."""
    path = HERE / "nginx_duplicate_cors" / "broken_a_star_beside_a_list.yml"
    one = {"headers": {"Access-Control-Allow-Origin": "https://a.example"}}
    twice = {**one, "also": [["Access-Control-Allow-Origin", "*"]]}
    outside = twice if seen else NOTHING
    streams = [{"hop": "app", **one}, *({"hop": h, **outside} for h in ("nginx", "public"))]
    server = (
        "location /events { proxy_pass http://127.0.0.1:8000;\n"
        "add_header Access-Control-Allow-Origin *; }"
    )
    data = {
        "endpoint": {"url": "http://web1:8080/events", "origin": "https://a.example"},
        "server": server,
        "streams": streams,
    }
    return report_of(CaseFile(path, data).judged())


def test_what_a_person_must_mend_may_show_once_the_stream_can_be_seen() -> None:
    before, after = buffered_and_twice_allowed(seen=False), buffered_and_twice_allowed(seen=True)
    assert [cause["rule"] for cause in after["causes"] if not cause["remedy"]]
    proof = proof_of(before, after)
    assert proof["gone"] == ["buffered@nginx"]
    assert proof["came"] == ["duplicate_cors@nginx"]
    assert proof["proven"]
    done = {
        **before,
        "changes": {"outcome": "committed"},
        "proof": proof,
        "verdict": {"before": "broken", "after": "broken"},
    }
    assert "needs a person" in verdict_parts(done)[0]
    assert "Access-Control-Allow-Origin" in verdict_parts(done)[1]


def test_what_came_at_a_hop_that_was_seen_before_is_no_proof() -> None:
    before, after = buffered_and_twice_allowed(seen=False), buffered_and_twice_allowed(seen=True)
    for hop in before["hops"]:
        if hop["name"] == "nginx":
            hop["stream"] = {**after["hops"][1]["stream"]}
    assert not proof_of(before, after)["proven"]


def test_a_new_symptom_that_could_be_remedied_is_no_proof() -> None:
    before, after = buffered_and_twice_allowed(seen=False), buffered_and_twice_allowed(seen=True)
    for cause in after["causes"]:
        cause["remedy"] = {"role": "sse_nginx"}
    assert not proof_of(before, after)["proven"]


def test_a_repair_that_leaves_only_what_is_harmless_is_called_healthy() -> None:
    before, after = cached(BARE, NOTHING), cached(BARE, BARE)
    done = {
        **before,
        "changes": {"outcome": "committed"},
        "proof": proof_of(before, after),
        "verdict": {"before": "broken", "after": "healthy"},
    }
    assert verdict_parts(done)[0] == "web1: repaired and proven, healthy now."
