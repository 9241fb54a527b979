"""Lines of one class in the log of the service behind the stream, around our own request."""

from __future__ import annotations

from dataclasses import dataclass

from ssemedic.case import Case
from ssemedic.evidence import LogLine
from ssemedic.log_classes import Signature, classify


@dataclass(frozen=True)
class Line:
    """A line and the signature that knows it; ``near`` is true while our streams were open."""

    line: LogLine
    signature: Signature
    near: bool

    @property
    def text(self) -> str:
        return self.line.text.strip()[:300]


def lines_of_class(case: Case, kind: str, before: float) -> tuple[Line, ...]:
    """The service's lines of a class since ``before`` seconds before we asked, oldest first."""
    streams = case.evidence.streams or ()
    if not streams:
        return ()
    began = min(stream.started for stream in streams)
    ended = max(stream.started + stream.end.at for stream in streams)
    found = []
    for line in case.unit_log():
        if line.at is None or line.at < began - before:
            continue
        signature = classify(line.text.encode("utf-8", "replace"))
        if signature is not None and signature.kind == kind:
            found.append(Line(line, signature, began - 1.0 <= line.at <= ended + 2.0))
    return tuple(found)
