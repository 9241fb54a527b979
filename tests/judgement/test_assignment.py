"""What is asked from here: the public URL, and a dev proxy as a browser asks it."""

from __future__ import annotations

from typing import Any

from ssemedic.assignment import assignment_of
from ssemedic.probe.request import Request

PROXY = "python -m dial %h %p"


def outside(**endpoint: Any) -> list[Request]:
    described = {"url": "https://chat.example.org/events", **endpoint}
    assignment = assignment_of({"endpoint": described, "proxy_command": PROXY})
    assert assignment is not None
    return list(assignment.outside())


def test_without_a_dev_proxy_the_public_url_alone_is_asked() -> None:
    assert [(r.hop, r.variant) for r in outside()] == [("public", "")]


def test_a_dev_proxy_is_asked_plain_and_as_a_browser_asks() -> None:
    requests = outside(devproxy="http://localhost:5173/events", origin="http://localhost:5173")
    assert [(r.hop, r.variant) for r in requests] == [
        ("public", ""),
        ("devproxy", ""),
        ("devproxy", "gzip"),
    ]
    assert dict(requests[2].headers) == {
        "Origin": "http://localhost:5173",
        "Accept-Encoding": "gzip",
    }


def test_the_way_to_the_host_leads_to_a_dev_proxy_on_it_and_to_no_other() -> None:
    here = outside(devproxy="http://localhost:5173/events")
    there = outside(devproxy="https://chat.example.org:5173/events")
    assert [request.proxy_command for request in here] == [PROXY, None, None]
    assert [request.proxy_command for request in there] == [PROXY, PROXY, PROXY]
