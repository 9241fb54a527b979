"""fastcgi_, uwsgi_, scgi_ and proxy_ directives: inherited, replaced and in force as in nginx."""

# ruff: noqa: E501 - configurations are easier to read unbroken
from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from asked_nginx import Running, asking
from gateways import HANDLERS, PAUSE, gateways
from real_nginx import RealNginx, free_ports

FAMILIES = tuple(HANDLERS)
SERVERS = 96
_PARAM = {"proxy": "proxy_set_header X-P-{0} {1}", "scgi": "scgi_param X_P_{0} {1}",
          "uwsgi": "uwsgi_param X_P_{0} {1}", "fastcgi": "fastcgi_param X_P_{0} {1}"}  # fmt: skip
_SEEN = {"proxy": "HTTP_X_P_", "scgi": "X_P_", "uwsgi": "X_P_", "fastcgi": "X_P_"}


def _lines(pick: random.Random, chance: float, level: str) -> str:
    out = []
    for family in FAMILIES:
        if pick.random() < chance:
            out.append(
                _PARAM[family].format(pick.randint(1, 3), f"{level}{pick.randint(1, 99)}") + ";"
            )
        if pick.random() < chance:
            out.append(f"{family}_buffering {pick.choice(('on', 'off'))};")
        if pick.random() < chance / 2:
            more = f"{family}_hide_header X-App-2;" * (pick.random() < 0.5)
            out.append(f"{family}_hide_header X-App-1; {more}")
        if pick.random() < chance / 2:
            out.append(f"{family}_pass_request_headers off;")
    return " ".join(out)


def _server(pick: random.Random, name: str, port: int, apps: dict[str, int]) -> str:
    family = pick.choice(FAMILIES)
    scheme = "http://" if family == "proxy" else ""
    handler = f"{family}_pass {scheme}127.0.0.1:{apps[family]};"
    if family in ("scgi", "uwsgi", "fastcgi"):
        handler += f" {family}_param DOCUMENT_URI $document_uri;" * (pick.random() < 0.5)
    inner = f"location /a/ {{ {_lines(pick, 0.2, 'l')} {handler} }}"
    outer = _lines(pick, 0.15, "o")
    shape = pick.choice((
        inner,
        f"location / {{ {outer} {inner} }}",
        f"location /a/ {{ {outer} try_files /nope @app; }} location @app {{ {_lines(pick, 0.2, 'n')} {handler} }}",
        f"location /a/ {{ {outer} rewrite ^/a/(.*) /b/$1 last; }} location /b/ {{ {_lines(pick, 0.2, 'b')} {handler} }}",
        f"location /a/ {{ {outer} {handler} if ($args = x) {{ add_header X-A 1; }} }}",
        f"location /a/ {{ {outer} error_page 418 = @app; return 418; }} location @app {{ {_lines(pick, 0.2, 'n')} {handler} }}",
    ))  # fmt: skip
    return f"server {{ listen 127.0.0.1:{port}; server_name {name};\n {_lines(pick, 0.15, 's')}\n {shape} }}\n"


@pytest.fixture(scope="module")
def live(nginx: RealNginx, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    (port,), pick = free_ports(1), random.Random(11)
    with gateways() as apps:
        http = "uwsgi_param X_P_4 http; fastcgi_hide_header X-App-2; scgi_buffering off;"
        text = http + "".join(_server(pick, f"f{i}.test", port, apps) for i in range(SERVERS))
        with asking(nginx, tmp_path_factory.mktemp("families"), port, text) as one:
            yield one


def _different(live: Running, host: str, target: str) -> str:
    said, did = live.says(host, target), live.ask(host, target)
    if said.serves != "proxy" or not did.body.startswith(b"{"):
        return f"{host}{target}: {said.serves} {said.family}; nginx: {did}"
    asked, family = json.loads(did.body), said.family
    name = {"proxy": "proxy_set_header"}.get(family, f"{family}_param")
    start = {"proxy": "X-P-"}.get(family, "X_P_")
    want = {
        _SEEN[family] + a[0][4:]: a[1] for a in said.setting(name).values if a[0].startswith(start)
    }
    got = {k: v for k, v in asked.items() if k.startswith(_SEEN[family])}
    if want != got:
        return f"{host}{target}: {name} {want}; nginx: {got}"
    hidden = said.stream_setting("hide_header").words
    for number in (1, 2):
        if (f"x-app-{number}" in hidden) == (did.header(f"x-app-{number}") is not None):
            return f"{host}{target}: {family} hides {hidden}; nginx: {did.headers}"
    passes = said.stream_setting("pass_request_headers").first == "on"
    if passes != ("HTTP_ACCEPT" in asked):
        return f"{host}{target}: {family} passes headers {passes}; nginx: {asked}"
    return ""


def test_parameters_and_hidden_headers_of_every_family(live: Running) -> None:
    questions = [(f"f{i}.test", t) for i in range(SERVERS) for t in ("/a/x", "/a/x?x")]
    with ThreadPoolExecutor(4) as pool:
        different = [line for line in pool.map(lambda q: _different(live, *q), questions) if line]
    families = {live.says(*q).family for q in questions}
    assert families == set(FAMILIES)
    content = next(iter(live.tree.sources.values())).content.decode()
    seen = [
        s for s in content.split("server {") if different and f" {different[0].split('/')[0]};" in s
    ]
    assert not different, f"{len(different)}\n" + "\n".join(different[:5] + seen)


def _comes_at_once(live: Running, host: str, target: str) -> bool:
    """True if anything of the answer arrives long before the app has ended it."""
    with socket.create_connection(("127.0.0.1", live.port), 5) as client:
        client.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        client.settimeout(PAUSE * 0.6)
        try:
            first = bool(client.recv(1))
        except TimeoutError:
            first = False
        client.settimeout(5)
        while client.recv(65536):
            pass
        return first


def test_buffering_holds_back_what_ends_with_the_connection(live: Running) -> None:
    def wrong(host: str) -> str:
        said = live.says(host, "/a/stream")
        buffering = said.stream_setting("buffering")
        told = any("DOCUMENT_URI" in a for a in said.setting(f"{said.family}_param").values)
        if not told and said.family != "proxy":
            return ""  # the app does not know that it should stream
        at_once = buffering.first == "off"  # by FastCGI's records too: they free nothing
        did = _comes_at_once(live, host, "/a/stream")
        return "" if did == at_once else f"{host}: {said.family} {buffering}; nginx at once: {did}"

    with ThreadPoolExecutor(24) as pool:
        different = [
            line for line in pool.map(wrong, [f"f{i}.test" for i in range(SERVERS)]) if line
        ]
    assert not different, "\n".join(different)
