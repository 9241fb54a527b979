"""The arguments of `ssemedic probe`; apart, so that other commands need not load the recorder."""

from __future__ import annotations

import argparse
from pathlib import Path

from ssemedic.assertions import NAMES
from ssemedic.probe.request import VERSIONS

#: What browsers accept, and none of it. A browser offers gzip, deflate, br and zstd at once.
ENCODINGS = ("gzip", "deflate", "br", "zstd", "identity")

EXIT_CODES = """assertions:
  NAME OP VALUE, as in 'first-event<1s', 'gap<30s', 'events>=3', 'status=200'
  names: {names}

exit codes:
  0  healthy, and every assertion holds
  1  symptoms, an assertion that failed, or a token that did not verify
  2  usage error
  3  unreachable, or unknown
""".format(names=", ".join(NAMES))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.epilog = EXIT_CODES
    add = parser.add_argument
    add("url", metavar="URL", help="what the browser opens, without the token")
    add("--for", dest="window", default="10s", metavar="TIME", help="how long: 500ms, 10s, 2m")
    add("--plain", action="store_true", help="lines only: no colours, nothing that moves")

    group = parser.add_argument_group("what is sent")
    add = group.add_argument
    add("--token-file", type=Path, metavar="FILE", help="the access token (mode 0600)")
    add("--token-parameter", default="access_token", metavar="NAME", help="its query parameter")
    add("--bearer", action="store_true", help="send the token as Authorization: Bearer instead")
    add("--cookie-file", type=Path, metavar="FILE", help="the value of Cookie (mode 0600)")
    add(
        "--header", action="append", default=[], metavar="'N: V'", help="add one; @FILE for secrets"
    )
    add("--origin", metavar="O", help="the page's origin, if it is another one; judges CORS too")
    add("--credentials", action="store_true", help="the page sends cookies (withCredentials)")
    add("--last-event-id", metavar="ID", help="resume as a browser does")
    add("--post", metavar="FILE", help="POST this body (- for standard input)")
    add("--http", choices=VERSIONS, default="1.1", help="the HTTP version (default: 1.1)")
    add("--encoding", choices=ENCODINGS, help="the Accept-Encoding to send")
    add("--connect", metavar="HOST:PORT", help="connect there; Host and SNI stay the URL's")
    add("--tls-name", metavar="NAME", help="the name in TLS, if not the URL's: SNI and certificate")
    add("--proxy", metavar="URL", help="an HTTP proxy; @FILE for one with a password")
    add(
        "--proxy-command",
        metavar="COMMAND",
        help="connect by a command that passes the socket, as ssh's ProxyUseFdpass; %%h, %%p",
    )
    add("--ca", type=Path, metavar="FILE", help="certificates to trust instead of the system's")

    group = parser.add_argument_group("what is judged")
    add = group.add_argument
    add("--hop", action="append", default=[], metavar="NAME=URL", help="compare an inner hop")
    add("--keepalive", metavar="TIME", help="the service promises a byte at least this often")
    keys = group.add_mutually_exclusive_group()
    keys.add_argument("--key", type=Path, metavar="FILE", help="verify the token: PEM, JWK, secret")
    keys.add_argument("--jwks", metavar="FILE_OR_URL", help="verify the token with a key set")
    add(
        "--assert",
        dest="assertions",
        action="append",
        default=[],
        metavar="'NAME<VALUE'",
        help="fail unless it holds",
    )
    add("--allow", action="append", default=[], metavar="KIND", help="accept this symptom")
    add("--experiments", action="store_true", help="vary the request to tell causes apart")
    add("--experiment", action="append", default=[], metavar="NAME", help="only this one")
    add("--parallel", type=int, default=7, metavar="K", help="streams of `many` and `fanout`")
    add(
        "--message",
        type=Path,
        metavar="FILE",
        help='JSON that says how to send a message: {"path": "/...", "body": {...}, "id": "id"}',
    )

    group = parser.add_argument_group("what is written")
    add = group.add_argument
    add("--json", metavar="FILE|-", help="record, events and symptoms")
    add("--har", type=Path, metavar="FILE", help="HTTP archive 1.2, with every read")
    add("--svg", type=Path, metavar="FILE", help="the arrival strip as a picture")
    add("--junit", type=Path, metavar="FILE", help="assertions and symptoms as test cases")

    group = parser.add_argument_group("capacity")
    add = group.add_argument
    add("--streams", type=int, metavar="N", help="hold N streams at once instead of watching one")
    add("--ramp", default="5s", metavar="TIME", help="open them within this time (default: 5s)")
    add("--yes", action="store_true", help="the owner agrees; needed for anything but loopback")
