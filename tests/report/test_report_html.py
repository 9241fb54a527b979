"""The report as one HTML file: the answer on the first screen, and host text that does nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ssemedic.report import html
from ssemedic.report.words import verdict_parts

Report = dict[str, Any]

EVERY = (
    "healthy", "broken", "buffered", "advised", "stopped", "unseen", "puzzling", "repaired",
    "undone",
)  # fmt: skip
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "first-repair.json"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MX0.c2lnbmF0dXJlLWJ5dGVz"
PLANTED = (
    "<script>planted()</script>\"'><img src=x onerror=planted()></style></title>"
    "{{ 7*7 }}{% raw %}&lt;b&gt;\x1b]0;evil\x07\x00\u202e\udc80 javascript:planted() "
    f"http://evil.example/?access_token={JWT} -->]]>"
)
#: Elements that have no end tag (WHATWG HTML, 13.1.2).
VOID = {"meta", "br", "link", "img", "hr", "input"}
#: What SVG closes by itself.
SELF_CLOSED = {"line", "rect", "path", "circle"}
#: Attributes by which a browser loads or runs something.
ACTIVE = {"src", "srcset", "action", "formaction", "data", "poster", "background", "style"}


class Page(HTMLParser):
    """The page as a browser takes it apart; an end tag that fits nothing fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag}: an attribute stands twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSED | VOID, f"{tag} cannot close itself"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def section(self, part: str) -> str:
        """The text between two headings, by the first words of the section's heading."""
        return self.text.split(part, 1)[1]

    def attributes(self, name: str) -> Iterator[str]:
        return (attrs[name] or "" for _, attrs in self.elements if name in attrs)


def page_of(report: Report) -> Page:
    page = Page(html.text(report))
    assert page.open == [], "an element is never closed"
    return page


