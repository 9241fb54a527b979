"""The packet filter, as one tool prints it. Only root may see it."""

from __future__ import annotations

import os
from typing import Any

from .command import find, run
from .limits import Limits, UnavailableError

_MOST = 1024 * 1024


def read(limits: Limits) -> dict[str, Any]:
    """`Firewall` data; raises `UnavailableError` with the reason.

    nftables' own list holds the rules of iptables too where that writes to nftables, as it
    does in Debian; an iptables of its own is asked where nftables has nothing.
    """
    if os.geteuid():
        raise UnavailableError("the firewall's rules are seen by root only")
    if find("nft"):
        rules = _rules(["nft", "--json", "--terse", "list", "ruleset"], limits)
        if '"rule"' in rules or '"chain"' in rules or not find("iptables-save"):
            return {"tool": "nft", "rules": rules}
    if find("iptables-save"):
        return {"tool": "iptables-save", "rules": _rules(["iptables-save"], limits)}
    if find("nft"):
        return {"tool": "nft", "rules": ""}
    raise UnavailableError("the firewall's rules are not known: neither nft nor iptables is here")


def _rules(argv: list[str], limits: Limits) -> str:
    output = run(argv, limits.command_seconds, _MOST)
    if output.status and not output.cut:
        raise UnavailableError("%s: %s" % (argv[0], output.complaint))
    if output.cut:
        raise UnavailableError("%s: prints more than %d bytes" % (argv[0], _MOST))
    return output.stdout.decode("utf-8", "replace").strip()
