"""One real Chromium for the session, servers on loopback, and the page driven as a person would."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssemedic.diagnosis import Diagnosis
from ssemedic.judge import judge
from ssemedic.page import write
from ssemedic.page.chromium import Chromium, Page
from ssemedic.page.result import found_in
from ssemedic.page.serve import Server
from tests.browser import sites
from tests.browser.sites import Answer, Site

Start = Callable[..., Site]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Every name that a test makes up is loopback; nothing else can be reached."""
    with Chromium(hosts={"*.test": "127.0.0.1"}, trust=True) as browser:
        yield browser


@pytest.fixture
def site() -> Iterator[Start]:
    """``site({path: answer})`` starts a server."""
    listeners: list[socket.socket] = []

    def begin(routes: Mapping[str, Answer], context: ssl.SSLContext | None = None) -> Site:
        started, listener = sites.start(routes, context)
        listeners.append(listener)
        return started

    yield begin
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def served() -> Iterator[Server]:
    """What `ssemedic page` runs."""
    server = Server({})
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody vouches for."""
    path = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=app.test"]
    command += ["-keyout", str(path / "key"), "-out", str(path / "cert")]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / "cert", path / "key")
    return context


@dataclass(frozen=True)
class Ran:
    """What the page said: its verdict, its result, and what the rules say of that."""

    verdict: str
    next: str
    result: dict[str, Any]
    diagnosis: Diagnosis
    text: str

    def said(self, test: str) -> Mapping[str, str]:
        return next(one for one in self.result["said"] if one["test"] == test)

    @property
    def symptoms(self) -> set[str]:
        return {symptom.id for symptom in self.diagnosis.symptoms}

    @property
    def causes(self) -> list[str]:
        return [cause.rule.id for cause in self.diagnosis.causes]


def here(**settings: object) -> Answer:
    """The page as a file on an app's own origin."""
    return sites.page(write.text({"window": 1.0, **settings}))


def diagnose(
    tab: Page, address: str, test: str = "endpoint", before: str = "", **fields: object
) -> Ran:
    """Open the page, fill in the form, run one test, take the result as a person copies it."""
    tab.open(address)
    tab.until("document.body.dataset.ready === 'yes'")
    if before:
        tab.run(before)
    for name, value in {"window": 1.0, **fields}.items():
        field = name.replace("_", "-")
        change = (
            f"node.checked = {json.dumps(value)}"
            if isinstance(value, bool)
            else (f"node.value = {json.dumps(str(value))}")
        )
        tab.run(
            f"(() => {{ const node = document.getElementById({json.dumps(field)}); {change};"
            " node.dispatchEvent(new Event('change')); node.dispatchEvent(new Event('input')); })()"
        )
    # What `navigator.clipboard` would be given; a headless browser has none to read from.
    tab.run(
        "Object.defineProperty(navigator, 'clipboard', "
        "{value: {writeText: (text) => { window.copied = text; return Promise.resolve(); }}})"
    )
    tab.run(f"document.querySelector('[data-test={test}]').click()")
    tab.until("!document.body.classList.contains('busy')", 60)
    tab.run("document.getElementById('copy').click()")
    result = json.loads(tab.run("window.copied"))
    found = found_in(result)
    assert found.endpoint is not None
    return Ran(
        verdict=tab.run("document.getElementById('verdict').className").removeprefix("verdict "),
        next=tab.run("document.getElementById('verdict-next').innerText"),
        result=result,
        diagnosis=judge(found.evidence, found.endpoint, found.token).diagnosis,
        text=tab.run("document.body.innerText"),
    )


ROOT = Path(__file__).resolve().parents[2]
