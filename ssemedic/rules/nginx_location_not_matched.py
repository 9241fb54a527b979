"""Cause: nginx_location_not_matched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.clues.buffering import told_outside
from ssemedic.clues.intent import Meant, meant, settings_that_help
from ssemedic.clues.missed import EXPLAINS, missed
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Location, Route, all_locations
from ssemedic.nginx.request import normal
from ssemedic.rules import configured, rule

#: What a location brings along when it is the only one that knows the upstream.
_TAKEN_ALONG = ("proxy_", "add_header", "gzip")


@rule(layer=Layer.NGINX, severity=Severity.BROKEN, explains=EXPLAINS, needs=("nginx", "streams"))
def nginx_location_not_matched(case: Case) -> Iterator[Finding]:
    """The location written for the stream is not the one that nginx takes.

    A textbook location is there, and its settings never count: `location ^/events`
    without `~` is plain text that no path begins with; a regular expression elsewhere
    wins over a plain prefix; the settings are in the server of port 80 and the
    clients come by 443; or its server_name has a slip, and the default server answers.
    On the wire it looks like the defaults: buffering, a cut after 60 s, or the
    single-page client's HTML.

    A location that nginx does take, for this path alone, gets the settings; the
    rest of it is a copy of the one that answers now. A wrong server_name is for a person
    to mend: all of the site is behind it.
    """
    for one in missed(case, handed_over=False):
        finding = _finding(one.route, one.meant, one.evidence, "")
        if not isinstance(finding.remedy, NginxRemedy):
            yield replace(finding, hop=one.hop)
            continue
        settings = {**finding.remedy.settings, **told_outside(case, one.hop)}
        remedy = replace(finding.remedy, settings=settings)
        yield replace(finding, hop=one.hop, remedy=remedy)


@configured(nginx_location_not_matched)
def configured_location(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Settings for a stream in a location that the URL does not come to."""
    there = meant(route)
    if there is not None and not there.handed_over and settings_that_help(there):
        yield _finding(route, there, (), endpoint.url)


def _finding(route: Route, there: Meant, evidence: tuple[str, ...], url: str) -> Finding:
    taken = route.location.label if route.location else "no location"
    where = route.location.where if route.location else ""
    whom = f" for {url}" if url else ""
    return Finding(
        hop="nginx",
        where=there.location.where,
        observed=f"{there.location.label}{whom} is not taken, {taken} ({where}) is: {there.why}",
        expected="a location with these settings that nginx takes for the URL",
        evidence=evidence,
        certainty=3,
        remedy=None if there.misnamed else _remedy(route, there),
        advice=_rename(route, there) if there.misnamed else (),
    )


def _rename(route: Route, there: Meant) -> tuple[Advice, ...]:
    """The whole site is in the wrong server: a copy of one location would only hide that."""
    host = (urlsplit(route.url).hostname or "").lower()
    server = there.location.path[1]
    text = (
        f"In the server at {server.where}, write `server_name {host};` in place of "
        f"{there.misnamed} (or beside it), then: nginx -t && systemctl reload nginx"
    )
    return (Advice(Audience.SERVER, text),)


def _remedy(route: Route, there: Meant) -> NginxRemedy:
    path = normal(urlsplit(route.url).path or "/")
    settings = _all_of(route, there.location) if there.passes else dict(there.settings)
    if route.serves == "proxy" and _is_its_own(route, path):
        return NginxRemedy(settings)
    plain = any(
        other.modifier in ("", "^~") and other.name == path
        for other in all_locations(route.tree, route.path[:2])
    )
    # nginx takes "/x" and "^~ /x" for one name; "= /x" is another.
    return NginxRemedy(settings, location=f"{'=' if plain else '^~'} {path}")


def _is_its_own(route: Route, path: str) -> bool:
    """True if the location that answers was made for this path."""
    location = route.location
    if location is None or location.modifier not in ("", "=", "^~"):
        return False
    return location.name.rstrip("/") == path.rstrip("/") and location.name != "/"


def _all_of(route: Route, location: Location) -> dict[str, tuple[tuple[str, ...], ...]]:
    settings: dict[str, tuple[tuple[str, ...], ...]] = {}
    for line in route.tree.flat(location.directive.block):
        if line.name.startswith(_TAKEN_ALONG):
            settings[line.name] = (*settings.get(line.name, ()), line.args)
    return settings
