"""The whole collection on this very machine, with a small event stream of its own."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.sse_host import streams
from ansible.module_utils.sse_host.collect import collect
from ansible.module_utils.sse_host.command import run
from ansible.module_utils.sse_host.limits import Limits, UnavailableError
from ansible.module_utils.sse_host.wanted import Wanted

from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Evidence

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "opaque-token-0123456789"


class _Events(BaseHTTPRequestHandler):
    """An event every 0.1 s for whoever brings the token."""

    def do_GET(self) -> None:
        if f"access_token={TOKEN}" not in self.path:
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Echo", self.path)
        self.end_headers()
        for number in range(50):
            try:
                self.wfile.write(b"data: %d\n\n" % number)
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, *args: object) -> None:
        pass


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def upstream() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Events) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def wanted(**changes: Any) -> Wanted:
    values: dict[str, Any] = {"limits": Limits(since=time.time() - 3600), "window": 0.5}
    return Wanted(**values | changes)


def test_the_result_is_evidence_with_the_apps_stream_in_it(upstream: str) -> None:
    url = "http://nowhere.example.org:9/events"
    data = json.loads(json.dumps(collect(wanted(url=url, upstream=upstream, token=TOKEN))))
    evidence = Evidence.from_dict(data)
    app = evidence.stream("app")
    assert app is not None
    assert app.is_event_stream and app.open_at_end and len(app.reads) >= 3
    assert app.url == url and app.address == upstream
    assert evidence.system is not None and evidence.system.init
    assert evidence.resources is not None and evidence.resources.memory_bytes > 0
    assert any(x.port == int(upstream.split(":")[1]) for x in evidence.listeners or ())


def test_the_token_is_nowhere_in_the_result(upstream: str, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text(f"GET /events?access_token={TOKEN}\nrejected {TOKEN} of ana\n")
    data = collect(
        wanted(
            url="http://nowhere.example.org:9/events",
            upstream=upstream,
            token=TOKEN,
            log_files=(str(log),),
        )
    )
    told = next(x for x in data["logs"] if x["source"] == str(log))
    assert [line["text"] for line in told["lines"]] == [
        "GET /events?access_token=***",
        "rejected *** of ana",
    ]
    assert TOKEN not in json.dumps(data)
    assert TOKEN not in str(Evidence.from_dict(data))


def test_the_window_runs_beside_the_collection_and_is_not_counted(upstream: str) -> None:
    began = time.monotonic()
    data = collect(wanted(url="http://x.example.org/e", upstream=upstream, token=TOKEN, window=1.5))
    assert time.monotonic() - began < 1.5 + 1.4
    assert data["seconds"] < 1.4


def test_what_the_host_logged_about_our_own_stream_is_collected(
    upstream: str, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    log.write_text("before\n")
    later = threading.Timer(0.3, lambda: log.write_text("before\nexception in the stream\n"))
    later.start()
    url = "http://x.example.org/events"
    data = collect(wanted(url=url, upstream=upstream, token=TOKEN, log_files=(str(log),)))
    told = Evidence.from_dict(data).log(str(log))
    assert told is not None and told.lines[-1].text == "exception in the stream"


@pytest.fixture
def bystander() -> Iterator[tuple[str, list[str]]]:
    """Some other application; it writes down what it is asked for."""
    asked: list[str] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path + str(self.headers))
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def test_the_app_is_found_elsewhere_and_nobody_else_sees_the_token(
    upstream: str, bystander: tuple[str, list[str]]
) -> None:
    address, asked = bystander
    asking = wanted(url="http://x.example.org/events", token=TOKEN, headers={"X-Key": "s3cret!"})
    recording = streams.Recording(asking, streams.Way(target="127.0.0.1:1"), "127.0.0.1:1")
    recording.begin()
    recording.try_elsewhere([address, upstream])
    records = recording.result()
    elsewhere = [r for r in records if r["variant"] == "candidate"]
    assert [(r["address"], r["status"]) for r in elsewhere] == [(upstream, 200)]
    assert next(r for r in records if not r["variant"])["end"]["kind"] == "refused"
    assert len(asked) == 1 and TOKEN not in asked[0] and "s3cret!" not in asked[0]


def test_without_a_url_there_is_no_stream_and_a_reason() -> None:
    evidence = Evidence.from_dict(collect(wanted()))
    assert evidence.streams is None
    assert evidence.missing["streams"] == "streams: no URL was given"


def test_a_url_that_cannot_be_asked_for_is_a_reason_and_no_failure() -> None:
    evidence = Evidence.from_dict(collect(wanted(url="http://[bad", upstream="127.0.0.1:1")))
    assert evidence.streams is None and evidence.missing["streams"]
    assert evidence.system is not None


def test_a_section_that_breaks_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible.module_utils.sse_host import resources

    def broken(*_: object) -> None:
        raise ZeroDivisionError("no such luck")

    monkeypatch.setattr(resources, "read", broken)
    evidence = Evidence.from_dict(collect(wanted()))
    assert evidence.resources is None
    assert (
        "unexpected ZeroDivisionError at test_evidence_collect.py"
        in (evidence.missing["resources"])
    )
    assert evidence.system is not None and evidence.listeners is not None


def test_an_unprivileged_user_gets_less_and_is_told_what_root_would_add() -> None:
    collect(wanted())  # everything that is imported late is imported now
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            with os.fdopen(writing, "w") as pipe:
                json.dump(collect(wanted()), pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        evidence = Evidence.from_dict(json.load(pipe))
    assert os.waitpid(child, 0)[1] == 0
    assert evidence.system is not None and not evidence.system.privileged
    assert evidence.listeners is not None and evidence.resources is not None
    assert "root" in evidence.missing["processes.open_files"]


def test_the_role_brings_hostile_text_home_unharmed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    log = tmp_path / "app.log"
    hostile = f"{{{{ lookup('pipe', 'touch {marker}') }}}} \x1b[2J caf\udce9"
    log.write_bytes(hostile.encode("utf-8", "surrogateescape") + b"\n")
    play = [
        {
            "name": "Collect",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "sse_evidence_become": False,
                "sse_evidence_log_files": [str(log)],
            },
            "roles": ["sse_evidence"],
            "tasks": [
                {
                    "name": "Keep the result",
                    "ansible.builtin.copy": {
                        "content": "{{ sse_evidence_result.evidence | to_json }}",
                        "dest": str(tmp_path / "evidence.json"),
                        "mode": "0600",
                    },
                }
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            "localhost,",
            str(tmp_path / "play.yml"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    evidence = Evidence.from_dict(json.loads((tmp_path / "evidence.json").read_text()))
    told = evidence.log(str(log))
    assert told is not None
    assert told.lines[0].text == hostile.replace("\udce9", "\ufffd")
    assert not marker.exists()


def test_the_role_documents_every_field_of_an_endpoint() -> None:
    specification = yaml.safe_load(
        (ROOT / "roles/sse_evidence/meta/argument_specs.yml").read_text()
    )["argument_specs"]["main"]["options"]
    documented = set(specification["sse_evidence_endpoint"]["options"])
    assert documented == set(Endpoint.__dataclass_fields__) | {"token_file"}
    defaults = yaml.safe_load((ROOT / "roles/sse_evidence/defaults/main.yml").read_text())
    assert set(defaults) == set(specification)
    del defaults["sse_evidence_endpoint"]  # its default is another variable
    assert defaults == {
        name: option["default"] for name, option in specification.items() if "default" in option
    }


def test_a_command_that_hangs_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"sleep did not finish in 0.2 s"):
        run(["sleep", "30"], 0.2)
    assert time.monotonic() - began < 2


def test_a_command_that_never_stops_talking_is_cut() -> None:
    output = run(["yes"], 5.0, 10000)
    assert output.cut and len(output.stdout) == 10000


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(UnavailableError, match="no-such-command is not installed"):
        run(["no-such-command"], 1.0)
