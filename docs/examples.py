"""Make the examples anew, from a real repair on a lab host: `python -m docs.examples` (root).

Boots a host, breaks it as the README tells, repairs it, and keeps the report; then the pictures
are drawn of that report: the terminal's by `docs.build`, the page's by Chromium.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.build import HERE
from docs.build import main as build_pages
from ssemedic.report import html

SAVED = HERE / "examples" / "first-repair.json"
PAGE = HERE / "report-html.png"
_LAB = {**os.environ, "SSEMEDIC_LAB": "examples"}


def main() -> int:
    """Repair a lab host, save its report, draw the pictures; the exit code of the repair."""
    ssemedic = [sys.executable, "-m", "ssemedic"]
    fault = json.loads(SAVED.read_text("utf-8"))["causes"][0]["rule"]
    lab = [sys.executable, "-m", "lab"]
    subprocess.run([*lab, "up", "web1"], env=_LAB, check=True)
    try:
        subprocess.run([*lab, "break", "web1", fault], env=_LAB, check=True)
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.json")
            asked = ["remediate", "--host", "web1", "--yes", "--json", str(report)]
            done = subprocess.run([*ssemedic, *asked], env=_LAB, check=False)
            if done.returncode == 0:
                data = json.loads(report.read_text("utf-8"))
                SAVED.write_text(json.dumps(data, indent=2) + "\n", "utf-8")
    finally:
        subprocess.run([*lab, "down"], env=_LAB, check=True)
    if done.returncode == 0:
        build_pages()
        photograph()
    return done.returncode


def photograph() -> None:
    """The page of the saved report, as Chromium shows it on a desktop."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        page.write_text(html.text(json.loads(SAVED.read_text("utf-8"))), "utf-8")
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars",
             "--window-size=1000,1400", f"--screenshot={PAGE}", page.as_uri()],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
