"""The server of the page lets in one page, once, and writes nothing down."""

from __future__ import annotations

import http.client
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from ssemedic.page import write
from ssemedic.page.chromium import Chromium
from ssemedic.page.result import PageResultError, decode
from ssemedic.page.serve import Server
from tests.browser import sites
from tests.browser.conftest import Start

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJlLW9mLWEtdGVzdA"
OF_OTHERS = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvdGhlciJ9.b2Ytc29tZWJvZHktZWxzZQ"


def ask(
    server: Server, what: str, data: Any, key: str | None = None, **headers: str
) -> tuple[int, Any]:
    given = {"Origin": f"http://{server.authorities[0]}", "Content-Type": "application/json"}
    given |= {"X-Ssemedic-Key": key} if key else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(server.authorities[0], timeout=10)
    connection.request("POST", f"/api/{what}", json.dumps(data), given)
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, json.loads(body) if answer.status == 200 else body.decode()


def key_of(server: Server) -> str:
    status, told = ask(server, "session", {"secret": server.doors.secret})
    assert status == 200
    return str(told["key"])


def test_the_secret_opens_once(served: Server) -> None:
    key = key_of(served)
    assert ask(served, "hello", {}, key) == (200, {"ok": True})
    assert ask(served, "session", {"secret": served.doors.secret})[0] == 403
    assert ask(served, "hello", {}, key)[0] == 200  # and who came in stays in


@pytest.mark.parametrize("secret", ["", "x", None, 7, ["x"], "é"])
def test_a_wrong_secret_opens_nothing_and_does_not_use_it_up(served: Server, secret: Any) -> None:
    assert ask(served, "session", {"secret": secret})[0] == 403
    assert key_of(served)


@pytest.mark.parametrize("what", ["hello", "probe", "judge"])
@pytest.mark.parametrize("key", [None, "x", "é"])
def test_no_door_opens_without_the_key(served: Server, what: str, key: str | None) -> None:
    key_of(served)
    given = {"X_Ssemedic_Key": key.encode().decode("latin-1")} if key else {}
    assert ask(served, what, {}, **given)[0] == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "https://{own}", "http://127.0.0.1"]
)
def test_another_page_gets_in_nowhere(served: Server, origin: str) -> None:
    key = key_of(served)
    origin = origin.format(own=served.authorities[0])
    for what in ("session", "hello", "probe"):
        assert ask(served, what, {"secret": served.doors.secret}, key, Origin=origin)[0] == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "0.0.0.0:{port}", "evil.example:{port}"]
)
def test_a_name_that_resolves_here_gets_in_nowhere(served: Server, host: str) -> None:
    host = host.format(port=served.server_port)
    assert ask(served, "session", {"secret": served.doors.secret}, Host=host)[0] == 403
    connection = http.client.HTTPConnection(served.authorities[0], timeout=10)
    connection.request("GET", "/", headers={"Host": host})
    assert connection.getresponse().status == 403


def test_a_form_of_another_page_is_no_request_of_ours(served: Server) -> None:
    key = key_of(served)
    assert ask(served, "hello", {}, key, Content_Type="text/plain")[0] == 415


def test_the_prober_masks_the_token_and_what_events_say(served: Server, site: Start) -> None:
    def echo(asked: sites.Asked, connection: sites.CONNECTION) -> None:
        said = f'data: {{"secret": "of somebody", "url": "{asked.query}"}}\n\n'.encode()
        sites.stream(
            f"X-Echo: {asked.query}", f"X-Other: {OF_OTHERS}", say=lambda _n: said, events=2
        )(asked, connection)

    app = site({"/events": echo})
    asked = {"url": app.url(), "token": TOKEN, "transport": "query", "parameter": "access_token"}
    asked |= {"origin": f"http://{served.authorities[0]}", "window": 2}
    status, told = ask(served, "probe", asked, key_of(served))
    assert status == 200
    assert told["record"]["status"] == 200
    assert app.heard[0].query == f"access_token={TOKEN}"
    assert TOKEN not in json.dumps(told)
    assert "somebody" not in json.dumps(told)
    assert OF_OTHERS not in json.dumps(told)


