"""Cause: app_framing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

_FIELD = re.compile(rb"^(?:data|event|id|retry):", re.MULTILINE)
_JSON = re.compile(rb"\s*[{\[]")
#: A line end that somebody wrote as two characters.
_ESCAPED = re.compile(rb"^(?:data|event|id):[^\n]*\\n", re.MULTILINE)


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.NOT_PARSABLE,),
    needs=("streams",),
)
def app_framing(case: Case) -> Iterator[Finding]:
    """The app writes what is no event: no empty line, no `data:`, or line ends as text.

    The stream opens, its size in the network panel grows, and `onmessage` never fires. An
    event is complete at its empty line and not before; a line without a known field name is
    thrown away (WHATWG HTML, 9.2.6). Bytes are on time at every hop, so no proxy is to blame.

    Write `data: `, the payload with a new `data: ` after each line end in it, and an empty line.
    """
    symptom = case.symptom("app", Kind.NOT_PARSABLE)
    stream = case.topology.stream("app")
    if symptom is None or stream is None:
        return
    framework, unit = framework_of(case), case.topology.unit
    fault, remedy = _fault(stream)
    shown = stream.body[:80].decode("utf-8", "replace").encode("unicode_escape").decode("ascii")
    yield Finding(
        hop="app",
        where=unit.name if unit else stream.address,
        observed=f"{framework.label} writes {fault}",
        expected="data: ... and an empty line for each event",
        evidence=(symptom.text, f"the body begins: {shown}"),
        certainty=3,
        advice=(Advice(Audience.SERVER, remedy),),
    )


def _fault(stream: Stream) -> tuple[str, str]:
    """What is wrong with the bytes, and what to write in their place."""
    body = stream.body
    if _ESCAPED.search(body):
        return (
            "a backslash and an n where a line must end",
            "Write real line ends: the template or string that builds the event is escaped twice "
            "(in Python b'\\n', in a shell printf, not echo without -e).",
        )
    if _FIELD.search(body):
        return (
            "fields and never the empty line that ends an event",
            "End each event with two line ends: 'data: ' + payload + '\\n\\n'. A framework that "
            "strips the end of each chunk needs them added after it.",
        )
    if _JSON.match(body):
        return (
            "JSON without `data:` before it",
            "Put 'data: ' before each JSON text and an empty line after it; JSON lines are "
            "another format, which fetch() reads and EventSource does not.",
        )
    return (
        "lines that begin with no field name",
        "Put 'data: ' before each line of the payload, and an empty line after the last.",
    )
