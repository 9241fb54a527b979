"""Cause: h2_hop_header."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Directive, Route, statement
from ssemedic.rules import configured, rule
from ssemedic.symptoms import Kind

#: Of one hop in HTTP/1, forbidden over HTTP/2 (RFC 9113, 8.2.2).
_HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
#: Of those, what nginx passes on when the app sends it; the others it keeps to itself.
_PASSED_ON = ("Upgrade", "Proxy-Connection")
_KINDS = (Kind.NOT_HTTP, Kind.RESET, Kind.CLOSED_AT_ONCE, Kind.NO_ANSWER)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=_KINDS,
    needs=("nginx", "streams"),
)
def h2_hop_header(case: Case) -> Iterator[Finding]:
    """A header that HTTP/2 forbids goes out with the stream, so browsers refuse it.

    Connection, Keep-Alive, Transfer-Encoding and Upgrade belong to HTTP/1. nginx removes
    its own over HTTP/2, but not one that `add_header` adds, nor an Upgrade that the app
    sends. Over HTTP/1.1 the stream is perfect; over HTTP/2 Chrome says
    ERR_HTTP2_PROTOCOL_ERROR 200 (OK), Safari "the network connection was lost".
    """
    route = case.route
    shown = (s for s in case.symptoms if s.hop == "nginx" and s.measured.get("version") == "2")
    symptom = next((s for s in shown if s.kind in _KINDS), None)
    if symptom is None:
        return
    added = _added(route)
    app = case.topology.stream("app")
    hidden = {args[0].lower() for args in route.setting("proxy_hide_header").values if args}
    leaked = [
        name
        for name in _PASSED_ON
        if app is not None and app.header(name) is not None and name.lower() not in hidden
    ]
    if not added and not leaked:
        return
    sources = [f"{statement(line.name, line.args)} ({line.where})" for line in added]
    sources += [f"{name}: {app.header(name)} from the app" for name in leaked if app is not None]
    settings = {"proxy_hide_header": tuple((name,) for name in leaked)} if leaked else {}
    yield Finding(
        hop="nginx",
        where=added[0].where if added else route.location.where if route.location else "",
        observed=f"the answer carries {' and '.join(sources)}",
        expected="none of the headers that HTTP/2 forbids",
        evidence=(symptom.text, "the same over HTTP/1.1 streams"),
        certainty=3,
        remedy=NginxRemedy(
            settings,
            without=tuple(dict.fromkeys(("add_header", line.args[0]) for line in added)),
        ),
    )


@configured(h2_hop_header)
def added_over_http2(route: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    """Such an add_header behind a listener that offers HTTP/2 breaks every browser."""
    added = _added(route)
    if added and "h2" in route.protocols:
        yield Finding(
            hop="nginx",
            where=added[0].where,
            observed=f"{statement(added[0].name, added[0].args)} goes out over HTTP/2",
            expected="none of the headers that HTTP/2 forbids",
            remedy=NginxRemedy(
                without=tuple(dict.fromkeys(("add_header", line.args[0]) for line in added))
            ),
        )


def _added(route: Route) -> tuple[Directive, ...]:
    """The add_header lines in force for them; one with an empty value adds nothing."""
    return tuple(
        line
        for line in route.setting("add_header").lines
        if len(line.args) > 1 and line.args[0].lower() in _HOP_BY_HOP and line.args[1]
    )
