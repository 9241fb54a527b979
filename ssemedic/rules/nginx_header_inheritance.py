"""Cause: nginx_header_inheritance."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import nginx_hops
from ssemedic.clues.intent import value
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Directive, Route, statement
from ssemedic.nginx.inheritance import lost_lines
from ssemedic.rules import Sign, configured, rule
from ssemedic.stream.detect import observe_one
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom

_CORS = "access-control-"
_ORIGIN = "access-control-allow-origin"
_REFUSED = (
    Kind.CLOSED_AT_ONCE,
    Kind.ENDED,
    Kind.RESET,
    Kind.HTML_INSTEAD,
    Kind.WRONG_TYPE,
    Kind.REDIRECT_LOOP,
    Kind.WRONG_STATUS,
)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(
        Kind.MISSING_CORS,
        *(kind for kind in _REFUSED if kind is not Kind.WRONG_STATUS),
        Sign(Kind.WRONG_STATUS, (301, 302, 307, 308, 400, 401, 403, 404, 421, 426, 502, 505)),
    ),
    needs=("nginx", "streams"),
)
def nginx_header_inheritance(case: Case) -> Iterator[Finding]:
    """One header line in the location throws away all that the server block sets.

    `add_header` and `proxy_set_header` are inherited all or nothing: a location with a
    single line of its own, an X-Real-IP say, loses every line of the outer levels.
    CORS headers set for the whole server are then missing on the stream alone, or the
    app gets another Host or `Connection: close` and refuses or ends the stream.

    It is a cause only where the lost line is what is missed: a cross-origin page is
    refused for want of that very header, or the app, asked with the lost lines,
    streams. The lost lines are repeated in the location.
    """
    for hop, route in nginx_hops(case):
        if route.serves == "proxy":
            yield from _lost_towards_client(case, hop, route)
    hop, route = nginx_hops(case)[0]  # the one that asks the app
    if route.serves == "proxy":
        yield from _lost_towards_app(case, hop, route)


@configured(nginx_header_inheritance)
def configured_inheritance(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """A lost CORS line, or a lost Connection "" where HTTP/1.1 is meant to be kept alive."""
    if route.serves != "proxy":
        return
    for lines, depends in (
        (_cors(lost_lines(route, "add_header")), "a page of another origin reads the stream"),
        (_connection(route), "the app ends or refuses a stream that is asked for with "
         "Connection: close"),
    ):  # fmt: skip
        if lines:
            yield Finding(
                hop="nginx",
                where=_own(route, lines[0].name),
                observed=f"{_names(lines)} of the outer level ({lines[0].where}) is lost for "
                f"{endpoint.url}",
                expected=f"every {lines[0].name} line repeated in the location",
                remedy=NginxRemedy({lines[0].name: tuple(line.args for line in lines)}),
                depends=depends,
            )


def _lost_towards_client(case: Case, hop: str, route: Route) -> Iterator[Finding]:
    symptom = _missing_cors(case)
    lost = lost_lines(route, "add_header")
    cors = _cors(lost)
    if symptom is None or not cors or not _allows(cors, symptom):
        return
    others = [line for line in lost if line not in cors]
    yield Finding(
        hop=hop,
        where=_own(route, "add_header"),
        observed=f"an add_header line here hides those of the outer level: {_names(cors)} "
        f"({cors[0].where}) is not sent",
        expected="every add_header line repeated in the location",
        evidence=(symptom.text, f"{_text(cors[0])} stands at {cors[0].where}"),
        certainty=3,
        remedy=NginxRemedy({"add_header": tuple(line.args for line in cors)}),
        advice=(_others(others),) if others else (),
        also_at=("app", "inner", "nginx"),  # who could have sent it too, and did not have to
    )


def _lost_towards_app(case: Case, hop: str, route: Route) -> Iterator[Finding]:
    lost = lost_lines(route, "proxy_set_header")
    asked = case.topology.stream("app", "as-nginx")
    mended = case.topology.stream("app", "inherited")
    symptom = case.symptom(hop, *_REFUSED)
    if not lost or symptom is None or asked is None or mended is None:
        return
    if not _fails(asked) or _fails(mended):
        return
    shown = next((s.text for s in observe_one(asked) if s.kind in _REFUSED), "it fails")
    yield Finding(
        hop=hop,
        where=_own(route, "proxy_set_header"),
        observed=f"a proxy_set_header line here hides those of the outer level: {_names(lost)} "
        f"({lost[0].where}) does not reach the app",
        expected="every proxy_set_header line repeated in the location",
        evidence=(
            symptom.text,
            f"counter-test, the app asked as nginx asks it: {shown}",
            "counter-test, the same with the lost lines: it streams",
        ),
        certainty=3,
        remedy=NginxRemedy({"proxy_set_header": tuple(line.args for line in lost)}),
    )


def _missing_cors(case: Case) -> Symptom | None:
    for hop in ("nginx", "inner", "app"):
        symptom = case.symptom(hop, Kind.MISSING_CORS)
        if symptom is not None:
            return symptom
    return None


def _allows(lines: tuple[Directive, ...], symptom: Symptom) -> bool:
    """True if the lost line lets the page in, as far as it can be told without a request."""
    for line in lines:
        if line.args[0].lower() == _ORIGIN:
            allowed = line.args[1] if len(line.args) > 1 else ""
            return "$" in allowed or allowed in ("*", symptom.measured.get("origin"))
    return False


def _cors(lines: tuple[Directive, ...]) -> tuple[Directive, ...]:
    found = tuple(line for line in lines if line.args[0].lower().startswith(_CORS))
    return found if any(line.args[0].lower() == _ORIGIN for line in found) else ()


def _connection(route: Route) -> tuple[Directive, ...]:
    if value(route, "proxy_http_version", "1.0") != "1.1":
        return ()
    if route.setting("proxy_set_header").keyed("Connection") == ("",):
        return ()
    lost = lost_lines(route, "proxy_set_header")
    return lost if any(line.args == ("Connection", "") for line in lost) else ()


def _fails(stream: Stream) -> bool:
    return not stream.is_event_stream or any(s.kind in _REFUSED for s in observe_one(stream))


def _own(route: Route, name: str) -> str:
    return route.setting(name).where


def _names(lines: tuple[Directive, ...]) -> str:
    return ", ".join(dict.fromkeys(line.args[0] for line in lines))


def _text(line: Directive) -> str:
    return statement(line.name, line.args)


def _others(lines: list[Directive]) -> Advice:
    return Advice(
        Audience.SERVER,
        "These are hidden in the location of the stream in the same way; repeat them there if they "
        "are to count:" + "".join(f"\n    {_text(line)}" for line in lines),
    )
