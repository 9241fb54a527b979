"""What application servers and frameworks write when a stream, a pool or a broker fails."""

# ruff: noqa: E501 - a table: one wording, one line
from __future__ import annotations

from .signature import Signature

#: Connection pools of databases, by the wording that each gives up with.
_POOLS = (
    Signature("pool", "SQLAlchemy", "pool exhausted", "QueuePool limit", r"QueuePool limit of size \d+ overflow \d+ reached"),
    Signature("pool", "psycopg_pool", "pool exhausted", "PoolTimeout", r"PoolTimeout: couldn't get a connection after|psycopg_pool\.TooManyRequests"),
    Signature("pool", "psycopg2", "pool exhausted", "PoolError", r"PoolError: connection pool exhausted"),
    Signature("pool", "asyncpg", "pool exhausted", "Pool", r"asyncpg.{0,60}TooManyConnectionsError"),
    Signature("pool", "PostgreSQL", "no connection left", "too many clients", r"(?:FATAL:|Error|error|failed:?).{0,80}sorry, too many clients already|FATAL:  sorry, too many clients already"),
    Signature("pool", "PostgreSQL", "no connection left", "connection slots", r"remaining connection slots are reserved for"),
    Signature("pool", "pgbouncer", "no connection left", "no more connections", r"no more connections allowed \(max_client_conn\)"),
    Signature("pool", "pgbouncer", "no server connection in time", "query_wait_timeout", r"(?:pooler error: |closing because: )query_wait_timeout"),
    Signature("pool", "MySQL", "no connection left", "oo many connections", r"(?:1040|ER_CON_COUNT_ERROR).{0,40}Too many connections"),
    Signature("pool", "HikariCP", "pool exhausted", "Connection is not available", r"Connection is not available, request timed out after \d+ms"),
    Signature("pool", "Tomcat JDBC", "pool exhausted", "Pool", r"PoolExhaustedException|Timeout: Pool empty\. Unable to fetch a connection in"),
    Signature("pool", "node-postgres", "pool exhausted", "timeout exceeded when", r"timeout exceeded when trying to connect"),
    Signature("pool", "Knex", "pool exhausted", "acquiring a connection", r"Timeout acquiring a connection\. The pool is probably full"),
    Signature("pool", "Sequelize", "pool exhausted", "ConnectionAcquireTimeout", r"SequelizeConnectionAcquireTimeoutError|ConnectionAcquireTimeoutError"),
    Signature("pool", "Prisma", "pool exhausted", "connection pool", r"Timed out fetching a new connection from the connection pool"),
    Signature("pool", "sqlx", "pool exhausted", "pool timed out", r"pool timed out while waiting for an open connection|\bPoolTimedOut\b"),
    Signature("pool", "deadpool or bb8", "pool exhausted", "imeout", r"Timeout occurred while waiting for a slot to become available|\bbb8: .{0,20}[Tt]imed? ?out"),
    Signature("pool", "ActiveRecord", "pool exhausted", "could not obtain a connection", r"could not obtain a connection from the pool within"),
    Signature("pool", "ADO.NET", "pool exhausted", "connection from the pool", r"prior to obtaining a connection from the pool|The connection pool has been exhausted"),
    Signature("pool", "MongoDB", "pool exhausted", "connection pool", r"(?:Timed out|Timeout) (?:while|waiting).{0,40}checking out.{0,30}connection|WaitQueueTimeoutError"),
)  # fmt: skip

#: An event loop that one call holds up, as far as anybody notices it.
_BLOCKED = (
    Signature("blocked", "asyncio", "a step took long", "Executing <", r"Executing <(?:Task|Handle|TimerHandle).{0,2000} took [\d.]+ seconds"),
    Signature("blocked", "gunicorn", "a worker stood still", "WORKER TIMEOUT", r"WORKER TIMEOUT \(pid:\d+\)"),
    Signature("blocked", "Vert.x", "an event loop stood still", "has been blocked for", r"Thread\[.{0,80}has been blocked for \d+ ms"),
    Signature("blocked", "Kestrel", "its heartbeat was late", "eartbeat has been running", r"the heartbeat has been running for"),
    Signature("blocked", "Netty", "a blocking call", "Blocking call", r"BlockingOperationError: Blocking call!"),
    Signature("blocked", "node", "the event loop stood still", "locked for", r"(?:Event loop b|\bB)locked for \d+(?:\.\d+)? ?ms"),
    Signature("blocked", "Puma", "a worker stood still", "Terminating timed out worker", r"Terminating timed out worker"),
)  # fmt: skip

