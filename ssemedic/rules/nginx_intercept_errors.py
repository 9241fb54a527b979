"""Cause: nginx_intercept_errors."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Directive, Route, statement
from ssemedic.rules import configured, rule
from ssemedic.symptoms import Kind, Symptom

_KINDS = (Kind.HTML_INSTEAD, Kind.WRONG_TYPE, Kind.WRONG_STATUS, Kind.REDIRECT_LOOP)
#: Statuses with which an app refuses a stream, or says that it cannot give one now.
_REFUSALS = (401, 403, 429, 500, 502, 503, 504)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=_KINDS,
    needs=("nginx", "streams"),
)
def nginx_intercept_errors(case: Case) -> Iterator[Finding]:
    """nginx puts a page of its own in the place of the app's refusal.

    With `proxy_intercept_errors on` an answer of 300 or more that an `error_page` names
    is thrown away; the browser gets the page, often as 200 text/html. The client cannot
    tell a token that has run out (401) from an app that is busy (503, try again), and
    EventSource gives up for good over the MIME type.

    What the app really answered has a cause of its own; it is named beside this one.
    """
    route, app = case.route, case.topology.stream("app")
    symptom = case.symptom("nginx", *_KINDS)
    if route.serves != "proxy" or symptom is None or app is None:
        return
    if app.status is None or app.status < 300:
        return
    if case.topology.app_found_elsewhere:
        return  # what nginx asked is not the app
    intercept = route.setting("proxy_intercept_errors")
    page = _page(route, app.status)
    if intercept.values[0][0] != "on" or page is None:
        return
    yield Finding(
        hop="nginx",
        where=intercept.where,
        observed=f"the app's {app.status} becomes {_became(symptom)} by "
        f"{statement(page.name, page.args)} ({page.where})",
        expected="proxy_intercept_errors off in the location of the stream, so that the app's own "
        "answer arrives",
        evidence=(symptom.text, f"asked directly, the app answers {app.status} {app.reason}"),
        certainty=3,
        remedy=NginxRemedy({"proxy_intercept_errors": (("off",),)}),
    )


@configured(nginx_intercept_errors)
def refusals_become_pages(route: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    """An error_page that also changes the status makes a refusal look like an answer."""
    intercept = route.setting("proxy_intercept_errors")
    if route.serves != "proxy" or intercept.values[0][0] != "on":
        return
    pages = ((status, _page(route, status)) for status in _REFUSALS)
    hidden = [(status, page) for status, page in pages if page is not None and _changes(page)]
    if hidden:
        status, page = hidden[0]
        yield Finding(
            hop="nginx",
            where=intercept.where,
            observed=f"the app's {status} becomes another answer by "
            f"{statement(page.name, page.args)} ({page.where})",
            expected="proxy_intercept_errors off in the location of the stream",
            remedy=NginxRemedy({"proxy_intercept_errors": (("off",),)}),
            depends=f"the app refuses a stream with {status}",
        )


def _page(route: Route, status: int) -> Directive | None:
    """The error_page in force for a status."""
    for line in route.setting("error_page").lines:
        if str(status) in line.args[:-1]:
            return line
    return None


def _changes(page: Directive) -> bool:
    return any(arg.startswith("=") for arg in page.args[:-1])


def _became(symptom: Symptom) -> str:
    status = symptom.measured.get("status")
    return str(status) if status else f"200 {symptom.measured.get('content_type', '')}".strip()
