"""What brokers and services logged about the way between them. Pure; for the pipeline's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case


def said_by_broker(case: Case, kind: str, pattern: re.Pattern[str]) -> list[str]:
    """Lines of brokers of that kind that match, from their journal and their own files."""
    return [line for line in _lines(case, kind) if pattern.search(line)]


def said_by_service(case: Case, pattern: re.Pattern[str]) -> list[str]:
    """Lines of the service behind the stream that match."""
    return [line.text for line in case.unit_log() if pattern.search(line.text)]


def _lines(case: Case, kind: str) -> Iterator[str]:
    for broker in case.evidence.brokers or ():
        if broker.kind != kind:
            continue
        log = case.evidence.log(f"journal:{broker.unit}") if broker.unit else None
        for line in log.lines if log else ():
            yield line.text
        told = broker.facts.get("log")
        yield from (str(text) for text in told) if isinstance(told, list) else ()