#: Brokers and databases as their clients lose them.
_BROKERS = (
    Signature("broker", "notify", "lost", "broker ", r"(?:WARNING|ERROR).{0,40}(?:broker connection lost|broker unavailable)|^broker (?:connection lost|unavailable)|: broker (?:connection lost|unavailable)"),
    Signature("broker", "NATS client", "lost", "nats", r"nats(?:\.errors\.|: )(?:ConnectionClosed|NoServers|StaleConnection|UnexpectedEOF|connection closed|no servers available|stale connection|encountered error)"),
    Signature("broker", "NATS client", "no permission", "ermissions", r"(?i:nats).{0,80}permissions violation for (?:subscription|publish)"),
    Signature("broker", "NATS client", "too slow", "low ", r"nats: slow consumer, messages dropped|SlowConsumerError|Slow Consumer Detected"),
    Signature("broker", "NATS client", "cannot log in", "uthorization", r"nats: ['\"]?[Aa]uthorization [Vv]iolation|NatsError: 'Authorization Violation'"),
    Signature("broker", "redis client", "lost", "redis", r"redis\.exceptions\.(?:ConnectionError|TimeoutError|BusyLoadingError)"),
    Signature("broker", "redis client", "lost", ":6379", r"(?:ECONNREFUSED|ECONNRESET|connection refused|dial tcp|i/o timeout).{0,80}:6379\b|:6379\b.{0,60}connection refused"),
    Signature("broker", "ioredis", "lost", "edis", r"\[ioredis\] Unhandled error event|MaxRetriesPerRequestError|redis.{0,20}Socket closed unexpectedly"),
    Signature("broker", "Spring Data Redis", "lost", "Redis", r"RedisConnectionFailureException|RedisConnectionException: Unable to connect"),
    Signature("broker", "redis", "output buffer full", "output buffer limits", r"scheduled to be closed ASAP for overcoming of output buffer limits"),
    Signature("broker", "redis", "cannot log in", "NO", r"(?:rror|xception).{0,60}\b(?:NOAUTH Authentication required|NOPERM )"),
    Signature("broker", "PostgreSQL client", "lost", "connection", r"server closed the connection unexpectedly|terminating connection due to administrator command|SSL connection has been closed unexpectedly|connection to server at \"[^\"]{1,100}\".{0,60} failed: "),
    Signature("broker", "asyncpg", "lost", "asyncpg", r"asyncpg\.exceptions\.(?:ConnectionDoesNotExistError|AdminShutdownError|ConnectionFailureError)"),
    Signature("broker", "node-postgres", "lost", "onnection terminated", r"Connection terminated unexpectedly"),
    Signature("broker", "lib/pq or pgx", "lost", ":5432", r"(?:dial tcp|ECONNREFUSED).{0,80}:5432\b"),
    Signature("broker", "RabbitMQ client", "lost", "AMQP", r"AMQPConnectionError|AMQPConnectionWorkflowFailed|AmqpConnectException"),
    Signature("broker", "librdkafka", "lost", "rdkafka#", r"\|FAIL\|rdkafka#"),
    Signature("broker", "Kafka client", "lost", "roker", r"KafkaJSConnectionError|NoBrokersAvailable|Connection to node -?\d+ .{0,80}could not be established\. Broker may not be available"),
)  # fmt: skip