def test_the_prober_refuses_what_is_no_url_of_a_stream(served: Server) -> None:
    key = key_of(served)
    asked = {"transport": "query", "parameter": "t", "origin": "http://x", "window": 2}
    for url in ("file:///etc/passwd", "http://user:pw@127.0.0.1/", "gopher://x/", "", "http://"):
        assert ask(served, "probe", {**asked, "url": url}, key)[0] == 400
    assert (
        ask(served, "probe", {**asked, "url": "http://127.0.0.1:9/", "window": 9999}, key)[0] == 400
    )
    assert ask(served, "judge", {"ssemedic_page": 1}, key)[0] == 400


def test_nothing_of_a_request_is_logged(served: Server, capfd: pytest.CaptureFixture[str]) -> None:
    ask(served, "session", {"secret": "x"})
    ask(served, f"probe?access_token={TOKEN}", {}, "x")
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")


def test_the_secret_leaves_the_address_and_the_history_at_once(
    chromium: Chromium, served: Server
) -> None:
    with chromium.page() as tab:
        tab.open(served.address)
        tab.until("document.body.dataset.ready === 'yes'")
        assert tab.run("location.href") == f"http://{served.authorities[0]}/"
        history = tab.call("Page.getNavigationHistory")
        urls = [entry["url"] for entry in history["entries"]]
        assert "is connected" in tab.run("document.getElementById('twin').textContent")
        assert not [url for url in urls if served.doors.secret in url]
        tab.call("Page.reload")
        tab.until("document.body && document.body.dataset.ready === 'yes'")
        assert "is connected" in tab.run("document.getElementById('twin').textContent")


class Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        self.inline += [name for name, _value in attrs if name.startswith("on") or name == "style"]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""


def test_the_file_loads_nothing_and_says_so() -> None:
    parts = Parts()
    parts.feed(write.text({"url": "http://x/</script><script>alert(1)</script>"}))
    assert parts.loads == ["data:,", "#results"]
    assert parts.inline == []
    assert parts.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in parts.policy
    assert write.text({"url": "</script>"}).count("</script>") == 2


def test_every_control_has_a_name_and_every_result_is_announced(
    chromium: Chromium, site: Start
) -> None:
    app = site({"/": sites.page(write.text({}))})
    with chromium.page() as tab:
        tab.open(app.url("/"))
        tab.call("Accessibility.enable")
        nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
        named = [
            node.get("name", {}).get("value", "")
            for node in nodes
            if node.get("role", {}).get("value") in ("button", "textbox", "combobox", "checkbox")
        ]
        assert len(named) >= 9
        assert all(named)
        lives = "[...document.querySelectorAll('[aria-live]')].map((one) => one.id)"
        assert set(tab.run(lives)) == {"verdict", "token-said"}
        assert tab.run("document.querySelectorAll('h1').length") == 1


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_has_contrast_enough(chromium: Chromium, site: Start, dark: bool) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1, measured on the colours in force."""
    app = site({"/": sites.page(write.text({}))})
    with chromium.page() as tab:
        tab.size(390, 800, dark)
        tab.open(app.url("/"))
        tab.run("for (const one of document.querySelectorAll('[hidden]')) one.hidden = false")
        poor = tab.run(_CONTRAST)
        wide = tab.run("document.documentElement.scrollWidth")
    assert poor == []
    assert wide <= 390


_CONTRAST = """(() => {
  const parse = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!own || node.closest('script, style, svg') || node.disabled) continue;
    const [one, two] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) found.push(`${node.tagName} ${node.textContent.trim().slice(0, 30)} ${ratio}`);
  }
  return found;
})()"""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"ssemedic_page": 2}',
        b'{"ssemedic_page": 1}',
        b"[" * 100_000,
        b'{"ssemedic_page": 1, "url": "http://x/", "page_origin": "x", "app_origin": "x", "at": 1,'
        b' "browser": "", "records": [{"hop": "nginx", "end": {"kind": "limit_time"}}]}',
        b'{"ssemedic_page": 1, "url": "javascript:x", "page_origin": "x", "app_origin": "x"}',
        b'{"ssemedic_page": 1, "url": "http://x/", "page_origin": "x", "app_origin": "x",'
        b' "at": 1e999, "browser": "", "records": 7}',
    ],
)
def test_a_file_that_is_no_result_is_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(PageResultError, match="page result: ") as refused:
        decode(content)
    assert "\n" not in re.sub(r"\s+$", "", str(refused.value))
