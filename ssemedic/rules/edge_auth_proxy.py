"""Cause: edge_auth_proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import HOP, delivered, inside_is_fine
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

#: Where identity proxies send a browser that has not logged in.
_LOGIN = re.compile(
    r"/oauth2/(?:start|sign_in|auth)|/oauth/authorize|cloudflareaccess\.com|/cdn-cgi/access/"
    r"|/realms/[^/]+/protocol/|/authelia|/outpost\.goauthentik|login\.microsoftonline\.com"
    r"|accounts\.google\.com|\.okta\.com/|\.auth0\.com/|/saml2?/|/web/login",
    re.IGNORECASE,
)
_MOVED = (301, 302, 303, 307, 308)


@rule(
    layer=Layer.EDGE,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, _MOVED), Kind.HTML_INSTEAD, Kind.REDIRECT_LOOP),
    needs=("streams",),
)
def edge_auth_proxy(case: Case) -> Iterator[Finding]:
    """An identity proxy in front of the host sends the stream to a login page.

    oauth2-proxy, Cloudflare Access, Authelia and their like answer a request without their
    cookie by a redirect to a login page. EventSource follows it, gets HTML or a CORS refusal,
    and fails for good (readyState 2). A token of the app's own is not looked at there.

    Let the stream's path pass, or open it with the proxy's cookie from the same site.
    """
    symptom = case.symptom(HOP, Kind.WRONG_STATUS, Kind.HTML_INSTEAD, Kind.REDIRECT_LOOP)
    stream = case.topology.stream(HOP)
    if symptom is None or stream is None or delivered(case) is None:
        return
    ways = [stream.header("location") or "", *stream.redirects]
    to = next((way for way in ways if _LOGIN.search(way)), None)
    if to is None:
        return
    target = to.partition("?")[0]
    yield Finding(
        hop=HOP,
        where=case.endpoint.url,
        observed=f"sent to {target} to log in",
        expected="the stream's path passes, or the browser brings the proxy's cookie",
        evidence=(symptom.text, f"Location: {target}", inside_is_fine(case)),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "Leave the path to the app's own token: oauth2-proxy `--skip-auth-route="
                "GET=^/events`, Cloudflare Access a Bypass policy for the path, Authelia a rule "
                "with `policy: bypass`; and let it flush: oauth2-proxy `--flush-interval=100ms`.",
            ),
            Advice(
                Audience.FRONTEND,
                "Where the login is meant: open the page through it first, and the stream with "
                "`{withCredentials: true}` from the same site.",
            ),
        ),
    )
