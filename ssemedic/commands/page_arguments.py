"""The arguments of `ssemedic page`; apart, so that other commands need not load the page."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.epilog = "exit codes: 0 written, or stopped by Ctrl-C; 2 usage error"
    add = parser.add_argument
    add("--url", help="the URL of the stream, without the token, to fill in")
    add("--proxy", metavar="URL", help="the same through the dev proxy")
    add("--origin", metavar="O", help="the app's origin, if the page is opened from another one")
    add("--for", dest="window", type=float, metavar="SECONDS", help="how long streams are held")
    add("--keepalive", type=float, metavar="SECONDS", help="the app sends a byte this often")
    add("--names", metavar="A,B", help="names of events that EventSource is to listen to")
    add("--message", type=Path, metavar="FILE", help="JSON: path and body of a test message")
    add("--port", type=int, default=0, help="the port on loopback (default: a free one)")
    add(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the page into one file, for the app's public folder, and serve nothing",
    )
