"""`ssemedic probe` through the real command, against real servers."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import jwt
import pytest
from scripted_server import Script, Serve, answering, held, send, wait_for_close

from ssemedic.probe.request import Request
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind
from tests.commands.conftest import Run

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Connection: close\r\n\r\n"
)
HOSTILE = "\x1b[2J\x1b]0;owned\x07 [bold]x[/bold] \u202eevil".encode()
JWT = jwt.encode({"sub": "u", "exp": 4_000_000_000, "workspace_id": "w1"}, "k" * 32, "HS256")

SecretFile = Callable[..., Path]


def names(xml: Path, tag: str) -> set[str]:
    root = ElementTree.fromstring(xml.read_text())
    return {case.get("name", "") for case in root.iter("testcase") if case.find(tag) is not None}


def test_a_healthy_stream_exits_0_and_says_when_the_first_event_came(
    serve: Serve, run: Run
) -> None:
    served = serve(held(HEAD, b": hi\n\n", 0.1, b"id: 7\ndata: one\n\n"))
    ran = run("probe", served.url, "--for", "600ms")
    assert ran.code == 0
    assert "comment    hi" in ran.out
    assert "event      id=7  one" in ran.out
    assert re.search(r"healthy: events come through, the first after 1\d\d ms", ran.out)
    assert "still open after 0.60 s" in ran.out
    assert "\x1b" not in ran.out


def test_phases_are_shown_once_and_in_order(serve: Serve, run: Run) -> None:
    out = run("probe", serve(held(HEAD)).url, "--for", "200ms").out
    seen = re.findall(r"\d s  (resolved|connected|sent|headers)", out)
    assert seen == ["resolved", "connected", "sent", "headers"]


def test_symptoms_exit_1(serve: Serve, run: Run) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"
    ran = run("probe", serve(send(page)).url, "--for", "1s")
    assert ran.code == 1
    assert ran.out.count("Content-Type is text/html, must be text/event-stream") == 2
    assert "html_instead" in ran.out


def test_nobody_there_exits_3(run: Run) -> None:
    ran = run("probe", "http://127.0.0.1:1/events", "--for", "1s")
    assert ran.code == 3
    assert "\nunknown: nobody listens" in ran.out


def test_an_accepted_symptom_does_not_fail(serve: Serve, run: Run, tmp_path: Path) -> None:
    denied = send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    report = tmp_path / "r.xml"
    words = ("--allow", "wrong_status", "--assert", "status=401", "--junit", str(report))
    ran = run("probe", serve(denied).url, "--for", "1s", *words)
    assert ran.code == 0, ran.out
    assert "wrong_status" in names(report, "skipped")
    assert not names(report, "failure")


@pytest.mark.parametrize(
    ("assertion", "code", "observed"),
    [
        ("first-event<500ms", 0, "ms"),
        ("first-event>0.5s", 1, "ms"),
        ("gap < 30s", 0, "a longer gap could not show"),
        ("events>=2", 1, "observed 1"),
        ("status=200", 0, "observed 200"),
        ("keepalive<1s", 1, "fewer than two keep-alives"),
        ("duration>=300ms", 0, "ms"),
    ],
)
def test_an_assertion_decides_the_exit_code(
    assertion: str, code: int, observed: str, serve: Serve, run: Run
) -> None:
    served = serve(held(HEAD, b": hi\n\n", b"data: one\n\n"))
    ran = run("probe", served.url, "--for", "300ms", "--assert", assertion)
    assert ran.code == code, ran.out
    told = ran.out.partition("Assertions")[2]
    assert observed in " ".join(told.split())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--assert", "latency<1s"], "'latency' is not known, must be one of connect, headers"),
        (["--assert", "gap"], "must look like first-event<1s"),
        (["--assert", "gap<soon"], "'soon' is no duration"),
        (["--assert", "status=2xx"], "'2xx' is no whole number"),
        (["--for", "later"], "--for: 'later' is no duration"),
        (["--for", "0"], "--for: is 0, must be more than 0"),
        (["--allow", "sadness"], "'sadness' is no symptom"),
        (["--hop", "http://127.0.0.1/"], "must look like NAME=URL"),
        (["--hop", "a=http://127.0.0.1/", "--hop", "a=http://127.0.0.1/"], "a name of its own"),
        (["--header", "X-Api-Key: abc"], "--header @FILE"),
        (["--header", "Authorization: Bearer x"], "every process list"),
        (["--header", "no colon"], "must look like 'Name: value'"),
        (["--proxy", "http://u:p@127.0.0.1:8"], "--proxy @FILE"),
        (["--token-file", "/nowhere"], "No such file"),
        (["--jwks", "/nowhere"], "--token-file must name one"),
        (["--experiment", "alchemy"], "must be one of gzip, versions"),
        (["--post", "/nowhere"], "--post /nowhere: No such file"),
        (["--connect", "nowhere"], "must be HOST:PORT"),
        (["--tls-name", "chat.example.org"], "the URL is not https"),
        (["--credentials"], "name it, --origin"),
        (["--origin", "https://a.example/x"], "must look like https://host[:port]"),
        (["--proxy-command", "x", "--connect", "a:1"], "neither --proxy nor --connect"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_sent(
    words: list[str], complaint: str, serve: Serve, run: Run
) -> None:
    served = serve(held(HEAD))
    ran = run("probe", served.url, *words)
    assert ran.code == 2
    assert complaint in ran.err
    assert not served.heard


@pytest.mark.parametrize("query", ["access_token=abcdef123", f"x={JWT}"])
def test_a_token_in_the_url_is_refused_and_not_repeated(query: str, serve: Serve, run: Run) -> None:
    served = serve(held(HEAD))
    for words in ([f"{served.url}?{query}"], [served.url, "--hop", f"app={served.url}?{query}"]):
        ran = run("probe", *words)
        assert ran.code == 2
        assert "--token-file" in ran.err
        assert query.partition("=")[2] not in ran.out + ran.err
    assert not served.heard


def test_the_request_is_the_one_asked_for(
    serve: Serve, run: Run, secret_file: SecretFile, tmp_path: Path
) -> None:
    served = serve(held(HEAD))
    body = tmp_path / "body.json"
    body.write_text('{"stream": true}')
    run(
        *("probe", "http://chat.test/events", "--for", "200ms", "--connect", served.address),
        *("--token-file", str(secret_file(JWT)), "--bearer", "--post", str(body)),
        *("--cookie-file", str(secret_file("session=abcdefgh; theme=dark", "cookie"))),
        *("--header", f"@{secret_file('X-Api-Key: 0123456789', 'header')}"),
        *("--header", "X-Trace: 1", "--origin", "https://app.test", "--last-event-id", "41"),
        *("--encoding", "gzip", "--http", "1.0"),
    )
    head, _blank, sent = served.heard[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /events HTTP/1.0"
    assert sent == b'{"stream": true}'
    assert {
        "Host: chat.test",
        f"Authorization: Bearer {JWT}",
        "Cookie: session=abcdefgh; theme=dark",
        "X-Api-Key: 0123456789",
        "X-Trace: 1",
        "Origin: https://app.test",
        "Last-Event-ID: 41",
        "Accept-Encoding: gzip",
        "Content-Type: application/json",
    } <= set(lines)


def test_a_body_may_come_from_standard_input(serve: Serve, run: Run) -> None:
    served = serve(held(HEAD))
    run("probe", served.url, "--for", "200ms", "--post", "-", stdin=b"hello")
    assert served.heard[0].endswith(b"\r\n\r\nhello")


def echo(coding: str) -> Callable[..., None]:
    """A server that sends back every secret it can, in every place it can."""
    secrets = f"{JWT} abcdefgh 0123456789"
    stream = f": {secrets}\n\nevent: {JWT}\nid: {JWT}\ndata: {secrets}\n\n".encode()
    body = gzip.compress(stream) if coding else stream
    lines = [
        "HTTP/1.1 200 OK",
        "Content-Type: text/event-stream",
        f"X-Echo: {JWT}",
        f"Set-Cookie: session=abcdefgh; token={JWT}",
        *([f"Content-Encoding: {coding}"] if coding else []),
        "Connection: close",
    ]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return send(head, body[:20], 0.05, body[20:], 0.1)


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_no_form_of_the_report_holds_a_secret(
    coding: str, serve: Serve, run: Run, secret_file: SecretFile, tmp_path: Path
) -> None:
    served = serve(echo(coding))
    files = {form: tmp_path / f"report.{form}" for form in ("json", "har", "svg", "junit")}
    ran = run(
        *("probe", served.url, "--for", "1s", "--encoding", coding or "identity"),
        *("--token-file", str(secret_file(JWT))),
        *("--cookie-file", str(secret_file("session=abcdefgh", "cookie"))),
        *("--header", f"@{secret_file('X-Api-Key: 0123456789', 'header')}"),
        *(word for form, path in files.items() for word in (f"--{form}", str(path))),
    )
    texts = {"terminal": ran.out + ran.err, **{f: p.read_text() for f, p in files.items()}}
    record = json.loads(texts["json"])["hops"][0]["record"]
    texts["body"] = base64.b64decode(record["body"]).decode()
    assert JWT.encode() in served.heard[0], "the server had it"
    assert len(json.loads(texts["json"])["hops"][0]["parsed"]["events"]) == 1
    payload = JWT.split(".")[1]
    for form, text in texts.items():
        for secret in (JWT, payload, "abcdefgh", "0123456789"):
            assert secret not in text, f"{secret} in {form}"
    for path in files.values():
        assert path.stat().st_mode & 0o777 == 0o600


def test_hostile_events_cannot_steer_the_terminal(serve: Serve, run: Run) -> None:
    event = b"event: " + HOSTILE + b"\ndata: " + HOSTILE + b"\n\n"
    ran = run("probe", serve(send(HEAD, event, b":" + HOSTILE + b"\n")).url, "--for", "1s")
    assert ran.out.count("\\x1b[2J\\x1b]0;owned\\x07 [bold]x[/bold] \\u202eevil") == 3
    assert is_inert(ran.out + ran.err)


def test_hostile_headers_are_harmless_in_every_form(serve: Serve, run: Run, tmp_path: Path) -> None:
    kind = b"Content-Type: text/" + HOSTILE + b"<b>&\r\n"
    head = b"HTTP/1.1 200 OK\r\n" + kind + b"Content-Length: 2\r\n\r\nhi"
    svg, xml = tmp_path / "a.svg", tmp_path / "a.xml"
    ran = run("probe", serve(send(head)).url, "--for", "1s", "--svg", str(svg), "--junit", str(xml))
    assert "\\x1b[2J" in ran.out
    assert is_inert(ran.out + ran.err + svg.read_text() + xml.read_text())
    ElementTree.fromstring(svg.read_text())
    ElementTree.fromstring(xml.read_text())


def is_inert(text: str) -> bool:
    return not [c for c in text if (ord(c) < 32 and c != "\n") or c == "\u202e"]


def test_json_on_standard_output_is_only_json_and_reads_back_as_a_record(
    serve: Serve, run: Run
) -> None:
    served = serve(held(HEAD, b": hi\n\n", b"id: 7\nevent: chat\ndata: one\n\n"))
    ran = run("probe", served.url, "--for", "300ms", "--json", "-")
    data = json.loads(ran.out)
    assert "healthy" in ran.err
    assert (data["schema"], data["verdict"], data["exit_code"]) == (1, "healthy", 0)
    event = data["hops"][0]["parsed"]["events"][0]
    assert (event["type"], event["id"], event["data"]) == ("chat", "7", "one")
    stream = Stream.from_dict(data["hops"][0]["record"])
    assert stream.body.endswith(b"data: one\n\n")
    assert stream.end.kind == "limit_time"


def test_har_has_the_reads_and_the_events(serve: Serve, run: Run, tmp_path: Path) -> None:
    served = serve(held(HEAD, b": hi\n\n", 0.1, b"data: one\n\n"))
    path = tmp_path / "a.har"
    run("probe", f"{served.url}?chat=1", "--for", "300ms", "--har", str(path))
    log = json.loads(path.read_text())["log"]
    assert log["version"] == "1.2"
    entry = log["entries"][0]
    assert entry["request"]["queryString"] == [{"name": "chat", "value": "1"}]
    assert entry["response"]["status"] == 200
    assert [event["data"] for event in entry["_events"]] == ["one"]
    assert 100 <= entry["_events"][0]["time"] < 300
    assert sum(read["size"] for read in entry["_reads"]) == len(b": hi\n\ndata: one\n\n")
    spent = sum(t for name, t in entry["timings"].items() if t > 0 and name != "ssl")
    assert entry["time"] == pytest.approx(spent)
    assert 290 <= entry["time"] < 500


def test_junit_has_a_case_for_each_assertion_and_each_kind(
    serve: Serve, run: Run, tmp_path: Path
) -> None:
    served = serve(send(HEAD, b"data: one\n\n", 0.1))
    path = tmp_path / "a.xml"
    words = ("--assert", "events=1", "--assert", "events=2", "--junit", str(path))
    assert run("probe", served.url, "--for", "1s", *words).code == 1
    root = ElementTree.fromstring(path.read_text())
    cases = [case.get("name") for case in root.iter("testcase")]
    assert cases == ["events=1", "events=2", *Kind]
    assert names(path, "failure") == {"events=2", "ended"}
    assert {"buffered", "canary_lost", "missing_cors"} <= names(path, "skipped")


def test_junit_of_nobody_is_an_error_and_passes_nothing_it_did_not_see(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.xml"
    run("probe", "http://127.0.0.1:1/", "--for", "1s", "--junit", str(path))
    assert names(path, "error") == {"reached"}
    assert {"closed_at_once", "wrong_status", "cut_after"} <= names(path, "skipped")


def test_hops_are_compared_and_have_a_row_each(serve: Serve, run: Run, tmp_path: Path) -> None:
    app = serve(held(HEAD, *[part for n in range(40) for part in (b"data: %d\n\n" % n, 0.1)]))
    proxy = serve(held(HEAD, 4.2, b"data: all at once\n\n" * 30))
    path = tmp_path / "a.svg"
    words = ("--hop", f"origin={app.url}", "--for", "4.5s", "--svg", str(path))
    ran = run("probe", proxy.url, *words)
    assert ran.code == 1
    assert "buffered" in ran.out
    rows = re.findall(r"^  (origin|public) +\S", ran.out, re.MULTILINE)
    assert rows == ["origin", "public"]
    picture = path.read_text()
    assert 30 <= picture.count('class="read"') <= 45
    assert ">origin</text>" in picture
    assert "without a byte" in picture
    assert not re.search(r"(?i)<script|href|url\(|@import|<image", picture)
    assert "prefers-color-scheme: dark" in picture
    assert "var(" not in picture, "what draws pictures outside a browser knows no variables"


def test_a_hop_that_is_down_is_found_before_the_url_is_blamed(serve: Serve, run: Run) -> None:
    bad = serve(send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"))
    ran = run("probe", bad.url, "--for", "1s", "--hop", "app=http://127.0.0.1:1/events")
    assert ran.code == 1
    assert "broken: app: nobody listens" in ran.out
    assert "(in consequence)" in ran.out


def test_a_redirect_is_followed_as_a_browser_does(serve: Serve, run: Run) -> None:
    there = serve(held(HEAD, b"data: one\n\n"))
    head = f"HTTP/1.1 307 Moved\r\nLocation: {there.url}\r\nContent-Length: 0\r\n\r\n"
    ran = run("probe", serve(send(head.encode())).url, "--for", "500ms")
    assert ran.code == 0, ran.out
    assert f"307 Moved to {there.url}" in ran.out


def test_a_firehose_is_counted_not_printed(serve: Serve, run: Run) -> None:
    ran = run("probe", serve(held(HEAD, b"data: x\n\n" * 2000)).url, "--for", "500ms")
    assert len(ran.out.splitlines()) < 60
    assert re.search(r"\.\.\. 19\d\d lines more", ran.out)
    assert "2000 events" in ran.out


@pytest.mark.parametrize(("secret", "code"), [("k" * 32, 0), ("x" * 32, 1)])
def test_a_key_set_is_fetched_and_the_token_verified(
    secret: str, code: int, serve: Serve, run: Run, secret_file: SecretFile
) -> None:
    coded = base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    body = json.dumps({"keys": [{"kty": "oct", "k": coded}]}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    keys = serve(send(answer))
    words = ("--token-file", str(secret_file(JWT)), "--jwks", f"http://{keys.address}/jwks")
    ran = run("probe", serve(held(HEAD, b"data: x\n\n")).url, "--for", "200ms", *words)
    assert ran.code == code
    said = "the signature is good" if code == 0 else "another key signed it, or it was altered"
    assert said in " ".join(ran.out.split())
    assert JWT not in ran.out


def test_the_token_is_judged_by_the_clock_of_the_server(
    serve: Serve, run: Run, secret_file: SecretFile
) -> None:
    head = HEAD.replace(b"Cache", b"Date: Thu, 01 Jan 2099 00:00:00 GMT\r\nCache")
    token = jwt.encode({"exp": int(time.time()) + 600}, "k" * 32, "HS256")
    words = ("--for", "200ms", "--token-file", str(secret_file(token)))
    ran = run("probe", serve(held(head, b"data: x\n\n")).url, *words)
    assert "by the server's clock it expired" in ran.out
    assert "ahead of our clock" in ran.out


def test_experiments_are_shown_with_what_they_say(serve: Serve, run: Run) -> None:
    served = serve(held(HEAD, b"data: one\n\n"))
    ran = run("probe", served.url, "--for", "300ms", "--experiment", "many")
    assert ran.code == 0, ran.out
    assert "7 of 7 streams of one client opened" in ran.out


def test_many_streams_are_held_and_counted(serve: Serve, run: Run) -> None:
    served = serve(held(HEAD, b"data: one\n\n"))
    words = ("--streams", "5", "--ramp", "200ms", "--for", "1s", "--json", "-")
    ran = run("probe", served.url, *words)
    assert ran.code == 0, ran.err
    assert "5 of 5 streams opened" in ran.err
    assert json.loads(ran.out)["opened"] == 5


def test_many_streams_to_another_machine_need_consent(run: Run) -> None:
    ran = run("probe", "http://192.0.2.1/events", "--streams", "5", "--ramp", "0s", "--for", "1s")
    assert ran.code == 2
    assert "--yes" in ran.err


def test_ctrl_c_ends_the_look_and_still_gives_the_verdict(serve: Serve) -> None:
    def script(connection: object) -> None:
        send(HEAD, b"data: one\n\n")(connection)  # type: ignore[arg-type]
        wait_for_close(connection)  # type: ignore[arg-type]

    command = [sys.executable, "-m", "ssemedic", "probe", serve(script).url, "--for", "60s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = ""
        while "one" not in seen:
            seen = process.stdout.readline()
            assert seen, "ended early"
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "healthy: events come through" in rest


def test_on_a_terminal_the_strip_grows_and_no_color_keeps_it_plain(serve: Serve) -> None:
    url = serve(held(HEAD, *[part for _ in range(9) for part in (b"data: x\n\n", 0.1)])).url
    moving = on_a_terminal(url, {})
    plain = on_a_terminal(url, {"NO_COLOR": "1"})
    assert b"quiet for" in moving
    assert b"\x1b[2K" in moving
    assert b"\x1b[" not in plain
    assert b"healthy" in moving
    assert b"healthy" in plain


def on_a_terminal(url: str, environment: dict[str, str]) -> bytes:
    """What the command writes to a terminal of its own."""
    ours, theirs = os.openpty()
    known = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "CI")}
    with subprocess.Popen(
        [sys.executable, "-m", "ssemedic", "probe", url, "--for", "1s"],
        stdout=theirs,
        env={**known, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(theirs)
        data, ends = b"", time.monotonic() + 20
        while time.monotonic() < ends:
            try:
                data += os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
    os.close(ours)
    assert process.returncode == 0
    return data


def test_the_refusal_of_secret_headers_does_not_show_them(run: Run) -> None:
    ran = run("probe", "http://127.0.0.1:1/", "--header", "Authorization: Bearer sesame-123")
    assert "sesame" not in ran.err
    assert Request(hop="x", url="http://127.0.0.1:1/").secrets() == []


def test_what_is_worth_a_remark_is_told_too(serve: Serve, run: Run) -> None:
    """nginx hides this header from an app, so at the client it was set at the wrong hop."""
    wrong = HEAD.replace(
        b"Connection: close", b"Server: nginx\r\nX-Accel-Buffering: no\r\nConnection: close"
    )
    ran = run("probe", serve(held(wrong, b"data: x\n\n")).url, "--for", "500ms")
    assert ran.code == 1
    assert "wrong_hop_header" in ran.out
    accepted = run(
        "probe",
        serve(held(wrong, b"data: x\n\n")).url,
        "--for",
        "500ms",
        "--allow",
        "wrong_hop_header",
    )
    assert accepted.code == 0


def test_the_message_of_an_experiment_is_described_in_a_file(
    serve: Serve, run: Run, tmp_path: Path
) -> None:
    described = tmp_path / "message.json"
    described.write_text(json.dumps({"path": "/messages", "body": {"text": "hello"}}))
    refused = send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def choose(asked: bytes) -> Script:
        return refused if asked.startswith(b"POST /messages") else held(HEAD, b"data: x\n\n")

    served = serve(answering(choose), read_request=False)
    words = ("--for", "500ms", "--experiment", "fanout", "--message", str(described))
    ran = run("probe", served.url, *words, "--parallel", "2")
    assert "POST /messages answered 404" in ran.out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "--message"),
        ('{"body": {}}', "path that starts with /"),
        ('["a"]', "must be an object"),
    ],
)
def test_a_message_file_that_cannot_be_used_is_refused(
    run: Run, tmp_path: Path, content: str, says: str
) -> None:
    described = tmp_path / "message.json"
    described.write_text(content)
    ran = run("probe", "http://127.0.0.1:1/", "--experiment", "fanout", "--message", str(described))
    assert ran.code == 2
    assert says in ran.err


def test_the_name_in_tls_may_differ_from_the_urls(
    serve: Serve, run: Run, certificate: Path, server_context: ssl.SSLContext
) -> None:
    served = serve(held(HEAD, b"data: x\n\n"), context=server_context)
    words = ("--connect", served.address, "--ca", str(certificate), "--for", "300ms")
    url = "https://other.test/events"
    assert run("probe", url, *words).code == 1
    assert run("probe", url, *words, "--tls-name", "stream.test").code == 0
    assert b"\r\nHost: other.test\r\n" in served.heard[-1]


def test_a_page_that_sends_cookies_must_be_named(serve: Serve, run: Run) -> None:
    anyone = HEAD[:-2] + b"Access-Control-Allow-Origin: *\r\n\r\n"
    served = serve(held(anyone, b"data: x\n\n"))
    words = ("--origin", "https://app.test", "--for", "200ms")
    assert run("probe", served.url, *words).code == 0
    assert run("probe", served.url, *words, "--credentials").code == 1


@pytest.mark.parametrize(
    ("answer", "accepts", "code", "said"),
    [
        (b"200 OK\r\nContent-Type: application/json\r\n", True, 0, "the request accepts"),
        (b"202 Accepted\r\n", True, 0, "the request accepts"),
        (b"200 OK\r\nContent-Type: application/json\r\n", False, 1, "text/event-stream"),
        (b"202 Accepted\r\n", False, 1, "must be 200"),
        (b"404 Not Found\r\nContent-Type: application/json\r\n", True, 1, "must be 200"),
        (b"200 OK\r\nContent-Type: text/html\r\n", True, 1, "text/html"),
    ],
)
def test_a_post_may_be_answered_with_another_type_that_it_accepts(
    answer: bytes, accepts: bool, code: int, said: str, serve: Serve, run: Run, tmp_path: Path
) -> None:
    # As a server of MCP's streamable HTTP answers what needs no stream.
    served = serve(send(b"HTTP/1.1 " + answer + b"Content-Length: 0\r\n\r\n"))
    body = tmp_path / "call.json"
    body.write_text('{"jsonrpc": "2.0", "method": "ping", "id": 1}')
    header = ["--header", "Accept: application/json, text/event-stream"] if accepts else []
    ran = run("probe", served.url, "--post", str(body), "--for", "500ms", *header)
    assert ran.code == code, ran.out
    assert said in " ".join(ran.out.split())


def test_bytes_without_an_event_are_not_called_none(serve: Serve, run: Run) -> None:
    ran = run("probe", serve(held(HEAD, b"retry: 3000\n\n")).url, "--for", "300ms")
    assert ran.code == 0
    assert "no event and no comment in" in ran.out


def test_a_failed_handshake_has_no_status_to_show(serve: Serve, run: Run) -> None:
    served = serve(held(b"HTTP/1.1 400 x\r\n\r\n"), read_request=False)
    ran = run("probe", served.url.replace("http:", "https:"), "--for", "300ms")
    assert "None" not in ran.out
