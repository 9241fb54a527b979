"""The arguments of `ssemedic analyze`; apart, so that other commands need not load the rules."""

from __future__ import annotations

import argparse
from pathlib import Path

TEXT = "text"
#: Of nginx's configuration alone.
OF_CONFIGURATIONS = (TEXT, "json", "sarif")
FORMS = ("json", "markdown", "html", "sarif", "junit", "prometheus")
FILES = """FILE is one of:
  a bundle                    what `ssemedic bundle` wrote (tar.gz)
  a report                    the folder that --report wrote, or its report.json
  evidence                    evidence.json
  a HAR file                  exported by a browser, or by `ssemedic probe --har FILE`
  a page result               downloaded from the diagnosis page
  a sos archive               what `sos report` packed (tar.xz): name --url
  nginx's configuration       a folder, a file, or what `nginx -T` printed
Of a configuration each URL is judged by what it alone tells; of all others a diagnosis is made
by the same rules as on a host, and what the file does not hold is skipped, with the reason.
"""
EXIT_CODES = """exit codes:
  0  nothing wrong was found, and everything asked for was judged
  1  causes or errors were found (--strict: or warnings)
  2  usage error, or a file that cannot be read or is refused
  3  nothing found, but something could not be judged, or there was nothing to judge
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.epilog = f"{FILES}\n{EXIT_CODES}"
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE", help="what is to be judged: see below")
    add(
        "--nginx",
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
    add("--report", type=Path, metavar="DIR", help="write every form; not of a configuration")
    add(
        "--format",
        choices=(TEXT, *FORMS),
        default=TEXT,
        help="default: text; of a configuration text, json or sarif",
    )
    add("-o", "--output", type=Path, metavar="FILE", help="write that form here, not to stdout")
    parser.set_defaults(json=None)
