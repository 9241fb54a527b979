"""Cause: nginx_duplicate_cors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Directive, Route, statement
from ssemedic.rules import configured, rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

_ORIGIN = "Access-Control-Allow-Origin"
_CREDENTIALS = "Access-Control-Allow-Credentials"


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Kind.DUPLICATE_CORS,),
    needs=("nginx", "streams"),
)
def nginx_duplicate_cors(case: Case) -> Iterator[Finding]:
    """nginx adds an Access-Control-Allow-Origin to the one that is there already.

    The app allows the page's origin, and an `add_header` allows it once more. A browser
    takes two values for none ("header contains multiple values") and closes the stream
    for good; curl shows nothing wrong.

    One of the two must own the header. Where nginx adds the very value that the app
    sends, its line is taken away, and browsers get what they got before, once. Where the
    values differ, who may read the stream is for a person to say.
    """
    route = case.route
    symptom = case.symptom("nginx", Kind.DUPLICATE_CORS)
    added = _added(route, _ORIGIN)
    if symptom is None or not added:
        return
    app = case.topology.stream("app", symptom.measured.get("variant", ""))
    sent = _values(app, _ORIGIN)
    if app is None or (not sent and len(added) < 2):
        return
    by_nginx = ", ".join(f"{_value(line)} ({line.where})" for line in added)
    where = added[0].where
    if not sent:
        yield Finding(
            hop="nginx",
            where=where,
            observed=f"nginx adds {_ORIGIN} {len(added)} times: {by_nginx}",
            expected="one add_header of it",
            evidence=(symptom.text, "asked directly, the app sends none"),
            certainty=3,
            advice=(_keep_one(added),),
        )
        return
    # Without a variable nginx's value is the same for every origin.
    same = all(_value(line) == sent[0] for line in added)
    # The page is one of nginx's own naming: without its line nobody would ask for it again.
    provable = case.endpoint.origin is not None
    yield Finding(
        hop="nginx",
        where=where,
        observed=f"the app sends {_ORIGIN}: {sent[0]}, and nginx adds {by_nginx}",
        expected=f"one {_ORIGIN}, from the app or from nginx",
        evidence=(symptom.text, f"asked directly, the app sends one: {sent[0]}"),
        certainty=3,
        remedy=NginxRemedy(without=_without(route, app)) if same and provable else None,
        advice=() if same and provable else (_choice(route, added, app), *_name_it(case, sent)),
    )


@configured(nginx_duplicate_cors)
def added_twice(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Two add_header lines for it in force at once; one alone is how nginx rightly owns it."""
    added = _added(route, _ORIGIN)
    if len(added) > 1 and all(_always_there(line) for line in added):
        yield Finding(
            hop="nginx",
            where=added[1].where,
            observed=f"nginx adds {_ORIGIN} {len(added)} times",
            expected="one add_header of it",
            advice=(_keep_one(added),),
            depends="a page of another origin opens the stream" if endpoint.origin is None else "",
        )


def _added(route: Route, name: str) -> tuple[Directive, ...]:
    return tuple(
        line
        for line in route.setting("add_header").lines
        if len(line.args) > 1 and line.args[0].lower() == name.lower()
    )


def _value(line: Directive) -> str:
    return line.args[1]


def _always_there(line: Directive) -> bool:
    """An empty value adds no line, so a variable may be how two lines take turns."""
    return bool(_value(line)) and "$" not in _value(line)


def _values(stream: Stream | None, name: str) -> tuple[str, ...]:
    return tuple(v.strip() for v in stream.header_values(name)) if stream is not None else ()


def _without(route: Route, app: Stream) -> tuple[tuple[str, str], ...]:
    """Twice "true" is no "true" either, so a repeated -Credentials goes along."""
    lines: tuple[tuple[str, str], ...] = (("add_header", _ORIGIN),)
    if _added(route, _CREDENTIALS) and _values(app, _CREDENTIALS):
        lines += (("add_header", _CREDENTIALS),)
    return lines


def _name_it(case: Case, sent: Sequence[str]) -> tuple[Advice, ...]:
    if case.endpoint.origin is not None:
        return ()
    text = f"Name the page in the inventory (origin: {sent[0]}), and a repair can be proven for it."
    return (Advice(Audience.SERVER, text),)


def _keep_one(added: Sequence[Directive]) -> Advice:
    places = "; ".join(f"{statement(x.name, x.args)} ({x.where})" for x in added)
    return Advice(Audience.SERVER, f"Keep one of these lines and take the others away: {places}.")


def _choice(route: Route, added: Sequence[Directive], app: Stream) -> Advice:
    place = route.location.label if route.location else "the location of the stream"
    lines = "; ".join(f"{statement(x.name, x.args)} ({x.where})" for x in added)
    names = [name for name in (_ORIGIN, _CREDENTIALS) if _values(app, name)]
    hidden = " ".join(f"proxy_hide_header {name};" for name in names)
    kept = statement("add_header", (*added[-1].args[:2], "always"))
    inherited = not set(added) <= set(route.tree.flat(route.path[-1].block))
    note = (
        " (it stands at an outer level: in the location, repeat every other add_header that is "
        "inherited)"
        if inherited
        else ""
    )
    return Advice(
        Audience.SERVER,
        f"Let one of the two own the header. The app: take away {lines}{note}. Or nginx: in "
        f"{place} write {hidden} {kept}",
    )
