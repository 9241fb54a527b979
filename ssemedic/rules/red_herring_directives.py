"""Red herring: red_herring_directives."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.finding import Finding, Layer, Severity
from ssemedic.nginx import Directive
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

#: Lines that are blamed or praised, and what they really do. Measured on nginx 1.22.1.
_HARMLESS = {
    "chunked_transfer_encoding": "ends the answer by closing it and delays nothing",
    "client_body_buffer_size": "is about what clients send",
    "client_body_timeout": "is about what clients send",
    "client_max_body_size": "is about what clients send",
    "keepalive_timeout": "counts between requests, and a stream is one that never ends",
    "proxy_ignore_client_abort": "is about clients that have gone",
    "proxy_request_buffering": "is about what clients send",
    "send_timeout": "counts while the client does not read, not while nothing is sent",
    "sub_filter": "passes every event on at once",
    "tcp_nodelay": "is on by default, and holds nothing back here",
    "tcp_nopush": "is only about files",
}

_BLAMED = (
    Kind.BUFFERED,
    Kind.NO_ANSWER,
    Kind.HEADERS_LATE,
    Kind.CUT_WHEN_IDLE,
    Kind.CUT_AFTER,
    Kind.ENDED,
    Kind.CLOSED_AT_ONCE,
)


@rule(layer=Layer.NGINX, severity=Severity.HYGIENE, explains=(), needs=("nginx", "streams"))
def red_herring_directives(case: Case) -> Iterator[Finding]:
    """Lines in the location of the stream that neither break nor mend it.

    `chunked_transfer_encoding off`, `send_timeout`, `keepalive_timeout`, `tcp_nodelay`,
    `sub_filter`, `proxy_request_buffering` and the like are pasted as a cure, or blamed
    when a stream is held back or cut. Measured, they change nothing for an event stream.

    Never a cause. They are told only beside a symptom at nginx, so that nobody spends time
    on them; the cause is another.
    """
    if case.route.serves != "proxy" or len(case.route.path) < 3:
        return
    if not any(case.symptom(hop, *_BLAMED) for hop in ("nginx", "inner")):
        return
    for line in case.route.tree.flat(case.route.path[-1].block):
        if line.name in _HARMLESS:
            yield _finding(line)


def _finding(line: Directive) -> Finding:
    return Finding(
        hop="nginx",
        where=line.where,
        observed=f"{line.name} {' '.join(line.args)} {_HARMLESS[line.name]}",
        expected="not to be taken for the cause or for the cure",
        certainty=1,
    )
