"""Write the generated pages: docs/causes/ from the rules, a picture from a real report."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ssemedic.explain.example import example_of
from ssemedic.explain.kinds import KINDS, STATUSES
from ssemedic.explain.parts import by_frequency, explanation
from ssemedic.finding import Finding
from ssemedic.report import terminal
from ssemedic.report.forms.markdown import code
from ssemedic.rules import Rule, all_rules
from tests.rules.cases import case_files

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "ssemedic" / "explain" / "examples.json"
FAULTS = HERE.parent / "lab" / "faults"
WIDTH = 108  # columns of the picture


def main() -> int:
    """Write every generated page; 0."""
    causes = HERE / "causes"
    causes.mkdir(exist_ok=True)
    known = examples()
    EXAMPLES.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
    wanted = {f"{rule.id}.md": page(rule, known.get(rule.id, {})) for rule in all_rules()}
    wanted["README.md"] = index()
    for old in causes.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (causes / name).write_text(text, "utf-8")
    (HERE / "symptoms.md").write_text(symptoms(by_frequency(all_rules())), "utf-8")
    (HERE / "first-repair.svg").write_text(picture(), "utf-8")
    print(f"docs: {len(wanted) + 1} pages and 1 picture")
    return 0


def examples() -> dict[str, dict[str, Any]]:
    """What each rule says of its broken cases."""
    found: dict[str, list[Finding]] = {}
    for case in case_files():
        if case.broken:
            causes = case.judged().diagnosis.causes
            own = [cause.finding for cause in causes if cause.rule.id == case.rule]
            found.setdefault(case.rule, []).extend(own)
    return {rule: example_of(said) for rule, said in sorted(found.items()) if said}


def page(rule: Rule, example: Mapping[str, Any]) -> str:
    """The page of one cause."""
    told = explanation(rule, example)
    parts: tuple[tuple[str, Sequence[str]], ...] = (
        ("What the wire shows", told.wire),
        ("How it is detected", told.detected),
        ("What is changed", told.changed),
        ("By hand", told.by_hand),
        ("How to see that it worked", told.worked),
    )
    lines = [
        f"# {rule.id}",
        "",
        f"**{rule.title}**",
        "",
        f"Layer {rule.layer}, severity {rule.severity}.",
        "",
        rule.text,
        "",
    ]
    for title, entries in parts:
        lines += [f"## {title}", "", *(f"- {entry}" for entry in entries), ""]
    lines += _to_see(rule)
    if told.sources:
        lines += ["## Sources", "", *(f"- [{name}]({url})" for name, url in told.sources), ""]
    if told.searched:
        words = ", ".join(code(phrase) for phrase in told.searched)
        lines += [f"People who meet it search for: {words}. See [symptoms](../symptoms.md).", ""]
    return "\n".join(
        [
            *lines,
            "Cases that must and must not be named so: "
            f"[tests/rules/{rule.id}](../../tests/rules/{rule.id}).",
            "",
        ]
    )


def symptoms(rules: Sequence[Rule]) -> str:
    """What people see and search for, and which causes it can have."""
    lines = [
        "# Symptoms",
        "",
        "What people with a broken stream see and search for, and the causes it can have. "
        '`ssemedic explain "stays pending"` searches here; `ssemedic diagnose` finds which it is.',
        "",
    ]
    for kind, met in KINDS.items():
        causes = [rule for rule in rules if any(sign.kind is kind for sign in rule.explains)]
        if not causes:
            continue
        words = ", ".join(code(phrase) for phrase in met.searched)
        lines += [
            f"## {_heading(met.seen)}",
            "",
            words,
            "",
            f"On the wire (`{kind}`): {met.wire}",
            "",
        ]
        lines += _causes(causes)
    lines += ["## By HTTP status", ""]
    for status, name in STATUSES.items():
        causes = [rule for rule in rules if any(status in sign.statuses for sign in rule.explains)]
        if causes:
            named = ", ".join(f"[{rule.id}](causes/{rule.id}.md)" for rule in causes)
            lines.append(f"- **{name}**: {named}")
    silent = [rule for rule in rules if not rule.explains]
    lines += ["", "## Nothing is seen yet", "", *_causes(silent)]
    return "\n".join(lines)


def _heading(seen: str) -> str:
    return seen.rstrip(".")


def _causes(rules: Sequence[Rule]) -> list[str]:
    return [*(f"- [{rule.id}](causes/{rule.id}.md): {rule.title}" for rule in rules), ""]


def _to_see(rule: Rule) -> list[str]:
    """How to break a lab host so; not every cause can be made real on one."""
    if not (FAULTS / f"{rule.id}.yml").exists():
        return [
            "Judged from recorded evidence: a host of the lab lacks what it takes to show it.",
            "",
        ]
    return [
        "## See it",
        "",
        "On a host of the lab:",
        "",
        "```",
        "python -m lab up",
        f"python -m lab break web1 {rule.id}",
        "python remediate.py --host web1",
        "```",
        "",
    ]


def index() -> str:
    """The list of causes by layer."""
    lines = ["# Causes", "", "| cause | layer | severity | what it is |", "|---|---|---|---|"]
    lines += [
        f"| [{rule.id}]({rule.id}.md) | {rule.layer} | {rule.severity} | {rule.title} |"
        for rule in all_rules()
    ]
    return "\n".join([*lines, ""])


def picture() -> str:
    """What a terminal shows for the report in docs/examples, as a picture."""
    report = json.loads((HERE / "examples" / "first-repair.json").read_text("utf-8"))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor"
        )
        console.print("[bold]$ python remediate.py --host web1 --yes")
        terminal.render(report, console)
        svg = console.export_svg(title="ssemedic", unique_id="ssemedic")
    # No external requests: the reader's own monospace font does.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
