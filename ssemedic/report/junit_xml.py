"""JUnit XML as CI systems read it: suites, cases, counts. Every text is made fit for XML 1.0."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ssemedic.report.clean import clean


def case(suite: Element, group: str, name: str) -> Element:
    """A test case of a suite."""
    return SubElement(suite, "testcase", classname=f"ssemedic.{group}", name=clean(name))


def document(suites: Element) -> str:
    """The file, with the counts of each suite filled in."""
    for suite in suites.findall("testsuite"):
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
        suite.set("tests", str(len(suite.findall("testcase"))))
    indent(suites)
    text: str = tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
