"""A plain EventSource in a real browser, with what the browser's own tools see of it.

The page that opens it is empty and of the app's origin: the browser is given it without asking
anybody, so that CORS, mixed content and cookies are those of the app, and no server is needed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ssemedic.evidence import Browser, BrowserConnection
from ssemedic.page.chromium import BrowserError, Chromium, Page
from ssemedic.page.forward import forwarded
from ssemedic.page.trust import key_hash
from ssemedic.probe.request import Request
from ssemedic.stream.record import End, Phases, Read, Stream

HOP = "browser"

_PATH = "/ssemedic-empty-page"
_EMPTY = base64.b64encode(b'<!doctype html><link rel="icon" href="data:,">').decode("ascii")
_MOST = 5000
_SLACK = 0.2

#: What Chromium calls a failure before the answer, and the end kind that it is.
_ENDS = (
    ("ERR_CONNECTION_REFUSED", "refused"),
    ("ERR_NAME_", "unreachable"),
    ("ERR_ADDRESS_", "unreachable"),
    ("ERR_CONNECTION_TIMED_OUT", "timeout_connect"),
    ("ERR_CERT_", "tls_error"),
    ("ERR_SSL_", "tls_error"),
    ("ERR_CONNECTION_RESET", "reset"),
    ("ERR_EMPTY_RESPONSE", "truncated"),
    ("ERR_INVALID_", "protocol_error"),
    ("ERR_INVALID_HTTP", "protocol_error"),
)

_OPEN = """((url) => {
  const told = window.told = { connections: [], zero: performance.now() };
  const now = () => (performance.now() - told.zero) / 1000;
  let one = null;
  const begin = () => told.connections.push(one = { began: now(), opened: null, failed: null, state: null });
  begin();
  const source = window.source = new EventSource(url);
  source.onopen = () => { if (one.failed !== null) begin(); one.opened = now(); };
  source.onerror = () => { if (one.failed !== null) begin(); one.failed = now(); one.state = source.readyState; };
})"""  # noqa: E501 - a script, not a sentence


@dataclass
class _Seen:
    """What the browser's tools told of the first connection. Times in seconds since the start."""

    zero: float
    status: int | None = None
    version: str | None = None
    headers_at: float | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    end: End | None = None
    opaque: bool | None = None
    mixed: bool = False
    policy: str | None = None
    events: int = 0
    unnamed: int = 0


def observe(request: Request, origin: str | None) -> tuple[Stream, Browser]:
    """One EventSource, held for the request's window, by a page of ``origin`` (None: the same).

    Raises `BrowserError` where no browser can be had. What the server does is in the record.
    """
    with contextlib.ExitStack() as stack:
        host = urlsplit(request.url).hostname or ""
        hosts: dict[str, str] = {}
        if request.proxy_command is not None:
            hosts[host] = stack.enter_context(forwarded(request))
        elif request.connect is not None:
            hosts[host] = request.connect
        trusted = key_hash(request, hosts.get(host)) if request.ca_file and request.secure else None
        direct = () if hosts else (f"[{host}]" if ":" in host else host,)
        browser = stack.enter_context(Chromium(hosts=hosts, direct=direct, trusted_key=trusted))
        name = browser.version.replace("/", " ")
        page = stack.enter_context(browser.page())
        own = f"{urlsplit(request.url).scheme}://{request.authority}"
        _enter(browser, page, origin or own)
        return _hold(browser, page, request, Browser(name, origin or own, origin or own))


def _enter(browser: Chromium, page: Page, origin: str) -> None:
    page.call("Fetch.enable", patterns=[{"urlPattern": f"{origin}{_PATH}"}])
    page.send("Page.navigate", url=f"{origin}{_PATH}")
    for event in browser.listen(time.monotonic() + 10):
        if event["method"] == "Fetch.requestPaused":
            page.call(
                "Fetch.fulfillRequest",
                requestId=event["params"]["requestId"],
                responseCode=200,
                responseHeaders=[{"name": "Content-Type", "value": "text/html"}],
                body=_EMPTY,
            )
            page.call("Fetch.disable")
            page.until(f"location.pathname === '{_PATH}' && document.readyState === 'complete'")
            return
    raise BrowserError(f"{origin}: the browser did not open a page of it")


