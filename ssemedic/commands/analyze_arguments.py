"""The arguments of `ssemedic analyze`; apart, so that other commands need not load the rules."""

from __future__ import annotations

import argparse
from pathlib import Path

EXIT_CODES = """exit codes:
  0  every URL was judged, and no error found (--strict: no warning either)
  1  errors were found
  2  usage error, or a configuration that nginx could not read either
  3  nothing found, but a URL could not be judged, or there was none
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.epilog = EXIT_CODES
    add = parser.add_argument
    add(
        "--nginx",
        required=True,
        metavar="PATH",
        help="a folder with an nginx.conf, a file, or what `nginx -T` printed (- for stdin)",
    )
    add(
        "--url",
        action="append",
        default=[],
        metavar="URL",
        help="what the browser opens; may be repeated (default: all that look like streams)",
    )
    add("--prefix", default="/etc/nginx", metavar="DIR", help="what the folder is on the host")
    add("--nginx-version", metavar="V", help="the nginx that will run it, as 1.26.3")
    add("--build", type=Path, metavar="FILE", help="what `nginx -V` prints: version and modules")
    add("--keepalive", type=float, metavar="SECONDS", help="the app sends a byte this often")
    add("--origin", metavar="O", help="the page's origin, if it is another one")
    add("--strict", action="store_true", help="warnings fail, too")
    add("--explain", action="store_true", help="show what is in force for each URL, and why")
    add("--brief", action="store_true", help="one line for each finding")
    add("--format", choices=("text", "json", "sarif"), default="text", help="default: text")
