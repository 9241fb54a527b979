"""A plain EventSource in a real Chromium, as `--browser` opens it: the final proof."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from ssemedic.endpoint import Endpoint
from ssemedic.evidence import SCHEMA, Evidence
from ssemedic.judge import judge
from ssemedic.offline.found import all_but
from ssemedic.page.chromium import BrowserError
from ssemedic.page.observe import observe
from ssemedic.probe.request import Request
from tests.browser import sites
from tests.browser.conftest import Start
from tests.browser.sites import Answer, allowing

PAGE = "http://app.test"


def look(url: str, origin: str | None = None, **more: object) -> set[str]:
    request = Request(hop="public", url=url, window=0.8, **more)  # type: ignore[arg-type]
    stream, browser = observe(request, origin)
    missing = all_but(("streams", "browser"), "not collected")
    evidence = Evidence(SCHEMA, "h", 0.0, 0.0, streams=(stream,), browser=browser, missing=missing)
    judged = judge(evidence, Endpoint(url=url, origin=origin))
    return {symptom.id for symptom in judged.diagnosis.symptoms} | {judged.diagnosis.verdict}


@pytest.mark.parametrize(
    ("answer", "origin", "shown"),
    [
        (sites.stream(*allowing(PAGE)), PAGE, set()),
        (sites.stream(), PAGE, {"browser_refused@browser"}),
        (sites.page("<p>"), None, {"html_instead@browser"}),
        (sites.status(401), None, {"wrong_status@browser"}),
        (sites.stream(events=0), None, {"closed_at_once@browser"}),
        (sites.silent(headers=False), None, {"no_answer@browser"}),
    ],
    ids=["cross-origin", "no-cors", "html", "401", "closed", "no-answer"],
)
def test_it_shows_what_the_app_would_see(
    site: Start, answer: Answer, origin: str | None, shown: set[str]
) -> None:
    app = site({"/events": answer})
    assert look(app.url(), origin) == shown | {"broken" if shown else "healthy"}


def test_it_opens_stays_open_and_gets_events(site: Start) -> None:
    app = site({"/events": sites.stream(every=0.2)})
    secret = "opaque-token-0123456789"
    request = Request(hop="public", url=app.url(), token=secret, window=1.5)
    stream, browser = observe(request, None)
    asked = [one for one in app.heard if one.path == "/events"]
    assert [one.query for one in asked] == [f"access_token={secret}"]
    assert [one.path for one in app.heard] == ["/events"]  # the page itself asked for nothing
    (connection,) = browser.connections
    assert connection.opened is not None
    assert connection.failed is None
    assert browser.events >= 5
    assert browser.unnamed == 0
    assert stream.end.kind == "limit_time"
    assert secret not in str(stream.to_dict())


def test_nobody_listens(site: Start) -> None:
    app, listener = sites.start({})
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    assert look(app.url()) == {"refused@browser", "broken"}


def test_a_certificate_that_nobody_vouches_for_is_refused(site: Start, tls: ssl.SSLContext) -> None:
    app = site({"/events": sites.stream()}, context=tls)
    assert look(app.url()) == {"tls_error@browser", "broken"}


def test_a_private_authority_is_verified_here_and_then_trusted_by_its_key(
    site: Start, tmp_path: Path
) -> None:
    made = [certificate(tmp_path / name) for name in ("ours", "another")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made[0], made[0].with_suffix(".key"))
    app = site({"/events": sites.stream()}, context=context)
    assert look(app.url(), ca_file=str(made[0])) == {"healthy"}
    with pytest.raises(BrowserError, match="certificate verify failed"):
        look(app.url(), ca_file=str(made[1]))


def certificate(path: Path) -> Path:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path
