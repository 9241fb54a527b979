"""The arguments of `ssemedic diff`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXIT_CODES = """exit codes:
  0  the same, or better
  1  worse: a worse verdict or none any more, or a new symptom and no better verdict
  2  a file that is no report, or a usage error
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.epilog = EXIT_CODES
    parser.add_argument("before", type=Path, metavar="BEFORE", help="a report.json")
    parser.add_argument("after", type=Path, metavar="AFTER", help="a later one")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
