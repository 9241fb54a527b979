"""A probe as JUnit XML: one case for each assertion and for each kind of symptom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from ssemedic.report.clean import clean
from ssemedic.report.junit_xml import case as _case
from ssemedic.report.junit_xml import document
from ssemedic.report.words import SHOWS

Data = Mapping[str, Any]


def junit(data: Data) -> str:
    """The XML of a probe's plain data. What could not be seen is skipped, never passed."""
    suites = Element("testsuites", name="ssemedic probe")
    suite = SubElement(
        suites,
        "testsuite",
        name=clean(data["url"]),
        timestamp=data["started"].partition(".")[0],
        hostname="ssemedic",
        time=f"{data['hops'][-1]['measured']['duration']:.3f}",
    )
    if data["verdict"] == "unknown":
        _error(suite, data)
    for entry in data["assertions"]:
        _assertion(suite, entry)
    for kind, judged in data["judged"].items():
        _kind(suite, kind, judged, [s for s in data["symptoms"] if s["kind"] == kind])
    return document(suites)


def _error(suite: Element, data: Data) -> None:
    case = _case(suite, "probe", "reached")
    end = data["hops"][-1]["record"]["end"]
    text = clean(f"{end['kind']}: {end['detail']}" if end["detail"] else end["kind"])
    SubElement(case, "error", type="unreachable", message=text)


def _assertion(suite: Element, entry: Data) -> None:
    case = _case(suite, "assert", entry["assertion"])
    if not entry["holds"]:
        text = clean(f"{entry['assertion']}: observed {entry['observed']}")
        SubElement(case, "failure", type="assertion", message=text)
    elif entry["note"]:
        SubElement(case, "system-out").text = clean(entry["note"])


def _kind(suite: Element, kind: str, judged: bool, symptoms: list[Data]) -> None:
    case = _case(suite, "symptom", kind)
    counted = [symptom for symptom in symptoms if not symptom["allowed"]]
    if counted:
        failure = SubElement(case, "failure", type=kind, message=clean(counted[0]["text"]))
        failure.text = "\n".join(clean(symptom["text"]) for symptom in counted)
    elif symptoms:
        text = clean(f"allowed: {symptoms[0]['text']}")
        SubElement(case, "skipped", message=text)
    elif not judged:
        SubElement(case, "skipped", message=f"not seen: whether it {SHOWS.get(kind, kind)}")
