"""What the page wrote down, as evidence: a browser is one more hop. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ssemedic.endpoint import Endpoint, EndpointError, endpoint_of
from ssemedic.evidence import SCHEMA, Browser, BrowserConnection, Evidence
from ssemedic.offline.found import Found, OfflineError, all_but
from ssemedic.stream.record import End, Phases, Read, Stream
from ssemedic.token import Token

FORMAT = 1
LARGEST = 16 << 20

_HOPS = ("browser", "devproxy")
_ENDS = ("limit_time", "last_chunk", "truncated", "hidden")
_WHY = "a page in a browser cannot see it"
_NAME = re.compile(r"(Firefox|Edg|Chrome|Version)/([0-9.]+)")
_MOST_RECORDS = 64


class PageResultError(OfflineError):
    """The data is no result of the page; the message is one sentence."""


def is_result(data: object) -> bool:
    """True for JSON that the page wrote, of whatever version."""
    return isinstance(data, Mapping) and "ssemedic_page" in data


def decode(content: bytes) -> Found:
    """What a file of the page holds. Raises `PageResultError` for anything else."""
    if len(content) > LARGEST:
        raise PageResultError(f"page result: {len(content)} bytes, must be at most {LARGEST}")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PageResultError(f"page result: is not JSON: {error}") from error
    return found_in(data)


def found_in(data: Any) -> Found:
    """The same, from JSON that is parsed. Raises `PageResultError`."""
    if not is_result(data):
        raise PageResultError("page result: has no ssemedic_page, must be what the page saved")
    if data["ssemedic_page"] != FORMAT:
        raise PageResultError(f"page result: format {data['ssemedic_page']!r}, must be {FORMAT}")
    try:
        return _found(data)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, OfflineError):
            raise
        what = type(error).__name__
        raise PageResultError(f"page result: does not fit its format ({what}: {error})") from error


def _found(data: Mapping[str, Any]) -> Found:
    origins = (str(data["page_origin"]), str(data["app_origin"]))
    endpoint = _endpoint(data, origins[1])
    notes = [f"the host was not looked at: ssemedic diagnose --host HOST --url {endpoint.url} does"]
    streams = list(_streams(data))
    browser = _browser(data, origins)
    if not browser.on_the_apps_origin and browser.opaque:
        # CORS refused this page, which is not the app: that says nothing about the app.
        streams = [s for s in streams if (s.hop, s.end.kind) != ("browser", "hidden")]
        notes.append(
            f"CORS refused a page of {origins[0]}, and the app's is {origins[1]}: "
            "open the page on the app's own origin"
        )
    streams = _beside(streams, [Stream.from_dict(one) for one in _list(data, "twins")])
    evidence = Evidence(
        schema=SCHEMA,
        host=urlsplit(endpoint.url).hostname or "",
        collected_at=float(data["at"]),
        seconds=0.0,
        streams=tuple(streams),
        browser=browser,
        missing=all_but(("streams", "browser"), _WHY),
    )
    what = f"the diagnosis page in {browser.name}"
    return Found(what, evidence, endpoint, _token(data.get("token")), (), tuple(notes))


def _endpoint(data: Mapping[str, Any], app_origin: str) -> Endpoint:
    said: dict[str, Any] = {"url": str(data["url"]), "keepalive_seconds": data.get("keepalive")}
    url = urlsplit(said["url"])
    if app_origin not in ("null", f"{url.scheme}://{url.netloc}"):
        said["origin"] = app_origin
    if data.get("devproxy"):
        said["devproxy"] = str(data["devproxy"])
    if data.get("parameter"):
        said["token_parameter"] = str(data["parameter"])
    try:
        return endpoint_of(said)[0]
    except EndpointError as error:
        raise PageResultError(f"page result: {error}") from error


def _streams(data: Mapping[str, Any]) -> Iterator[Stream]:
    for record in _list(data, "records"):
        if record["hop"] not in _HOPS or record["end"]["kind"] not in _ENDS:
            raise PageResultError("page result: a record names a hop or an end that is not known")
        end = record["end"]
        yield Stream(
            hop=record["hop"],
            vantage="browser",
            variant=str(record.get("variant") or ""),
            address=urlsplit(str(record["url"])).netloc,
            url=str(record["url"]),
            started=float(record["started"]),
            window=float(record["window"]),
            end=End(str(end["kind"]), float(end["at"]), str(end.get("detail", ""))),
            phases=Phases(headers=_number(record["headers_at"])),
            status=None if record["status"] is None else int(record["status"]),
            headers=tuple((str(name), str(value)) for name, value in record["headers"]),
            reads=tuple(Read(float(at), int(size)) for at, size in record["reads"]),
            body=base64.b64decode(record["body"]),
        )


def _beside(streams: list[Stream], probed: list[Stream]) -> list[Stream]:
    """All of them; at a dev proxy the prober's record is the plain one, and the browser's the
    counter-test: a browser takes gzip, the prober does not."""
    asked = {stream.hop for stream in probed}
    return [
        replace(s, variant="gzip") if s.hop in asked and not s.variant else s for s in streams
    ] + probed


def _browser(data: Mapping[str, Any], origins: tuple[str, str]) -> Browser:
    direct = [r for r in _list(data, "records") if r["hop"] == "browser" and not r.get("variant")]
    sources = _list(data, "sources")
    both = [*direct, *sources]
    policies = [one["policy"]["directive"] for one in both if one.get("policy")]
    refused = [one["without_header"] for one in direct if one.get("without_header")]
    message = data.get("message") or {}
    # One that was refused, or whose answer names no id, says nothing about the stream.
    arrived = message.get("delivered") is not None
    judged = arrived or message.get("said", {}).get("kind") == "canary_lost"
    opaque = [one["opaque"] for one in direct if one["end"]["kind"] == "hidden"]
    worker = data.get("service_worker")
    return Browser(
        name=_name(str(data["browser"])),
        origin=origins[0],
        app_origin=origins[1],
        credentials=bool(data.get("credentials")),
        mixed=any(bool(one.get("mixed")) for one in both),
        policy=str(policies[0]) if policies else None,
        service_worker=str(worker) if worker else None,
        worker_answered=any(one.get("worker") is True for one in direct),
        opaque=opaque[0] if opaque else None,
        preflight_refused=any(one["status"] is not None for one in refused),
        connections=tuple(
            BrowserConnection(
                began=float(one["began"]),
                opened=_number(one["opened"]),
                failed=_number(one["failed"]),
                state=None if one["state"] is None else int(one["state"]),
            )
            for source in sources[:1]
            for one in source["connections"]
        ),
        held=float(sources[0]["closed_at"] or 0.0) if sources else 0.0,
        events=sum(len(source["events"]) for source in sources[:1]),
        unnamed=sum(int(source["unnamed"]) for source in sources[:1]),
        delivered=arrived if judged else None,
    )


def _name(agent: str) -> str:
    found = dict(_NAME.findall(agent))
    for key, name in (("Firefox", "Firefox"), ("Edg", "Edge"), ("Chrome", "Chrome")):
        if key in found:
            return f"{name} {found[key]}"
    return f"Safari {found['Version']}" if "Version" in found else "a browser"


def _token(data: Any) -> Token | None:
    if not isinstance(data, Mapping):
        return None
    return Token(
        length=int(data["length"]),
        is_jwt=bool(data["is_jwt"]),
        algorithm=data.get("algorithm"),
        expires=_number(data.get("expires")),
        not_before=_number(data.get("not_before")),
        issued=_number(data.get("issued")),
        claims=tuple(str(name) for name in data.get("claims", ())),
    )


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    found = data.get(name) or []
    if not isinstance(found, list) or len(found) > _MOST_RECORDS:
        raise PageResultError(f"page result: {name} must be a list of at most {_MOST_RECORDS}")
    return found


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
