"""A bundle holds what another person needs, and no secret."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ssemedic import cli
from ssemedic.bundle import gate, repeat
from ssemedic.bundle.archive import packed
from ssemedic.commands.bundle import bundled, known_secrets
from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Evidence, Log, LogLine
from ssemedic.judge import judge
from ssemedic.report.model import report_of
from ssemedic.report.redact import redact_evidence, redact_report
from ssemedic.token import Token
from tests.report.canaries import ENCODINGS, leaves
from tests.report.conftest import NOW, URL, all_streaming, evidence, streaming

TOKEN = "Zq7-Canary/9f8e7d6c5b4a3=x1"


@pytest.fixture
def seen() -> Evidence:
    """The token in a log, a header, an event and the configuration, in each disguise."""
    lines = [LogLine(NOW + n, f"said {way[0](TOKEN)}") for n, way in enumerate(ENCODINGS.values())]
    lines += [LogLine(NOW, "GET /events?access_token=Other7secret8value HTTP/1.1")]
    noisy = dataclasses.replace(
        streaming("app"),
        headers=(*streaming("app").headers, ("X-Token", TOKEN)),
        body=f"data: {TOKEN}\n\n".encode(),
    )
    logs = (Log("journal:notify.service", tuple(lines)),)
    return evidence(noisy, *all_streaming()[1:], logs=logs)


def report(seen: Evidence) -> dict[str, Any]:
    made = report_of(judge(seen, Endpoint(URL), Token(len(TOKEN), False)))
    plain: dict[str, Any] = json.loads(json.dumps(made))
    return plain


def files(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name.partition("/")[2]: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]


def test_it_holds_all_that_another_person_needs(seen: Evidence) -> None:
    inside = files(bundled(report(seen), seen, (TOKEN,)))
    assert set(inside) >= {
        "README.md", "analysis.md", "analysis.html", "report.json", "evidence.json",
        "logs/journal-notify.service.log", "nginx.conf.txt", "repeat.sh", "arrivals.csv",
        "versions.json", "SHA256SUMS",
    }  # fmt: skip
    for line in inside["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(inside[name]).hexdigest() == digest
    assert b"web1: healthy" in inside["README.md"]
    assert b"location /events" in inside["nginx.conf.txt"]
    Evidence.from_dict(json.loads(inside["evidence.json"]))


def test_no_secret_is_in_it_in_any_disguise(seen: Evidence) -> None:
    made = report(seen)
    secrets = known_secrets(made, seen, (TOKEN,))
    assert "Other7secret8value" in secrets
    archive = bundled(made, seen, secrets)
    assert gate.check(archive, secrets) == len(secrets)
    for name, content in files(archive).items():
        text = content.decode("utf-8", "replace")
        assert TOKEN not in text and "Other7secret8value" not in text, name
        texts = list(leaves(json.loads(text))) if name.endswith(".json") else text.splitlines()
        for way, (_write, read) in ENCODINGS.items():
            assert not [one for one in texts if TOKEN in read(one)], f"{name}: {way}"


def test_the_same_secret_has_the_same_tag_in_every_file(seen: Evidence) -> None:
    inside = files(bundled(report(seen), seen, (TOKEN,)))
    tag = inside["logs/journal-notify.service.log"].decode().splitlines()[1].split()[-1]
    assert tag in json.loads(inside["evidence.json"])["logs"][0]["lines"][0]["text"]
    assert tag.strip("\u2039\u203a") in json.dumps(json.loads(inside["report.json"]))


def test_the_same_diagnosis_gives_the_same_bytes(seen: Evidence) -> None:
    made = report(seen)
    assert bundled(made, seen, (TOKEN,)) == bundled(made, seen, (TOKEN,))


@pytest.mark.parametrize("way", ENCODINGS)
@pytest.mark.parametrize("packing", ["plain", "gzip"])
def test_the_gate_finds_a_secret_in_every_disguise(way: str, packing: str) -> None:
    text = f"first\n{ENCODINGS[way][0](TOKEN)}\nlast\n".encode()
    content = text if packing == "plain" else gzip.compress(text)
    with pytest.raises(gate.LeakError) as caught:
        gate.check(packed("bundle", {"README.md": b"fine", "logs/a.log": content}, NOW), [TOKEN])
    assert TOKEN not in str(caught.value)
    assert "bundle/logs/a.log" in str(caught.value)


def test_the_gate_finds_a_secret_in_a_name_and_over_two_values_of_json() -> None:
    with pytest.raises(gate.LeakError):
        gate.check(packed("bundle", {f"logs/{TOKEN.replace('/', '')}.log": b""}, NOW),
                   [TOKEN.replace("/", "")])  # fmt: skip
    split = json.dumps([{"at": 1.0, "text": TOKEN[:9]}, {"at": 2.0, "text": TOKEN[9:]}]).encode()
    with pytest.raises(gate.LeakError):
        gate.check(packed("bundle", {"evidence.json": split}, NOW), [TOKEN])


@pytest.fixture
def saved(tmp_path: Path, seen: Evidence) -> Path:
    """What --report wrote."""
    folder = tmp_path / "reports"
    folder.mkdir()
    shown = redact_report(report(seen), [TOKEN])
    (folder / "report.json").write_text(json.dumps(shown), "utf-8")
    (folder / "evidence.json").write_text(json.dumps(redact_evidence(seen, [TOKEN])), "utf-8")
    return folder


def token_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "token"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def test_a_saved_report_becomes_a_bundle(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tar.gz"
    given = ["--token-file", str(token_file(tmp_path, TOKEN))]
    assert cli.main(["bundle", str(saved), "-o", str(out), *given]) == 0
    assert "known secrets searched for: 1, found: none" in capsys.readouterr().out
    assert out.stat().st_mode & 0o777 == 0o600
    assert "evidence.json" in files(out.read_bytes())


def test_a_bundle_that_would_hold_a_secret_is_not_written(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tar.gz"
    secret = "configuration"  # a word of our own README, which nothing masks
    given = ["--token-file", str(token_file(tmp_path, secret))]
    assert cli.main(["bundle", str(saved), "-o", str(out), *given]) == 4
    said = capsys.readouterr().err
    assert "would hold a secret, so no bundle was written" in said.replace("\n", " ")
    assert secret not in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bundle", "-o", "x"], "needs either REPORT_DIR or --host"),
        (["bundle", "nowhere", "-o", "x"], "nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_bundled_is_told_in_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    assert said in capsys.readouterr().err


class Asked(BaseHTTPRequestHandler):
    """Remembers what it was asked, and answers with an event."""

    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        """One event, and the end."""
        type(self).seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: hello\n\n")

    def log_message(self, *_arguments: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def served() -> Iterator[HTTPServer]:
    handler = type("OneTest", (Asked,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("parameter", ["access_token", ""])
def test_the_curl_commands_ask_what_the_recorder_asked_with_the_token_from_a_file(
    served: HTTPServer, parameter: str, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{served.server_port}"
    inside = dataclasses.replace(
        streaming("nginx"), url="http://chat.example.org/events?room=7&x=$(id)", address=address,
    )  # fmt: skip
    data = redact_evidence(evidence(inside))
    endpoint = {"token_parameter": parameter, "origin": "https://app.example.org"}
    script = tmp_path / "repeat.sh"
    script.write_text(repeat.script(data, endpoint, token=True), "utf-8")
    told = subprocess.run(
        ["/bin/sh", str(script), str(token_file(tmp_path, TOKEN + "\n"))],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert "data: hello" in told.stdout
    assert "curl ended with 0" in told.stdout
    ((path, headers),) = served.RequestHandlerClass.seen  # type: ignore[attr-defined]
    assert headers["host"] == "chat.example.org"
    assert headers["accept"] == "text/event-stream"
    assert headers["origin"] == "https://app.example.org"
    assert "?room=7&x=$(id)" in path
    if parameter:
        sent = path.partition("&access_token=")[2]
        assert sent.replace("%2f", "%2F").replace("%3d", "%3D") == quote(TOKEN, safe="")
        assert "authorization" not in headers
    else:
        assert headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in script.read_text("utf-8")


def test_a_hostile_name_of_a_log_or_host_stays_a_name(seen: Evidence) -> None:
    log = Log("/var/log/../../etc/passwd\n; rm -rf", (LogLine(None, "\x1b]0;evil\x07"),))
    hostile = dataclasses.replace(seen, host="web1'; reboot; '\n", logs=(log,))
    inside = files(bundled(report(hostile), hostile, ()))
    assert not [name for name in inside if ".." in name or name.startswith("/")]
    assert all(b"\x1b" not in content for name, content in inside.items() if "logs/" in name)
    checked = subprocess.run(
        ["/bin/sh", "-n"], input=inside["repeat.sh"], capture_output=True, check=False
    )
    assert checked.returncode == 0
    assert b"reboot; '\n" not in inside["repeat.sh"]


def test_a_report_without_evidence_becomes_a_bundle_that_says_so(seen: Evidence) -> None:
    inside = files(bundled(report(seen), None, (TOKEN,)))
    assert "evidence.json" not in inside
    assert b"no evidence in this bundle" in inside["README.md"]
