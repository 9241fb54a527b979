"""Cause: edge_serverless_buffer."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import CUT, HELD, Product, ended_by, finding, held_by
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.EDGE,
    severity=Severity.BROKEN,
    explains=(*HELD, *CUT, Sign(Kind.WRONG_STATUS, (502, 504))),
    needs=("streams",),
)
def edge_serverless_buffer(case: Case) -> Iterator[Finding]:
    """The platform in front collects the answer, or ends it after half a minute.

    API Gateway reads an integration's whole answer and gives up after 29 s (504); serverless
    functions of Vercel, Netlify and Lambda send their answer when the function returns, unless
    streaming is turned on for it. So nothing comes, or all at once.

    Turn response streaming on, or serve the stream from something that stays up.
    """
    products = (
        Product.API_GATEWAY,
        Product.VERCEL,
        Product.NETLIFY,
        Product.CLOUDFRONT,
    )
    shown = held_by(case, *products) or ended_by(
        case, *products, limits=(29.0, 30.0), statuses=(504,)
    )
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.VENDOR,
            "API Gateway: use a REST API with response transfer mode STREAM, or a Lambda "
            "function URL with InvokeMode RESPONSE_STREAM, or a load balancer in its place; "
            "Vercel: a route handler that returns a ReadableStream, with maxDuration "
            "raised; Netlify: a streaming function; CloudFront: raise the origin response "
            "timeout (30 s).",
        ),
        Advice(
            Audience.FRONTEND,
            "Or open the stream at a host that is not behind it, with CORS allowed there.",
        ),
        expected="the answer is streamed, for as long as it lasts",
    )
