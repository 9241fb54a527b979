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
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import counter_tests, listeners
from .counter_tests import Way as Way
from .limits import UnavailableError
from .wanted import Wanted

if TYPE_CHECKING:
    from ..ssemedic.nginx import Listen, Route, Target, Tree
    from ..ssemedic.probe.request import Request
    from ..ssemedic.stream.record import Stream

_LOOK_SECONDS = 1.0  # to see whether a socket may be the endpoint, without the token
_CANDIDATE_SECONDS = 2.0
_FEW = 2  # of streams: a limit_conn that a second or third tab shows
_LAST_SECONDS = 1.0  # of the window, in which no counter-test is begun any more


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


def way(tree: Tree, url: str, version: str, token_parameter: str = "") -> Way:
    """Follow the URL through nginx's configuration; raises `UnavailableError` for a bad URL.

    ``token_parameter`` names the query parameter in which a token will go along.
    """
    from ..ssemedic.nginx import listens, route
    from ..ssemedic.nginx.asked import asked, lost, marked, other_paths, with_query
    from ..ssemedic.nginx.compression import zips
    from ..ssemedic.nginx.cors import allowed_origin
    from ..ssemedic.nginx.onward import onward

    try:
        found = route(tree, marked(url, token_parameter), version)
    except ValueError as error:
        raise UnavailableError(str(error)) from error
    listen, tls = None, False
    if found.server is not None:
        chosen = _listen(listens(tree, found.server), url)
        listen, tls = _address(chosen), chosen.tls
    if found.serves != "proxy" or not found.targets:
        return Way(listen=listen, listen_tls=tls)
    outer, behind = found, onward(found)
    between = found.uri_passed
    if behind is not None and behind.serves == "proxy" and behind.targets:
        found = behind  # two nginx in a row: the application is behind the second one
    target = _first(found)
    passed = found.uri_passed
    sent = asked(found)
    known = passed is not None and passed.startswith("/") and "$" not in passed
    return Way(
        target="unix:" + target.unix if target.unix else listeners.join(target.host, target.port),
        scheme=target.scheme,
        passed=with_query(_unmarked(passed or ""), url) if known else None,
        http10=_speaks(found, "1.0"),
        http11_by_default=found.setting("proxy_http_version").is_default and _speaks(found, "1.1"),
        listen=listen,
        listen_tls=tls,
        names=tuple(t.host for t in found.targets if listeners.is_name(t.host)),
        asked=sent,
        loses_arguments=sent is not None and bool(lost(sent, found.url)),
        other_paths=other_paths(found),
        inner=_inner(outer, between, url) if found is not outer else None,
        zips=zips(outer),
        caches=_caches(outer),
        hidden=_hidden(found),
        http2="h2" in outer.protocols,
        beside=_beside(outer),
        access_logs=_log_files(outer),
        auth=_auth(outer),
        origin=allowed_origin(outer),
    )


def _log_files(found: Route) -> Tuple[str, ...]:
    """The files that requests of the URL are logged to; one whose name varies is not known."""
    paths = (log.path for log in found.access_logs)
    return tuple(path for path in paths if "$" not in path and not path.startswith("syslog:"))


def _beside(found: Route) -> int:
    """How many more streams show a limit of nginx that a few tabs reach; 0 for no such limit."""
    counts = [args[-1] for args in found.setting("limit_conn").values if len(args) == 2]
    small = [int(count) for count in counts if count.isdigit() and int(count) <= _FEW]
    if small:
        return min(small)
    rates = found.setting("limit_req").values
    return 1 if any(not _takes_a_burst(args) for args in rates) else 0


def _takes_a_burst(args: Sequence[str]) -> bool:
    return any(arg.startswith("burst=") and arg != "burst=0" for arg in args)


def _auth(found: Route) -> Optional[counter_tests.Auth]:
    from ..ssemedic.nginx.subrequest import auth_asked, auth_route

    led, asks = auth_route(found), auth_asked(found)
    if led is None or asks is None or led.targets[0].scheme not in counter_tests.SPOKEN:
        return None
    target = _first(led)
    place = "unix:" + target.unix if target.unix else listeners.join(target.host, target.port)
    return counter_tests.Auth(place, target.scheme, asks)


def _first(found: Route) -> Target:
    return next((t for t in found.targets if not (t.down or t.backup)), found.targets[0])


def _inner(outer: Route, between: Optional[str], url: str) -> counter_tests.Inner:
    """The second nginx as the first one asks it."""
    from ..ssemedic.nginx.asked import asked, with_query

    target, sent = _first(outer), asked(outer)
    return counter_tests.Inner(
        "unix:" + target.unix if target.unix else listeners.join(target.host, target.port),
        target.scheme,
        with_query(_unmarked(between or ""), url),
        sent.header("Host") if sent is not None else None,
    )


def _hidden(found: Route) -> Dict[str, str]:
    """The proxy_set_header lines that the location loses, as far as their values are known."""
    from ..ssemedic.nginx.inheritance import lost_lines

    known = {}
    for line in lost_lines(found, "proxy_set_header"):
        text = found.variables.expand(line.args[1]) if found.variables is not None else None
        if text is not None:
            known[line.args[0]] = text
    return known


