"""A report read back from its file: checked as far as those that read it rely on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.evidence import Evidence, EvidenceError
from ssemedic.report.model import SCHEMA, Report

#: A report has a hundred kilobytes; what is larger than this (bytes) is none.
LARGEST = 64 * 1024 * 1024

_TEXTS = {"host": str, "endpoint": dict, "hops": list, "symptoms": list, "causes": list}
_MORE = {"cleared": list, "skipped": dict, "unexplained": list, "missing": dict, "verdict": dict}
_FIELDS: Mapping[str, type] = {**_TEXTS, **_MORE}
_OF_CAUSES = ("rule", "hop", "title", "status", "severity", "where")
_KINDS: Mapping[type, str] = {str: "a text", list: "a list", dict: "an object"}


class ReportError(ValueError):
    """A file is no report that can be read; the message names the file and the reason."""


def read_report(path: Path) -> Report:
    """The report in a file. Raises `ReportError`."""
    try:
        if path.stat().st_size > LARGEST:
            raise ReportError(f"{path}: is larger than {LARGEST} bytes, so it is no report")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: is not JSON: {error}") from error
    return checked(data, str(path))


def read_evidence(path: Path) -> Evidence | None:
    """The evidence in a file; None where there is no such file. Raises `EvidenceError`."""
    try:
        if path.stat().st_size > LARGEST:
            raise EvidenceError(f"{path}: is larger than {LARGEST} bytes, so it is no evidence")
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"{path}: is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise EvidenceError(f"{path}: is no JSON object, must be evidence of ssemedic")
    return Evidence.from_dict(data)


def checked(data: Any, name: str) -> Report:
    """``data`` if it has the form of a report. Raises `ReportError`."""
    if not isinstance(data, dict):
        raise ReportError(f"{name}: is no JSON object, must be a report.json of ssemedic")
    if "configuration" in data:
        raise ReportError(f"{name}: is from ssemedic analyze, must be of diagnose or remediate")
    if "judged" in data:
        raise ReportError(f"{name}: is from ssemedic probe, must be of diagnose or remediate")
    if "schema" in data and data["schema"] != SCHEMA:
        raise ReportError(f"{name}: has schema {data['schema']!r}, must be {SCHEMA}")
    for field, kind in {"schema": int, **_FIELDS}.items():
        if not isinstance(data.get(field), kind):
            must = _KINDS.get(kind, "a number")
            raise ReportError(f"{name}: is no report of ssemedic: {field} must be {must}")
    if not isinstance(data.get("collected_at"), int | float):
        raise ReportError(f"{name}: is no report of ssemedic: collected_at must be a number")
    _check_lists(data, name)
    _check_verdict(data, name)
    _check_proof(data, name)
    return data


def _check_lists(data: Report, name: str) -> None:
    for field, keys in (("symptoms", ("id", "kind", "hop", "text")), ("causes", _OF_CAUSES)):
        for item in data[field]:
            _check_texts(item, keys, f"{name}: {field}")
    for cause in data["causes"]:
        if not _is_texts(cause.get("explains")) or "remedy" not in cause:
            raise ReportError(f"{name}: causes must tell what they explain, and their remedy")
    for hop in data["hops"]:
        _check_texts(hop, ("name",), f"{name}: hops")
        _check_stream(hop, "stream", f"{name}: hops")
    for field in ("cleared", "skipped", "missing"):
        if not _is_texts(list(data[field])):
            raise ReportError(f"{name}: {field} must hold texts")
    _check_texts(data["endpoint"], ("url",), f"{name}: endpoint")


def _check_verdict(data: Report, name: str) -> None:
    words = [str(word) for word in Verdict]
    before, after = data["verdict"].get("before"), data["verdict"].get("after")
    if before not in words or after not in (None, *words):
        raise ReportError(f"{name}: verdict must be one of {', '.join(words)}")


def _check_proof(data: Report, name: str) -> None:
    if "changes" not in data or "proof" not in data:
        raise ReportError(f"{name}: is no report of ssemedic: changes and proof must be there")
    changes, proof = data["changes"], data["proof"]
    if changes is not None and not (isinstance(changes, dict) and "outcome" in changes):
        raise ReportError(f"{name}: changes must be null or tell the outcome")
    if proof is None:
        return
    lists = isinstance(proof, dict) and all(_is_texts(proof.get(k)) for k in ("stayed", "came"))
    if not lists or "proven" not in proof or not isinstance(proof.get("hops"), list):
        raise ReportError(f"{name}: proof must be null or tell what stayed and came")
    for hop in proof["hops"]:
        _check_texts(hop, ("hop",), f"{name}: proof")
        _check_stream(hop, "after", f"{name}: proof")


def _check_texts(item: Any, keys: tuple[str, ...], name: str) -> None:
    if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in keys):
        raise ReportError(f"{name} must hold objects with the texts {', '.join(keys)}")


def _check_stream(hop: Mapping[str, Any], key: str, name: str) -> None:
    if not isinstance(hop.get(key, ""), dict | None):
        raise ReportError(f"{name}: {key} must be an object or null")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
