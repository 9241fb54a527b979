"""Red herring: nginx_xaccel_wrong_hop."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import added_headers, is_on
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Route
from ssemedic.rules import configured, rule


@rule(layer=Layer.NGINX, severity=Severity.HYGIENE, explains=(), needs=("nginx",))
def nginx_xaccel_wrong_hop(case: Case) -> Iterator[Finding]:
    """X-Accel-Buffering is sent to somebody who has no use for it.

    The header is an order from the app to nginx. `add_header X-Accel-Buffering no` sends
    it on to the client, `proxy_set_header X-Accel-Buffering no` to the app; neither is
    nginx, and buffering stays as it was. A client that sees the header shows the former:
    nginx never passes on the one that the app sends.

    It breaks nothing and is never the cause. It is told because people take it for the
    cure; what switches buffering off is the header from the app, or `proxy_buffering off`.
    """
    yield from _findings(case.route, "")


@configured(nginx_xaccel_wrong_hop)
def configured_wrong_hop(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """The line alone, where buffering is still on."""
    yield from _findings(route, f"{endpoint.url} is held back, and somebody takes it for the cure")


def _findings(route: Route, depends: str) -> Iterator[Finding]:
    if route.serves != "proxy" or not is_on(route):
        return
    for line in added_headers(route):
        yield Finding(
            hop="nginx",
            where=line.rpartition("(")[2].partition(")")[0],
            observed=line,
            expected="the header sent by the app, or proxy_buffering off",
            certainty=1,
            advice=(
                Advice(
                    Audience.SERVER,
                    "Remove this line, it does nothing. Where buffering must be off, write "
                    "`proxy_buffering off;` in the location, or let the app send "
                    "X-Accel-Buffering: no.",
                ),
            ),
            depends=depends,
        )