def _caches(found: Route) -> bool:
    values = found.setting("proxy_cache").values
    return bool(values) and values[0] != ("off",)


def _unmarked(passed: str) -> str:
    """Path and query without the parameter that stood for the token; it is added when asked."""
    from ..ssemedic.nginx.asked import MARKER

    path, _mark, query = passed.partition("?")
    kept = "&".join(pair for pair in query.split("&") if pair.partition("=")[2] != MARKER)
    return path + ("?" + kept if kept else "")


def _speaks(found: Route, version: str) -> bool:
    values = found.setting("proxy_http_version").values
    return bool(values) and values[0] == (version,)


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
        self._ask = counter_tests.Ask(wanted, found, target)
        self._threads: List[threading.Thread] = []
        self._records: List[Stream] = []
        self._refused: List[str] = []
        self._ends = 0.0
        self._under_way = 0
        self._changed = threading.Condition()
        self._app_seen = threading.Event()
        self.begun = False

    def begin(self) -> None:
        """Start what the way calls for: the app, nginx, and the counter-tests they need."""
        self.begun = True
        self._ends = time.monotonic() + self._wanted.window
        tests = counter_tests.for_way(self._way, self._target)
        if any(test.hop == "app" for test in tests):
            self._start(lambda: self._record(self._ask.app()))
        if self._way.listen is not None:
            self._start(lambda: self._record(self._ask.nginx()))
        if self._way.inner is not None:
            self._start(lambda: self._record(self._ask.inner()))
        self._start_needed([test for test in tests if not test.after])
        waiting = [test for test in tests if test.after]
        if waiting:
            thread = threading.Thread(target=self._conduct, args=(waiting,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _conduct(self, waiting: List[counter_tests.CounterTest]) -> None:
        """Start each waiting test once the records are there that decide on it.

        Ends where none can come to it any more: at the end of the window, or before it
        when nothing is being recorded.
        """
        while waiting:
            with self._changed:
                done = {(stream.hop, stream.variant) for stream in self._records}
                ready = [test for test in waiting if done.issuperset(test.after)]
                left = self._ends - _LAST_SECONDS - time.monotonic()
                if not ready:
                    if left <= 0 or not self._under_way:
                        return
                    self._changed.wait(left)
                    continue
            waiting = [test for test in waiting if test not in ready]
            self._start_needed(ready)

    def _start_needed(self, tests: Sequence[counter_tests.CounterTest]) -> None:
        with self._changed:
            records = {(stream.hop, stream.variant): stream for stream in self._records}
        seen = counter_tests.Seen(self._way, records)
        for test in tests:
            if (test.hop, test.variant) not in records and test.needed(seen):
                self._start(functools.partial(self._test, test))

    def _test(self, test: counter_tests.CounterTest) -> Optional[Stream]:
        request = test.asks(self._ask)
        if request is None:
            return None
        time.sleep(test.delay)
        left = max(self._ends - time.monotonic(), _LAST_SECONDS)
        return self._record(dataclasses.replace(request, window=min(request.window, left)))

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
        with self._changed:
            app = next((x for x in self._records if (x.hop, x.variant) == ("app", "")), None)
        if app is not None and (app.is_of_another_service or app.never_connected):
            self.try_elsewhere(addresses)

    @property
    def ends(self) -> float:
        """When the window of the streams is over (time.monotonic())."""
        return self._ends

    def crowd(self, count: int) -> int:
        """Open so many more streams at the application; how many were asked for."""
        if self._target is None:
            return 0
        left = self._ends - time.monotonic()
        if left <= _LAST_SECONDS:
            return 0
        for number in range(1, count + 1):
            request = self._ask.app(variant="crowd-%d" % number, window=left)
            self._start(functools.partial(self._record, request))
        return count

    def ways(self) -> List[Request]:
        """How to ask this host for the stream, the outer hop first."""
        found = [self._ask.nginx()] if self._way.listen is not None else []
        return found + ([self._ask.app()] if self._target is not None else [])

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

    def _start(self, work: Callable[[], Optional[Stream]]) -> None:
        thread = threading.Thread(target=self._guard, args=(work,), daemon=True)
        with self._changed:
            self._under_way += 1
        self._threads.append(thread)
        thread.start()

    def _guard(self, work: Callable[[], Optional[Stream]]) -> None:
        from ..ssemedic.probe.request import RequestError

        stream, refused = None, ""
        try:
            stream = work()
        except RequestError as error:
            refused = str(error)
        finally:
            with self._changed:
                self._records += [stream] if stream is not None else []
                self._refused += [refused] if refused else []
                self._under_way -= 1
                self._changed.notify_all()
        if stream is not None and (stream.hop, stream.variant) == ("app", ""):
            self._app_seen.set()

    def _candidate(self, address: str) -> Optional[Stream]:
        """The token is shown only to a socket that behaves like the endpoint without it."""
        request = self._ask.app(
            variant="candidate",
            url=self._ask.url("http", self._way.passed),
            connect=address,
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
