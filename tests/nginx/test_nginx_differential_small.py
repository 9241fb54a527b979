"""All small configurations there are: locations in twos and threes, servers on addresses."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asked_nginx import Running, asking
from real_nginx import RealNginx, free_ports, main_conf

from ssemedic.nginx import route, tree_of

HEADS = (
    "= /a", "/a", "^~ /a/", "/a/b", "~ ^/a", "~* B$", "/", "= /a/b", "~ /b", "/a/",
)  # fmt: skip
TARGETS = ("/", "/a", "/a/", "/a/b", "/A/B", "/a/bb", "/b")
NAMES = (
    "a.test", "*.a.test", ".a.test", "b.a.test", "www.a.*", "a.*", "~^[ab]\\.", "~(?<x>c)\\.test$",
    "~^.*$", "B.A.test", '""',
)  # fmt: skip
HOSTS = (
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "www.a.test",
    "a.org",
    "www.a.org",
    "c.test",
    "z",
    "A.TEST",
)
LISTENS = (
    "127.0.0.1:{0}", "127.0.0.2:{0}", "{0}", "*:{0}", "[::1]:{0}", "[::]:{0}",
    "127.0.0.1:{0} default_server", "{0} default_server", "[::]:{0} default_server",
)  # fmt: skip
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1")


def _marked(count: Iterator[int], head: str, inner: str, echo: int) -> str:
    pass_to = f"proxy_pass http://127.0.0.1:{echo};" if head.endswith("/") else "return 204;"
    return f"location {head} {{ keepalive_timeout 60 {next(count)}; {pass_to} {inner} }}"


def _fits(outer: str, inner: str) -> bool:
    if outer.startswith("~"):
        return inner.startswith("~")
    return inner.startswith("~") or inner.split()[-1].startswith(outer.split()[-1])


def _twice(heads: tuple[str, ...]) -> bool:
    """nginx takes "/a/" and "^~ /a/" for the same location."""
    return {"/a/", "^~ /a/"} <= set(heads)


def _bodies(echo: int) -> Iterator[str]:
    """Every pair in both orders, every three in two orders, every nesting of two beside one."""
    count = itertools.count(1)
    orders = [*itertools.permutations(HEADS, 2)]
    orders += [o for three in itertools.combinations(HEADS, 3) for o in (three, three[::-1])]
    for heads in itertools.filterfalse(_twice, orders):
        yield "\n".join(_marked(count, head, "", echo) for head in heads)
    for outer, inner, beside in itertools.permutations(HEADS, 3):
        if beside[0] not in "~^" or outer.startswith("=") or not _fits(outer, inner):
            continue
        if not _twice((outer, inner, beside)):
            inside = _marked(count, inner, "", echo)
            yield _marked(count, outer, inside, echo) + "\n" + _marked(count, beside, "", echo)


@pytest.fixture(scope="module")
def small(
    nginx: RealNginx, echo: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, int]]:
    (port,) = free_ports(1)
    bodies = list(_bodies(echo))
    text = "server_names_hash_max_size 16384; server_names_hash_bucket_size 128;\n" + "".join(
        f"server {{ listen 127.0.0.1:{port}; server_name small{i}.test;\n"
        f"keepalive_timeout 60 9{i}; {body} }}\n"
        for i, body in enumerate(bodies)
    )
    with asking(nginx, tmp_path_factory.mktemp("small"), port, text) as live:
        yield live, len(bodies)


def test_every_small_set_of_locations_is_chosen_from_as_nginx_does(
    small: tuple[Running, int],
) -> None:
    live, number = small
    pick = random.Random(3)
    questions = [(f"small{i}.test", t) for i in range(number) for t in pick.sample(TARGETS, 4)]

    def wrong(host: str, target: str) -> str:
        said, did = live.says(host, target), live.ask(host, target)
        mark = f"timeout={said.setting('keepalive_timeout').values[0][1]}"
        if did.header("keep-alive") == mark and said.status in (None, did.status):
            return ""
        return f"{host}{target}: {said.location}, {mark} {said.status}; nginx: {did}"

    with ThreadPoolExecutor(4) as pool:
        different = [line for line in pool.map(lambda q: wrong(*q), questions) if line]
    assert number > 400
    assert not different, "\n".join(different[:10])


def _servers(seed: int, port: int) -> str:
    pick = random.Random(seed)
    out: list[str] = []
    defaults: set[str] = set()
    for i in range(pick.randint(2, 6)):
        lines: list[str] = []
        seen: set[str] = set()
        for listen in pick.sample(LISTENS, pick.randint(1, 3)):
            address = listen.split(":{0}")[0].split()[0].replace("{0}", "*")
            real = {address.strip("[]")}
            if real & seen or ("default" in listen and real & defaults):
                continue
            seen |= real
            if "default" in listen:
                defaults |= real
            lines.append(f"listen {listen.format(port)};")
        lines = lines or [f"listen 127.0.0.3:{port};"]
        names = " ".join(pick.sample(NAMES, pick.randint(1, 3)))
        named = f"server_name {names};" if pick.random() < 0.9 else ""
        out.append(
            f"server {{ {' '.join(lines)} {named} keepalive_timeout 60 {i + 1};"
            f' add_header X-A "$1,$x" always; return 204; }}'
        )
    return "\n".join(out)


def test_servers_on_addresses_are_chosen_from_as_nginx_does(
    nginx: RealNginx, tmp_path: Path
) -> None:
    ports = range(20001, 20051)  # of a network namespace where nobody else is
    main = tmp_path / "nginx.conf"
    main.write_text(
        main_conf(
            tmp_path,
            "server_names_hash_bucket_size 128; server { listen 20000; return 204; }\n"
            + "\n".join(_servers(port, port) for port in ports),
        )
    )
    questions = list(itertools.product(ADDRESSES, ports, HOSTS))
    asked = {
        "nginx": nginx.binary, "root": str(tmp_path), "main": str(main), "ready": 20000,
        "questions": questions,
    }  # fmt: skip
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    done = subprocess.run(
        [*alone, sys.executable, str(Path(__file__).with_name("ask_alone.py"))],
        input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tree = tree_of({str(main): main.read_bytes()}, str(main))
    different = []
    for (address, port, host), did in zip(questions, json.loads(done.stdout), strict=False):
        said = route(tree, f"http://{host}:{port}/", nginx.version, address)
        if did is None or said.server is None:
            if did is not None or said.server is not None:
                different.append(f"{host} at {address}:{port}: {said.server}; nginx: {did}")
            continue
        mark = f"timeout={said.setting('keepalive_timeout').values[0][1]}"
        added = [value for _, value, _ in said.added_headers(204)]
        if did["keep-alive"] != mark or did["x-a"] != added[0]:
            different.append(f"{host} at {address}:{port}: {mark} {added}; nginx: {did}")
    assert len(questions) > 1500
    wrong = "\n".join(different[:10])
    port = re.search(r":(\d+):", wrong)
    seen = [x for x in main.read_text().splitlines() if port is not None and port[1] in x]
    assert not different, wrong + "\n" + "\n".join(seen)
