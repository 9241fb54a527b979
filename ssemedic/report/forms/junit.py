"""The report as JUnit XML: one case for each rule. What could not be checked is skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from ssemedic.diagnosis import Verdict
from ssemedic.report import stations, words
from ssemedic.report.forms.said import said, steady
from ssemedic.report.junit_xml import case, document

Data = Mapping[str, Any]


def junit(report: Data) -> str:
    """The XML. A cause fails its rule's case, also one that has no symptom yet."""
    suites = Element("testsuites", name="ssemedic")
    suite = SubElement(
        suites,
        "testsuite",
        name=steady(report["endpoint"]["url"]),
        timestamp=datetime.fromtimestamp(report["collected_at"], UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        hostname=said(report["host"]),
        time=f"{report['seconds']:.3f}",
    )
    if stations.verdict(report) is Verdict.UNKNOWN:
        stop = SubElement(case(suite, "endpoint", "verdict"), "error", type="unknown")
        stop.set("message", said(words.verdict_sentence(report)))
    left = stations.causes(report)
    found: dict[str, list[Data]] = {cause["rule"]: [] for cause in report["causes"]}
    for cause in left:
        found[cause["rule"]].append(cause)
    for rule, causes in found.items():
        _rule(suite, rule, causes)
    for rule in report["cleared"]:
        case(suite, "rule", rule)
    for rule, reason in report["skipped"].items():
        SubElement(case(suite, "rule", said(rule)), "skipped", message=said(reason))
    for symptom in stations.unexplained(report):
        entry = case(suite, "unexplained", said(symptom["id"]))
        failure = SubElement(entry, "failure", type=said(symptom["kind"]))
        failure.set("message", said(symptom["text"]))
    return document(suites)


def _rule(suite: Element, rule: str, causes: Sequence[Data]) -> None:
    """A case that fails with every cause of the rule; one that a change cured passes, and one
    that is accepted is skipped."""
    entry = case(suite, "rule", said(rule))
    if not causes:
        return
    first = causes[0]
    if all(words.accepted(cause) for cause in causes):
        SubElement(entry, "skipped", message=said(words.accepted(first)))
        return
    where = f" ({said(first['where'])})" if first["where"] else ""
    failure = SubElement(entry, "failure", type=f"{first['severity']}.{first['status']}")
    failure.set("message", said(first["title"]).rstrip(".") + where)
    failure.text = "\n".join(line for cause in causes for line in _lines(cause))


def _lines(cause: Data) -> list[str]:
    return [
        f"hop: {said(cause['hop'])}",
        f"where: {said(cause['where'])}",
        f"observed: {said(cause['observed'])}",
        f"expected: {said(cause['expected'])}",
        *(f"evidence: {said(item)}" for item in cause["evidence"]),
        *(f"{said(advice['audience'])}: {said(advice['text'])}" for advice in cause["advice"]),
    ]
