"""Cause: edge_elb_idle."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import CUT, Product, ended_by, finding
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.EDGE,
    severity=Severity.DEGRADED,
    explains=(*CUT, Sign(Kind.WRONG_STATUS, (504,))),
    needs=("streams",),
)
def edge_elb_idle(case: Case) -> Iterator[Finding]:
    """The AWS load balancer ends a stream that is idle for its timeout.

    An Application or Classic Load Balancer closes a connection on which no byte moved for
    `idle_timeout`, 60 s unless set otherwise; before the first byte it answers 504.

    Send a comment every 15 to 30 s, or raise the idle timeout.
    """
    shown = ended_by(case, Product.AWS_ELB, limits=(60.0,), statuses=(504,))
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.SERVER,
            "Send a comment (`: ping`) every 15 to 30 s.",
        ),
        Advice(
            Audience.VENDOR,
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN --attributes "
            "Key=idle_timeout.timeout_seconds,Value=3600",
        ),
        expected="a sign of life within the idle timeout",
    )