_LIMITS = (
    Signature("limit", "Go", "no file descriptor left", "too many open files", r"accept4?: too many open files"),
    Signature("limit", "any", "no file descriptor left", "oo many open files", r"(?:EMFILE|Errno 24\]|os error 24|: )[^\"]{0,40}[Tt]oo many open files"),
    Signature("limit", "Python", "no thread left", "can't start new thread", r"RuntimeError: can't start new thread"),
    Signature("limit", "Java", "no thread left", "native thread", r"OutOfMemoryError: unable to create (?:new )?native thread"),
    Signature("limit", "Go", "no thread left", "pthread_create failed", r"runtime/cgo: pthread_create failed"),
    Signature("limit", "uvicorn", "limit_concurrency reached", "concurrency limit", r"Exceeded concurrency limit\."),
    Signature("limit", "PHP-FPM", "max_children reached", "max_children", r"WARNING: \[pool \S+\] server reached (?:pm\.)?max_children setting"),
    Signature("limit", "uWSGI", "its listen queue is full", "isten queue", r"\*\*\* uWSGI listen queue of socket .{0,60} full !!!"),
    Signature("limit", "Tomcat", "no thread left", "Executor", r"RejectedExecutionException"),
)  # fmt: skip

_MEMORY = (
    Signature("oom", "node", "heap used up", "heap out of memory", r"JavaScript heap out of memory"),
    Signature("oom", "Java", "heap used up", "OutOfMemoryError", r"java\.lang\.OutOfMemoryError: (?!unable to create)"),
    Signature("oom", "Python", "memory used up", "MemoryError", r"^(?:.{0,120}\b)?MemoryError(?::|$)"),
    Signature("oom", "Go", "memory used up", "out of memory", r"fatal error: runtime: out of memory"),
    Signature("oom", "PHP", "memory_limit reached", "Allowed memory size", r"Allowed memory size of \d+ bytes exhausted"),
    Signature("oom", "gunicorn", "a worker was killed", "Perhaps out of memory", r"was sent SIGKILL! Perhaps out of memory\?"),
    Signature("oom", "Rust", "memory used up", "memory allocation of", r"memory allocation of \d+ bytes failed"),
)  # fmt: skip

_CORS = (
    Signature("cors", "notify", "origin refused", "cors origin refused", r"cors origin refused origin="),
    Signature("cors", "express cors", "origin refused", "allowed by CORS", r"Error: Not allowed by CORS"),
    Signature("cors", "any", "origin refused", "CORS", r"(?i:origin)\b.{0,120}\b(?:not allowed|blocked|refused|rejected|denied).{0,20}\bCORS|CORS\b.{0,40}\b(?:not allowed|blocked|refused|rejected|denied|error)"),
    Signature("cors", "ASP.NET", "origin refused", "CORS policy", r"CORS policy execution failed", info=True),
    Signature("cors", "Spring", "origin refused", "origin is not allowed", r"Reject: '[^']{1,200}' origin is not allowed", info=True),
    Signature("cors", "Rails", "origin refused", "didn't match request.base_url", r"HTTP Origin header \([^)]{1,200}\) didn't match request\.base_url"),
)  # fmt: skip