def planted(value: Any) -> Any:
    """The report with hostile text behind every string and every name that a host may choose."""
    if isinstance(value, dict):
        return {
            (key + PLANTED if "/" in key or "." in key else key): planted(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [planted(item) for item in value]
    return value + PLANTED if isinstance(value, str) else value


@pytest.fixture(params=[*EVERY, "example"])
def any_report(request: pytest.FixtureRequest) -> Report:
    if request.param == "example":
        return dict(json.loads(EXAMPLE.read_text("utf-8")))
    return copy.deepcopy(dict(request.getfixturevalue(request.param)))


def test_every_element_is_closed_in_order(any_report: Report) -> None:
    page = page_of(any_report)
    assert [tag for tag, _ in page.elements].count("h1") == 1


def test_no_id_stands_twice_and_every_link_leads_somewhere(any_report: Report) -> None:
    page = page_of(any_report)
    ids = list(page.attributes("id"))
    assert len(ids) == len(set(ids))
    for target in page.attributes("href"):
        assert target.startswith("#")
        assert target[1:] in ids
    for target in page.attributes("aria-labelledby"):
        assert target in ids


def test_nothing_is_loaded_and_nothing_runs(any_report: Report) -> None:
    page = page_of(any_report)
    for tag, attrs in page.elements:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
        assert not ACTIVE & set(attrs), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on")]
    assert "url(" not in html.text(any_report).split("</style>")[0]
    assert "@import" not in html.text(any_report).split("</style>")[0]


def test_the_policy_allows_this_style_sheet_and_nothing_else(broken: Report) -> None:
    written = html.text(broken)
    style = re.search(r"<style>(.*?)</style>", written, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'"
    metas = [a for tag, a in Page(written).elements if tag == "meta"]
    named = [a["content"] for a in metas if a.get("http-equiv") == "Content-Security-Policy"]
    assert named == [policy.format(f"sha256-{digest}")]


def test_the_first_words_are_the_verdict_who_acts_and_what_to_type(broken: Report) -> None:
    text = page_of(broken).text
    first = text[: text.index("What arrived at each hop")]
    assert verdict_parts(broken)[1] in first
    assert "Server team:" in first
    assert "ssemedic remediate --host web1 --url http://chat.example.org:8080/events" in first
    assert "✓ app ─✗→ ✗ nginx → ✗ public" in first


def test_advice_for_people_is_on_the_first_screen(advised: Report) -> None:
    text = page_of(advised).text
    first = text[: text.index("What arrived at each hop")]
    said = " ".join(advised["plan"]["advice"][0]["text"].split())
    assert f"Server team: {said[:100]}" in first
    assert said in text


def test_a_repair_is_shown_before_and_after_with_its_undo(repaired: Report) -> None:
    page = page_of(repaired)
    assert "Repaired and proven, healthy now." in page.text
    assert "before ✓ app ─✗→ ✗ nginx → ✗ public after ✓ app → ✓ nginx → ✓ public" in page.text
    assert "ansible-playbook playbooks/rollback.yml -e sse_hosts=web1" in page.text
    labels = [a["aria-label"] or "" for tag, a in page.elements if a.get("class") == "track"]
    assert [label.split(":")[0] for label in labels] == [
        f"{hop} {when}" for hop in ("app", "nginx", "public") for when in ("before", "after")
    ]


def test_a_hop_that_an_inner_one_spoils_is_not_shown_as_healed(undone: Report) -> None:
    assert "after ✓ app ─✗→ ✗ nginx → ✗ public" in page_of(undone).text


def test_a_cause_says_why_it_is_nothing_else(broken: Report) -> None:
    text = page_of(broken).section("Why it is nothing else")
    assert text.startswith(" The app streams at 127.0.0.1:8000 in the same window")
    assert "other causes can look the same; each was checked on this host and ruled out" in text
    assert "The service has no file descriptor left" in text.split("What is changed for it")[0]


def test_a_rival_that_could_not_be_checked_is_named_as_open(broken: Report) -> None:
    rival = broken["cleared"].pop(broken["cleared"].index("sd_limitnofile"))
    broken["skipped"][rival] = "/proc/100/limits: not permitted"
    text = page_of(broken).section("Why it is nothing else")
    assert "Not ruled out, because it could not be checked (/proc/100/limits: not perm" in text


def test_the_diff_shows_each_line_with_its_sign(broken: Report) -> None:
    page = page_of(broken)
    assert "+ include /etc/nginx/ssemedic/chat-example-org-events.conf;" in page.text
    assert "added" in list(page.attributes("class"))


def test_a_plan_without_its_diff_shows_the_directives(buffered: Report) -> None:
    assert "proxy_buffering off;" in page_of(buffered).section("The plan")


def test_what_could_not_be_seen_is_told_with_the_reason(unseen: Report) -> None:
    text = page_of(unseen).section("What could not be seen")
    assert "nginx not permitted" in text
    assert "causes could not be checked: no Python 3.8" in text


def test_the_logs_of_the_host_stand_against_the_symptoms(broken: Report) -> None:
    line = "2023/11/14 22:13:01 [error] 51#51: *7 upstream timed out"
    broken["symptoms"].append(
        {
            "id": "cut_when_idle@nginx", "kind": "cut_when_idle", "hop": "nginx",
            "text": "nginx logged 3 times", "source": "/var/log/nginx/error.log",
            "measured": {"count": 3, "last_line": line, "sign": "cut"},
        }
    )  # fmt: skip
    text = page_of(broken).section("Time line")
    assert "/var/log/nginx/error.log 3 cut_when_idle at nginx no known cause" in text
    assert "2023/11/14 22:13:01 (host's clock)" in text
    assert line in text


def test_drift_is_shown_from_what_the_plan_saw_to_what_is_there(undone: Report) -> None:
    undone["changes"] = {
        **undone["changes"], "outcome": "refused",
        "drift": [{"path": "/etc/nginx/a", "saw": "old 1;\n", "now": "mid 2;\n", "wanted": "new;"}],
    }  # fmt: skip
    text = page_of(undone).section("changed since the plan was made")
    assert text.index("-old 1;") < text.index("+mid 2;") < text.index("-mid 2;")


def test_hostile_text_in_every_field_stays_text(any_report: Report) -> None:
    any_report["missing"]["/var/log/x.log"] = "not permitted"
    written = html.text(planted(any_report))
    page = Page(written)
    assert not page.open
    assert not {tag for tag, _ in page.elements} & {"script", "img", "b"}
    assert "<script>planted()</script>" in page.text
    assert "{{ 7*7 }}{% raw %}&lt;b&gt;" in page.text
    assert "javascript:" not in " ".join(page.attributes("href"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\udc80]", written)
    written.encode("utf-8")


def test_no_token_is_on_the_page(any_report: Report) -> None:
    written = html.text(planted(any_report))
    assert JWT not in written
    assert JWT.split(".")[2] not in written
    assert "\u2039token:" in written


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("web1", "http://chat.example.org/$(reboot)"),
        ("web1", "--inventory=/tmp/x"),
        ("web1;reboot", "http://chat.example.org/events"),
        ("--help", "http://chat.example.org/events"),
    ],
)
def test_a_command_is_offered_only_where_it_can_be_pasted(
    host: str, url: str, broken: Report
) -> None:
    assert "ssemedic remediate" in page_of(broken).text
    broken["host"], broken["endpoint"]["url"] = host, url
    assert "ssemedic remediate" not in page_of(broken).text


def test_the_page_is_the_same_for_the_same_report(broken: Report) -> None:
    untouched = copy.deepcopy(broken)
    assert html.text(broken) == html.text(broken)
    assert broken == untouched


def test_a_time_that_no_calendar_holds_is_still_shown(broken: Report) -> None:
    broken["collected_at"] = 1e300
    assert "1e+300 s since 1970" in page_of(broken).text


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.1, 1.4.3."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_text_has_enough_contrast(mode: int, healthy: Report) -> None:
    style = html.text(healthy).split("</style>")[0]
    blocks = re.findall(r":root \{(.*?)\}", style, re.S)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[mode]))
    pairs = [
        (ink, ground) for ink in ("ink", "quiet", "mark") for ground in ("paper", "card", "band")
    ]
    looks = ("good", "warn", "bad", "unseen")
    pairs += [(look, ground) for look in looks for ground in ("paper", "card", f"{look}-tint")]
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
