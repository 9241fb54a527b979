"""A HAR file (HAR 1.2, as a browser or `ssemedic probe` exports it) as evidence."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ssemedic.endpoint import EndpointError, endpoint_of
from ssemedic.evidence import SCHEMA, Evidence
from ssemedic.offline.found import Found, all_but
from ssemedic.stream.record import END_KINDS, End, Phases, Read, Stream
from ssemedic.token import judge as judge_token

Data = Mapping[str, Any]

#: What Chromium writes into ``_error``, and how the stream ended then.
_ERRORS = (
    ("ERR_INCOMPLETE_CHUNKED_ENCODING", "truncated"),
    ("ERR_CONTENT_LENGTH_MISMATCH", "truncated"),
    ("ERR_HTTP2", "h2_reset"),
    ("ERR_QUIC", "h2_reset"),
    ("ERR_CONNECTION_REFUSED", "refused"),
    ("ERR_CONNECTION_RESET", "reset"),
    ("ERR_CONNECTION_CLOSED", "eof"),
    ("ERR_EMPTY_RESPONSE", "eof"),
    ("ERR_CONNECTION_TIMED_OUT", "timeout_connect"),
    ("ERR_NAME_NOT_RESOLVED", "unreachable"),
    ("ERR_ADDRESS_UNREACHABLE", "unreachable"),
    ("ERR_INTERNET_DISCONNECTED", "unreachable"),
    ("ERR_CERT", "tls_error"),
    ("ERR_SSL", "tls_error"),
    ("ERR_INVALID_HTTP_RESPONSE", "protocol_error"),
    ("ERR_TOO_MANY_REDIRECTS", "limit_redirects"),
)
_MOST_READS = 100_000
_HOPS = ("app", "inner", "nginx", "public", "devproxy")


class HarError(ValueError):
    """The file holds no request that can be judged; the message is one sentence."""


def read_har(data: Data, name: str, url: str | None) -> Found:
    """The streams of a HAR as evidence. ``url`` chooses one, where it holds several.

    Raises `HarError` and `EndpointError`.
    """
    log = data.get("log")
    entries = log.get("entries") if isinstance(log, Mapping) else None
    if not isinstance(entries, Sequence) or not all(isinstance(e, Mapping) for e in entries):
        raise HarError(f"{name}: is no HAR file: log.entries must be a list of objects")
    try:
        return _chosen(entries, name, url)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, HarError | EndpointError):
            raise
        raise HarError(f"{name}: is no HAR 1.2 file: an entry cannot be read") from error


def _chosen(entries: Sequence[Data], name: str, url: str | None) -> Found:
    asked = endpoint_of({"url": url})[0].url if url else None
    found: dict[str, list[Data]] = {}
    for entry in entries:
        if not _is_http(entry):
            continue
        key = endpoint_of({"url": entry["request"]["url"]})[0].url
        if _path(key) == _path(asked) if asked else _is_stream(entry):
            found.setdefault(key, []).append(entry)
    if not found:
        wanted = f"a request of {asked}" if asked else "an event stream"
        raise HarError(f"{name}: holds no request that can be judged, must hold {wanted}")
    if len({_path(key) for key in found}) > 1:
        urls = ", ".join(sorted(found)[:5])
        raise HarError(f"{name}: holds several event streams, so --url must name one: {urls}")
    picked = [entry for same in found.values() for entry in same]
    return _evidence(picked, name)


def _evidence(entries: Sequence[Data], name: str) -> Found:
    """The newest record of each hop; a browser that reconnects makes an entry each time."""
    streams: dict[str, Stream] = {}
    for entry in sorted(entries, key=_started):
        stream = _stream(entry)
        streams[stream.hop] = stream
    last = max(streams.values(), key=lambda s: _HOPS.index(s.hop))
    endpoint, token = endpoint_of({"url": entries[-1]["request"]["url"], **_origin(entries[-1])})
    at = max(s.started + s.end.at for s in streams.values())
    evidence = Evidence(
        schema=SCHEMA,
        host=urlsplit(last.url).hostname or "the host",
        collected_at=at,
        seconds=0.0,
        streams=tuple(streams[hop] for hop in _HOPS if hop in streams),
        missing=all_but(("streams",), "a HAR file does not hold it"),
    )
    notes = () if len(entries) <= len(streams) else (
        f"{name}: {len(entries)} requests of this URL, the newest is judged",
    )  # fmt: skip
    judged = judge_token(token) if token else None
    return Found("a HAR file", evidence, endpoint, judged, (token,) if token else (), notes)


def _is_http(entry: Data) -> bool:
    return str(entry["request"]["url"]).startswith(("http://", "https://"))


def _is_stream(entry: Data) -> bool:
    mime = str(entry["response"].get("content", {}).get("mimeType", ""))
    asked = _headers(entry["request"]).get("accept", "")
    kinds = (entry.get("_resourceType"), "_hop" if "_hop" in entry else None)
    streams = "text/event-stream"
    return mime.startswith(streams) or streams in asked or bool({"eventsource", "_hop"} & {*kinds})


def _path(url: str | None) -> tuple[str, str]:
    parts = urlsplit(url or "")
    return parts.netloc.lower(), parts.path or "/"


def _headers(message: Data) -> dict[str, str]:
    return {str(h["name"]).lower(): str(h["value"]) for h in message.get("headers", ())}


def _origin(entry: Data) -> dict[str, str]:
    """The page's origin, where the browser sent it: then the page is of another one."""
    origin = _headers(entry["request"]).get("origin")
    return {"origin": origin} if origin else {}


