"""Cause: cl_six_connections."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.held import MOST
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Directive, Listen, Route, statement
from ssemedic.nginx.versions import knows
from ssemedic.rules import configured, rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.CLIENT,
    severity=Severity.DEGRADED,
    explains=(Kind.SIX_CONNECTIONS,),
    needs=("nginx",),
)
def cl_six_connections(case: Case) -> Iterator[Finding]:
    """The browser has six connections to the host, and every open tab holds one for good.

    Over HTTP/1 that is the limit for one origin and all tabs together. The seventh tab
    hangs without an error: its request never leaves the browser, the server is idle,
    and whoever tries with a single connection sees nothing wrong.

    Over HTTP/2 all tabs share one connection. Browsers speak it over TLS alone.
    """
    route = case.route
    symptom = case.symptom("nginx", Kind.SIX_CONNECTIONS)
    listen = route.listen
    if symptom is None or listen is None:
        return
    yield Finding(
        hop="nginx",
        where=listen.where,
        observed=f"streams come over HTTP/1, and browsers are at their limit of {MOST} connections",
        expected="HTTP/2, over which all tabs share one connection",
        evidence=(symptom.text,),
        certainty=2,
        advice=(_two(route, listen), _share()),
    )


@configured(cl_six_connections)
def tls_without_http2(route: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    """A listener with TLS that does not offer HTTP/2; without TLS nothing can be offered."""
    listen = route.listen
    if listen is None or not listen.tls or route.serves != "proxy" or "h2" in route.protocols:
        return
    yield Finding(
        hop="nginx",
        where=listen.where,
        observed="TLS without HTTP/2: a browser opens six connections, and each stream holds one",
        expected=_line(route, listen),
        advice=(_two(route, listen),),
        depends=f"somebody opens more than {MOST} tabs",
    )


def _line(route: Route, listen: Listen) -> str:
    """What to write: a directive of its own since 1.25.1, a flag of `listen` before."""
    if knows("http2", route.version):
        return "http2 on;"
    written = _directive(route, listen)
    args = written.args if written is not None and listen.tls else ("443", "ssl")
    return statement("listen", (*args, "http2"))


def _directive(route: Route, listen: Listen) -> Directive | None:
    block = route.server.block if route.server else ()
    lines = (d for d in route.tree.flat(block) if d.name == "listen")
    return next((d for d in lines if d.where == listen.where), None)


def _two(route: Route, listen: Listen) -> Advice:
    line = _line(route, listen)
    if not listen.tls:
        return Advice(
            Audience.SERVER,
            "Serve the page and the stream over https with HTTP/2: browsers speak it over TLS "
            f"alone. In {route.server.where if route.server else 'the server block'}: "
            f"{_with_tls(line)} with ssl_certificate and ssl_certificate_key.",
        )
    return Advice(
        Audience.SERVER,
        f"Offer HTTP/2 at {listen.where}: {line}"
        + (" in the server block" if line.startswith("http2") else " in place of that line"),
    )


def _with_tls(line: str) -> str:
    return f"listen 443 ssl; {line}" if line.startswith("http2") else line


def _share() -> Advice:
    return Advice(
        Audience.FRONTEND,
        "Open one stream for all tabs: one tab holds it (Web Locks) and passes the events on "
        "(BroadcastChannel), or a SharedWorker holds it.",
    )
