"""Redirects, followed as EventSource does (WHATWG Fetch, 4.4), and no secret beyond its origin."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote_plus, urljoin, urlsplit, urlunsplit

from ssemedic.probe import outside
from ssemedic.probe.request import Request, is_secret
from ssemedic.stream.record import End, Stream

#: A browser gives up after so many.
LIMIT = 20

_STATUSES = (301, 302, 303, 307, 308)
_OF_THE_BODY = ("content-type", "content-encoding", "content-language", "content-location")

Cookies = dict[tuple[str, str, int], dict[str, str]]


def record_following(
    request: Request, record: Callable[[Request], Stream] = outside.record, limit: int = LIMIT
) -> Stream:
    """The record of the last answer; ``Stream.redirects`` are the URLs that led to it.

    All requests share the window of the first. A circle ends with limit_redirects. Across
    origins go neither token nor cookies nor any header that is a secret, and a redirect
    away from a ``connect`` override is not followed: what answers there is not that URL.
    """
    closes = time.monotonic() + request.window
    passed: list[str] = []
    seen: set[tuple[object, ...]] = set()
    cookies: Cookies = {}
    while True:
        seen.add(_identity(request))
        stream = replace(record(request), redirects=tuple(passed))
        following = next_request(request, stream, cookies)
        if following is None:
            return stream
        passed.append(stream.url)
        left = closes - time.monotonic()
        if left <= 0:
            return stream
        if _identity(following) in seen or len(passed) > limit:
            back = "back at" if _identity(following) in seen else "on the way to"
            detail = f"after {len(passed)} redirects {back} {following.public_url}"
            end = End("limit_redirects", stream.end.at, detail)
            return replace(stream, end=end, redirects=tuple(passed))
        request = replace(following, window=left)


def next_request(request: Request, stream: Stream, cookies: Cookies) -> Request | None:
    """What a browser asks for after this answer, None where it stops here.

    ``cookies`` are those that answers have set so far, by origin; it is added to.
    """
    location = stream.header("location")
    if stream.status not in _STATUSES or location is None:
        return None
    cookies.setdefault(request.origin, {}).update(_cookies_set(stream))
    try:
        url, had_token = _absolute(request, location)
        following = replace(_with_method_after(request, stream.status), url=url)
        moved = following.origin != request.origin
        if moved and request.connect is not None:
            return None
        by_query = bool(request.token_parameter)
        if moved or (by_query and not had_token):
            following = replace(following, token=None)
        if moved:
            following = replace(following, server_name=None, headers=_public_headers(following))
            following = _with_page_origin(following, request)
        return _with_cookies(following, cookies.get(following.origin, {}))
    except ValueError:  # RequestError among them
        return None  # a browser fails here too; the answer shows the Location


def _absolute(request: Request, location: str) -> tuple[str, bool]:
    """The URL that a Location means, without a token; and whether it had one."""
    text = location.encode("latin-1", "replace").decode("utf-8", "replace").strip()
    parts = urlsplit(urljoin(request.url, text.replace(" ", "%20")))
    pairs = [pair for pair in parts.query.split("&") if pair]
    name = request.token_parameter
    kept = [p for p in pairs if not name or unquote_plus(p.partition("=")[0]) != name]
    netloc = parts.netloc.rpartition("@")[2]
    if netloc == urlsplit(request.url).netloc.rpartition("@")[2]:
        netloc = urlsplit(request.url).netloc
    url = urlunsplit((parts.scheme, netloc, parts.path, "&".join(kept), ""))
    return url, len(kept) < len(pairs)


def _with_method_after(request: Request, status: int) -> Request:
    """What becomes of method and body (Fetch, 4.4, step 12)."""
    if status in (307, 308) or request.method in ("GET", "HEAD"):
        return request
    if status != 303 and request.method != "POST":
        return request
    kept = tuple(pair for pair in request.headers if pair[0].lower() not in _OF_THE_BODY)
    return replace(request, method="GET", body=None, headers=kept)


def _public_headers(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in request.headers if not is_secret(name))


def _with_page_origin(following: Request, before: Request) -> Request:
    """The Origin header after a redirect across origins: "null" once it passed a third one."""
    pages = [value for name, value in before.headers if name.lower() == "origin"]
    if not pages or _origin_text(before) == pages[0].lower():
        return following
    kept = tuple(pair for pair in following.headers if pair[0].lower() != "origin")
    return replace(following, headers=(*kept, ("Origin", "null")))


def _origin_text(request: Request) -> str:
    return f"{request.origin[0]}://{request.authority}".lower()


def _cookies_set(stream: Stream) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in stream.header_values("set-cookie"):
        name, equals, value = line.partition(";")[0].partition("=")
        if equals and name.strip():
            found[name.strip()] = value.strip()
    return found


def _with_cookies(request: Request, cookies: dict[str, str]) -> Request:
    if not cookies:
        return request
    lines = [value for name, value in request.headers if name.lower() == "cookie"]
    pairs = [pair.strip() for line in lines for pair in line.split(";")]
    sent = dict(pair.partition("=")[::2] for pair in pairs if pair) | cookies
    kept = tuple(pair for pair in request.headers if pair[0].lower() != "cookie")
    value = "; ".join(f"{name}={value}" for name, value in sent.items())
    return replace(request, headers=(*kept, ("Cookie", value)))


def _identity(request: Request) -> tuple[object, ...]:
    return (request.method, request.url, request.token is not None, request.headers)
