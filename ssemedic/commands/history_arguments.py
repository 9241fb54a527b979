"""The arguments of `history`, `show` and `rollback`; apart, so that other commands load nothing."""

from __future__ import annotations

import argparse

from ssemedic.commands import target

EXIT_CODES = """exit codes:
  0  told, or rolled back
  1  there is nothing to tell of or to go back to
  2  usage or configuration error
  3  host unreachable
  4  refused: the files were changed since, or the host could not be asked; nothing was changed
  5  the undo failed: look at the host now
"""


def add_arguments(parser: argparse.ArgumentParser, *, change: bool = False) -> None:
    """The host; with ``change`` also which of its changes."""
    parser.epilog = EXIT_CODES
    target.add_arguments(parser)
    if change:
        parser.add_argument(
            "change",
            nargs="?",
            metavar="N",
            help="1 is the last change, 2 the one before; or an id",
        )


def add_rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Which change to go back from, and how sure the operator is."""
    add_arguments(parser, change=True)
    parser.add_argument("--yes", action="store_true", help="go back without asking")
    parser.add_argument(
        "--force",
        action="store_true",
        help="go back though others changed the files since; theirs are kept aside on the host",
    )