_STREAMS = (
    Signature("stream", "Starlette", "the app raised while it answered", "ASGI application", r"Exception in ASGI application"),
    Signature("stream", "hypercorn", "the app raised while it answered", "in ASGI Framework", r"Error in ASGI Framework"),
    Signature("stream", "uvicorn", "the answer was cut short", "Response content", r"Response content (?:shorter|longer) than Content-Length"),
    Signature("stream", "uvicorn", "the app returned early", "ASGI callable returned", r"ASGI callable returned without (?:starting|completing) response"),
    Signature("stream", "uvicorn", "no HTTP request", "Invalid HTTP request", r"Invalid HTTP request received\."),
    Signature("stream", "gunicorn", "the app raised while it answered", "rror handling request", r"Error handling request "),
    Signature("stream", "gunicorn", "the client was gone", "ocket error", r"\[ERROR\] Socket error processing request"),
    Signature("stream", "Flask", "the app raised while it answered", "Exception on", r"Exception on \S{1,500} \[[A-Z]+\]"),
    Signature("stream", "Django", "the app raised while it answered", "Internal Server Error", r"Internal Server Error: /"),
    Signature("stream", "node", "written after its end", "ERR_", r"ERR_(?:HTTP_HEADERS_SENT|STREAM_WRITE_AFTER_END|STREAM_PREMATURE_CLOSE|STREAM_DESTROYED)"),
    Signature("stream", "node", "the connection broke", "write E", r"Error: write (?:EPIPE|ECONNRESET)"),
    Signature("stream", "Python", "the connection broke", "roken", r"BrokenPipeError: \[Errno 32\]"),
    Signature("stream", "Spring", "the stream timed out", "AsyncRequestTimeoutException", r"AsyncRequestTimeoutException"),
    Signature("stream", "Spring", "the client was gone", "ClientAbortException", r"ClientAbortException|AsyncRequestNotUsableException"),
    Signature("stream", "Spring", "an answer that cannot be written", "No converter for", r"No converter for \[.{1,200}\] with preset Content-Type 'text/event-stream"),
    Signature("stream", "Go", "the handler timed out", "http: ", r"http: Handler timeout|http: superfluous response\.WriteHeader|http: wrote more than the declared Content-Length"),
    Signature("stream", "Rust", "the connection broke", "hyper", r"(?:ERROR|WARN|error).{0,80}hyper::Error\((?:IncompleteMessage|BodyWrite|Io)"),
    Signature("stream", "Rails", "the client was gone", "ClientDisconnected", r"ActionController::Live::ClientDisconnected"),
    Signature("stream", "Puma", "an answer could not be sent", "Puma caught this error", r"Puma caught this error:"),
    Signature("stream", "PHP", "it ran too long", "Maximum execution time", r"Maximum execution time of \d+ seconds? exceeded"),
    Signature("stream", "PHP-FPM", "a request ran too long", "execution timed out", r"WARNING: \[pool \S+\] child \d+, script .{1,300} execution timed out"),
)  # fmt: skip

_EXCEPTIONS = (
    Signature("exception", "Python", "traceback", "Traceback (most", r"Traceback \(most recent call last\)"),
    Signature("exception", "node", "unhandled", "nhandled", r"Unhandled ?Promise ?Rejection|unhandledRejection|Uncaught Exception|UnhandledPromiseRejection"),
    Signature("exception", "NestJS", "unhandled", "[ExceptionsHandler]", r"ERROR.{0,20} \[ExceptionsHandler\]"),
    Signature("exception", "Rust", "panic", "panicked at", r"thread '[^']{0,100}' (?:\(\d+\) )?panicked at"),
    Signature("exception", "Go", "panic", "panic", r"http: panic serving |^(?:\S+ ){0,6}panic: |\bgoroutine \d+ \[running\]"),
    Signature("exception", "Spring", "unhandled", "threw exception", r"Servlet\.service\(\) for servlet \[\S+\].{0,120}threw exception"),
    Signature("exception", "Java", "unhandled", "Exception in thread", r"Exception in thread \"[^\"]{1,120}\" "),
    Signature("exception", "ASP.NET", "unhandled", "unhandled exception", r"An unhandled exception (?:has occurred|was thrown by the application)|Connection id \"[^\"]{1,40}\".{0,60}An unhandled exception"),
    Signature("exception", ".NET", "unhandled", "Unhandled exception", r"Unhandled exception\. [A-Z]\w+(?:\.\w+)+"),
    Signature("exception", "Rails", "unhandled", "Error (", r"\b[A-Z]\w+(?:::\w+)*Error \([^)]{1,400}\):"),
    Signature("exception", "Ruby", "unhandled", "Error)", r"\.rb:\d+:in [`'][^']{1,100}': .{1,400}\([A-Z]\w*(?:::\w+)*Error\)"),
    Signature("exception", "PHP", "fatal error", "Fatal error", r"PHP Fatal error:  "),
    Signature("exception", "actix", "unhandled", "actix", r"(?:ERROR|WARN).{0,40}actix_(?:web|http)\S*\].{0,20}[Ee]rror"),
)  # fmt: skip

SIGNATURES = (
    *_POOLS, *_BLOCKED, *_BROKERS, *_LIMITS, *_MEMORY, *_CORS, *_STREAMS, *_EXCEPTIONS
)  # fmt: skip
