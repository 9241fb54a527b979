"""Why nginx holds a stream back: one mechanism, and the one rule that names it.

The directive proxy_buffering alone is no reason. What holds an event back is an answer of
the upstream that nginx cannot see the parts of, its cache, or its gzip filter; and what makes
that possible is a setting that is missing, ignored, or written where it does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ssemedic.case import Case
from ssemedic.clues.caching import Kept, kept
from ssemedic.clues.intent import Args, Meant, family, meant, value
from ssemedic.nginx import Route, Setting, all_locations, effective
from ssemedic.nginx.compression import zipping
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom

#: What a stream that is held back looks like. One that is cut while nginx still holds all of
#: it looks closed at once.
SIGNS = (Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.CLOSED_AT_ONCE)
_SHOWN = (Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE)

_HEADER = "x-accel-buffering"


@dataclass(frozen=True)
class Held:
    """A stream that an nginx holds back, and the rule that has its cause.

    ``upstream`` is the record of what is behind that nginx, None where it cannot be asked
    (FastCGI and its kin). ``setting`` is the line that is to blame, ``mechanism`` how the
    events are held, ``inert`` what was written against it and has no effect.
    """

    rule: str
    hop: str
    route: Route
    symptom: Symptom
    upstream: Stream | None
    setting: Setting
    mechanism: str
    inert: tuple[str, ...] = ()
    meant: Meant | None = None
    kept: Kept | None = None

    @property
    def certainty(self) -> int:
        """3 where the hops were compared, 2 where nginx alone was late."""
        return 3 if self.symptom.kind is Kind.BUFFERED else 2

    @property
    def off(self) -> str:
        """The directive that ends it: "proxy_buffering", "fastcgi_buffering", ..."""
        return f"{family(self.route)}_buffering"

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was measured, how it comes about, and what does not help."""
        lines = [self.symptom.text, f"mechanism: {self.mechanism}"]
        if self.upstream is not None:
            lines.append(_on_time(self.upstream))
        return (*lines, *self.inert)


def held(case: Case, rule: str) -> Iterator[Held]:
    """The streams that are held back for the reason that this rule names, inner hop first."""
    for hop, route in nginx_hops(case):
        one = _held(case, hop, route)
        if one is not None and one.rule == rule:
            yield one


def nginx_hops(case: Case) -> tuple[tuple[str, Route], ...]:
    """Every nginx on the way with what it does, inner hop first; at least one.

    Raises `UnseenError` where the configuration is not known.
    """
    inner = case.topology.inner
    outer = ("nginx", case.route)
    return (outer,) if inner is None else (("inner", inner), outer)


def switched_off(case: Case, one: Held) -> dict[str, tuple[Args, ...]]:
    """The settings that end it at this nginx, and at the one outside it that would go on.

    An outer nginx that asks with HTTP/1.0 holds back whatever an inner one answers. Told by
    the inner one not to, it obeys as it would obey the app, and one location is changed.
    """
    return {one.off: (("off",),), **told_outside(case, one.hop)}


def told_outside(case: Case, hop: str) -> dict[str, tuple[Args, ...]]:
    """The header by which an inner nginx tells the outer one not to hold the stream back."""
    if hop == "inner" and _would_hold(case.topology.route):
        return {"add_header": (("X-Accel-Buffering", "no"),)}
    return {}


def _would_hold(outer: Route | None) -> bool:
    if outer is None or not is_on(outer) or ignores_the_app(outer) is not None:
        return False
    return value(outer, "proxy_http_version", "1.0") == "1.0"


def buffering(route: Route) -> Setting:
    """The buffering directive in force for the module that passes the request on."""
    return route.setting(f"{family(route)}_buffering")


def is_on(route: Route) -> bool:
    """True if nginx may hold back what this upstream answers; gRPC is never held back."""
    if route.serves != "proxy" or family(route) == "grpc":
        return False
    return value(route, f"{family(route)}_buffering", "on") != "off"


def ignores_the_app(route: Route) -> Setting | None:
    """The lines by which nginx does not heed the app's X-Accel-Buffering; None without any."""
    setting = route.setting(f"{family(route)}_ignore_headers")
    named = {arg.lower() for args in setting.values for arg in args}
    return setting if _HEADER in named else None


def forbids(stream: Stream | None) -> bool:
    """True if an answer tells nginx not to hold it back."""
    values = stream.header_values(_HEADER) if stream is not None else ()
    return any(text.strip().lower() == "no" for text in values)


def added_headers(route: Route) -> tuple[str, ...]:
    """Where X-Accel-Buffering is sent to somebody who has no use for it, "file:line: what"."""
    found = []
    for name, whom in (("add_header", "to the client"), ("proxy_set_header", "to the app")):
        setting = route.setting(name)
        for args, where in zip(setting.values, setting.wheres, strict=False):
            if args and args[0].lower() == _HEADER:
                line = f"{name} {' '.join(args)} ({where})"
                found.append(f"{line} goes {whom} and has no effect here")
    return tuple(found)


