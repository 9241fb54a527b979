"""Where the page goes on a host: one include in the server that answers, and nothing guessable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ssemedic.evidence import SCHEMA, Evidence
from ssemedic.nginx import route, tree_of
from ssemedic.page.host import CONFIGURATION, NoPlaceError, as_changes, publish
from tests.rules import cases

URL = "http://web1:8080/events"
TOKEN = "a-part-that-nobody-guesses"


def evidence(data: dict[str, Any] | None = None) -> Evidence:
    nginx = cases._nginx(data or {})
    base = {"schema": SCHEMA, "host": "web1", "collected_at": 0.0, "seconds": 0.0}
    return Evidence.from_dict({**base, "nginx": nginx})


def test_one_include_goes_into_the_server_that_answers_and_no_byte_else() -> None:
    seen = evidence()
    page = publish(seen, URL, "/tools", TOKEN)
    assert page.url == f"http://web1:8080/tools/{TOKEN}/sse-server-diagnosis.html"
    (edit,) = page.edits
    assert seen.nginx is not None
    before = seen.nginx.files[0].content
    added = [line for line in edit.content.splitlines() if line not in before.splitlines()]
    assert [line.strip() for line in added] == [f"include {CONFIGURATION};".encode()]
    served = f"location = {page.path} {{ alias /x; }}\n".encode()
    tree = tree_of({edit.path: edit.content, CONFIGURATION: served}, edit.path)
    found = route(tree, page.url, "1.22.1")
    assert found.location is not None
    assert found.location.name == page.path
    assert route(tree, URL, "1.22.1").serves == "proxy"  # the stream is served as before


def test_the_changes_name_what_the_admins_file_must_still_be() -> None:
    page = publish(evidence(), URL, "", TOKEN)
    ours, configuration, admins = as_changes(page, "location = /x {}\n")
    assert "expected_sha256" in admins
    assert (ours["path"], configuration["path"]) == ("/etc/nginx/ssemedic/page.html", CONFIGURATION)
    assert TOKEN not in page.html  # who has the page has no path to hand on


@pytest.mark.parametrize(
    ("prefix", "token"),
    [
        ("/x; }", TOKEN),
        ("/a b", TOKEN),
        ("x", TOKEN),
        ("/x/", TOKEN),
        ("", "short"),
        ("", "a" * 99),
    ],
)
def test_a_path_that_could_be_guessed_or_misread_is_refused(prefix: str, token: str) -> None:
    with pytest.raises(NoPlaceError, match="must be"):
        publish(evidence(), URL, prefix, token)


def test_a_second_page_and_a_host_without_nginx_are_refused() -> None:
    there = evidence({"server": f"include {CONFIGURATION};"})
    assert there.nginx is not None
    ours = replace(there.nginx.files[0], path=CONFIGURATION, content=b"location = /x {}\n")
    nginx = replace(there.nginx, files=(*there.nginx.files, ours))
    with pytest.raises(NoPlaceError, match="there already"):
        publish(replace(there, nginx=nginx), URL, "", TOKEN)
    bare = Evidence(SCHEMA, "web1", 0.0, 0.0, missing={"nginx": "nginx: not installed"})
    with pytest.raises(NoPlaceError, match="not installed"):
        publish(bare, URL, "", TOKEN)
