"""Reports made from hand-made evidence by the code that makes them on a real host."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from ssemedic.endpoint import Endpoint
from ssemedic.evidence import (
    Clock,
    Evidence,
    Listener,
    Log,
    LogLine,
    Nginx,
    NginxWorker,
    Process,
    System,
    TextFile,
    Unit,
)
from ssemedic.judge import judge
from ssemedic.report.model import proof_of, report_of
from ssemedic.report.terminal import render
from ssemedic.stream.record import End, Phases, Read, Stream
from ssemedic.token import Token

Report = dict[str, Any]

URL = "http://chat.example.org:8080/events"
NOW = 1_700_000_000.0
EVENT = b"event: tick\ndata: {}\n\n"
HEADERS = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("Transfer-Encoding", "chunked"),
)
MAIN = b"""\
events {}
http {
    include sites-enabled/*;
}
"""
SITE = b"""\
server {
    listen 8080;
    server_name chat.example.org;
    # the stream
    location /events {
        proxy_pass http://127.0.0.1:8000;
    }
}
"""


def file(path: str, content: bytes) -> TextFile:
    return TextFile(path, content, hashlib.sha256(content).hexdigest(), 0o644, "root", "root")


def streaming(hop: str, vantage: str = "inside", variant: str = "") -> Stream:
    """Eight seconds of a stream that works: headers at once, an event every half second."""
    times = [0.02, *(0.5 * n for n in range(1, 16))]
    return Stream(
        hop=hop,
        vantage=vantage,
        address="127.0.0.1:8000" if hop == "app" else "127.0.0.1:8080",
        url=URL,
        started=NOW,
        window=8.0,
        end=End("limit_time", 8.0),
        variant=variant,
        response_version="1.1",
        phases=Phases(0.0, 0.001, None, 0.002, 0.01),
        status=200,
        reason="OK",
        headers=HEADERS,
        reads=tuple(Read(at, len(EVENT)) for at in times),
        body=EVENT * len(times),
    )


def closed(stream: Stream, at: float = 0.02) -> Stream:
    """The same answer, ended by the server before the first event."""
    return replace(stream, reads=(), body=b"", end=End("eof", at))


def unanswered(stream: Stream) -> Stream:
    """Connected and asked, and not one byte in the whole window."""
    phases = replace(stream.phases, headers=None)
    return replace(
        stream, phases=phases, status=None, reason="", headers=(), reads=(), body=b"",
        response_version=None,
    )  # fmt: skip


def service(**changes: Any) -> Unit:
    unit = Unit(
        name="notify.service",
        load_state="loaded",
        active_state="active",
        sub_state="running",
        unit_file_state="enabled",
        result="success",
        main_pid=100,
        restarts=0,
        exit_status=0,
        exit_code="",
        fragment="/etc/systemd/system/notify.service",
        drop_ins=(),
        need_reload=False,
        active_since=NOW - 3600,
        properties={"Type": "simple"},
        files=(file("/etc/systemd/system/notify.service", b"[Service]\nExecStart=/opt/app\n"),),
    )
    return replace(unit, **changes)


def evidence(*streams: Stream, **changes: Any) -> Evidence:
    seen = Evidence(
        schema=1,
        host="web1",
        collected_at=NOW,
        seconds=0.9,
        system=System("web1", "Debian 12", "6.1", "systemd", "3.11.2", True),
        units=(service(),),
        processes=(
            Process(100, "python3", "python3 -m app", "notify", "notify.service", NOW - 3600,
                    30_000_000, 4, 20, 1024, 4096),
        ),
        listeners=(
            Listener("inet", "127.0.0.1", 8000, 100, "python3", "notify.service"),
            Listener("inet", "0.0.0.0", 8080, 50, "nginx", "nginx.service"),
        ),
        logs=(),
        nginx=Nginx(
            version="1.22.1",
            build="nginx version: nginx/1.22.1",
            unit="nginx.service",
            running=True,
            workers=(NginxWorker(51, NOW - 3600, False, 10, 1024),),
            main="/etc/nginx/nginx.conf",
            files=(
                file("/etc/nginx/nginx.conf", MAIN),
                file("/etc/nginx/sites-enabled/notify", SITE),
            ),
            test_ok=True,
            test_output="",
            error_logs=(),
            access_logs=(),
        ),
        clock=Clock(NOW, True, "chrony.service", True, True, 0.0, 0.1),
        streams=streams,
    )  # fmt: skip
    return replace(seen, **changes)


def all_streaming() -> tuple[Stream, ...]:
    return (
        streaming("app"),
        streaming("app", variant="http10"),
        streaming("nginx"),
        streaming("public", "outside"),
    )


def report_on(
    seen: Evidence, endpoint: Endpoint | None = None, token: Token | None = None
) -> Report:
    return report_of(judge(seen, endpoint or Endpoint(URL), token))


@pytest.fixture
def healthy() -> Report:
    return report_on(evidence(*all_streaming()))


@pytest.fixture
def broken() -> Report:
    """nginx asks with HTTP/1.0 and the app does not stream over it: cured by a plan."""
    report = report_on(
        evidence(
            streaming("app"),
            closed(streaming("app", variant="http10")),
            closed(streaming("nginx"), 0.03),
            closed(streaming("public", "outside"), 0.05),
        )
    )
    after = SITE.decode().replace(
        "8000;\n", "8000;\n        include /etc/nginx/ssemedic/chat-example-org-events.conf;\n"
    )
    report["plan"]["diff"] = [
        {"path": "/etc/nginx/sites-enabled/notify", "before": SITE.decode(), "after": after},
        {
            "path": "/etc/nginx/ssemedic/chat-example-org-events.conf",
            "before": None,
            "after": 'proxy_http_version 1.1;\nproxy_set_header Connection "";\n',
        },
    ]
    return report


@pytest.fixture
def buffered() -> Report:
    """The app streams; nginx hands on nothing in the whole window."""
    return report_on(
        evidence(
            streaming("app"),
            streaming("app", variant="http10"),
            unanswered(streaming("nginx")),
            unanswered(streaming("public", "outside")),
        )
    )


@pytest.fixture
def advised() -> Report:
    """The app fails after its 200: nobody but its authors can cure it."""
    log = Log(
        "journal:notify.service",
        (
            LogLine(NOW, "ERROR:    Exception in ASGI application"),
            LogLine(NOW, "PermissionError: workspace 7 \x1b]0;evil\x07 [red]{{ lookup('pipe') }}"),
        ),
    )
    return report_on(
        evidence(
            closed(streaming("app")),
            closed(streaming("app", variant="http10")),
            closed(streaming("nginx")),
            closed(streaming("public", "outside")),
            logs=(log,),
        )
    )


@pytest.fixture
def stopped() -> Report:
    """The service was stopped: cured by starting the unit."""
    refused = replace(unanswered(streaming("app")), end=End("refused", 0.001), phases=Phases(0.0))
    bad = replace(
        streaming("nginx"), status=502, reason="Bad Gateway",
        headers=(("Content-Type", "text/html"),), reads=(Read(0.01, 157),),
        body=b"<html>502</html>", end=End("last_chunk", 0.01),
    )  # fmt: skip
    return report_on(
        evidence(
            refused,
            bad,
            replace(bad, hop="public", vantage="outside"),
            units=(service(active_state="inactive", sub_state="dead", main_pid=0,
                           unit_file_state="disabled"),),
            processes=(),
            listeners=(Listener("inet", "0.0.0.0", 8080, 50, "nginx", "nginx.service"),),
        )
    )  # fmt: skip


@pytest.fixture
def unseen() -> Report:
    """Nothing was recorded: missing evidence is never health."""
    reason = "no Python 3.8 or later on the host"
    return report_on(
        evidence(
            streams=None,
            nginx=None,
            logs=None,
            missing={"streams": reason, "nginx": "not permitted", "logs": reason},
        )
    )


@pytest.fixture
def puzzling() -> Report:
    """A symptom that no rule explains."""
    reset = replace(streaming("public", "outside"), reads=(), body=b"", end=End("reset", 3.0))
    return report_on(evidence(streaming("app"), streaming("app", variant="http10"),
                              streaming("nginx"), reset))  # fmt: skip


def changes(report: Report, outcome: str = "committed") -> dict[str, Any]:
    return {
        "id": "20240101T120000-4f2a",
        "outcome": outcome,
        "diff": report["plan"]["diff"],
        "files": [item["path"] for item in report["plan"]["diff"]],
        "workers": {"before": [51, 52], "after": [77, 78]},
        "seconds": 1.24,
        "message": "" if outcome == "committed" else "the stream still ended at once",
    }


@pytest.fixture
def repaired(broken: Report, healthy: Report) -> Report:
    proof = proof_of(broken, healthy)
    proof["message"] = {"sent": True, "delivered": True, "seconds": 0.12, "detail": "id 42"}
    return {
        **broken,
        "changes": changes(broken),
        "proof": proof,
        "verdict": {"before": "broken", "after": "healthy"},
    }


@pytest.fixture
def undone(broken: Report) -> Report:
    return {
        **broken,
        "changes": changes(broken, "undone"),
        "proof": proof_of(broken, broken),
        "verdict": {"before": "broken", "after": "broken"},
    }


Screen = Callable[..., str]


@pytest.fixture
def screen() -> Screen:
    """What a console of the given kind prints for a report."""

    def show(report: Report, *, encoding: str = "utf-8", stage: Any = None, **options: Any) -> str:
        raw = io.BytesIO()
        sink = io.TextIOWrapper(raw, encoding=encoding)
        verbose = bool(options.pop("verbose", False))
        options = {"width": 80, "force_terminal": False, **options}
        render(report, Console(file=sink, **options), stage=stage, verbose=verbose)
        sink.flush()
        return raw.getvalue().decode(encoding)

    return show
