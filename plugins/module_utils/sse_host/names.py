"""Host names of nginx's upstreams, as this host resolves them now.

nginx resolves a name when it reads its configuration and keeps what it got; what the
host answers later may differ.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Dict, List, Sequence

from . import files
from .limits import Limits, UnavailableError

_HOSTS = "/etc/hosts"
_MOST = 8


def resolved(names: Sequence[str], limits: Limits) -> List[Dict[str, Any]]:
    """`HostName` data for each name, in the order given."""
    table, changed = _hosts_file(limits)
    return [
        {
            "name": name,
            "addresses": addresses,
            "error": error,
            "hosts_file": table.get(name.lower(), []),
            "hosts_changed": changed,
        }
        for name in list(dict.fromkeys(names))[:_MOST]
        for addresses, error in [_look_up(name)]
    ]


def hosts_table(text: str) -> Dict[str, List[str]]:
    """hosts(5): every name in lower case with its addresses, in the order of the file."""
    table: Dict[str, List[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            known = table.setdefault(name.lower(), [])
            if address not in known:
                known.append(address)
    return table


def _hosts_file(limits: Limits) -> Any:
    try:
        content = files.read(_HOSTS, limits.bytes)
        changed = os.stat(_HOSTS).st_mtime
    except (OSError, UnavailableError):
        return {}, None
    return hosts_table(content.decode("utf-8", "replace")), changed


def _look_up(name: str) -> Any:
    """The addresses that getaddrinfo gives, in its order, as nginx would get them."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return [], getattr(error, "strerror", None) or str(error)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found)), ""
