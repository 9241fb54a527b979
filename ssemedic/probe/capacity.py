"""Hold very many streams from one process, and say which limit is hit first.

An asyncio protocol holds each stream and keeps none of its data. The run asks with one
stream first, opens the others over its ramp, holds them, and closes them after its
seconds. It stops at once where half of the last outcomes were failures.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable

from ssemedic.probe import capacity_own, http1, wire
from ssemedic.probe.capacity_crew import Address
from ssemedic.probe.capacity_load import MOST_STREAMS, CapacityError, Load, Progress
from ssemedic.probe.capacity_result import CapacityResult, render_lines
from ssemedic.probe.capacity_run import Run
from ssemedic.probe.capacity_stream import Speech
from ssemedic.probe.request import Request, address_of
from ssemedic.probe.tape import Clock, Stop

__all__ = [
    "MOST_STREAMS",
    "CapacityError",
    "CapacityResult",
    "Load",
    "Progress",
    "render_lines",
    "run",
]

_RESOLVE_SECONDS = 5.0


def run(
    load: Load, *, yes: bool = False, progress: Callable[[Progress], None] | None = None
) -> CapacityResult:
    """Hold the streams and report; never raises for what a server does.

    ``progress`` is called once a second. Ctrl-C ends the run early, with its result. Raises
    CapacityError, before anything is opened, for an address that is not loopback without
    ``yes``, a name that does not resolve, or a ca_file that cannot be read.
    """
    request = load.request
    try:
        addresses = _addresses(request)
        context = wire.tls_context(request) if request.secure else None
    except Stop as stop:
        raise CapacityError(stop.detail) from stop
    foreign = [address.text for address in addresses if not _is_loopback(address)]
    if foreign and not yes:
        raise CapacityError(
            f"{load.streams} streams to {foreign[0]}: it is another machine,"
            " and its owner's consent must be given by --yes"
        )
    lines = request.wire_headers()
    head = http1.request_head(request.method, request.target, request.version, lines)
    name = request.server_name or request.host
    speech = Speech(head + (request.body or b""), request.method, context, name)
    with capacity_own.most_descriptors():
        held = Run(load, speech, addresses, at_home=not foreign, progress=progress)
        return asyncio.run(held.result())


def _addresses(request: Request) -> list[Address]:
    """Where the request goes, in the order to try; raises `Stop`."""
    host, port = address_of(request.connect) if request.connect else (request.host, request.port)
    if not port:
        found = [(int(socket.AF_UNIX), host)]
    else:
        found = wire.resolve(host, port, Clock(_RESOLVE_SECONDS))
    return [
        Address(family, where, wire.shown(family, where))
        for family, where in found[: wire.MAX_ADDRESSES]
    ]


def _is_loopback(address: Address) -> bool:
    if address.family == socket.AF_UNIX:
        return True
    text = str(address.where[0]).partition("%")[0]  # a link-local address names its interface
    return ipaddress.ip_address(text).is_loopback
