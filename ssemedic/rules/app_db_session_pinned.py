"""Cause: app_db_session_pinned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ssemedic.case import Case
from ssemedic.clues.framework import Framework, Server, framework_of
from ssemedic.clues.logged_class import Line, lines_of_class
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_KINDS = (Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.CLOSED_AT_ONCE, Kind.WRONG_STATUS)
_STATUSES = (500, 503, 504)
#: A pool that another request waited for this long ago (seconds) may still be empty: waiting
#: times of pools are 10 to 60 s.
_BEFORE = 120.0
_FRESH = 60.0

#: What gives a connection back before the stream begins, and what makes the pool larger.
_WORDS: Mapping[str, tuple[str, str]] = {
    "SQLAlchemy": (
        "read what the stream needs in `with Session() as session:` and leave the block before the "
        "response is returned; in FastAPI not by Depends(get_session), which may be held until "
        "the stream ends",
        "create_engine(pool_size=..., max_overflow=...)",
    ),
    "HikariCP": (
        "set spring.jpa.open-in-view=false, which otherwise keeps the connection for as long as "
        "the SseEmitter is open, and read in a @Transactional method of its own",
        "spring.datasource.hikari.maximum-pool-size",
    ),
    "ActiveRecord": (
        "call ActiveRecord::Base.connection_pool.release_connection before the loop of an "
        "ActionController::Live action",
        "pool: in database.yml",
    ),
    "ADO.NET": (
        "create the DbContext for the query alone (IDbContextFactory) and not for the request",
        "Max Pool Size in the connection string",
    ),
    "node-postgres": (
        "call client.release() before the stream begins, or use pool.query()",
        "new Pool({ max: ... })",
    ),
    "Prisma": (
        "keep no interactive transaction open while the stream runs",
        "connection_limit in the URL of the database",
    ),
    "sqlx": (
        "drop the connection or transaction before the stream begins",
        "PoolOptions::max_connections",
    ),
    "psycopg2": ("call pool.putconn() before the stream begins", "maxconn of the pool"),
    "psycopg_pool": (
        "leave the block of pool.connection() before the stream begins",
        "max_size of the pool",
    ),
}
_DJANGO = (
    "call django.db.connection.close() in the view before it returns the StreamingHttpResponse",
    "OPTIONS pool in DATABASES, or max_connections of the database",
)
_ANY = (
    "give the database connection back before the stream begins, and take one anew for each query",
    "the size of the pool",
)


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(
        Kind.NO_ANSWER,
        Kind.HEADERS_LATE,
        Kind.CLOSED_AT_ONCE,
        Sign(Kind.WRONG_STATUS, _STATUSES),
    ),
    needs=("streams", "logs"),
)
def app_db_session_pinned(case: Case) -> Iterator[Finding]:
    """Each open stream holds a database connection, and the pool has none left.

    After so many tabs as the pool has connections, every request that needs the database waits
    for the pool's timeout and fails, while a health check without a query stays green. A new
    stream hangs without a status line, or is answered 500 after some ten seconds.

    The service's own log names the pool and its size. A larger pool only moves the wall: the
    stream must give its connection back before it begins.
    """
    symptom = case.symptom("app", *_KINDS)
    if symptom is None:
        return
    if symptom.kind is Kind.WRONG_STATUS and symptom.measured.get("status") not in _STATUSES:
        return
    lines = lines_of_class(case, "pool", _BEFORE)
    if not lines:
        return
    last = lines[-1]
    began = min(stream.started for stream in case.evidence.streams or ())
    fresh = last.line.at is not None and last.line.at >= began - _FRESH
    unit = case.topology.unit
    where = unit.name if unit else "the app"
    alive = case.topology.stream("app", "alive")
    answers = alive is not None and alive.status is not None
    others = f"another path answers {alive.status} meanwhile" if alive and answers else ""
    said = f"log of {where}, {len(lines)} times since {_BEFORE:.0f} s before we asked: {last.text}"
    yield Finding(
        hop="app",
        where=where,
        observed=f"no database connection is free: {last.text}",
        expected="streams that hold no database connection while they are open",
        evidence=tuple(filter(None, (symptom.text, said, others))),
        # An older line tells of others; whether it is what held us up is then likely only.
        certainty=3 if last.near or fresh else 2,
        advice=tuple(_advice(last, framework_of(case))),
    )


def _advice(last: Line, framework: Framework) -> Iterator[Advice]:
    give_back, size = _WORDS.get(last.signature.framework, _ANY)
    if framework.app == "Django":
        give_back, size = _DJANGO
    elif (give_back, size) == _ANY and framework.server in (Server.JVM, Server.TOMCAT):
        give_back, size = _WORDS["HikariCP"]
    yield Advice(
        Audience.SERVER,
        f"Let no stream hold a connection: {give_back}. Until then, {size} above the number of "
        "streams that one process serves, within max_connections of the database, and "
        "idle_in_transaction_session_timeout there, so that what is forgotten is given back.",
    )
