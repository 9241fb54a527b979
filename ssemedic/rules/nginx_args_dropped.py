"""Cause: nginx_args_dropped."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Directive, Route, route, statement
from ssemedic.nginx.asked import Asked, asked, lost, marked
from ssemedic.nginx.onward import onward
from ssemedic.rules import Sign, configured, rule
from ssemedic.symptoms import Kind

_STATUSES = (302, 303, 307, 400, 401, 403, 404, 422)
_KINDS = (Kind.WRONG_STATUS, Kind.HTML_INSTEAD, Kind.WRONG_TYPE, Kind.CLOSED_AT_ONCE)
_QUERY = "$is_args$args"


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, _STATUSES), *_KINDS[1:]),
    needs=("nginx", "streams"),
)
def nginx_args_dropped(case: Case) -> Iterator[Finding]:
    """nginx passes the request on without its query, and the token in it is lost.

    EventSource cannot send headers, so the token stands in the URL; the app sees
    the bare path and answers 401, which is final (readyState 2). Asked directly with
    the same URL, it streams.

    A proxy_pass with a variable and a path is sent as written, without the query; so
    is the target of try_files, and of a rewrite that ends in `?`. It is a cause only
    where the app, asked as nginx asks it, refuses, and streams once the query is there.
    """
    if case.route.serves != "proxy":
        return
    bare = case.topology.stream("app", "as-nginx")
    whole = case.topology.stream("app", "args")
    if bare is None or whole is None or bare.is_event_stream or not whole.is_event_stream:
        return
    parameter = case.endpoint.token_parameter if case.token else ""
    hop, followed = "nginx", _followed(case.route, case.endpoint, parameter)
    if followed is None and case.topology.inner is not None:
        hop, followed = "inner", _followed_inside(case.route, case.endpoint, parameter)
    if followed is None:
        return
    found, sent, names = followed
    symptom = case.symptom(hop, *_KINDS)
    yield _finding(
        found,
        sent,
        names,
        hop=hop,
        evidence=(
            *([symptom.text] if symptom else []),
            f"counter-test, the app asked as nginx asks it: {_answer(bare.status)}",
            "the same with the query of the client: 200 text/event-stream",
        ),
    )


@configured(nginx_args_dropped)
def _configured(found: Route, endpoint: Endpoint) -> Iterator[Finding]:
    followed = _followed(found, endpoint, endpoint.token_parameter)
    if followed is None:
        return
    yield _finding(*followed, depends="clients send their token, or anything else, in the query")


def _followed(
    found: Route, endpoint: Endpoint, parameter: str
) -> tuple[Route, Asked, tuple[str, ...]] | None:
    """The route of a request with a token, what is asked then, and the parameters lost."""
    url = marked(endpoint.url, parameter)
    return _lost_by(route(found.tree, url, found.version))


def _followed_inside(
    found: Route, endpoint: Endpoint, parameter: str
) -> tuple[Route, Asked, tuple[str, ...]] | None:
    """The same of the second nginx server, where two stand in a row."""
    outer = route(found.tree, marked(endpoint.url, parameter), found.version)
    inner = onward(outer)
    return _lost_by(inner) if inner is not None else None


def _lost_by(then: Route) -> tuple[Route, Asked, tuple[str, ...]] | None:
    sent = asked(then)
    names = lost(sent, then.url) if sent is not None else ()
    return (then, sent, names) if sent is not None and names else None


def _finding(
    found: Route,
    sent: Asked,
    names: tuple[str, ...],
    evidence: tuple[str, ...] = (),
    depends: str = "",
    hop: str = "nginx",
) -> Finding:
    handler = found.handler
    assert handler is not None  # something is passed on
    written = handler.args[0]
    literal = "$" in written and found.pass_uri is not None
    remedy: NginxRemedy | None = None
    advice: tuple[Advice, ...] = ()
    where = handler.where
    what = f"proxy_pass {written} has a variable and a path, so it is sent as it is written"
    if literal and "?" not in written:
        remedy = NginxRemedy({"proxy_pass": ((written + _QUERY,),)})
    elif literal:
        added = "".join(f"&{name}=$arg_{name}" for name in names)
        advice = (_by_hand(f"proxy_pass {written}{added};", where),)
    else:
        what, where, line = _who(found, handler.where)
        advice = (_by_hand(line, where),)
    return Finding(
        hop=hop,
        where=where,
        observed=f"{what}: the app is asked for {sent.path} without {', '.join(names)}",
        expected=f"the query of the client goes along ({_QUERY})",
        evidence=evidence,
        remedy=remedy,
        advice=advice,
        certainty=3,
        depends=depends,
    )


def _who(found: Route, handler: str) -> tuple[str, str, str]:
    """What lost the query on the way, where, and the line that would keep it."""
    for step in reversed(found.handed_over):
        name, _, where = step.partition(" at ")
        if name == "try_files":
            return (
                "the fallback of try_files starts without the query",
                where,
                f"try_files $uri {urlsplit(found.uri_passed or '').path}{_QUERY};",
            )
        if name == "rewrite":
            return (
                "rewrite ends its target with ?, which drops the query",
                where,
                "the same rewrite without the ? at its end",
            )
    inside = _inside(found)
    if inside is not None:
        what = f"{statement(inside.name, inside.args)} drops the query"
        kept = (
            "the same rewrite without the ? at its end"
            if inside.name == "rewrite"
            else "take this line away"
        )
        return (what, inside.where, kept)
    return (
        "the query is replaced on the way",
        handler,
        f"proxy_pass with {_QUERY} at the end, or without a URI part",
    )


def _inside(found: Route) -> Directive | None:
    """The one line of the blocks in force that takes the query away and hands nothing over."""
    lines = [
        line
        for block in found.path
        for line in found.tree.flat(block.block)
        if (line.name == "rewrite" and len(line.args) > 1 and line.args[1].endswith("?"))
        or (line.name == "set" and line.args[:1] == ("$args",))
    ]
    return lines[0] if len(lines) == 1 else None


def _by_hand(line: str, where: str) -> Advice:
    return Advice(Audience.SERVER, f"At {where}, keep the query of the client: {line}")


def _answer(status: int | None) -> str:
    return str(status) if status else "no answer"
