"""Counter-tests: a stream asked for once more with one thing changed.

Each is one line of `TABLE`: the hop, the name of the variant, the records that must be
finished before, when it is needed, and how its request differs. Each opens a real stream
at the service, so it runs only where its answer can tell two causes apart.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple

from . import listeners
from .wanted import Wanted

if TYPE_CHECKING:
    from ..ssemedic.nginx.asked import Asked
    from ..ssemedic.probe.request import Request
    from ..ssemedic.stream.record import Stream

_ALIVE_SECONDS = 2.0
_SECONDS = 3.0  # enough to see whether something is a stream; nginx's own windows are longer
_BESIDE_SECONDS = 0.3  # between streams that are to be open at the same time
SPOKEN = ("http", "https")
_APP, _NGINX = ("app", ""), ("nginx", "")
_AS_NGINX, _ARGS, _HOST = ("app", "as-nginx"), ("app", "args"), ("app", "host")
#: Answers of an app that was asked for the wrong path.
_ASTRAY = (301, 302, 307, 308, 400, 404, 405, 501)

Key = Tuple[str, str]


@dataclass(frozen=True)
class Inner:
    """A second nginx server behind the first, as the first one asks it."""

    address: str
    scheme: str
    target: str  # path and query
    host: Optional[str]  # the Host header it is sent


@dataclass(frozen=True)
class Auth:
    """Where the subrequest of auth_request goes, and what is asked there."""

    target: str
    scheme: str
    asked: Asked


@dataclass(frozen=True)
class Way:
    """Where nginx leads the URL, as the recorder needs it. None: not known."""

    target: Optional[str] = None  # the address behind nginx
    scheme: str = "http"  # spoken to the target
    passed: Optional[str] = None  # path and query that the target is asked for
    http10: bool = False  # nginx speaks HTTP/1.0 to the target
    http11_by_default: bool = dataclasses.field(default=False, compare=False)  # since 1.29.7
    listen: Optional[str] = None  # where nginx takes the request
    listen_tls: bool = False
    names: Tuple[str, ...] = dataclasses.field(default=(), compare=False)  # of its upstreams
    asked: Optional[Asked] = dataclasses.field(default=None, compare=False, repr=False)
    loses_arguments: bool = dataclasses.field(default=False, compare=False)  # or the token
    other_paths: Mapping[str, str] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )
    inner: Optional[Inner] = dataclasses.field(default=None, compare=False)
    zips: bool = dataclasses.field(default=False, compare=False)  # gzip covers event streams
    http2: bool = dataclasses.field(default=False, compare=False)  # offered where it listens
    beside: int = dataclasses.field(default=0, compare=False)  # streams that show a small limit
    access_logs: Tuple[str, ...] = dataclasses.field(default=(), compare=False)  # files, of the URL
    auth: Optional[Auth] = dataclasses.field(default=None, compare=False, repr=False)
    origin: Optional[str] = dataclasses.field(default=None, compare=False)  # that nginx allows
    caches: bool = dataclasses.field(default=False, compare=False)  # a proxy_cache is in scope
    #: Header lines of the outer levels that the location's own lines hide.
    hidden: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Seen:
    """What is known when a counter-test is decided on: the way, and the finished records."""

    way: Way
    records: Mapping[Key, Stream]

    def stream(self, key: Key) -> Optional[Stream]:
        """A finished record; None where it is not made, or still open."""
        return self.records.get(key)

    def failed(self, key: Key) -> bool:
        """True if the hop took the request and answered it with no event stream."""
        stream = self.records.get(key)
        if stream is None or stream.never_connected or stream.end.kind == "not_recorded":
            return False
        at_once = not stream.reads and not stream.open_at_end
        return not stream.is_event_stream or at_once


class Ask:
    """Builds the requests of one endpoint."""

    def __init__(self, wanted: Wanted, way: Way, target: Optional[str]) -> None:
        self.wanted = wanted
        self.way = way
        self.target = target  # the application's address

    def request(self, **changes: Any) -> Request:
        """A request for the endpoint with its token and headers; raises `RequestError`."""
        from ..ssemedic.probe.request import Request

        wanted = self.wanted
        headers = [(name, value) for name, value in wanted.headers.items()]
        if wanted.origin:
            headers.append(("Origin", wanted.origin))
        values: Dict[str, Any] = {
            "headers": tuple(headers),
            "token": wanted.token,
            "token_parameter": wanted.token_parameter,
            "window": wanted.window,
        }
        values.update(changes)
        return Request(**values)

    def url(self, scheme: str, target: Optional[str]) -> str:
        """The URL as asked at a hop: the public host, the scheme and the target of the hop."""
        parts = urllib.parse.urlsplit(self.wanted.url or "")
        path, query = parts.path or "/", parts.query
        if target is not None:
            path, _mark, query = target.partition("?")
        return urllib.parse.urlunsplit((scheme, parts.netloc, path, query, ""))

    def app(self, variant: str = "", **changes: Any) -> Request:
        """The application asked as a browser would, for the path that nginx passes on."""
        values: Dict[str, Any] = {
            "hop": "app",
            "url": self.url(self.way.scheme, self.way.passed),
            "connect": self.target,
            "variant": variant,
        }
        if self.way.scheme == "https":  # it has a name of its own, which its server may want
            values["server_name"] = self.way.asked.tls_name if self.way.asked else None
        values.update(changes)
        return self.request(**values)

    def nginx(self, variant: str = "", **changes: Any) -> Request:
        """nginx on this host, asked as a browser would."""
        scheme = "https" if self.way.listen_tls else "http"
        values: Dict[str, Any] = {
            "hop": "nginx",
            "url": self.url(scheme, None),
            "connect": self.way.listen,
            "variant": variant,
        }
        values.update(changes)
        return self.request(**values)

    def inner(self) -> Request:
        """The second nginx, asked as the first one asks it."""
        inner = self.way.inner
        assert inner is not None
        headers = (("Host", inner.host),) if inner.host else ()
        given = self.request(
            hop="inner", url=self.url(inner.scheme, inner.target), connect=inner.address
        )
        return dataclasses.replace(given, headers=given.headers + headers, verify=False)

    def path(self, name: str) -> Optional[Request]:
        """The application asked for another path than nginx asks it for."""
        path = self.way.other_paths.get(name)
        if path is None:
            return None
        query = (self.way.passed or "").partition("?")[2]
        target = path + ("?" + query if query else "")
        return self.app(variant=name, url=self.url(self.way.scheme, target))

    def as_nginx(
        self,
        variant: str = "as-nginx",
        query: bool = False,
        server_name: Optional[str] = None,
        **lines: Optional[str],
    ) -> Optional[Request]:
        """The application asked exactly as nginx asks it, where that is known.

        With ``query`` the client's whole query goes along; ``server_name`` is another name for
        the TLS handshake; ``lines`` are header lines that differ (underscores for dashes), None
        for one that is left out.
        """
        from ..ssemedic.nginx.asked import MARKER, with_query
        from ..ssemedic.probe.request import is_secret

        asked, wanted = self.way.asked, self.wanted
        if asked is None:
            return None
        target = with_query(asked.target, wanted.url or "") if query else asked.target
        token, parameter = self._token(asked, target, query)
        if parameter is None:
            return None
        headers = dict(asked.headers)
        for name, value in lines.items():
            key = name.replace("_", "-").title()
            headers = {k: v for k, v in headers.items() if k.lower() != key.lower()}
            if value is not None:
                headers[key] = value
        if any(MARKER in value and not is_secret(name) for name, value in headers.items()):
            return None  # the record would not know to mask it
        given = self.request(hop="app", url=self.url(self.way.scheme, target), token=token)
        kept = tuple(line for line in given.headers if asked.passes(line[0]))
        own = [name for name, _value in given.wire_headers()]
        return dataclasses.replace(
            given,
            variant=variant,
            connect=self.target,
            token_parameter=parameter,
            version=asked.version,
            without=tuple({x.lower() for x in own if not asked.passes(x)} | {"connection"}),
            headers=tuple((k, v.replace(MARKER, wanted.token or "")) for k, v in headers.items())
            + kept,
            verify=False,  # nginx does not, unless told to
            server_name=server_name or asked.server_name or "",
            # One event tells a stream: the next test waits for this one's end.
            limits=dataclasses.replace(given.limits, max_bytes=1),
            window=min(_SECONDS, wanted.window),
        )

    def with_origin(self, hop: str) -> Optional[Request]:
        """As a page of the origin asks that nginx allows by name, where nobody named one."""
        origin, wanted = self.way.origin, self.wanted
        if origin is None or wanted.origin:
            return None
        lines = (*wanted.headers.items(), ("Origin", origin))
        window = min(_SECONDS, wanted.window)
        ask = self.nginx if hop == "nginx" else self.app
        return ask("origin", headers=lines, window=window)

    def auth(self) -> Optional[Request]:
        """The endpoint behind auth_request, asked as nginx asks it before it passes a stream on."""
        from ..ssemedic.nginx.asked import MARKER

        auth, wanted = self.way.auth, self.wanted
        if auth is None or MARKER in auth.asked.target:
            return None
        bearer = bool(wanted.token) and not wanted.token_parameter
        kept = bearer and auth.asked.passes("Authorization")
        lines = tuple((k, v.replace(MARKER, wanted.token or "")) for k, v in auth.asked.headers)
        given = self.request(
            hop="app",
            url=self.url(auth.scheme, auth.asked.target),
            connect=auth.target,
            variant="auth",
            # As a header, so that it is masked in what comes back, whether it is sent or not.
            token_parameter="",
            version=auth.asked.version,
            verify=False,
            server_name=auth.asked.server_name or "",
        )
        others = tuple(line for line in given.headers if auth.asked.passes(line[0]))
        without = ("connection",) if kept else ("authorization", "connection")
        return dataclasses.replace(given, headers=lines + others, without=without)

    def _token(self, asked: Asked, target: str, query: bool) -> Tuple[Optional[str], Optional[str]]:
        """The token, if nginx lets it through, and where; (None, None): cannot be asked so."""
        from ..ssemedic.nginx.asked import MARKER

        wanted = self.wanted
        if not wanted.token:
            return None, wanted.token_parameter
        if not wanted.token_parameter:
            return (wanted.token if asked.passes("Authorization") else None), ""
        pairs = urllib.parse.parse_qsl(target.partition("?")[2])
        name = next((key for key, value in pairs if value == MARKER), None)
        if name is not None:
            return wanted.token, name
        if query:
            return wanted.token, wanted.token_parameter
        return None, (None if MARKER in urllib.parse.unquote(target) else wanted.token_parameter)


@dataclass(frozen=True)
class CounterTest:
    """One line of the table. ``asks`` gives None where the request cannot be made."""

    hop: str
    variant: str
    needed: Callable[[Seen], bool]
    asks: Callable[[Ask], Optional[Request]]
    after: Tuple[Key, ...] = ()
    delay: float = 0.0  # seconds to wait before it is asked


def _alive(ask: Ask) -> Request:
    """Another path, without the token: does the application answer anything at all?"""
    url = ask.url(ask.way.scheme, "/")
    window = min(_ALIVE_SECONDS, ask.wanted.window)
    return ask.app(variant="alive", url=url, window=window, token=None, headers=())


def _other_host(ask: Ask) -> Optional[Request]:
    """As nginx asks, but with the public Host; where nginx sends that, with localhost."""
    public = _public_host(ask)
    if public is not None:
        return ask.as_nginx("host", query=True, Host=public)
    port = listeners.split(ask.target or "")[1]
    return ask.as_nginx("host", query=True, Host="localhost:%d" % port if port else "localhost")


def _public_host(ask: Ask) -> Optional[str]:
    """The public Host, where nginx sends another."""
    asked, public = ask.way.asked, ask.app().authority
    sent = asked.header("Host") if asked else None
    differs = sent is not None and listeners.name(sent) != listeners.name(public)
    return public if differs else None


def _without_upgrade(ask: Ask) -> Optional[Request]:
    """As nginx asks, but with the client's query, its public Host, and no upgrade.

    The tests before it change less; it is the cause where only this one streams.
    """
    lines: Dict[str, Optional[str]] = {"Connection": None, "Upgrade": None}
    public = _public_host(ask)
    if public is not None:
        lines["Host"] = public
    return ask.as_nginx("connection", query=True, **lines)


def _with_server_name(ask: Ask) -> Optional[Request]:
    """As nginx asks, but with the name in the TLS handshake that it could send."""
    from ..ssemedic.nginx.asked import host_of

    asked = ask.way.asked
    if asked is None:
        return None
    name = asked.tls_name or host_of(asked.header("Host") or "")
    return ask.as_nginx("sni", query=True, server_name=name)


def _nameless_tls(seen: Seen) -> bool:
    return seen.way.scheme == "https" and bool(seen.way.asked and not seen.way.asked.server_name)


def _pastes_upgrade(seen: Seen) -> bool:
    asked = seen.way.asked
    return asked is not None and "upgrade" in (asked.header("Connection") or "").lower()


def _astray(seen: Seen) -> bool:
    app = seen.stream(_APP)
    return app is not None and (app.status in _ASTRAY or app.is_of_another_service)


def _other_path(name: str) -> CounterTest:
    return CounterTest(
        "app",
        name,
        lambda seen: name in seen.way.other_paths and _astray(seen) and seen.failed(_NGINX),
        lambda ask: ask.path(name),
        after=(_APP, _NGINX),
    )


def _beside(number: int) -> CounterTest:
    """One more stream of the same client, begun when the one before has its place."""
    return CounterTest(
        "nginx",
        "parallel-%d" % number,
        lambda seen: seen.way.beside >= number - 1,
        lambda ask: ask.nginx("parallel-%d" % number, window=min(_SECONDS, ask.wanted.window)),
        delay=_BESIDE_SECONDS * (number - 1),
    )


TABLE: List[CounterTest] = [
    # Tells an app that does not stream over HTTP/1.0.
    CounterTest("app", "http10", lambda s: s.way.http10, lambda a: a.app("http10", version="1.0")),
    # The same where nginx speaks HTTP/1.1 by its new default and fails.
    CounterTest(
        "app",
        "http10",
        lambda s: s.way.http11_by_default and s.failed(_NGINX),
        lambda a: a.app("http10", version="1.0"),
        after=(_NGINX,),
    ),
    CounterTest("app", "alive", lambda _seen: True, _alive),
    # What nginx sends, sent by us: whatever fails in the same way lies in the request.
    CounterTest(
        "app",
        "as-nginx",
        lambda s: s.failed(_NGINX),
        lambda a: a.as_nginx(),
        after=(_NGINX,),
    ),
    # The same again with one line changed: what makes it a stream is the cause.
    CounterTest(
        "app",
        "args",
        lambda s: s.failed(_AS_NGINX) and s.way.loses_arguments,
        lambda a: a.as_nginx("args", query=True),
        after=(_AS_NGINX,),
    ),
    CounterTest(
        "app",
        "host",
        lambda s: s.failed(_AS_NGINX) and not s.way.loses_arguments,
        _other_host,
        after=(_AS_NGINX,),
    ),
    CounterTest("app", "host", lambda s: s.failed(_ARGS), _other_host, after=(_ARGS,)),
    CounterTest(
        "app",
        "sni",
        lambda s: s.failed(_AS_NGINX) and _nameless_tls(s),
        _with_server_name,
        after=(_AS_NGINX,),
    ),
    CounterTest(
        "app",
        "inherited",
        lambda s: s.failed(_AS_NGINX) and bool(s.way.hidden),
        lambda a: a.as_nginx(
            "inherited", **{n.replace("-", "_"): v for n, v in a.way.hidden.items()}
        ),
        after=(_AS_NGINX,),
    ),
    CounterTest(
        "app",
        "connection",
        lambda s: s.failed(_HOST) and _pastes_upgrade(s),
        _without_upgrade,
        after=(_HOST,),
    ),
    # As a browser asks: an answer that only its compression holds back.
    CounterTest(
        "app",
        "gzip",
        lambda _seen: True,
        lambda a: a.app("gzip", headers=(*a.app().headers, ("Accept-Encoding", "gzip"))),
    ),
    CounterTest(
        "nginx",
        "gzip",
        lambda s: s.way.zips,
        lambda a: a.nginx("gzip", headers=(*a.nginx().headers, ("Accept-Encoding", "gzip"))),
    ),
    # A second client: does it get what was kept of the first one's stream?
    CounterTest(
        "nginx",
        "again",
        lambda s: s.way.caches,
        lambda a: a.nginx("again", window=min(_SECONDS, a.wanted.window)),
        after=(("app", "alive"),),
    ),
    # A browser speaks HTTP/2 where it is offered, and is stricter then.
    CounterTest("nginx", "h2", lambda s: s.way.http2, lambda a: a.nginx("h2", version="2")),
    # Tells whether a page of the origin that nginx allows by name is allowed twice.
    CounterTest("nginx", "origin", lambda s: bool(s.way.origin), lambda a: a.with_origin("nginx")),
    CounterTest("app", "origin", lambda s: bool(s.way.origin), lambda a: a.with_origin("app")),
    # Tells a limit on the streams of one client that a second or third tab reaches.
    _beside(2),
    _beside(3),
    # Tells whether a refusal, or a delay, is that of the endpoint that nginx asks before.
    CounterTest("app", "auth", lambda s: s.way.auth is not None, lambda a: a.auth()),
    _other_path("path-kept"),
    _other_path("path-stripped"),
    _other_path("path-merged"),
    _other_path("path-slash"),
]


def for_way(way: Way, target: Optional[str]) -> List[CounterTest]:
    """The tests whose hop can be asked at all."""
    there = {
        "app": target is not None and way.scheme in SPOKEN,
        "nginx": way.listen is not None,
    }
    return [test for test in TABLE if there.get(test.hop)]