def _held(case: Case, hop: str, route: Route) -> Held | None:
    zipped = _held_by_gzip(case, hop, route)
    symptom = case.symptom(hop, *_SHOWN)
    if symptom is None or (zipped is not None and symptom.measured.get("variant") == "gzip"):
        return zipped
    if not is_on(route):
        return None
    upstream, asks_app = _upstream(case, hop)
    if upstream is None and asks_app and family(route) == "proxy":
        return None
    if upstream is not None and upstream.phases.headers is None:
        return None
    if case.topology.app_found_elsewhere and len(route.targets) == 1:
        return None  # nginx never asked this app, so it can hold nothing of it back
    ignored = ignores_the_app(route)
    if forbids(upstream) and ignored is None:
        return None
    return _blamed(case, hop, route, symptom, upstream, ignored)


def _blamed(
    case: Case,
    hop: str,
    route: Route,
    symptom: Symptom,
    upstream: Stream | None,
    ignored: Setting | None,
) -> Held:
    stored, there, setting = kept(route, upstream), meant(route), buffering(route)
    mechanism = _mechanism(case, route, upstream)
    rule, used = "nginx_proxy_buffering", None
    if forbids(upstream) and ignored is not None:
        rule, setting = "nginx_xaccel_ignored", ignored
    elif _is_consumed(case, hop, upstream):
        rule = "nginx_xaccel_consumed"
    elif stored is not None:
        rule, setting = "nginx_cache_sse", stored.cache
        mechanism = f"nginx keeps the answer for others ({stored.why})"
    elif there is not None and setting.name in there.settings:
        used = there
        rule = (
            "nginx_internal_redirect_loses_settings"
            if there.handed_over
            else "nginx_location_not_matched"
        )
    inert = _inert(route, there) if used is None else added_headers(route)
    return Held(rule, hop, route, symptom, upstream, setting, mechanism, inert, used, stored)


def _held_by_gzip(case: Case, hop: str, route: Route) -> Held | None:
    """Held back only for clients that take gzip, as every browser does."""
    symptom = next(
        (s for s in case.symptoms if s.hop == hop and s.measured.get("variant") == "gzip"), None
    )
    types = zipping(route)
    if symptom is None or types is None or not is_on(route):
        return None
    upstream, _ = _upstream(case, hop)
    mechanism = "the gzip filter has nothing to flush it by while proxy_buffering is on"
    inert = _inert(route, None)
    rule = "nginx_gzip_event_stream"
    return Held(rule, hop, route, symptom, upstream, types, mechanism, inert)


def _upstream(case: Case, hop: str) -> tuple[Stream | None, bool]:
    """What stands behind an nginx, and whether that is the app itself."""
    inner = case.topology.stream("inner")
    if hop == "nginx" and inner is not None:
        return inner, False
    return case.topology.stream("app"), True


def _is_consumed(case: Case, hop: str, upstream: Stream | None) -> bool:
    """The app forbade it, and the nginx between kept that to itself."""
    app = case.topology.stream("app")
    inner = hop == "nginx" and case.topology.inner is not None
    return inner and forbids(app) and upstream is not None and not forbids(upstream)


def _mechanism(case: Case, route: Route, upstream: Stream | None) -> str:
    if family(route) != "proxy":
        return f"nginx collects what {family(route)}_pass brings into its buffers"
    version = value(route, "proxy_http_version", "1.0")
    as_asked = upstream
    if version == "1.0":
        # An nginx behind this one never answers HTTP/1.0 in chunks; an app may.
        of_app = upstream is not None and upstream.hop == "app"
        as_asked = case.topology.stream("app", "http10") if of_app else None
    chunked = as_asked is not None and as_asked.header("transfer-encoding") is not None
    if version == "1.0" and not chunked:
        return (
            "the answer is close-delimited (nginx asks with HTTP/1.0), and nginx reads on until "
            "4 or 8 KiB are full"
        )
    if as_asked is not None and not chunked and as_asked.header("content-length") is None:
        return (
            "the answer is close-delimited even over HTTP/1.1, and nginx reads on until 4 or "
            "8 KiB are full"
        )
    return "nginx collects the answer into its buffers"


def _inert(route: Route, there: Meant | None) -> tuple[str, ...]:
    """What was written to switch buffering off and does not do it."""
    found = list(added_headers(route))
    setting = buffering(route)
    outer = effective(route.tree, route.path[:2], setting.name, route.version)
    if outer.wheres and outer.values[0] == ("off",) and not setting.is_default:
        found.append(f"{setting.name} off ({outer.where}) is overruled by {setting.where}")
    if there is not None and setting.name in there.settings:
        found.append(f"{there.location.where}: {there.location.label}: {there.why}")
    if found:
        return tuple(found)
    for location in all_locations(route.tree, route.path[:2]):
        own = effective(route.tree, location.path[2:], setting.name, route.version)
        if own.wheres and own.values[0] == ("off",) and location.directive not in route.path:
            text = f"{setting.name} off ({own.where}) counts in {location.label} only"
            return (f"{text}, which does not serve this URL",)
    return ()


def _on_time(stream: Stream) -> str:
    who = "the app" if stream.hop == "app" else stream.hop
    first = f", first byte after {stream.reads[0].at:.2f} s" if stream.reads else ""
    return f"asked directly, {who} answers after {stream.phases.headers or 0:.2f} s{first}"
