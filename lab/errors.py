"""What the lab tells a person when it cannot go on."""

from __future__ import annotations


class LabError(Exception):
    """The lab observed something that keeps it from doing what was asked."""

    exit_code = 1


class SetupError(LabError):
    """This machine lacks something; the message says what, and what would do."""

    exit_code = 2


class UsageError(LabError):
    """The command line names something that does not exist."""

    exit_code = 2
