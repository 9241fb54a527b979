"""The page beside a real Vite dev server: whose fault it is, the proxy's or the server's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssemedic.page import write
from ssemedic.page.chromium import Chromium
from ssemedic.page.serve import Server
from tests.browser import dev_server, sites
from tests.browser.conftest import Ran, Start, diagnose
from tests.browser.sites import Asked, allowing


def _app(asked: Asked, connection: sites.CONNECTION) -> None:
    """Streams to whoever asks it by its own name, as an app behind virtual hosts does."""
    if "127.0.0.1" not in asked.headers["host"] and "localhost" not in asked.headers["host"]:
        return sites.status(421, *allowing("*"))(asked, connection)
    return sites.stream(*allowing("*"))(asked, connection)


def _by_name(asked: Asked, connection: sites.CONNECTION) -> None:
    served = asked.headers["host"] == connection_name(connection)
    (sites.stream(*allowing("*")) if served else sites.status(404, *allowing("*")))(
        asked, connection
    )


def connection_name(connection: sites.CONNECTION) -> str:
    host, port = connection.getsockname()[:2]
    return f"{host}:{port}"


def _look(
    chromium: Chromium, folder: Path, mode: str, app: sites.Site, target: str = "", **fields: object
) -> Ran:
    """The page in the dev server's own folder, where a frontend engineer puts it."""
    (folder / "public").mkdir()
    (folder / "public" / write.NAME).write_text(write.text({}), "utf-8")
    (folder / "index.html").write_text("<!doctype html><title>An app</title>", "utf-8")
    with dev_server.running(mode, target or app.origin, folder) as dev, chromium.page() as tab:
        return diagnose(
            tab, f"{dev}/{write.NAME}", "proxy", url=app.url(), proxy=f"{dev}/events", **fields
        )


def test_a_dev_proxy_that_passes_the_stream_works(
    chromium: Chromium, site: Start, tmp_path: Path
) -> None:
    app = site({"/events": _by_name})
    ran = _look(chromium, tmp_path, "passes", app)
    assert ran.said("proxy")["level"] == "good"
    assert ran.symptoms == set()
    assert len([one for one in app.heard if one.path == "/events"]) == 2  # both ways reached it


CASES = {
    # mode, target, window: what the page says, and what the rules say.
    "no-rule": ("unproxied", "", 1.0, "wrong_status", set()),
    "wrong-target": ("passes", "http://127.0.0.1:9", 1.0, "wrong_status", set()),
    "no-change-of-origin": ("same-host", "", 1.0, "wrong_status", set()),
    "compressed": ("compressed", "", 4.2, "buffered", {"dev_middleware_buffer"}),
    "read-whole": ("whole", "", 4.2, "buffered", {"dev_middleware_buffer"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_dev_proxy_that_does_not_is_blamed_and_the_server_is_not(
    chromium: Chromium, site: Start, tmp_path: Path, case: str
) -> None:
    mode, target, window, kind, causes = CASES[case]
    ran = _look(chromium, tmp_path, mode, site({"/events": _by_name}), target, window=window)
    said = ran.said("proxy")
    assert (said["kind"], said["who"]) == (kind, "devproxy")
    assert said["next"].startswith("Frontend:")
    assert ran.said("endpoint")["level"] == "good"
    assert ran.symptoms == {f"{kind}@devproxy"}
    assert set(ran.causes) == causes
    # A browser takes gzip, so alone it cannot tell a compressor from who reads the answer whole.
    assert all(one.status == "suspected" for one in ran.diagnosis.causes)


@pytest.mark.parametrize(
    ("mode", "cause"), [("compressed", "dev_compress"), ("whole", "dev_middleware_buffer")]
)
def test_with_the_prober_compression_is_told_from_collecting(
    chromium: Chromium, site: Start, served: Server, tmp_path: Path, mode: str, cause: str
) -> None:
    app = site({"/events": _by_name})
    with dev_server.running(mode, app.origin, tmp_path) as dev, chromium.page() as tab:
        ran = diagnose(
            tab, served.address, "proxy", url=app.url(), proxy=f"{dev}/events", window=4.2
        )
    assert ran.symptoms == {"buffered@devproxy"}
    assert ran.causes == [cause]
    assert [one.status for one in ran.diagnosis.causes] == ["confirmed"]
    assert ran.said("proxy")["who"] == "devproxy"
    assert ("It compresses" in ran.said("proxy")["text"]) is (mode == "compressed")


def test_what_the_server_does_wrong_is_not_the_proxys_fault(
    chromium: Chromium, site: Start, tmp_path: Path
) -> None:
    app = site({"/events": sites.status(401, *allowing("*"))})
    ran = _look(chromium, tmp_path, "passes", app)
    assert "the dev proxy is not the cause" in ran.said("proxy")["text"]
    assert ran.symptoms == {"wrong_status@browser"}
