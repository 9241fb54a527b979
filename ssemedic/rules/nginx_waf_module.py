"""Cause: nginx_waf_module."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import forbids, is_on
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Route, Setting
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

#: The switch of each module, and how one location is let out of its look at the answer.
_MODULES = {
    "modsecurity": "modsecurity_rules 'SecResponseBodyAccess Off';",
    "coraza": "coraza_rules 'SecResponseBodyAccess Off';",
}
_LOGGED = re.compile(r"ModSecurity|coraza", re.IGNORECASE)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE),
    needs=("nginx", "streams"),
)
def nginx_waf_module(case: Case) -> Iterator[Finding]:
    """A web application firewall in nginx reads the whole answer before it lets it go.

    ModSecurity or Coraza looks at response bodies, so it collects them: an endless
    stream never gets through, not even its headers, though `proxy_buffering` is off.
    With the firewall off it is there at once.

    It is a security control, so it is not changed by us. Exempt the location of the
    stream from the look at response bodies, or update the connector: later ones let
    event streams pass. Judged from recorded evidence; our test hosts have no such module.
    """
    route = case.route
    symptom = case.symptom("nginx", Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE)
    app = case.topology.stream("app")
    if route.serves != "proxy" or symptom is None or app is None or not app.is_event_stream:
        return
    if is_on(route) and not forbids(app):
        return  # buffering would hold it back without any firewall
    for name, line in _MODULES.items():
        switch = route.setting(name)
        if switch.first.lower() != "on":
            continue
        yield Finding(
            hop="nginx",
            where=switch.where,
            observed=f"{name} is on here, and nothing passes though buffering is off",
            expected="the location of the stream exempt from the look at response bodies",
            evidence=(
                symptom.text,
                f"asked directly, the app answers after {app.phases.headers or 0:.2f} s",
                *_logged(case),
            ),
            certainty=2,
            advice=(Advice(Audience.SERVER, _by_hand(route, switch, line)),),
        )


def _logged(case: Case) -> tuple[str, ...]:
    nginx = case.evidence.nginx
    logs = [case.evidence.log(path) for path in (nginx.error_logs if nginx else ())]
    lines = [x.text for log in logs if log for x in log.lines if _LOGGED.search(x.text)]
    return (f"error.log: {lines[-1]}",) if lines else ()


def _by_hand(route: Route, switch: Setting, line: str) -> str:
    place = f"{route.location.label} ({route.location.where})" if route.location else "it"
    return (
        f"In {place} write `{line}`, or `{switch.name} off;` if your security team agrees, reload "
        "nginx and look again. A newer connector may pass event streams by itself: "
        "owasp-modsecurity/ModSecurity-nginx, corazawaf/coraza-nginx."
    )
