"""The arguments of `ssemedic bundle`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ssemedic.assignment import WINDOW

EXIT_CODES = """exit codes:
  0  the bundle was written
  2  usage error, or a folder without a report
  3  host unreachable
  4  refused: the bundle would hold a secret; no file was written
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.epilog = EXIT_CODES
    add = parser.add_argument
    add(
        "folder",
        nargs="?",
        type=Path,
        metavar="REPORT_DIR",
        help="what --report wrote; without it, --host is diagnosed now",
    )
    add("--host", help="a host of the inventory, or any name or address: diagnose it now")
    add(
        "--inventory",
        action="append",
        type=Path,
        help="an Ansible inventory; may be repeated (default: the project's inventory/)",
    )
    add("--url", help="the URL that the browser opens, without the token")
    add(
        "--token-file",
        type=Path,
        help="a file (mode 0600) that holds the access token; with REPORT_DIR it is searched for",
    )
    add(
        "--for",
        dest="window",
        type=float,
        default=WINDOW,
        metavar="SECONDS",
        help="how long each stream is watched (default: %(default)s)",
    )
    add("--anonymous", action="store_true", help="mask mail addresses and IP addresses, too")
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="where to write the bundle, a tar.gz",
    )
    parser.set_defaults(verbose=False)
