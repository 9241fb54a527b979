"""Markdown for a ticket: what it says, and that host text stays in its place."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ssemedic.report.forms.markdown import block, cell, code, markdown, prose
from tests.report.forms_hostile import JWT, PASSWORD, hostile

Report = dict[str, Any]
REPORTS = "healthy broken buffered advised stopped unseen puzzling repaired undone"
#: What may stand in a report: what we write ourselves, and nothing a host could add.
OURS = {
    "paragraph", "heading", "strong", "bullet_list", "list_item", "table", "thead", "tbody", "tr",
    "th", "td", "inline", "text", "softbreak", "code_inline", "fence",
}  # fmt: skip


def parsed(text: str) -> list[Token]:
    """Every token, inline ones included, as CommonMark with tables."""
    reader = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    found = []
    for token in reader.parse(text):
        found += [token, *(token.children or [])]
    return found


def kinds(text: str) -> set[str]:
    return {re.sub(r"_(open|close)$", "", token.type) for token in parsed(text)}


def headings(text: str) -> list[str]:
    tokens = parsed(text)
    return [tokens[at + 1].content for at, t in enumerate(tokens) if t.type == "heading_open"]


def test_the_verdict_stands_first_and_says_who_and_why(broken: Report) -> None:
    assert markdown(broken).splitlines()[0] == (
        "**web1: broken.** nginx ends the stream at once: it speaks HTTP/1.0 to an app that does "
        "not stream over it (the default of nginx 1.22.1)."
    )


def test_the_hops_are_a_table_with_the_break_in_it(broken: Report) -> None:
    rows = [line for line in markdown(broken).splitlines() if line.startswith("|")]
    assert [row.split(" | ")[0] for row in rows[2:]] == [
        "| app", "| **nginx** (breaks here)", "| public",
    ]  # fmt: skip
    assert "closed_at_once, in consequence" in rows[4]


def test_a_plan_is_a_diff_with_the_way_back(broken: Report) -> None:
    text = markdown(broken)
    diff = next(token for token in parsed(text) if token.type == "fence" and token.info == "diff")
    assert "+        include /etc/nginx/ssemedic/chat-example-org-events.conf;" in diff.content
    assert "To undo it later: `ssemedic rollback --host web1`" in text


def test_a_repair_tells_outcome_proof_and_the_undo_command(repaired: Report) -> None:
    text = markdown(repaired)
    assert "- outcome: changed and kept" in text
    assert "- gone: `closed_at_once@nginx`" in text
    assert "- test message: sent and delivered in 0.12 s (id 42)" in text
    assert "ansible-playbook playbooks/rollback.yml -e sse_hosts=web1" in text


def test_advice_is_sorted_by_who_can_act(advised: Report) -> None:
    assert "For the server team" in headings(markdown(advised))


def test_what_could_not_be_seen_is_said_and_not_called_clear(unseen: Report) -> None:
    text = markdown(unseen)
    assert "Not seen" in headings(text)
    assert "- `streams`: no Python 3.8 or later on the host" in text
    assert "That is no sign of health." in text


def test_what_was_ruled_out_is_named(broken: Report) -> None:
    assert f"- `{broken['cleared'][0]}`, `{broken['cleared'][1]}`" in markdown(broken)


@pytest.mark.parametrize("name", REPORTS.split())
def test_host_text_makes_nothing_of_its_own(name: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(name)
    text = markdown(hostile(report))
    assert kinds(text) <= OURS
    titles = headings(text)
    assert not [title for title in titles if title.startswith("heading")]
    clean = headings(markdown({**report, "notes": ["x"], "missing": {"nginx": "x"},
                               "skipped": {"nginx_cache_sse": "x"}}))  # fmt: skip
    assert len(titles) == len(clean)


@pytest.mark.parametrize("name", REPORTS.split())
def test_only_code_holds_what_a_forge_would_read(name: str, request: pytest.FixtureRequest) -> None:
    text = markdown(hostile(request.getfixturevalue(name)))
    loose = [token.content for token in parsed(text) if token.type == "text"]
    assert not [said for said in loose if re.search(r"[@<>`]|://|www\.|#\d|:[a-z_]+:", said)]


def test_every_row_of_a_table_keeps_its_cells(repaired: Report) -> None:
    tokens = parsed(markdown(hostile(repaired)))
    rows = "".join(
        {"tr_open": "\n", "td_open": "x", "th_open": "x"}.get(t.type, "") for t in tokens
    )
    assert set(rows.split()) == {"xxxx", "xxx"}


def test_no_secret_and_no_control_character_is_in_it(repaired: Report) -> None:
    text = markdown(hostile(repaired))
    assert JWT not in text and JWT.split(".")[1] not in text
    assert PASSWORD not in text
    assert all(character == "\n" or character.isprintable() for character in text)


@pytest.mark.parametrize("line", ["```", "````````", "~~~", "   ```"])
def test_a_changed_file_cannot_end_the_block_of_its_diff(broken: Report, line: str) -> None:
    whole = [t.content for t in parsed(markdown(broken)) if t.type == "fence"]
    for file in broken["plan"]["diff"]:
        file["after"] = f"{line}\n# heading\n<b>\n{file['after']}"
    text = markdown(broken)
    assert kinds(text) <= OURS
    assert "heading" not in headings(text)
    assert len([t for t in parsed(text) if t.type == "fence"]) == len(whole)
    for language in ("", "diff"):
        (token,) = parsed("\n".join(block([line, "# heading", f" {line}"], language)))
        assert token.type == "fence"


@settings(deadline=None)  # the machine may stall
@given(st.text(alphabet=st.sampled_from("`|<>[]()*_~#@:/\\ \n\t-1.x!&w{}$%=+^\"'"), max_size=40))
def test_no_text_breaks_out_of_a_sentence_a_cell_or_a_block(text: str) -> None:
    for shown in (prose(text), code(text)):
        assert kinds(f"- {shown} end") <= {
            "bullet_list", "list_item", "paragraph", "inline", "text", "code_inline",
        }  # fmt: skip
    table = f"| a | b |\n|---|---|\n| {cell(text)} | end |\n"
    assert parsed(table)[-6].content == "end" or "end" in [t.content for t in parsed(table)]
    assert kinds(table) <= {"table", "thead", "tbody", "tr", "th", "td", "inline", "text",
                            "code_inline"}  # fmt: skip
    assert kinds("\n".join(block(text.split("\n")))) == {"fence"}
