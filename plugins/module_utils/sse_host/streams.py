"""The inside streams: straight to the application, and to nginx on loopback.

They run in threads of their own while the rest is collected. Where nginx does not lead
to a living socket, the sockets that may be the application's are tried instead.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from . import listeners
from .limits import UnavailableError
from .wanted import Wanted

if TYPE_CHECKING:
    from ..ssemedic.nginx import Listen, Route, Tree
    from ..ssemedic.probe.request import Request
    from ..ssemedic.stream.record import Stream

_LOOK_SECONDS = 1.0  # to see whether a socket may be the endpoint, without the token
_CANDIDATE_SECONDS = 2.0
_SPOKEN = ("http", "https")


@dataclass(frozen=True)
class Way:
    """Where nginx leads the URL, as the recorder needs it. None: not known."""

    target: Optional[str] = None  # the address behind nginx
    scheme: str = "http"  # spoken to the target
    passed: Optional[str] = None  # path and query that the target is asked for
    http10: bool = False  # nginx speaks HTTP/1.0 to the target
    listen: Optional[str] = None  # where nginx takes the request
    listen_tls: bool = False


def check(wanted: Wanted) -> None:
    """Raises `UnavailableError` with the reason where no stream can be recorded."""
    from ..ssemedic.probe.request import Request, RequestError

    if not wanted.streams:
        raise UnavailableError("streams: they were not asked for")
    if not wanted.url:
        raise UnavailableError("streams: no URL was given")
    try:
        Request(hop="app", url=wanted.url, token=wanted.token, connect=wanted.upstream)
    except RequestError as error:
        raise UnavailableError("streams: %s" % error) from error


def way(tree: Tree, url: str, version: str) -> Way:
    """Follow the URL through nginx's configuration; raises `UnavailableError` for a bad URL."""
    from ..ssemedic.nginx import listens, route

    try:
        found = route(tree, url, version)
    except ValueError as error:
        raise UnavailableError(str(error)) from error
    listen, tls = None, False
    if found.server is not None:
        chosen = _listen(listens(tree, found.server), url)
        listen, tls = _address(chosen), chosen.tls
    if found.serves != "proxy" or not found.targets:
        return Way(listen=listen, listen_tls=tls)
    target = next((t for t in found.targets if not (t.down or t.backup)), found.targets[0])
    passed = found.uri_passed
    return Way(
        target="unix:" + target.unix if target.unix else listeners.join(target.host, target.port),
        scheme=target.scheme,
        passed=passed if passed and passed.startswith("/") and "$" not in passed else None,
        http10=_speaks_http10(found),
        listen=listen,
        listen_tls=tls,
    )


def _speaks_http10(found: Route) -> bool:
    values = found.setting("proxy_http_version").values
    return bool(values) and values[0] == ("1.0",)


def _listen(found: Sequence[Listen], url: str) -> Listen:
    """The listen of the server that a client of the URL comes by, else its first."""
    parts = urllib.parse.urlsplit(url)
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    ranked = sorted(found, key=lambda item: (item.port != port, item.tls != tls))
    return ranked[0]


def _address(listen: Listen) -> str:
    if listen.address.startswith("unix:"):
        return listen.address
    host = listen.address.strip("[]")
    if host in ("*", "0.0.0.0", ""):  # noqa: S104 - matched, not bound
        host = "127.0.0.1"
    elif host == "::":
        host = "::1"
    return listeners.join(host, listen.port)


