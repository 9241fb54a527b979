"""The arguments of `sudoers`; apart, so that other commands load nothing."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which rights, for whom, and which of the two files."""
    add = parser.add_argument
    add("--mode", choices=("diagnose", "remediate"), required=True, help="what the user may do")
    add("--user", default="ssemedic", help="the user that Ansible logs in as (%(default)s)")
    add("--gate", action="store_true", help="print the program that sudo is to allow, instead")
