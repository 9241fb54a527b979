"""Which server and framework the service behind the stream is, in whose words advice speaks.

Recognised from what the host shows: the process, its unit, what it logged when it began, and
the headers of its answers. What nothing names stays unknown. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ssemedic.case import Case
from ssemedic.clues.speech import SPEECH, Speech
from ssemedic.evidence import Process, Unit


class Server(StrEnum):
    """What takes the connections."""

    UVICORN = "uvicorn"
    HYPERCORN = "hypercorn"
    DAPHNE = "daphne"
    GUNICORN = "gunicorn"
    WAITRESS = "waitress"
    UWSGI = "uWSGI"
    WERKZEUG = "Werkzeug's development server"
    WSGIREF = "Python's wsgiref"
    EVENTLET = "eventlet.wsgi"
    AIOHTTP = "aiohttp"
    TORNADO = "Tornado"
    NODE = "Node.js"
    JVM = "a JVM"
    TOMCAT = "Tomcat"
    NETTY = "Netty"
    JETTY = "Jetty"
    UNDERTOW = "Undertow"
    GO = "a Go program"
    RUST = "a Rust program"
    KESTREL = "ASP.NET Core (Kestrel)"
    IIS = "IIS"
    PUMA = "Puma"
    UNICORN = "Unicorn"
    THIN = "Thin"
    PHP_FPM = "PHP-FPM"
    PYTHON = "a Python program"
    RUBY = "a Ruby program"
    UNKNOWN = "the service"


@dataclass(frozen=True)
class Framework:
    """The server, its workers and the framework on it, each with what showed it.

    ``worker`` is gunicorn's worker class ("sync", "gthread", "gevent", "eventlet", "tornado",
    "uvicorn"), "" where it was not seen; ``workers`` and ``threads`` are None where not seen.
    ``app`` is the framework ("Django", "Express", ...), "" where nothing names it.
    ``seen`` says in sentences what showed all this.
    """

    server: Server = Server.UNKNOWN
    worker: str = ""
    workers: int | None = None
    threads: int | None = None
    app: str = ""
    seen: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """True where the server is recognised."""
        return self.server is not Server.UNKNOWN

    @property
    def label(self) -> str:
        """For a sentence: "gunicorn with 2 sync workers", "Node.js (Express)", "the service"."""
        text = str(self.server)
        if self.worker and self.workers is not None:
            some = "worker" if self.workers == 1 else "workers"
            text += f" with {self.workers} {self.worker} {some}"
        elif self.worker:
            text += f" with {self.worker} workers"
        return f"{text} ({self.app})" if self.app else text

    @property
    def one_request_per_worker(self) -> bool:
        """True where an open stream is known to hold a worker, or a thread of it."""
        if self.server is Server.GUNICORN:
            return self.worker in ("sync", "gthread")
        blocking = (Server.WAITRESS, Server.UWSGI, Server.PUMA, Server.UNICORN, Server.PHP_FPM)
        return self.server in (*blocking, Server.WSGIREF)

    @property
    def streams_at_once(self) -> int | None:
        """How many requests it answers at the same time; None where there is no such limit known.

        Defaults: gunicorn one sync worker, waitress 4 threads, Puma 5 threads (3 under Rails).
        """
        if not self.one_request_per_worker:
            return None
        if self.server is Server.GUNICORN and self.worker == "sync":
            return self.workers
        if self.server is Server.PHP_FPM:
            return self.workers
        if self.threads is None:
            return self.workers if self.server in (Server.UNICORN, Server.UWSGI) else None
        return (self.workers or 1) * self.threads

    @property
    def speech(self) -> Speech:
        """Its own words for what has to be set; general words where it is not known."""
        server = self.server
        words = SPEECH.get(self.app, Speech())
        for key in (f"{server.name}/{self.worker}", server.name, _LANGUAGE.get(server, ""), ""):
            words = words.over(SPEECH.get(key, Speech()))
        return words


_LANGUAGE = {Server.TOMCAT: "JVM", Server.NETTY: "JVM", Server.JETTY: "JVM", Server.UNDERTOW: "JVM"}


def framework_of(case: Case) -> Framework:
    """What serves the stream, as far as evidence shows it."""
    process, unit = case.topology.process, case.topology.unit
    together = _together(case, process, unit)
    commands = [*_commands(together, process), *_exec_start(unit)]
    lines = [line.text for line in case.unit_log()]
    server, seen = _server(case, commands, together, lines)
    settings = _settings(together)
    framework, why = _app(case, commands, unit, lines)
    worker, workers, threads = "", None, None
    if server in _COUNTED:
        words = [command for _, command in commands] + [_environment(unit)]
        workers = _workers(server, words, settings, together, unit)
        threads = _number(
            _option(words, "threads", *_THREADS.get(server, ())) or settings.get("threads")
        )
        if server is Server.GUNICORN:
            worker = _worker_class(words, settings, lines, threads)
    return Framework(
        server=server,
        worker=worker,
        workers=workers,
        threads=threads,
        app=framework,
        seen=tuple(text for text in (seen, why) if text),
        settings=settings,
    )


#: Command lines, the most telling first: (what it is, a pattern, the server).
_COMMANDS: tuple[tuple[re.Pattern[str], Server], ...] = tuple(
    (re.compile(pattern), server)
    for pattern, server in (
        (r"\bgunicorn(?=[:\s]|$)", Server.GUNICORN),
        (r"\buvicorn(?=\s|$)|\bfastapi\s+(run|dev)\b", Server.UVICORN),
        (r"\bhypercorn(?=\s|$)", Server.HYPERCORN),
        (r"\bdaphne(?=\s|$)", Server.DAPHNE),
        (r"\bwaitress(-serve)?(?=\s|$)", Server.WAITRESS),
        (r"\buwsgi(-core)?(?=\s|$)", Server.UWSGI),
        (r"\bflask\s+(--\S+\s+(\S+\s+)?)*run\b", Server.WERKZEUG),
        (r"\bphp-fpm", Server.PHP_FPM),
        (r"\bpuma(?=[:\s]|$)|\brails\s+s(erver)?\b", Server.PUMA),
        (r"\bunicorn(_rails)?(?=\s|$)", Server.UNICORN),
        (r"\bthin\s+(start|server)\b", Server.THIN),
        (r"(^|/|\s)(node|nodejs|bun|deno|next-server|pm2|ts-node|tsx)(?=\s|$)|^PM2 ", Server.NODE),
        (r"\b(npm|yarn|pnpm|npx)\s+", Server.NODE),
        (r"\bdotnet(?=\s|$)", Server.KESTREL),
        (r"\bcatalina\b|org\.apache\.catalina", Server.TOMCAT),
        (r"(^|/)java(?=\s|$)", Server.JVM),
        (r"\bmanage\.py\s+runserver\b", Server.WSGIREF),
    )
)

#: What servers log when they begin.
_BANNERS: tuple[tuple[re.Pattern[str], Server], ...] = tuple(
    (re.compile(pattern), server)
    for pattern, server in (
        (r"Starting gunicorn \d", Server.GUNICORN),
        (r"Uvicorn running on ", Server.UVICORN),
        (r"Running on https?://\S+ \(CTRL \+ C to quit\)", Server.HYPERCORN),
        (r"Starting server at tcp:port=|Listening on TCP address \S+:\d+$", Server.DAPHNE),
        (r"\bwaitress\b.*Serving on |^Serving on https?://", Server.WAITRESS),
        (r"\*\*\* Starting uWSGI ", Server.UWSGI),
        (r"Serving Flask app|WARNING: This is a development server", Server.WERKZEUG),
        (r"Puma starting in|\* Puma version:", Server.PUMA),
        (r"Tomcat (initialized with|started on) port", Server.TOMCAT),
        (r"Netty started on port", Server.NETTY),
        (r"Jetty started on port|\bo\.e\.j\.s\.Server\b", Server.JETTY),
        (r"Undertow started on port", Server.UNDERTOW),
        (r"Now listening on: https?://", Server.KESTREL),
        (r"ready to handle connections$", Server.PHP_FPM),
        (r"panicked at .*\.rs:\d+", Server.RUST),
        (r"^goroutine \d+ \[", Server.GO),
        (r"Node\.js v\d+\.\d+", Server.NODE),
    )
)

#: The Server header of an application asked directly.
_SERVER_HEADERS: tuple[tuple[re.Pattern[str], Server], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), server)
    for pattern, server in (
        (r"^uvicorn", Server.UVICORN),
        (r"^hypercorn", Server.HYPERCORN),
        (r"^daphne", Server.DAPHNE),
        (r"^gunicorn", Server.GUNICORN),
        (r"^waitress", Server.WAITRESS),
        (r"^werkzeug", Server.WERKZEUG),
        (r"^wsgiserver", Server.WSGIREF),
        (r"aiohttp/", Server.AIOHTTP),
        (r"^tornadoserver", Server.TORNADO),
        (r"^kestrel", Server.KESTREL),
        (r"^microsoft-iis", Server.IIS),
        (r"^jetty", Server.JETTY),
        (r"tomcat|apache-coyote", Server.TOMCAT),
        (r"undertow", Server.UNDERTOW),
        (r"^puma", Server.PUMA),
        (r"^thin ", Server.THIN),
    )
)

#: The X-Powered-By header passes proxies.
_POWERED: tuple[tuple[re.Pattern[str], Server, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), server, app)
    for pattern, server, app in (
        (r"^express", Server.NODE, "Express"),
        (r"^next\.js", Server.NODE, "Next.js"),
        (r"^nuxt", Server.NODE, "Nuxt"),
        (r"^php/", Server.PHP_FPM, ""),
        (r"^asp\.net", Server.KESTREL, "ASP.NET"),
        (r"phusion passenger", Server.RUBY, ""),
        (r"undertow", Server.UNDERTOW, ""),
    )
)

_RUNTIMES = {
    "go": Server.GO,
    "rust": Server.RUST,
    "node": Server.NODE,
    "java": Server.JVM,
    "dotnet": Server.KESTREL,
    "php": Server.PHP_FPM,
    "python": Server.PYTHON,
    "ruby": Server.RUBY,
}

#: Interpreters say little: what the service logs or answers says more.
_VAGUE = (Server.PYTHON, Server.RUBY, Server.JVM)

#: What names the framework: a word of the command line or of a traceback's path.
_APPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), app)
    for pattern, app in (
        (r"/(site|dist)-packages/django/|DJANGO_SETTINGS_MODULE=|\bmanage\.py\b", "Django"),
        (r"/(site|dist)-packages/fastapi/|\bfastapi\s+(run|dev)\b", "FastAPI"),
        (
            r"/(site|dist)-packages/flask/|FLASK_APP=|\bflask\s+.{0,80}\brun\b|Serving Flask app",
            "Flask",
        ),
        (r"/(site|dist)-packages/starlette/", "Starlette"),
        (r"/(site|dist)-packages/litestar/", "Litestar"),
        (r"/node_modules/@nestjs/|\[Nest\] \d+|\bnest\s+start\b", "NestJS"),
        (r"/node_modules/next/|\bnext-server\b|\bnext\s+(start|dev)\b", "Next.js"),
        (r"/node_modules/fastify/|\bfastify\b", "Fastify"),
        (r"/node_modules/koa/", "Koa"),
        (r"/node_modules/express/", "Express"),
        (r":: Spring Boot ::|org\.springframework\.|\bo\.s\.b\.|spring-boot", "Spring"),
        (r"\bio\.quarkus\b|\bquarkus\b", "Quarkus"),
        (r"\bio\.micronaut\b", "Micronaut"),
        (r"gems/actionpack-|\brails\s+s(erver)?\b|RAILS_ENV=|ActionController::", "Rails"),
        (r"gems/sinatra-", "Sinatra"),
        (r"Microsoft\.AspNetCore|Microsoft\.Hosting\.Lifetime|ASPNETCORE_", "ASP.NET Core"),
        (r"github\.com/gin-gonic/gin|\[GIN(-debug)?\]", "Gin"),
        (r"github\.com/labstack/echo", "Echo"),
        (r"github\.com/gofiber/fiber", "Fiber"),
        (r"\bactix[_-](web|server|http)\b", "actix-web"),
        (r"\baxum(::|-)\w*|\btower_http\b", "axum"),
        (r"/vendor/laravel/|\bartisan\b", "Laravel"),
        (r"/vendor/symfony/", "Symfony"),
    )
)

_COUNTED = (
    Server.GUNICORN,
    Server.UVICORN,
    Server.HYPERCORN,
    Server.WAITRESS,
    Server.UWSGI,
    Server.PUMA,
    Server.UNICORN,
    Server.PHP_FPM,
)
_WORKERS: Mapping[Server, tuple[str, ...]] = {
    Server.GUNICORN: ("-w",),
    Server.HYPERCORN: ("-w",),
    Server.PUMA: ("-w",),
    Server.UWSGI: ("-p", "--processes"),
}
_THREADS: Mapping[Server, tuple[str, ...]] = {Server.PUMA: ("-t",)}
_CLASSES = ("gthread", "gevent", "eventlet", "tornado", "uvicorn", "sync")


def _together(case: Case, process: Process | None, unit: Unit | None) -> tuple[Process, ...]:
    """The process of the socket first, then the others of its unit."""
    name = (process.unit if process else None) or (unit.name if unit else None)
    others = [p for p in case.evidence.processes or () if name and p.unit == name and p != process]
    return tuple([process] if process else []) + tuple(others)


def _commands(together: Iterable[Process], process: Process | None) -> Iterator[tuple[str, str]]:
    for one in together:
        if process is None or one is process:
            yield f"process {one.pid}", one.cmdline or one.name


def _exec_start(unit: Unit | None) -> Iterator[tuple[str, str]]:
    if unit is None:
        return
    for argv in re.findall(r"argv\[\]=([^;]*)", unit.prop("ExecStart")):
        yield f"ExecStart of {unit.name}", argv.strip()


def _server(
    case: Case,
    commands: list[tuple[str, str]],
    together: tuple[Process, ...],
    lines: list[str],
) -> tuple[Server, str]:
    for where, command in commands:
        for pattern, server in _COMMANDS:
            if pattern.search(command):
                return _closer(server, case, lines), f"{where}: {_short(command)}"
    vague, seen = Server.UNKNOWN, ""
    runtime = next((p.runtime for p in together if p.runtime), "")
    if runtime in _RUNTIMES:
        vague, seen = _RUNTIMES[runtime], f"process {together[0].pid} runs {runtime}"
    elif any(re.search(r"(^|/)python[\d.]*(?=\s|$)", c) for _, c in commands):
        vague, seen = Server.PYTHON, f"{commands[0][0]}: {_short(commands[0][1])}"
    if vague is not Server.UNKNOWN and vague not in _VAGUE:
        return vague, seen
    for line in reversed(lines):
        for pattern, server in _BANNERS:
            if pattern.search(line):
                return server, f"its journal: {_short(line)}"
    named = _by_header(case)
    if named is not None:
        return named
    return vague, seen


def _closer(server: Server, case: Case, lines: list[str]) -> Server:
    """Which server runs in a JVM, as far as its journal or its headers tell."""
    if server is not Server.JVM:
        return server
    inside = (Server.TOMCAT, Server.NETTY, Server.JETTY, Server.UNDERTOW)
    for line in reversed(lines):
        for pattern, found in _BANNERS:
            if found in inside and pattern.search(line):
                return found
    named = _by_header(case)
    return named[0] if named is not None and named[0] in inside else server


def _by_header(case: Case) -> tuple[Server, str] | None:
    for hop, name, table in _header_tables(case):
        value = _header(case, hop, name)
        for pattern, server in table:
            if value and pattern.search(value):
                return server, f"{hop}: {name}: {_short(value)}"
    return None


def _header_tables(
    case: Case,
) -> Iterator[tuple[str, str, tuple[tuple[re.Pattern[str], Server], ...]]]:
    powered = tuple((pattern, server) for pattern, server, _app in _POWERED)
    yield "app", "Server", _SERVER_HEADERS
    for hop in dict.fromkeys(("app", "nginx", *case.topology.order)):
        yield hop, "X-Powered-By", powered
    # Another server's name reaches us only where nothing of ours stands before it.
    if case.evidence.nginx is None:
        yield "public", "Server", _SERVER_HEADERS


def _header(case: Case, hop: str, name: str) -> str:
    pool = [*case.topology.streams, *case.topology.counter]
    found = (stream.header(name) for stream in pool if stream.hop == hop)
    return next((value for value in found if value), "")


def _app(
    case: Case, commands: list[tuple[str, str]], unit: Unit | None, lines: list[str]
) -> tuple[str, str]:
    for hop in dict.fromkeys(("app", "nginx", *case.topology.order)):
        value = _header(case, hop, "X-Powered-By")
        for pattern, _server_of, app in _POWERED:
            if app and value and pattern.search(value):
                return app, f"{hop}: X-Powered-By: {_short(value)}"
    texts = [*commands]
    if unit is not None:
        texts.append((f"environment of {unit.name}", _environment(unit)))
    texts += [("its journal", line) for line in reversed(lines)]
    for where, text in texts:
        for pattern, app in _APPS:
            found = pattern.search(text)
            if found:
                return app, f"{where}: {_short(text[max(0, found.start() - 40) :])}"
    if _header(case, "app", "X-Runtime") and _header(case, "app", "X-Request-Id"):
        return "Rails", "app: X-Runtime and X-Request-Id"
    return "", ""


def _environment(unit: Unit | None) -> str:
    if unit is None:
        return ""
    files = [file.text for file in unit.files if not file.path.endswith((".service", ".conf"))]
    return "\n".join([unit.prop("Environment"), *files])


def _settings(together: tuple[Process, ...]) -> Mapping[str, str]:
    return next((p.settings for p in together if p.settings), {})


def _worker_class(
    words: list[str], settings: Mapping[str, str], lines: list[str], threads: int | None
) -> str:
    """gunicorn's own precedence: command line, environment, file; its journal has seen it run."""
    logged = [m[1] for line in lines if (m := re.search(r"Using worker: (\S+)", line))]
    named = logged[-1] if logged else _option(words, "worker-class", "-k")
    named = named or settings.get("worker_class", "")
    for known in _CLASSES:
        if named and known in named.lower():
            # gunicorn itself turns sync into gthread where threads are asked for.
            return "gthread" if known == "sync" and (threads or 1) > 1 else known
    if named:
        return ""
    hidden = any(re.search(r"\bgunicorn: (master|worker)", word) for word in words)
    bare = not any(re.search(r"(^|\s)(-c|--config)[\s=]", word) for word in words) or settings
    if hidden and len(words) < 3:
        return ""
    return ("gthread" if (threads or 1) > 1 else "sync") if bare else ""


def _workers(
    server: Server,
    words: list[str],
    settings: Mapping[str, str],
    together: tuple[Process, ...],
    unit: Unit | None,
) -> int | None:
    """Workers that run, counted; else as configured."""
    own = [p for p in together if unit is None or p.unit == unit.name]
    if server in (Server.GUNICORN, Server.PHP_FPM, Server.UNICORN) and len(own) > 1:
        return len(own) - 1
    named = _option(words, "workers", *_WORKERS.get(server, ()))
    if named is None:
        found = re.search(r"\bWEB_CONCURRENCY=\"?(\d{1,4})", " ".join(words))
        named = found[1] if found else settings.get("workers")
    return _number(named)


def _option(words: Iterable[str], long: str, *others: str) -> str | None:
    """The value of an option in any of the command lines: --long V, --long=V, -s V, -sV."""
    for word in words:
        for name in (f"--{long}", *others):
            glue = r"[\s=]+" if name.startswith("--") else r"[\s=]*"
            found = re.search(rf"(?:^|[\s\"']){re.escape(name)}{glue}([^\s\"']+)", word)
            if found:
                return found[1]
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,5}", text) else None


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