class Recording:
    """The records under way. Begin early, ask for the result last."""

    def __init__(self, wanted: Wanted, found: Way, target: Optional[str]) -> None:
        self._wanted = wanted
        self._way = found
        self._target = target
        self._threads: List[threading.Thread] = []
        self._lock = threading.Lock()
        self._records: List[Stream] = []
        self._refused: List[str] = []
        self._ends = 0.0
        self._app_seen = threading.Event()
        self.begun = False

    def begin(self) -> None:
        """Start what the way calls for: the app, the app by HTTP/1.0, nginx."""
        self.begun = True
        self._ends = time.monotonic() + self._wanted.window
        if self._target is not None and self._way.scheme in _SPOKEN:
            self._start(self._app)
            self._start(self._alive)
            if self._way.http10:
                self._start(lambda: self._app(variant="http10", version="1.0"))
        if self._way.listen is not None:
            self._start(self._nginx)

    def try_elsewhere(self, addresses: Sequence[str]) -> None:
        """Try these sockets, the application may be at one of them."""
        for address in addresses:
            self._start(functools.partial(self._candidate, address))

    def try_elsewhere_in_doubt(self, addresses: Sequence[str]) -> None:
        """Try these sockets if what nginx leads to is some other service, or no host at all."""
        others = [address for address in addresses if address != self._target]
        if others and self._target is not None:
            self._start(functools.partial(self._in_doubt, others))

    def _in_doubt(self, addresses: Sequence[str]) -> None:
        self._app_seen.wait(self._wanted.window)
        with self._lock:
            app = next((x for x in self._records if (x.hop, x.variant) == ("app", "")), None)
        if app is not None and (app.is_of_another_service or app.never_connected):
            self.try_elsewhere(addresses)

    def result(self) -> List[Dict[str, Any]]:
        """Every record as plain data; raises `UnavailableError` where there is none."""
        for thread in self._threads:
            thread.join()
        records = [record.to_dict() for record in self._records]
        if not records:
            raise UnavailableError(
                "streams: "
                + ("; ".join(self._refused) or "nginx has no server for the URL, and no upstream")
            )
        return sorted(records, key=lambda record: (record["hop"], record["variant"]))

    def _start(self, work: Any) -> None:
        thread = threading.Thread(target=self._guard, args=(work,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guard(self, work: Any) -> None:
        from ..ssemedic.probe.request import RequestError

        try:
            stream = work()
        except RequestError as error:
            with self._lock:
                self._refused.append(str(error))
            return
        if stream is not None:
            with self._lock:
                self._records.append(stream)
            if (stream.hop, stream.variant) == ("app", ""):
                self._app_seen.set()

    def _app(self, variant: str = "", version: str = "1.1") -> Stream:
        return self._record(
            self._request(
                hop="app",
                url=self._url(self._way.scheme, self._way.passed),
                connect=self._target,
                variant=variant,
                version=version,
            )
        )

    def _alive(self) -> Stream:
        """Another path, without the token: does the application answer anything at all?"""
        return self._record(
            dataclasses.replace(
                self._request(
                    hop="app",
                    url=self._url(self._way.scheme, "/"),
                    connect=self._target,
                    variant="alive",
                    window=min(_CANDIDATE_SECONDS, self._wanted.window),
                ),
                token=None,
                headers=(),
            )
        )

    def _nginx(self) -> Stream:
        scheme = "https" if self._way.listen_tls else "http"
        return self._record(
            self._request(hop="nginx", url=self._url(scheme, None), connect=self._way.listen)
        )

    def _candidate(self, address: str) -> Optional[Stream]:
        """The token is shown only to a socket that behaves like the endpoint without it."""
        request = self._request(
            hop="app",
            url=self._url("http", self._way.passed),
            connect=address,
            variant="candidate",
            window=min(_LOOK_SECONDS, self._wanted.window),
        )
        limits = dataclasses.replace(request.limits, max_bytes=1)
        look = self._record(dataclasses.replace(request, token=None, headers=(), limits=limits))
        if not (look.is_event_stream or look.status in (400, 401, 403, 422)):
            return None
        left = max(self._ends - time.monotonic(), _CANDIDATE_SECONDS)
        return self._record(dataclasses.replace(request, window=left))

    def _record(self, request: Request) -> Stream:
        """A record; a certificate that does not verify is noted and passed over."""
        from ..ssemedic.probe.inside import record

        stream = record(request)
        if stream.end.kind != "tls_error" or not request.verify:
            return stream
        again = record(dataclasses.replace(request, verify=False))
        if again.end.kind == "tls_error":
            return stream
        detail = "recorded without verifying the certificate (%s)" % stream.end.detail
        joined = "; ".join(part for part in (again.end.detail, detail) if part)
        return dataclasses.replace(again, end=dataclasses.replace(again.end, detail=joined))

    def _request(self, **changes: Any) -> Request:
        from ..ssemedic.probe.request import Request

        wanted = self._wanted
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

    def _url(self, scheme: str, target: Optional[str]) -> str:
        """The URL as asked at a hop: the public host, the scheme and the target of the hop."""
        parts = urllib.parse.urlsplit(self._wanted.url or "")
        path, query = parts.path or "/", parts.query
        if target is not None:
            path, _mark, query = target.partition("?")
        return urllib.parse.urlunsplit((scheme, parts.netloc, path, query, ""))
