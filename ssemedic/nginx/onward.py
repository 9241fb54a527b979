"""A second nginx server behind the first: the way a request goes on when nginx asks itself."""

from __future__ import annotations

import ipaddress

from .asked import asked
from .choice import listens
from .route import Route, route

_OWN_NAMES = ("localhost", "ip6-localhost")


def onward(found: Route) -> Route | None:
    """What another server of the same configuration does with what this one passes on.

    None where the upstream is no listener of this nginx, or where nginx would only ask the
    same server again.
    """
    request = asked(found)
    target = next((t for t in found.targets if not (t.down or t.backup)), None)
    if request is None or target is None or target.scheme not in ("http", "https"):
        return None
    address = f"unix:{target.unix}" if target.unix else _own(target.host)
    if address is None or not _listens(found, address, 0 if target.unix else target.port):
        return None
    # By default nginx sends "localhost" to a socket (ngx_http_upstream.c, $proxy_host).
    usual = "localhost" if target.unix else target.host
    host = (request.header("Host") or usual).partition(":")[0] or usual
    port = "" if target.unix else f":{target.port}"
    url = f"{target.scheme}://{host}{port}{request.target}"
    try:
        behind = route(found.tree, url, found.version, address)
    except ValueError:
        return None  # the Host that nginx sends is no name
    return None if behind.server is None or behind.server is found.server else behind


def _own(host: str) -> str | None:
    """The address of this host that a target names; None for what may be another host."""
    if host in _OWN_NAMES:
        return "127.0.0.1"
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(parsed) if parsed.is_loopback else None


def _listens(found: Route, address: str, port: int) -> bool:
    """True if a server of this configuration takes connections there."""
    wild = "::" if ":" in address else "*"
    return any(
        listen.port == port and listen.address in (address, wild)
        for server in found.tree.blocks("server", found.path[0])
        for listen in listens(found.tree, server)
    )
