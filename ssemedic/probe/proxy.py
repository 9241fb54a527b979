"""The way through an HTTP proxy (RFC 9110, 9.3.6): a tunnel for https, absolute URLs for http."""

from __future__ import annotations

import socket

from ssemedic.probe import http1, wire
from ssemedic.probe.request import Request
from ssemedic.probe.tape import Stop, Tape


def check(request: Request) -> None:
    """Raise `Stop` with not_recorded for what cannot go through an HTTP proxy."""
    if request.proxy is not None and request.version == "2" and not request.secure:
        raise Stop("not_recorded", "HTTP/2 without TLS does not pass an HTTP proxy")


def tunnels(request: Request) -> bool:
    """True where the proxy is asked for a tunnel to the host of the URL."""
    return request.proxy is not None and request.secure


def target(request: Request) -> str:
    """The request target: absolute where the proxy itself makes the request."""
    if request.proxy is None or request.secure:
        return request.target
    return f"http://{request.authority}{request.target}"


def headers(request: Request) -> list[tuple[str, str]]:
    """What the proxy wants to see of a request that it makes itself."""
    value = None if request.secure else request.proxy_authorization
    return [] if value is None else [("Proxy-Authorization", value)]


def open_tunnel(request: Request, sock: socket.socket, tape: Tape) -> None:
    """Ask for a tunnel on a socket connected to the proxy; raises `Stop`, unreachable if refused.

    Nothing of the request but its host and port is shown to the proxy.
    """
    host = f"[{request.host}]" if ":" in request.host else request.host
    asked = f"{host}:{request.port}"
    lines = [("Host", asked)]
    if request.proxy_authorization is not None:
        lines.append(("Proxy-Authorization", request.proxy_authorization))
    line = wire.Wire(sock, tape.clock)
    line.write(http1.request_head("CONNECT", asked, "1.1", lines))
    reader = http1.HeadReader(request.limits)
    while True:
        data = line.read()
        if not data:
            raise Stop("unreachable", f"proxy {tape.address}: closed instead of a tunnel")
        while data:
            complete = reader.feed(data)
            if complete is None:
                break
            answer, data = complete
            if http1.is_interim(answer):
                reader = http1.HeadReader(request.limits)
                continue
            if not 200 <= answer.status < 300:
                raise Stop("unreachable", f"proxy {tape.address}: answered {answer.status}")
            if data:
                raise Stop("protocol_error", f"proxy {tape.address}: speaks in the tunnel")
            return
