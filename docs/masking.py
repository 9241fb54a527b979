"""How much ordinary text the masking takes away, measured: `python -m docs.masking`.

The text is what this project holds of real hosts: configurations, unit files, journals and
logs of the rules' cases and the lab, and its own pages. What of it is masked though it is no
secret is over-redaction.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ssemedic.report.redact import redact

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = HERE / "redaction.md"
_TEXTS = (
    "roles/**/*.yml", "templates/**/*.*", "lab/faults/*.yml", "playbooks/**/*.yml", "docs/*.md",
    "docs/causes/*.md", "*.md", "tests/nginx/differential_configs.py",
    "tests/nginx/nginx_corpus.py",
)  # fmt: skip
#: What tests and examples write where a real host has a token.
_PLANTED = re.compile(r"CANARY|eyJ|[?&]access_token=\w")
_LINE = re.compile(r"(?m)^Measured: .*$")


@dataclass(frozen=True)
class Measured:
    """Lines read, lines in which something was masked, and those of them without a secret."""

    lines: int
    masked: int
    wrong: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """For the page."""
        return (
            f"Measured: of {self.lines:,} lines of ordinary text {self.masked} lose something; "
            f"{self.masked - len(self.wrong)} of these hold a token, {len(self.wrong)} "
            f"{'does' if len(self.wrong) == 1 else 'do'} not "
            f"({100 * len(self.wrong) / max(1, self.lines):.4f} %)."
        )


def main() -> int:
    """Measure, and write the number into docs/redaction.md; 0."""
    found = measured()
    PAGE.write_text(_LINE.sub(found.sentence, PAGE.read_text("utf-8")), "utf-8")
    print(found.sentence)
    for line in found.wrong:
        print(f"  {line}")
    return 0


def measured() -> Measured:
    """Mask every line, and see which change."""
    lines, masked, wrong = 0, 0, []
    for line in _lines():
        lines += 1
        if redact(line) != line:
            masked += 1
            if not _PLANTED.search(line):
                wrong.append(line.strip())
    return Measured(lines, masked, tuple(dict.fromkeys(wrong)))


def _lines() -> Iterator[str]:
    for path in sorted(ROOT.glob("tests/rules/*/*.yml")):
        yield from _leaves(yaml.safe_load(path.read_text("utf-8")))
    for pattern in _TEXTS:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and path != PAGE:
                yield from path.read_text("utf-8").splitlines()


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)


if __name__ == "__main__":
    sys.exit(main())
