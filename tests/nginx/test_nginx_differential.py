"""What the model says of random configurations is what a running nginx does."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from asked_nginx import FILES, Answered, Running, as_sent, asking
from differential_configs import TARGETS, Writer
from real_nginx import RealNginx, free_ports

from ssemedic.nginx import Route
from ssemedic.nginx.asked import asked

RUNS, SERVERS, ASKED = 4, 100, 10  # 400 configurations, 4,000 questions


@pytest.fixture(scope="module")
def live(
    nginx: RealNginx, echo: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Running]]:
    with ExitStack() as running:
        found = []
        for number, port in enumerate(free_ports(RUNS)):
            writer = Writer(1000 + number, port, echo)
            names = [f"case{i}.test" for i in range(SERVERS)]
            text = writer.http(number) + "".join(map(writer.server, names))
            root = tmp_path_factory.mktemp("differential")
            found.append(running.enter_context(asking(nginx, root, port, text)))
        yield found


def differences(live: Running, host: str, target: str) -> list[str]:
    """What nginx did that the model did not say."""
    said, did = live.says(host, target), live.ask(host, target)
    wrong = list(_judged(live, host, said, did))
    if not wrong:
        return []
    label = said.location.label if said.location else "no location"
    seen = f"{host}{target}: {said.serves} {label} {said.status} {said.notes}; nginx {did.status}"
    return [f"{seen}: {line}" for line in wrong]


def _judged(live: Running, host: str, said: Route, did: Answered) -> Iterator[str]:
    mark = said.setting("keepalive_timeout").values[0][1]
    # After a 500 nginx closes the connection and says nothing of keeping it.
    if did.header("keep-alive") != f"timeout={mark}" and did.status != 500:
        yield f"settings of mark {mark}, nginx: {did.header('keep-alive')}"
        return
    added = [(name.lower(), value) for name, value, _ in said.added_headers(did.status)]
    seen = [(name, value) for name, value in did.headers if name.startswith("x-a-")]
    if len(added) != len(seen) or any(
        a != s and not (a[1] is None and a[0] == s[0]) for a, s in zip(added, seen, strict=False)
    ):
        yield f"add_header {added}, nginx: {seen}"
    if said.serves == "proxy":
        yield from _passed(live, host, said, did)
    elif said.serves == "static":
        there = re.sub("//+", "/", said.file or "") in FILES
        if (b"page" in _text(did)) != there:
            yield f"file {said.file}, nginx: {did.body[:60]!r}"
    elif did.status != said.status:
        yield f"status {said.status}"
    elif said.redirect is not None:
        absolute = said.setting("absolute_redirect").first == "on"
        start = f"http://{host}:{live.port}" if absolute and said.redirect[0] == "/" else ""
        if did.header("location") != start + said.redirect:
            yield f"Location {start + said.redirect}, nginx: {did.header('location')}"


def _text(did: Answered) -> bytes:
    if did.header("content-encoding") == "gzip":
        return gzip.decompress(did.body)
    return did.body


def _passed(live: Running, host: str, said: Route, did: Answered) -> Iterator[str]:
    if " " in (said.uri_passed or ""):
        return  # what comes of $uri with a space is no request line
    body = _text(did)
    if did.status != (said.status or 200) or not body.startswith(b"{"):
        yield f"passes to {said.targets}, nginx: {body[:60]!r}"
        return
    told = json.loads(body)
    told = {**told, "target": as_sent(told["target"])}
    if told["target"] != said.uri_passed:
        yield f"passes {said.uri_passed!r}, nginx: {told['target']!r}"
    if told["version"] != "HTTP/" + said.setting("proxy_http_version").first:
        yield f"HTTP version, nginx: {told['version']}"
    sets = said.setting("proxy_set_header")
    connection = sets.keyed("Connection") or ("",)
    if told["headers"].get("connection", "") != connection[0]:
        yield f"Connection {connection}, nginx: {told['headers'].get('connection')}"
    want = {args[0].lower(): args[1] for args in sets.values if args[0].startswith("X-P-")}
    got = {k: as_sent(v) for k, v in told["headers"].items() if k.startswith("x-p-")}
    values = {name: said.variables.expand(text) for name, text in want.items()}
    if {k: v for k, v in values.items() if v != ""} != got:
        yield f"proxy_set_header {values}, nginx: {got}"
    written = (sets.keyed("Host") or ("",))[0]
    if written != "$proxy_host" and said.variables.expand(written) != told["headers"]["host"]:
        yield f"Host {written}, nginx: {told['headers']['host']}"
    asks = asked(said)
    if asks is None:
        yield "what it asks is not known"
    else:
        for name, value in asks.headers:
            sent = as_sent(told["headers"].get(name.lower(), ""))
            if sent != value:
                yield f"asks with {name}: {value}, nginx: {sent}"
    if ("accept" in told["headers"]) != (said.setting("proxy_pass_request_headers").first == "on"):
        yield f"request headers, nginx: {told['headers']}"
    hidden = said.setting("proxy_hide_header").words
    for number in (1, 2, 3):
        if (f"x-app-{number}" in hidden) == (did.header(f"x-app-{number}") is not None):
            yield f"hides {hidden}, nginx: {did.headers}"
    if ("server" in said.setting("proxy_pass_header").words) != (did.header("server") == "echo"):
        yield f"proxy_pass_header, nginx: {did.header('server')}"
    zipped = (
        said.setting("gzip").first == "on"
        and bool({"*", "application/json"} & said.setting("gzip_types").words)
        and int(said.setting("gzip_min_length").first) <= 20
        and did.status in (200, 403, 404)
    )
    if zipped != (did.header("content-encoding") == "gzip"):
        yield f"gzip {zipped}, nginx: {did.header('content-encoding')}"


def report(live: Running, wrong: list[str]) -> str:
    """The first differences, each with the server it was seen at."""
    out = []
    for line in wrong[:40]:
        name = re.match(r"(\S+?)/", line)
        content = next(iter(live.tree.sources.values())).content.decode()
        server = next(
            (s for s in content.split("server {\n") if name and f"server_name {name[1]};" in s), ""
        )
        out.append(f"{line}\nserver {{\n{server}")
    return "\n".join(out)


@pytest.mark.parametrize("number", range(RUNS))
def test_random_configurations_do_what_the_model_says(live: list[Running], number: int) -> None:
    chooser = random.Random(number)
    one = live[number]
    questions = [
        (f"case{i}.test", target)
        for i in range(SERVERS)
        for target in chooser.sample(TARGETS, ASKED)
    ]
    with ThreadPoolExecutor(4) as pool:
        told = pool.map(lambda q: differences(one, *q), questions)
        wrong = [line for lines in told for line in lines]
    assert not wrong, f"{len(wrong)} differences of {len(questions)}:\n{report(one, wrong)}"
