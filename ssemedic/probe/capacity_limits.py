"""The first limit that was hit, named from what the wire showed and what this process knows.

Sources: nginx ngx_event_accept.c (a connection is closed at once where worker_connections
are used up; accepting pauses where descriptors are), ngx_http_limit_conn_module (503 by
default), listen(2) and tcp(7) (a full queue drops what asks for a connection).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssemedic.probe.capacity_own import OwnLimits
from ssemedic.probe.capacity_result import Limit, Trouble
from ssemedic.stream.known_limits import known_limits

#: A failure counts as a limit from this share of the streams asked for, or this many.
SHARE, LEAST = 0.01, 3
#: Lost within so many seconds of age of each other: a timer, not a lack of room.
SAME_AGE = 1.5

#: Numbers of streams at which well-known limits end, a little before or after them.
_WELL_KNOWN = (
    (256, "512 connections, nginx's default worker_connections, at two for each proxied stream"),
    (384, "768 worker_connections, as Debian configures nginx, at two for each proxied stream"),
    (512, "1,024 connections or descriptors at two for each proxied stream"),
    (1024, "1,024 file descriptors, the usual soft limit"),
    (2048, "4,096 connections or descriptors at two for each proxied stream"),
    (4096, "4,096 connections, file descriptors or places in a listener's queue"),
)


@dataclass(frozen=True)
class Seen:
    """What a limit is judged by. ``overflows`` is None where it cannot speak for the server.

    ``finite`` is true where a stream may end: the answer to a POST is over when it is over.
    """

    asked: int
    allowed: int
    opened: int
    refused: Sequence[Trouble]
    dropped: Sequence[Trouble]
    own: OwnLimits
    cpu_share: float | None
    overflows: int | None
    finite: bool = False
    interrupted: bool = False


def first_limit(seen: Seen) -> Limit | None:
    """The limit behind the first failure that was more than a stray; None where there was none."""
    least = min(seen.asked, max(LEAST, round(SHARE * seen.asked))) if seen.opened else 1
    dropped = [one for one in seen.dropped if not (seen.finite and one.kind == "ended")]
    counted = [one for one in (*seen.refused, *dropped) if one.count >= least]
    if counted:
        first = min(counted, key=lambda one: one.first_at)
        return _lost(first, seen) if first in seen.dropped else _refused(first, seen)
    if seen.allowed < seen.asked:
        return _own_fds(seen, seen.allowed)
    if (seen.overflows or 0) >= least:
        text = "the listener's queue overflows: streams open a second or more late, or not at all"
        return Limit("backlog", text, seen.opened, _dropped_by_kernel(seen), False)
    waiting = seen.allowed - seen.opened - sum(one.count for one in seen.refused)
    if waiting >= least and not seen.interrupted:
        text = "streams were still waiting for an answer when the time was up"
        return Limit("unknown", text, seen.opened, (f"{waiting:,} streams waited",), False)
    if seen.cpu_share is not None and seen.cpu_share > 0.9:
        text = "this process used a whole core: the server could give more than it could take"
        share = f"{100 * seen.cpu_share:.0f} % of a core while holding"
        return Limit("own_cpu", text, seen.opened, (share,), True)
    return None


def _refused(first: Trouble, seen: Seen) -> Limit:
    if first.kind == "own_fds":
        return _own_fds(seen, first.held)
    known = _LOCAL.get(first.kind) or _REMOTE.get(first.kind)
    if first.kind.startswith("status_"):
        name, sentence, certain = _status(int(first.kind.removeprefix("status_")), first, seen)
    elif not seen.opened and first.kind in _NEVER_OPENED:
        name, sentence, certain = _NEVER_OPENED[first.kind]
    elif first.kind == "no_answer" and seen.overflows:
        name, sentence, certain = (
            "backlog",
            "the server accepts more slowly than connections come",
            True,
        )
    elif known:
        name, sentence, certain = known
    else:
        name, sentence, certain = "unknown", "the wire does not tell which limit this is", False
    return Limit(name, sentence, first.held, _evidence(first, seen), certain)


#: Ours, so certain.
_LOCAL = {
    "own_ports": ("own_ports", "no port is left on this machine to connect from", True),
    "own_memory": ("own_memory", "this machine has no memory for another socket", True),
}
#: Once streams had opened.
_REMOTE = {
    "connection_refused": (
        "listener_gone",
        "connections are refused: the listener closed, its process ended, or a firewall rejects",
        False,
    ),
    "backlog_full": ("backlog", "the queue of the unix socket's listener is full", True),
    "connect_timeout": (
        "backlog",
        "connections get no answer: the listener's queue is full, or a firewall or its"
        " connection table drops them",
        False,
    ),
    "empty_reply": (
        "worker_connections",
        "connections are accepted and closed without an answer: nginx does so when its"
        " worker_connections are used up, other servers at a cap of their own",
        False,
    ),
    "reset": (
        "worker_connections",
        "connections are accepted and reset without an answer: nginx does so when its"
        " worker_connections are used up, other servers at a cap of their own",
        False,
    ),
    "no_answer": (
        "server_fds",
        "connections are taken by the kernel and never answered: the server has no file"
        " descriptor to accept them with, or is too busy to",
        False,
    ),
    "tls_error": ("tls", "the TLS handshake fails once streams are open", False),
}
_NEVER_OPENED = {
    "connection_refused": ("not_a_limit", "nobody listens there", True),
    "connect_timeout": ("not_a_limit", "the address does not answer", True),
    "unreachable": ("not_a_limit", "the address cannot be reached", True),
    "tls_error": ("not_a_limit", "TLS fails from the first stream on", True),
    "not_http": ("not_a_limit", "what answers is not HTTP", True),
    "not_event_stream": ("not_a_limit", "the answer is not text/event-stream", True),
    "no_answer": (
        "not_a_limit",
        "the first stream gets no headers: something holds them back, or the app does not answer",
        True,
    ),
    "empty_reply": ("not_a_limit", "the first stream is closed without an answer", True),
    "reset": ("not_a_limit", "the first stream is reset without an answer", True),
}


def _status(status: int, first: Trouble, seen: Seen) -> tuple[str, str, bool]:
    if not seen.opened:
        return "not_a_limit", f"the endpoint answers {status} from the first stream on", True
    by_nginx = "<center>nginx" in first.detail
    if status in (429, 503) and by_nginx:
        text = f"nginx itself answers {status}: limit_conn or limit_req"
        return "limit_conn", text, status == 429 or first.held > 0
    if status in (429, 503):
        return (
            "app_cap",
            f"the app, or what is before it, answers {status} at a cap of its own",
            False,
        )
    if status == 500 and by_nginx:
        text = "nginx has no connection or file descriptor left for the upstream"
        return "worker_connections", text, True
    if status == 502:
        text = "the app behind the proxy refuses or closes: its cap, its descriptors, or it ended"
        return "upstream", text, True
    if status == 504:
        text = "the app behind the proxy accepts or answers too slowly"
        return "upstream", text, True
    if status in (401, 403):
        return (
            "app_cap",
            f"answers {status} once streams are open: a limit per user or a token",
            False,
        )
    return "unknown", f"answers {status} once streams are open", False


def _lost(first: Trouble, seen: Seen) -> Limit:
    evidence = _evidence(first, seen)
    if first.oldest - first.youngest <= SAME_AGE and first.oldest > SAME_AGE:
        text = f"streams end {first.youngest:.1f} to {first.oldest:.1f} s after they open"
        return Limit("time_limit", text, first.held, (*evidence, *known_limits(first.oldest)), True)
    if first.kind == "ended":
        text = "the server ends streams cleanly; an event stream has no end of its own"
        return Limit("ends", text, first.held, evidence, True)
    if first.last_at - first.first_at <= SAME_AGE and first.count >= 0.9 * first.held:
        text = "streams of every age break off together: a process restarted or was killed"
        return Limit("server_gone", text, first.held, evidence, False)
    text = "open streams break off; the wire does not tell why"
    return Limit("unknown", text, first.held, evidence, False)


def _own_fds(seen: Seen, held: int) -> Limit:
    text = "this process may open no more file descriptors"
    used = f"{seen.own.fds:,} descriptors allowed, {seen.own.fds_used:,} of them used before"
    return Limit("own_fds", text, held, (used,), True)


def _evidence(first: Trouble, seen: Seen) -> tuple[str, ...]:
    lines = [f"{first.count:,} times {first.kind}, first at {first.first_at:.2f} s"]
    if first.detail:
        lines.append(f"it said: {first.detail}")
    if first.kind == "own_ports" and seen.own.ports is not None:
        lines.append(f"{seen.own.ports:,} ports in ip_local_port_range")
    lines += _dropped_by_kernel(seen)
    near = [text for count, text in _WELL_KNOWN if 0.95 * count <= first.held <= 1.01 * count]
    lines += [f"{first.held:,} open streams are near {text}" for text in near]
    return tuple(lines)


def _dropped_by_kernel(seen: Seen) -> tuple[str, ...]:
    if not seen.overflows:
        return ()
    text = f"this machine's listeners dropped {seen.overflows:,} connections meanwhile"
    return (f"{text} (ListenOverflows)",)