def _hold(
    browser: Chromium, page: Page, request: Request, about: Browser
) -> tuple[Stream, Browser]:
    url = f"{urlsplit(request.url).scheme}://{request.authority}{request.target}"
    browser.events()
    started = time.time()
    page.run(f"{_OPEN}({json.dumps(url)})")
    until = time.monotonic() + request.window + _SLACK
    seen: _Seen | None = None
    first: str | None = None
    for event in browser.listen(until):
        told = event["params"]
        if event["method"] == "Network.requestWillBeSent" and first is None:
            if told.get("type") == "EventSource":
                first = told["requestId"]
                seen = _Seen(told["timestamp"])
        elif seen is not None and told.get("requestId") == first:
            _note(seen, event["method"], told)
    told = page.run("(source.close(), told)")
    if seen is None:
        seen = _Seen(0.0, end=End("hidden", 0.0, "the browser sent no request"))
    return _record(request, seen, started), _about(about, seen, told, request.window)


def _note(seen: _Seen, method: str, told: dict[str, Any]) -> None:
    at = round(float(told.get("timestamp", seen.zero)) - seen.zero, 4)
    if method == "Network.responseReceivedExtraInfo":
        # Every line as it came; a name that comes twice holds its values line by line.
        seen.headers = [
            (name, value)
            for name, values in told["headers"].items()
            for value in str(values).split("\n")
        ]
    elif method == "Network.responseReceived":
        answer = told["response"]
        seen.status, seen.headers_at = int(answer["status"]), at
        seen.version = {"h2": "2", "h3": "3", "http/1.0": "1.0"}.get(answer.get("protocol"), "1.1")
        seen.headers = seen.headers or [(n, str(v)) for n, v in answer["headers"].items()]
    elif method == "Network.dataReceived" and told["dataLength"] and len(seen.chunks) < _MOST:
        seen.chunks.append((at, b""))
    elif method == "Network.eventSourceMessageReceived":
        _event(seen, told)
    elif method == "Network.loadingFinished":
        seen.end = seen.end or End("last_chunk", max(at, seen.headers_at or 0.0))
    elif method == "Network.loadingFailed":
        _failed(seen, told, at)


def _event(seen: _Seen, told: dict[str, Any]) -> None:
    """An event as it may be written down: its name, its id, and x for what it says."""
    seen.events += 1
    name = told["eventName"]
    seen.unnamed += name in ("", "message")
    lines = f"event: {name}\n" if name not in ("", "message") else ""
    lines += f"id: {told['eventId']}\n" if told["eventId"] else ""
    text = f"{lines}data: {'x' * min(len(told['data']), 200)}\n\n".encode()
    if seen.chunks:
        at, before = seen.chunks[-1]
        seen.chunks[-1] = (at, before + text)


def _failed(seen: _Seen, told: dict[str, Any], at: float) -> None:
    text = str(told.get("errorText", ""))
    cors = (told.get("corsErrorStatus") or {}).get("corsError")
    reason = told.get("blockedReason")
    seen.mixed, seen.opaque = reason == "mixed-content", True if cors else None
    seen.policy = "connect-src" if reason == "csp" else None
    if seen.end is not None:
        return
    if cors or reason:
        seen.status, seen.headers_at = None, None
        seen.end = End("hidden", at, str(cors or reason))
    elif seen.status is None:
        kind = next((kind for sign, kind in _ENDS if sign in text), "hidden")
        seen.end = End(kind, at, text)
    elif not told.get("canceled"):
        seen.end = End("reset" if "RESET" in text else "truncated", at, text)


def _record(request: Request, seen: _Seen, started: float) -> Stream:
    body, reads = b"", []
    for at, events in seen.chunks:
        # What made no event was a comment, or part of an event that came later.
        text = events or b":\n\n"
        reads.append(Read(at, len(text)))
        body += text
    return Stream(
        hop=HOP,
        vantage="browser",
        address=request.authority,
        url=request.public_url,
        started=started,
        window=request.window,
        end=seen.end or End("limit_time", request.window),
        response_version=seen.version,
        phases=Phases(headers=seen.headers_at),
        status=seen.status,
        headers=tuple(seen.headers),
        reads=tuple(reads),
        body=body,
    )


def _about(about: Browser, seen: _Seen, told: dict[str, Any], window: float) -> Browser:
    return Browser(
        name=about.name,
        origin=about.origin,
        app_origin=about.app_origin,
        mixed=seen.mixed,
        policy=seen.policy,
        opaque=seen.opaque,
        connections=tuple(
            BrowserConnection(
                round(one["began"], 3), _short(one["opened"]), _short(one["failed"]), one["state"]
            )
            for one in told["connections"][:100]
        ),
        held=window,
        events=seen.events,
        unnamed=seen.unnamed,
    )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
