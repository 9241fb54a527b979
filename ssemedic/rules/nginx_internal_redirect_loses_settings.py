"""Cause: nginx_internal_redirect_loses_settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.clues.buffering import told_outside
from ssemedic.clues.intent import Args, Meant, all_uses, meant, settings_that_help
from ssemedic.clues.missed import EXPLAINS, missed
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.nginx.request import normal
from ssemedic.rules import configured, rule


@rule(layer=Layer.NGINX, severity=Severity.BROKEN, explains=EXPLAINS, needs=("nginx", "streams"))
def nginx_internal_redirect_loses_settings(case: Case) -> Iterator[Finding]:
    """The location with the settings hands the stream over to another that has none.

    The location of the URL looks right, but it does not pass the request on itself:
    `try_files ... @app`, `rewrite ... last` or `error_page` sends it to another
    location. nginx then forgets the first one; buffering, timeouts and protocol
    are those of the last. On the wire it is plain buffering or a cut after 60 s.

    The settings belong where `proxy_pass` is. If that location serves this stream
    alone they are put there; if others use it, the stream gets a copy of it for its
    own path.
    """
    for one in missed(case, handed_over=True):
        settings = {**one.meant.settings, **told_outside(case, one.hop)}
        yield Finding(
            hop=one.hop,
            where=one.meant.location.where,
            observed=f"the settings of {one.meant.location.label} do not count: {one.meant.why}",
            expected="the settings in the location that passes the request on",
            evidence=one.evidence,
            certainty=3,
            remedy=_remedy(one.route, one.meant, settings),
        )


@configured(nginx_internal_redirect_loses_settings)
def configured_redirect(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Settings for a stream in a location that hands over."""
    there = meant(route)
    if there is None or not there.handed_over or not settings_that_help(there):
        return
    yield Finding(
        hop="nginx",
        where=there.location.where,
        observed=f"the settings of {there.location.label} for {endpoint.url} do not count: "
        f"{there.why}",
        expected="the settings in the location that passes the request on",
        remedy=_remedy(route, there, there.settings),
    )


def _remedy(route: Route, there: Meant, settings: Mapping[str, tuple[Args, ...]]) -> NginxRemedy:
    """The settings where they count: in a location of this URL's own if others lead there too."""
    if _is_dedicated(route, there):
        return NginxRemedy(settings)
    return NginxRemedy(settings, location=f"= {normal(urlsplit(route.url).path or '/')}")


def _is_dedicated(route: Route, there: Meant) -> bool:
    """True if nothing but the location of the stream leads to the one that answers."""
    last = route.chain[-1]
    if last.modifier == "@":
        uses = all_uses(route, last.name)
        own = there.location.directive
        return all(own.open < use.start < own.close and use.file == own.file for use in uses)
    hidden = any(d.name == "internal" for d in route.tree.flat(last.directive.block))
    return (hidden or last.modifier == "=") and last.name.strip("/") != ""
