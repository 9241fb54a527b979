"""Cause: cl_csp_mixed_content."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.page.seen import HOP
from ssemedic.rules import rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.CLIENT,
    severity=Severity.BROKEN,
    explains=(Kind.BROWSER_REFUSED,),
    needs=("browser",),
)
def cl_csp_mixed_content(case: Case) -> Iterator[Finding]:
    """The browser forbids the request by a policy, before it leaves.

    A page over https may not ask for a stream over http (mixed content), and a page
    with a Content-Security-Policy may only ask what its `connect-src` lists. The
    server sees nothing, `onerror` says nothing; only the browser's console names it.

    Open the stream by https, or add its origin to `connect-src`.
    """
    browser, symptom = case.evidence.browser, case.symptom(HOP, Kind.BROWSER_REFUSED)
    if browser is None or symptom is None:
        return
    url = urlsplit(case.endpoint.url)
    origin = f"{url.scheme}://{url.netloc}"
    if browser.mixed:
        yield Finding(
            hop=HOP,
            where=browser.origin,
            observed=f"the page is {browser.origin}, the stream {origin}",
            expected="a stream over https",
            evidence=(symptom.text,),
            certainty=3,
            advice=(
                Advice(
                    Audience.FRONTEND,
                    f"Open the stream as https://{url.netloc}{url.path}, or by a path of the "
                    "page's own origin, so that no scheme stands in the code.",
                ),
            ),
        )
    elif browser.policy:
        yield Finding(
            hop=HOP,
            where=browser.origin,
            observed=f"{browser.policy} of the page's Content-Security-Policy leaves out {origin}",
            expected=f"connect-src with {origin}",
            evidence=(symptom.text, "the browser reported a violation of the policy"),
            certainty=3,
            advice=(
                Advice(
                    Audience.FRONTEND,
                    f"Add {origin} to connect-src where the page's policy is made: the header "
                    "Content-Security-Policy (nginx: add_header) or the meta element of the page.",
                ),
            ),
        )
