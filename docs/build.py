"""Write the generated pages: docs/causes/ from the rules, a picture from a real report."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from rich.console import Console

from ssemedic.report import terminal
from ssemedic.rules import Rule, all_rules

HERE = Path(__file__).parent
FAULTS = HERE.parent / "lab" / "faults"
WIDTH = 108  # columns of the picture


def main() -> int:
    """Write every generated page; 0."""
    causes = HERE / "causes"
    causes.mkdir(exist_ok=True)
    wanted = {f"{rule.id}.md": page(rule) for rule in all_rules()} | {"README.md": index()}
    for old in causes.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (causes / name).write_text(text, "utf-8")
    (HERE / "first-repair.svg").write_text(picture(), "utf-8")
    print(f"docs: {len(wanted)} pages and 1 picture")
    return 0


def page(rule: Rule) -> str:
    """The page of one cause."""
    signs = [
        f"- `{sign.kind}`"
        + (f" with status {', '.join(map(str, sign.statuses))}" if sign.statuses else "")
        for sign in rule.explains
    ]
    return "\n".join(
        [
            f"# {rule.id}",
            "",
            f"**{rule.title}**",
            "",
            f"Layer {rule.layer}, severity {rule.severity}.",
            "",
            rule.text,
            "",
            "## What the wire shows",
            "",
            *(signs or ["Nothing: the stream is fine."]),
            "",
            *_to_see(rule),
            "Cases that must and must not be named so: "
            f"[tests/rules/{rule.id}](../../tests/rules/{rule.id}).",
            "",
        ]
    )


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
