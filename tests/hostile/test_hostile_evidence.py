"""Whatever a host writes into whatever field: it stays text, in every form of a report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ssemedic.assignment import AssignmentError, assignment_of
from ssemedic.endpoint import Endpoint
from ssemedic.evidence import EarlierChange, Evidence, EvidenceError
from ssemedic.judge import judge
from ssemedic.report.clean import clean
from ssemedic.report.forms import FORMS
from ssemedic.report.model import report_of
from tests.hostile.planting import ALL, KINDS, complete, declared, places, planted
from tests.report.conftest import URL, all_streaming, closed, evidence, streaming
from tests.report.test_forms_markdown import OURS as MARKDOWN
from tests.report.test_forms_markdown import kinds

#: What a terminal acts on or hides (C0 but the line feed, C1, bidi, invisible).
STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def broken() -> Evidence:
    return complete(
        evidence(
            replace(streaming("app"), redirects=("http://a.example/x",)),
            closed(streaming("app", variant="http10")),
            closed(streaming("nginx"), 0.03),
            closed(streaming("public", "outside"), 0.05),
            changes=(EarlierChange("a", "reverted", "timer", "2026-01-01T00:00:00Z", "why"),),
        )
    )


def healthy() -> Evidence:
    return complete(evidence(*all_streaming()))


BASES = {"broken": broken(), "healthy": healthy()}


class Elements(HTMLParser):
    """Every element with its attributes, as a browser would read them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def hold(seen: Evidence) -> None:
    """Judge what a host says, write every form, and hold each to its own rules."""
    said = json.loads(json.dumps(seen.to_dict()))  # as it comes from a host
    try:
        seen = Evidence.from_dict(said)
    except EvidenceError as error:
        assert not STEERING.search(clean(str(error)))  # as every sentence is shown
        return
    report = report_of(judge(seen, Endpoint(URL), None))
    shown = {name: form(report) for name, (_, form) in FORMS.items()}
    for name, text in shown.items():
        text.encode("utf-8")  # what is not UTF-8 on the host must not break the writing
        assert not STEERING.search(text.replace("\t", " ")), (name, STEERING.search(text))
    json.loads(shown["json"])
    json.loads(shown["sarif"])
    assert kinds(shown["markdown"]) <= MARKDOWN, kinds(shown["markdown"]) - MARKDOWN
    for tag, attributes in Elements(shown["html"]).found:
        assert tag not in ("script", "img", "iframe", "object", "base", "form"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), attributes
        for name in ("href", "src"):
            assert not re.match(r"\s*(?!#)\w+:|//", attributes.get(name) or ""), attributes
    assert {e.tag for e in ElementTree.fromstring(shown["junit"]).iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out",
        "system-err", "properties", "property",
    }  # fmt: skip
    for family in text_string_to_metric_families(shown["prometheus"]):
        assert family.name.startswith("ssemedic_")
    for line in shown["prometheus"].splitlines():
        assert line.startswith(("ssemedic_", "# HELP ssemedic_", "# TYPE ssemedic_"))
        assert line != "ssemedic_up 1"
    assert shown["nagios"].count("\n") == 1
    assert shown["nagios"].count("|") <= 1


def test_every_text_of_every_type_of_evidence_is_planted() -> None:
    found = {place for base in BASES.values() for place in places(base)}
    assert set(declared()) - found == set()


def test_what_is_planted_reaches_the_forms() -> None:
    """Otherwise the tests below would hold for any program."""
    seen = planted(BASES["broken"], lambda text: text + KINDS["jinja"])
    report = report_of(judge(seen, Endpoint(URL), None))
    for name in ("json", "text", "markdown", "html"):
        assert "touch @PROOF@" in FORMS[name][1](report), name


@pytest.mark.parametrize("place", sorted({p for base in BASES.values() for p in places(base)}))
def test_hostile_words_behind_any_text_stay_text(place: str) -> None:
    hold(planted(BASES["broken"], lambda text: text + ALL, place))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", BASES)
def test_hostile_words_behind_every_text_at_once_stay_text(base: str, kind: str) -> None:
    hold(planted(BASES[base], lambda text: text + KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_words_in_the_place_of_every_text_stay_text(kind: str) -> None:
    hold(planted(BASES["broken"], lambda _: KINDS[kind]))


HOSTILE_INVENTORY: dict[str, list[object]] = {
    "url": [URL + "\nX", URL + " x", "http://chat\x1b[2J/", "javascript:alert(1)", "http://[", 7],
    "origin": ["http://a\r\nX: y", ["a"]],
    "token_parameter": ["a\r\nb", "a&b=c"],
    "unit": ["a.service\nb", "../../etc/x.service", "-x"],
    "upstream": ["127.0.0.1:8000\r\nX", "a b"],
    "message": [{"path": "/a\r\nX: y"}, {"path": "//evil.example/x"}, "x"],
    "keepalive_seconds": [-1, 0, "x", "nan"],
    "token_file": ["/etc/shadow\n", 7],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, v) for name, values in HOSTILE_INVENTORY.items() for v in values]
)
def test_an_inventory_value_that_is_none_is_refused_in_one_sentence(
    name: str, value: object
) -> None:
    given = {"endpoint": {"url": URL, name: value}}
    with pytest.raises(AssignmentError) as caught:
        assignment_of(given)
    assert "\n" not in clean(str(caught.value))
