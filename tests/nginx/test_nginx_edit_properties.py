"""What holds for every edit, on sites made by chance and with a real nginx as the judge."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from generated_sites import OTHERS, Site, sites
from hypothesis import HealthCheck, given, settings
from real_nginx import RealNginx, main_conf

from ssemedic.nginx import (
    Edit,
    Refusal,
    Route,
    Tree,
    adopt,
    after,
    effective,
    files_on_disk,
    read_tree,
    route,
    tokens,
)
from ssemedic.nginx.ours import rendered

URL = "http://chat.example.org:8080/events?topic=a"
ROOT = Path(tempfile.gettempdir()) / f"ssemedic-properties-{os.getpid()}"
SNIPPETS = str(ROOT / "snippets")
OURS = str(ROOT / "ssemedic" / "events.conf")
HTTP = "limit_conn_zone $binary_remote_addr zone=per_ip:1m;\nupstream app { server 127.0.0.1:9; }\n"


@pytest.fixture(scope="module", autouse=True)
def _folder() -> Iterator[None]:
    yield
    shutil.rmtree(ROOT, ignore_errors=True)


def written(site: Site) -> Tree:
    shutil.rmtree(ROOT, ignore_errors=True)
    for folder in ("snippets", "ssemedic", "sites"):
        (ROOT / folder).mkdir(parents=True)
    for name, text in site.snippets.items():
        (ROOT / "snippets" / name).write_bytes(text)
    (ROOT / "sites" / "chat").write_bytes(site.text)
    (ROOT / "nginx.conf").write_text(
        main_conf(ROOT, f"{HTTP}    {site.http}\n    include {ROOT}/sites/*;")
    )
    return on_disk()


def on_disk() -> Tree:
    return read_tree(str(ROOT / "nginx.conf"), lambda p: Path(p).read_bytes(), files_on_disk)


def loads(nginx: RealNginx) -> subprocess.CompletedProcess[str]:
    return nginx.test(ROOT / "nginx.conf")


def made(edit: Edit) -> None:
    for change in edit.files:
        Path(change.path).write_bytes(change.content)
    if edit.directives:
        Path(edit.ours).write_bytes(rendered(edit.directives, edit.location))


def adopted(tree: Tree, site: Site) -> Edit | Refusal:
    return adopt(
        tree, route(tree, URL, "1.22.1"), site.settings, OURS,
        site.location, site.without, site.process,
    )  # fmt: skip


def in_force(found: Route, names: set[str]) -> dict[str, object]:
    told: dict[str, object] = {
        name: [d.args for d in effective(found.tree, found.path, name, "1.22.1").lines]
        for name in names
        if found.path
    }
    told["answers"] = (found.serves, found.status, found.uri_passed, found.file)
    told["targets"] = [(t.host, t.port, t.unix) for t in found.targets]
    told["location"] = found.location.label if found.location else None
    return told


def names(tree: Tree) -> set[str]:
    out: set[str] = set()

    def walk(block: object) -> None:
        for directive in tree.flat(block):  # type: ignore[arg-type]
            if directive.block is None:
                out.add(directive.name)
            else:
                walk(directive.block)

    walk(tree.sources[tree.main].directives)
    return out - {"include", "worker_connections"}


def test_every_edit_of_a_generated_site_keeps_its_promises(nginx: RealNginx) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=240, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(site=sites(SNIPPETS))
    def one(site: Site) -> None:
        _check(nginx, site, seen)

    one()
    assert seen["edited"] >= 150, seen  # most sites must have been editable, in both ways
    assert seen["copied"] >= 40, seen
    assert seen["included"] >= 40, seen


def _check(nginx: RealNginx, site: Site, seen: Counter[str]) -> None:
    tree = written(site)
    before_test = loads(nginx)
    if before_test.returncode != 0:
        seen["broken before"] += 1
        return
    found = route(tree, URL, "1.22.1")
    if found.serves != "proxy":
        seen["no upstream"] += 1
        return
    edit = adopted(tree, site)
    if isinstance(edit, Refusal):
        seen["refused"] += 1
        return
    seen["edited"] += 1
    seen["copied" if edit.location else "included"] += bool(edit.directives)

    # Nothing but our include comes, nothing but what contradicts goes, comments stay.
    for change in edit.files:
        old = tree.sources[change.path].content
        _only_ours_differs(old, change.content, site)

    others = [(f"http://chat.example.org:{port}{path}") for port in (8080, 8081) for path in OTHERS]
    every = names(tree) | {line.name for line in (*site.settings, *site.without)}
    was = {url: route(tree, url, "1.22.1") for url in others}
    made(edit)
    tested = loads(nginx)
    assert tested.returncode == 0, tested.stderr
    assert tested.stderr == before_test.stderr

    changed = on_disk()
    now = route(changed, URL, "1.22.1")
    assert now.serves == "proxy"
    retargeted = any(line.name == "proxy_pass" for line in site.settings)
    assert now.uri_passed == found.uri_passed
    if not retargeted:
        assert now.targets[0].port == found.targets[0].port
    for line in site.settings:
        if line.name != "proxy_pass":
            assert line.args in [tuple(a) for a in now.setting(line.name).values] or (
                line.name == "proxy_read_timeout" and now.setting(line.name).first == "1h"
            )
    for url, before in was.items():
        same_place = (
            before.location
            and found.location
            and not edit.location
            and (before.location.where == found.location.where)
        )
        asked = edit.location == "^~ /events" and "/events" in url and ":8080" in url
        if same_place or asked:
            continue  # the stream's own location, or the prefix that was asked for
        assert in_force(route(changed, url, "1.22.1"), every) == in_force(before, every), url

    again = adopted(changed, site)
    assert isinstance(again, Edit), again
    assert again.files == ()
    assert again.directives == edit.directives
    assert {p: s.content for p, s in after(changed, again).sources.items()} == {
        p: s.content for p, s in changed.sources.items()
    }


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(site=sites(SNIPPETS))
def test_repairs_one_after_the_other_come_to_rest(nginx: RealNginx, site: Site) -> None:
    tree = written(site)
    if loads(nginx).returncode != 0 or route(tree, URL, "1.22.1").serves != "proxy":
        return
    first = replace(site, settings=site.settings[::2], without=(), process={})
    second = replace(site, settings=site.settings[1::2], location=None)
    parts = [x for x in (first, second, site) if x.settings or x.without or x.location]
    edit: Edit | Refusal | None = None
    for part in parts:
        edit = adopted(on_disk(), part)
        if isinstance(edit, Refusal):
            return
        made(edit)
        tested = loads(nginx)
        assert tested.returncode == 0, tested.stderr
    for part in parts:
        again = adopted(on_disk(), part)
        assert isinstance(again, Edit), again
        assert again.files == ()
        assert isinstance(edit, Edit) and again.directives == edit.directives
    now = route(on_disk(), URL, "1.22.1")
    for line in site.settings:
        if line.name != "proxy_pass":
            assert now.setting(line.name).keyed(line.args[0]) is not None or (
                now.setting(line.name).first == line.args[0]
            )


def _only_ours_differs(old: bytes, new: bytes, site: Site) -> None:
    def words(content: bytes) -> list[bytes]:
        return [t.raw for t in tokens("x", content) if t.kind != "space"]

    was, now = words(old), words(new)
    include = [b"include", OURS.encode(), b";"]
    for at in range(len(now) - 2):
        if now[at : at + 3] == include:
            del now[at : at + 3]
            break
    limits = {
        b"worker_connections",
        b"worker_shutdown_timeout",
        b"4096",
        b"256",
        b"60s",
        b";",
        b"per_ip",
    }
    gone, come = Counter(was) - Counter(now), Counter(now) - Counter(was)
    assert set(come) <= limits, come
    wished = {line.name.encode() for line in (*site.settings, *site.without)}
    assert not any(word.startswith(b"#") for word in gone)
    starts = {word for word in gone if re.fullmatch(rb"[a-z]+_[a-z_]+", word)} - limits
    assert starts <= wished | {b"worker_connections"}, starts
    assert len(new.split(b"\n")) - len(old.split(b"\n")) <= 2
