"""Streams that browsers hold open already: what their number says of a limit they are at."""

from __future__ import annotations

from ssemedic.evidence import Evidence
from ssemedic.nginx import Route
from ssemedic.symptoms import Kind, Symptom

#: How many connections a browser opens to one origin over HTTP/1, from all tabs together.
MOST = 6


def held_symptoms(evidence: Evidence, found: Route | None) -> tuple[Symptom, ...]:
    """Clients that hold as many streams as a browser can, over a listener without HTTP/2.

    Exactly as many, and nobody more: where an address holds more, addresses here are shared
    (a proxy, people behind one NAT), and six of one say nothing of a browser.
    """
    nginx = evidence.nginx
    if nginx is None or not nginx.streams_by_client or found is None or found.listen is None:
        return ()
    if "h2" in found.protocols:
        return ()
    if max(nginx.streams_by_client) != MOST:
        return ()
    full = sum(count == MOST for count in nginx.streams_by_client)
    who = "a client address holds" if full == 1 else f"each of {full} client addresses holds"
    text = f"nginx: {who} exactly {MOST} streams open over HTTP/1, where a browser's limit is"
    measured = {"clients": full, "streams": MOST, "by_client": list(nginx.streams_by_client)}
    return (Symptom(Kind.SIX_CONNECTIONS, "nginx", text, measured, "sockets"),)
