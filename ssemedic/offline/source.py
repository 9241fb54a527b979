"""Which kind of file it is, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssemedic.endpoint import Endpoint, EndpointError, endpoint_of
from ssemedic.evidence import Evidence, EvidenceError, decode
from ssemedic.offline import sos
from ssemedic.offline.archive import Archive, ArchiveError, is_archive, read_archive
from ssemedic.offline.found import Found, OfflineError
from ssemedic.offline.har import HarError, read_har
from ssemedic.page import result
from ssemedic.report.saved import LARGEST, ReportError, checked
from ssemedic.token import Token

_BUNDLE = ("report.json", "evidence.json")


def read_source(path: Path, url: str | None) -> Found | None:
    """What the file holds; None where it is left to the reader of nginx's configuration.

    ``url`` chooses one of several streams. Raises `OfflineError` in one sentence, and OSError
    where the path cannot be read.
    """
    try:
        if path.is_dir():
            return _saved(path) if (path / "report.json").exists() else None
        with path.open("rb") as file:
            head = file.read(4096)
        if is_archive(head):
            return _archive(path)
        if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
            return None
        return _json(path, url)
    except (ArchiveError, EvidenceError, ReportError, HarError, EndpointError) as error:
        raise OfflineError(str(error)) from error


def _archive(path: Path) -> Found:
    """A bundle of ours holds no link; a sos archive does, to its own files."""
    archive = read_archive(path, lambda name: name in _BUNDLE or sos.wanted(name), links=True)
    if any(name in archive.files for name in _BUNDLE):
        if archive.links:
            raise ArchiveError(f"{path}: {sorted(archive.links)[0]} is a link, must be a file")
        return _bundle(archive, str(path))
    if not sos.is_sos(archive):
        raise OfflineError(f"{path}: is neither a bundle of ssemedic nor a sos archive")
    return sos.read_sos(archive, str(path))


def _bundle(archive: Archive, name: str) -> Found:
    parts = {part: archive.read(part) for part in _BUNDLE}
    report, evidence = parts["report.json"], parts["evidence.json"]
    if evidence is None:
        raise OfflineError(f"{name}: holds no evidence.json, so it can be read and not judged")
    told = _plain(report, f"{name}: report.json") if report is not None else None
    return _found("a bundle", _plain(evidence, f"{name}: evidence.json"), told, name)


def _saved(folder: Path) -> Found:
    if not (folder / "evidence.json").exists():
        raise OfflineError(f"{folder}: holds no evidence.json, so it can be read and not judged")
    texts = [_bytes(folder / part) for part in _BUNDLE]
    report, evidence = (_plain(t, str(folder / p)) for t, p in zip(texts, _BUNDLE, strict=True))
    return _found("a report", evidence, report, str(folder))


def _json(path: Path, url: str | None) -> Found:
    data = _plain(_bytes(path), str(path))
    if result.is_result(data):
        return result.found_in(data)
    if "log" in data:
        return read_har(data, str(path), url)
    if "evidence" in data and "secrets" in data:
        data = data["evidence"]
    if "verdict" in data and "hops" in data:
        beside = path.parent / "evidence.json"
        if not beside.exists():
            raise OfflineError(f"{path}: is a report; its evidence.json must lie beside it")
        return _found("a report", _plain(_bytes(beside), str(beside)), data, str(path))
    if "collected_at" in data and "host" in data:
        return _found("evidence", data, None, str(path))
    raise OfflineError(
        f"{path}: is JSON of no kind that is known, must be evidence, a report, a HAR file "
        "or a result of the diagnosis page"
    )


def _found(what: str, evidence: Mapping[str, Any], report: Any, name: str) -> Found:
    """Evidence, and the endpoint and the token's facts that the report has of it."""
    seen = Evidence.from_dict(evidence)
    if report is None:
        return Found(what, seen, _endpoint_of(seen))
    told = checked(report, name)
    described = {key: value for key, value in told["endpoint"].items() if value is not None}
    endpoint, token = endpoint_of(described)
    facts = decode(Token, told["token"], f"{name}: token") if told.get("token") else None
    return Found(what, seen, endpoint, facts, (token,) if token else ())


def _endpoint_of(evidence: Evidence) -> Endpoint | None:
    """The public URL that was recorded, as far as it was."""
    plain = [stream for stream in evidence.streams or () if not stream.variant]
    for hop in ("public", "nginx"):
        for stream in plain:
            if stream.hop == hop:
                return endpoint_of({"url": stream.url})[0]
    return None


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise OfflineError(f"{path}: is larger than {LARGEST} bytes, so it is nothing of ours")
    return path.read_bytes()


def _plain(content: bytes, name: str) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise OfflineError(f"{name}: is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise OfflineError(f"{name}: is no JSON object")
    return data
