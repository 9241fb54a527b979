"""The page in a real Chromium: what it says of each state, and that the rules say the same."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssemedic.cli import main
from ssemedic.page import write
from ssemedic.page.chromium import Chromium
from ssemedic.page.serve import Server
from tests.browser import sites
from tests.browser.conftest import Ran, Start, diagnose, here
from tests.browser.sites import Answer, Asked, allowing

TICK = sites.stream()
OF_OTHERS = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvdGhlciJ9.b2Ytc29tZWJvZHktZWxzZQ"


def _resuming(asked: Asked, connection: sites.CONNECTION) -> None:
    after = int(asked.headers.get("last-event-id", 0))
    say = lambda n: b"id: %d\nevent: tick\ndata: private %d\n\n" % (n + after, n)  # noqa: E731
    sites.stream(f"X-Session: {OF_OTHERS}", say=say)(asked, connection)


@pytest.fixture(scope="module")
def whole(chromium: Chromium) -> Iterator[Ran]:
    """The full diagnostic of a healthy stream, once."""
    app, listener = sites.start({"/": here(), "/events": _resuming, "/proxied": _resuming})
    chromium.events()
    with listener, chromium.page() as tab:
        yield diagnose(tab, app.url("/"), "full", url=app.url(), proxy=app.url("/proxied"))
        assert [e for e in chromium.events() if e["method"] == "Runtime.exceptionThrown"] == []


def test_a_healthy_stream_works_in_all_four_tests(whole: Ran) -> None:
    assert whole.verdict == "good"
    tests = ("endpoint", "source", "proxy", "full")
    assert [whole.said(test)["level"] for test in tests] == ["good"] * 4
    assert whole.symptoms == set()
    assert whole.diagnosis.verdict == "healthy"


def test_the_seventh_stream_hangs_over_http_1(whole: Ran) -> None:
    assert (whole.result["parallel"]["asked"], whole.result["parallel"]["opened"]) == (7, 6)
    assert "six connections" in whole.text
    assert whole.verdict == "good"  # every server over HTTP/1 has it


def test_names_that_onmessage_does_not_hear_are_listed(whole: Ran) -> None:
    assert 'addEventListener("tick"' in whole.text
    assert whole.result["sources"][0]["unnamed"] == 0
    assert whole.result["sources"][0]["events"]  # the name was learned from what fetch saw


def test_last_event_id_is_tried(whole: Ran) -> None:
    assert "Last-Event-ID is honoured" in whole.text


def test_what_events_say_is_not_in_the_result(whole: Ran) -> None:
    body = base64.b64decode(whole.result["records"][0]["body"])
    assert b"event: tick\ndata: xxxxxxxxx\n" in body
    assert OF_OTHERS not in json.dumps(whole.result)
    assert OF_OTHERS not in whole.text


def test_opened_and_failed_at_once_is_recognised(chromium: Chromium, site: Start) -> None:
    app = site({"/": here(), "/events": sites.stream(events=0)})
    with chromium.page() as tab:
        ran = diagnose(tab, app.url("/"), "source", url=app.url())
        counted = tab.run("document.getElementById('count-at-once').textContent")
        line = tab.run("document.getElementById('timeline').textContent")
    said = ran.said("source")
    assert said["kind"] == "closed_at_once"
    assert "Opened (readyState 1) and failed" in said["text"]
    assert "(readyState 0)" in said["text"]
    assert counted == "1"
    assert "established, readyState 1" in line
    assert ran.symptoms == {"closed_at_once@browser"}


@pytest.mark.parametrize(
    ("answer", "kind", "who"),
    [
        (sites.stream(kind="text/html"), "html_instead", "proxy"),
        (sites.status(401), "wrong_status", "token"),
        (sites.status(404), "wrong_status", "server"),
        (sites.status(502), "wrong_status", "proxy"),
        (sites.stream(events=0), "closed_at_once", "server"),
        (sites.silent(headers=False), "no_answer", "server"),
        (sites.stream(kind="application/json"), "wrong_type", "server"),
        (sites.stream(say=lambda n: b"data: x\n"), "not_parsable", "server"),
    ],
    ids=["html", "401", "404", "502", "closed", "no-answer", "json", "no-blank-line"],
)
def test_a_broken_endpoint_is_named_by_the_page_and_by_the_rules(
    chromium: Chromium, site: Start, answer: Answer, kind: str, who: str
) -> None:
    window = 4.0 if kind == "not_parsable" else 1.0
    app = site({"/": here(), "/events": answer})
    with chromium.page() as tab:
        ran = diagnose(tab, app.url("/"), url=app.url(), window=window)
    said = ran.said("endpoint")
    assert (said["kind"], said["who"]) == (kind, who)
    assert said["next"]
    assert ran.verdict == "bad"
    assert ran.symptoms == {f"{kind}@browser"}
    assert ran.diagnosis.verdict == "broken"


def test_silence_is_a_fault_only_against_a_promise(chromium: Chromium, site: Start) -> None:
    app = site({"/": here(), "/events": sites.silent()})
    with chromium.page() as tab:
        unsure = diagnose(tab, app.url("/"), url=app.url())
        broken = diagnose(tab, app.url("/"), url=app.url(), keepalive=0.5, window=1.5)
    assert unsure.verdict == "unknown"
    assert unsure.symptoms == set()
    assert broken.said("endpoint")["kind"] == "silent"
    assert broken.symptoms == {"silent@browser"}


CORS = {
    "missing": ((), "missing_cors"),
    "another": (allowing("https://other.example"), "missing_cors"),
    "twice": (allowing("{page}", "Access-Control-Allow-Origin: {page}"), "duplicate_cors"),
    "wildcard-with-cookies": (allowing("*"), "missing_cors"),
}


@pytest.mark.parametrize("case", CORS)
def test_cors_is_told_apart_by_the_prober(
    chromium: Chromium, site: Start, served: Server, case: str
) -> None:
    lines, kind = CORS[case]
    origin = f"http://{served.authorities[0]}"
    app = site({"/events": sites.stream(*(line.format(page=origin) for line in lines))})
    with chromium.page() as tab:
        ran = diagnose(
            tab, served.address, url=app.url(), credentials=case == "wildcard-with-cookies"
        )
    assert ran.said("endpoint")["kind"] == kind
    assert ran.said("endpoint")["who"] == "cors"
    assert ran.symptoms == {f"{kind}@public"}  # what the browser shows is its consequence


def test_without_the_prober_cors_is_known_by_an_answer_that_cannot_be_read(
    chromium: Chromium, site: Start
) -> None:
    other = site({"/events": TICK})
    app = site({"/": here()})
    with chromium.page() as tab:
        ran = diagnose(tab, app.url("/"), url=other.url())
    assert ran.said("endpoint")["who"] == "cors"
    assert app.origin in ran.said("endpoint")["text"]
    assert ran.symptoms == {"browser_refused@browser"}
    assert "CORS" in ran.diagnosis.symptoms[0].text


def test_cors_that_allows_the_page_lets_it_read(
    chromium: Chromium, site: Start, served: Server
) -> None:
    origin = f"http://{served.authorities[0]}"
    app = site({"/events": sites.stream(*allowing(origin))})
    with chromium.page() as tab:
        ran = diagnose(tab, served.address, url=app.url())
    assert ran.verdict == "good"
    assert ran.symptoms == set()


def test_a_cors_error_hides_a_status_that_the_prober_sees(
    chromium: Chromium, site: Start, served: Server
) -> None:
    app = site({"/events": sites.status(401)})
    with chromium.page() as tab:
        ran = diagnose(tab, served.address, url=app.url())
    assert ran.said("endpoint")["kind"] == "error_without_cors"
    assert "401" in ran.said("endpoint")["text"]
    assert ran.symptoms == {"wrong_status@public"}


def _guarded(asked: Asked, connection: sites.CONNECTION) -> None:
    """An app that asks for its token before it answers the preflight."""
    lines = allowing(asked.origin)
    if asked.method == "OPTIONS" or "authorization" not in asked.headers:
        return sites.status(401, *lines)(asked, connection)
    return sites.stream(*lines)(asked, connection)


def test_a_preflight_that_is_refused_is_told_from_cors(chromium: Chromium, site: Start) -> None:
    other = site({"/events": _guarded})
    app = site({"/": here()})
    with chromium.page() as tab:
        ran = diagnose(
            tab, app.url("/"), url=other.url(), token="opaque-token-0123456789", transport="header"
        )
    assert ran.said("endpoint")["kind"] == "preflight_refused"
    assert "OPTIONS" in ran.said("endpoint")["next"]
    assert ran.symptoms == {"preflight_refused@browser"}


def test_nobody_listens_is_seen_by_the_prober_alone(
    chromium: Chromium, site: Start, served: Server
) -> None:
    app = site({"/": here()})
    with chromium.page() as tab:
        with_prober = diagnose(tab, served.address, url="http://127.0.0.1:9/events")
        alone = diagnose(tab, app.url("/"), url="http://127.0.0.1:9/events")
    assert with_prober.said("endpoint")["kind"] == "refused"
    assert with_prober.symptoms == {"refused@public"}
    assert alone.said("endpoint")["kind"] == "browser_refused"
    assert "does not tell" in alone.said("endpoint")["text"]


def test_a_policy_of_the_page_is_named(chromium: Chromium, site: Start) -> None:
    other = site({"/events": TICK})
    app = site({})
    text = "Content-Security-Policy: connect-src 'self'"
    app.routes["/"] = sites.page(write.text({}), text)
    with chromium.page() as tab:
        ran = diagnose(tab, app.url("/"), url=other.url())
    assert "connect-src" in ran.said("endpoint")["text"]
    assert ran.causes == ["cl_csp_mixed_content"]


def test_mixed_content_is_named(chromium: Chromium, site: Start, tls: ssl.SSLContext) -> None:
    port = site({"/events": TICK}).address.rpartition(":")[2]
    app = site({"/": here()}, context=tls)
    page = app.url("/").replace("127.0.0.1", "app.test")
    with chromium.page() as tab:
        ran = diagnose(tab, page, url=f"http://app.test:{port}/events")
    assert "https" in ran.said("endpoint")["text"]
    assert ran.said("endpoint")["who"] == "page"
    assert ran.causes == ["cl_csp_mixed_content"]


def test_a_browser_whose_connections_are_taken_is_told_from_a_server_that_hangs(
    chromium: Chromium, site: Start, served: Server
) -> None:
    app = site({"/events": sites.stream(*allowing("*"))})
    take = "Promise.all([1, 2, 3, 4, 5, 6].map((n) => new Promise((open) => {"
    take += f" const one = new EventSource('{app.url()}?' + n); one.onopen = open;"
    take += " (window.held = window.held || []).push(one); })))"
    with chromium.page() as tab:
        ran = diagnose(tab, served.address, before=take, url=app.url())
    assert ran.said("endpoint")["kind"] == "six_connections"
    assert ran.symptoms == {"six_connections@browser"}


@pytest.mark.parametrize("left", [-300, 3600])
def test_a_token_is_judged_here_and_shown_nowhere(
    chromium: Chromium, site: Start, left: int
) -> None:
    token = jwt(sub="u-17", workspace_id="w-3", exp=int(time.time()) + left)
    answer = sites.status(401) if left < 0 else TICK
    app = site({"/": here(), "/events": answer})
    with chromium.page() as tab:
        tab.open(app.url("/"))
        tab.run(f"localStorage.setItem('chat.auth', JSON.stringify({{access_token: '{token}'}}))")
        tab.open(app.url("/"))
        tab.until("document.body.dataset.ready === 'yes'")
        tab.run("document.getElementById('find').click()")
        assert tab.run("document.getElementById('token').value") == token
        told = tab.run("document.getElementById('token-said').textContent")
        ran = diagnose(tab, app.url("/"), url=app.url(), token=token)
        whole = tab.run("document.documentElement.outerHTML")
        timing = tab.run("JSON.stringify(performance.getEntriesByType('resource'))")
    asked = [one for one in app.heard if one.path == "/events"]
    assert asked[0].query == f"access_token={token}"
    assert ("expired" if left < 0 else "valid for") in told
    assert "user u-17" in told
    assert "workspace w-3" in told
    for place in (whole, json.dumps(ran.result), timing, ran.text):
        assert token not in place
        assert token.split(".")[1] not in place
    if left < 0:
        assert "expired" in ran.next
        assert ran.said("endpoint")["who"] == "token"


def test_a_token_in_the_url_moves_into_its_own_field(chromium: Chromium, site: Start) -> None:
    app = site({"/": here(), "/events": TICK})
    with chromium.page() as tab:
        ran = diagnose(
            tab, app.url("/"), url=app.url("/events?room=1&access_token=opaque-secret-1")
        )
        assert tab.run("document.getElementById('url').value") == app.url("/events?room=1")
    assert ran.result["url"] == app.url("/events?room=1")
    assert "opaque-secret-1" not in json.dumps(ran.result)


def jwt(**claims: object) -> str:
    def part(data: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{'s' * 43}"


def test_a_message_is_sent_and_seen_delivered(chromium: Chromium, site: Start) -> None:
    sent: list[str] = []

    def take(asked: Asked, connection: sites.CONNECTION) -> None:
        sent.append("m-71")
        body = b'{"id": "m-71"}'
        connection.sendall(
            sites.head(202, "application/json", f"Content-Length: {len(body)}") + body
        )

    def say(number: int) -> bytes:
        return b'data: {"message": "m-71"}\n\n' if sent else b": ping\n\n"

    app = site({"/": here(), "/events": sites.stream(say=say, every=0.1), "/api/send": take})
    lost = site({"/": here(), "/events": TICK, "/api/send": take})
    fields = {"message_path": "/api/send", "message_body": '{"text": "x"}', "window": 1.5}
    with chromium.page() as tab:
        ran = diagnose(tab, app.url("/"), "full", url=app.url(), **fields)
        gone = diagnose(tab, lost.url("/"), "full", url=lost.url(), **fields)
    assert "delivered as an event" in ran.text
    assert ran.symptoms == set()
    assert gone.verdict == "bad"
    assert gone.symptoms == {"canary_lost@browser"}
    assert "m-71" not in json.dumps(ran.result)


def test_a_service_worker_that_ends_the_stream_is_named(
    chromium: Chromium, site: Start, served: Server
) -> None:
    worker = (
        "self.addEventListener('install', () => self.skipWaiting());"
        "self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim()));"
        "self.addEventListener('fetch', (e) => { if (e.request.url.includes('/events'))"
        " e.respondWith(new Response('<p>offline</p>', {headers: {'content-type': 'text/html'}}))"
        "})"
    )
    app = site({"/": here(), "/app": sites.page("an app"), "/events": TICK})
    app.routes["/sw.js"] = sites.script(worker)
    with chromium.page() as tab:
        tab.open(app.url("/app"))
        tab.run(
            "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)"
        )
        tab.until("navigator.serviceWorker.controller !== null")
        ran = diagnose(tab, app.url("/"), url=app.url())
    assert ran.result["service_worker"] == app.url("/sw.js")
    assert ran.causes == ["cl_service_worker"]


def test_what_cors_does_to_this_page_alone_is_no_fault_of_the_server(
    chromium: Chromium, site: Start, served: Server
) -> None:
    """The page is served on loopback, the app is elsewhere, and the server allows the app."""
    app = site({"/events": sites.stream(*allowing("http://app.example.org"))})
    with chromium.page() as tab:
        allowed = diagnose(
            tab, served.address, "full", url=app.url(), origin="http://app.example.org"
        )
        refused = diagnose(
            tab, f"http://{served.authorities[0]}/", url=app.url(), origin="http://app.test"
        )
    assert allowed.verdict == "unknown"
    assert "not this page's" in allowed.said("endpoint")["text"]
    assert allowed.symptoms == set()
    assert refused.said("endpoint")["kind"] == "missing_cors"
    assert "http://app.test" in refused.said("endpoint")["text"]
    assert refused.symptoms == {"missing_cors@public"}


def test_attempts_are_counted_as_they_happen(chromium: Chromium, site: Start) -> None:
    def counted(count: str) -> str:
        return str(tab.run(f"document.getElementById('count-{count}').textContent"))

    app = site({"/": here(), "/events": sites.status(401), "/ends": sites.stream(events=0)})
    names = ("attempts", "opened", "at-once")
    with chromium.page() as tab:
        diagnose(tab, app.url("/"), url=app.url())
        assert [counted(name) for name in names] == ["1", "0", "1"]
        ran = diagnose(tab, app.url("/"), "source", url=app.url("/ends"), window=4)
        assert [counted(name) for name in names] == ["2", "2", "2"]  # it came back after 3 s
        assert counted("to-open").endswith("ms")
    assert ran.result["counts"]["attempts"] == 2
    assert ran.result["counts"]["at_once"] == 2


def test_analyze_judges_what_the_page_saved(
    chromium: Chromium, site: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = site({"/": here(), "/events": sites.stream(kind="text/html")})
    with chromium.page() as tab:
        ran = diagnose(tab, app.url("/"), url=app.url())
    file = tmp_path / "page-result.json"
    file.write_text(json.dumps(ran.result), "utf-8")
    assert main(["analyze", str(file)]) == 3  # broken, and which cause it is only the host tells
    told = capsys.readouterr().out
    assert "html_instead" in told
    assert "ssemedic diagnose --host HOST" in told