def _started(entry: Data) -> float:
    return datetime.fromisoformat(str(entry["startedDateTime"]).replace("Z", "+00:00")).timestamp()


def _stream(entry: Data) -> Stream:
    request, response, hop = entry["request"], entry["response"], entry.get("_hop", "public")
    timings = entry.get("timings", {})
    lengths = {k: _seconds(timings.get(k)) for k in ("blocked", "dns", "connect", "send", "wait")}
    resolved = (lengths["blocked"] or 0.0) + (lengths["dns"] or 0.0)
    connected = resolved + (lengths["connect"] or 0.0)
    sent = connected + (lengths["send"] or 0.0)
    status = int(response.get("status") or 0) or None
    headers_at = sent + (lengths["wait"] or 0.0)
    total = max(_seconds(entry.get("time")) or 0.0, headers_at)
    end = _end(entry, total)
    body = _body(response)
    reached = end.kind not in ("refused", "unreachable", "timeout_connect")
    return Stream(
        hop=hop if hop in _HOPS else "public",
        vantage="outside" if hop in ("public", "devproxy") else "inside",
        address=str(entry.get("serverIPAddress") or urlsplit(request["url"]).netloc),
        url=endpoint_of({"url": request["url"]})[0].url,
        started=_started(entry),
        window=max(total, 0.001),
        end=end,
        method=str(request.get("method", "GET")),
        request_version=_version(request.get("httpVersion")),
        response_version=_version(response.get("httpVersion")) if status else None,
        phases=Phases(
            resolved, connected if reached else None, None, sent if reached else None,
            headers_at if status else None,
        ),
        status=status,
        reason=str(response.get("statusText", "")),
        headers=tuple(
            (str(h["name"]), str(h["value"])) for h in response.get("headers", ())
        ) if status else (),
        reads=_reads(entry, body, headers_at) if status else (),
        body=body[: 64 << 10],
    )  # fmt: skip


def _end(entry: Data, total: float) -> End:
    """How it ended: as our recorder says, or as the browser does; else it may be open still."""
    ours = entry.get("_end")
    if isinstance(ours, Mapping) and ours.get("kind") in END_KINDS:
        return End(str(ours["kind"]), _finite(ours["at"]), str(ours.get("detail", "")))
    said = str(entry["response"].get("_error") or "")
    kind = next((kind for sign, kind in _ERRORS if sign in said), "limit_time")
    return End(kind, total, said)


def _reads(entry: Data, body: bytes, headers_at: float) -> tuple[Read, ...]:
    """When bytes came: only our own HAR knows; of a browser's, that there were some."""
    ours = entry.get("_reads")
    if isinstance(ours, list):
        reads = [(_finite(r["time"]) / 1000, int(r["size"])) for r in ours[:_MOST_READS]]
        return tuple(Read(at, size) for at, size in reads)
    size = len(body) or max(0, int(entry["response"].get("content", {}).get("size") or 0))
    return (Read(headers_at, size),) if size else ()


def _body(response: Data) -> bytes:
    content = response.get("content", {})
    text = str(content.get("text") or "")
    if content.get("encoding") == "base64":
        return base64.b64decode(text)
    return text.encode("utf-8", "replace")


def _version(said: object) -> str:
    text = str(said or "").lower()
    if text in ("h2", "http/2", "http/2.0", "h3", "http/3", "http/3.0"):
        return "2"
    return "1.0" if text.endswith("1.0") else "1.1"


def _seconds(milliseconds: object) -> float | None:
    value = _finite(milliseconds) if isinstance(milliseconds, int | float) else -1.0
    return value / 1000 if value >= 0 else None


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a time must be a number")
    return number
