"""`ssemedic analyze FILE`: the same rules, with no host; what the file lacks is skipped."""

from __future__ import annotations

import base64
import gzip
import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ssemedic.cli import main
from ssemedic.commands.bundle import bundled
from ssemedic.endpoint import Endpoint, endpoint_of
from ssemedic.evidence import Evidence
from ssemedic.judge import judge
from ssemedic.offline.source import read_source
from ssemedic.report.model import report_of
from ssemedic.report.redact import redact_evidence
from tests.report.conftest import URL, closed, evidence, streaming
from tests.rules.cases import CaseFile, case_files

BROKEN = [case for case in case_files() if case.broken]
# The head of a real token, HS256; it expired in 2023.
TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    + base64.urlsafe_b64encode(b'{"sub":"ann","exp":1700000000}').decode().rstrip("=")
    + ".c2lnbmF0dXJlc2lnbmF0dXJl"
)


@pytest.fixture
def seen() -> Evidence:
    """nginx asks with HTTP/1.0 and the app does not stream over it."""
    return evidence(
        streaming("app"),
        closed(streaming("app", variant="http10")),
        closed(streaming("nginx"), 0.03),
        closed(streaming("public", "outside"), 0.05),
    )


def plain(seen: Evidence) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(report_of(judge(seen, Endpoint(URL)))))
    return made


def analyzed(path: Path, *more: str) -> tuple[int, dict[str, Any]]:
    out = path.parent / "out.json"
    code = main(["analyze", str(path), "--format", "json", "-o", str(out), *more])
    data: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return code, data


def named(report: dict[str, Any]) -> list[str]:
    return [cause["rule"] for cause in report["causes"]]


def test_a_bundle_gives_the_same_diagnosis_as_the_host(tmp_path: Path, seen: Evidence) -> None:
    before = plain(seen)
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(bundled(before, seen, ()))
    code, after = analyzed(path)
    assert code == 1
    assert named(after) == named(before) == ["nginx_http10_upstream"]
    assert after["symptoms"] == before["symptoms"]
    assert after["plan"] == before["plan"]
    assert "judged from a bundle, with no host" in after["notes"]


@pytest.mark.parametrize("case", BROKEN[::4], ids=lambda case: case.name)
def test_masked_evidence_keeps_the_diagnosis(case: CaseFile) -> None:
    whole = case.evidence()
    masked = Evidence.from_dict(json.loads(json.dumps(redact_evidence(whole))))
    before = judge(whole, case.endpoint(), case.token()).diagnosis
    after = judge(masked, case.endpoint(), case.token()).diagnosis
    assert [c.rule.id for c in after.causes] == [c.rule.id for c in before.causes]
    assert after.verdict == before.verdict


def test_a_folder_of_report_and_its_files_are_read(tmp_path: Path, seen: Evidence) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(plain(seen)))
    (folder / "evidence.json").write_text(json.dumps(redact_evidence(seen)))
    for path in (folder, folder / "report.json", folder / "evidence.json"):
        code, report = analyzed(path)
        assert (code, named(report)) == (1, ["nginx_http10_upstream"])


def test_what_the_inventory_accepted_is_accepted_in_a_bundle(
    tmp_path: Path, seen: Evidence
) -> None:
    waiver = {"cause": "nginx_http10_upstream", "reason": "as agreed", "until": "2099-12-31"}
    endpoint, _token = endpoint_of({"url": URL, "accepted": [waiver]})
    report = json.loads(json.dumps(report_of(judge(seen, endpoint))))
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(bundled(report, seen, ()))
    _code, after = analyzed(path)
    assert after["causes"][0]["accepted"] == {"reason": "as agreed", "until": "2099-12-31"}


def test_what_the_evidence_lacks_is_skipped_with_the_reason(tmp_path: Path, seen: Evidence) -> None:
    path = tmp_path / "evidence.json"
    data = redact_evidence(seen)
    data["nginx"] = None
    data["missing"] = {"nginx": "nginx: was not looked at"}
    path.write_text(json.dumps(data))
    _code, report = analyzed(path)
    assert report["skipped"]["nginx_proxy_buffering"] == "nginx: was not looked at"
    assert "nginx_proxy_buffering" not in report["cleared"]


def entry(**changes: Any) -> dict[str, Any]:
    """As Chromium exports a request."""
    made: dict[str, Any] = {
        "startedDateTime": "2026-11-24T04:00:00.000Z",
        "time": 60_012.5,
        "_resourceType": "eventsource",
        "request": {
            "method": "GET",
            "url": f"https://chat.example.org/events?access_token={TOKEN}",
            "httpVersion": "http/1.1",
            "headers": [
                {"name": "Accept", "value": "text/event-stream"},
                {"name": "Cookie", "value": "sid=Zq7cookie1234567"},
            ],
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "http/1.1",
            "headers": [{"name": "Content-Type", "value": "text/event-stream"}],
            "content": {"size": 120, "mimeType": "text/event-stream"},
            "_error": "net::ERR_INCOMPLETE_CHUNKED_ENCODING",
        },
        "timings": {"blocked": 1, "dns": 2, "connect": 9, "ssl": 5, "send": 0.1, "wait": 20.4},
    }
    for name, value in changes.items():
        part, _dot, key = name.partition("__")
        if key:
            made[part] = {**made[part], key: value}
        else:
            made[part] = value
    return made


def har(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": list(entries)}}))
    return path


def test_a_browsers_har_tells_how_the_stream_ended(tmp_path: Path) -> None:
    code, report = analyzed(har(tmp_path / "page.har", entry()))
    (stream,) = [hop["stream"] for hop in report["hops"]]
    assert stream["end"]["kind"] == "truncated"
    assert stream["end"]["at"] == pytest.approx(60.0125)
    assert report["endpoint"]["url"] == "https://chat.example.org/events"
    assert report["skipped"]["nginx_proxy_buffering"] == "nginx: a HAR file does not hold it"
    assert code in (1, 3)
    text = json.dumps(report)
    assert TOKEN not in text and "Zq7cookie" not in text


def test_a_token_in_a_hars_url_is_judged_and_not_shown(tmp_path: Path) -> None:
    refused = entry(response__status=401, response__headers=[], response__content={})
    _code, report = analyzed(har(tmp_path / "page.har", refused))
    assert report["token"]["expires"] == 1_700_000_000
    assert [s["kind"] for s in report["symptoms"]] == ["wrong_status"]


def test_a_page_in_the_streams_place_is_seen_in_a_har(tmp_path: Path) -> None:
    page = {"size": 20, "mimeType": "text/html", "text": "<!doctype html><html>"}
    html = entry(
        response__headers=[{"name": "Content-Type", "value": "text/html"}], response__content=page
    )
    del html["response"]["_error"]
    code, report = analyzed(har(tmp_path / "page.har", html))
    assert [s["kind"] for s in report["symptoms"]] == ["html_instead"]
    assert code in (1, 3)


def test_of_several_streams_the_url_must_name_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = entry(request__url="https://chat.example.org/live")
    path = har(tmp_path / "page.har", entry(), other)
    assert main(["analyze", str(path)]) == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert "holds several event streams" in said and TOKEN not in said
    _code, report = analyzed(path, "--url", "https://chat.example.org/live")
    assert report["endpoint"]["url"] == "https://chat.example.org/live"


def test_a_har_of_our_own_probe_keeps_its_arrival_times(tmp_path: Path) -> None:
    ours = entry(
        _hop="public",
        _end={"kind": "limit_time", "at": 8.0, "detail": ""},
        _reads=[{"time": 500.0, "size": 10}, {"time": 1500.0, "size": 12}],
    )
    _code, report = analyzed(har(tmp_path / "probe.har", ours))
    assert report["hops"][0]["stream"]["reads"] == [[0.5, 10], [1.5, 12]]
    assert report["verdict"]["before"] == "healthy"


SOS = {
    "date": b"Tue Nov 24 04:30:00 UTC 2026\n",
    "hostname": b"web1\n",
    "etc/os-release": b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "etc/nginx/nginx.conf": b"events {}\nhttp { include /etc/nginx/sites-enabled/*; }\n",
    "etc/nginx/sites-available/chat": (
        b"server { listen 80; server_name chat.example.org;\n"
        b"  location /events { proxy_pass http://127.0.0.1:8000; }\n}\n"
    ),
    "sos_commands/nginx/nginx_-V": b"nginx version: nginx/1.22.1\n",
    "sos_commands/systemd/systemctl_show_service_--all": (
        b"Id=notify.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\n"
        b"UnitFileState=enabled\nResult=start-limit-hit\nMainPID=0\nNRestarts=5\n"
        b"ExecMainCode=1\nExecMainStatus=1\nFragmentPath=/etc/systemd/system/notify.service\n"
        b"StartLimitBurst=5\nStartLimitIntervalUSec=10s\nRestart=on-failure\n\n"
        b"Id=nginx.service\nLoadState=loaded\nActiveState=active\nSubState=running\n"
        b"UnitFileState=enabled\nResult=success\nMainPID=50\nNRestarts=0\n"
    ),
    "etc/systemd/system/notify.service": b"[Service]\nExecStart=/opt/app --port 8000\n",
    "sos_commands/logs/journalctl_--no-pager_--catalog_--boot": (
        b"Nov 24 04:29:58 web1 notify[123]: ERROR token Zq7abcdef123456789 was refused\n"
        b"Nov 24 04:29:59 web1 systemd[1]: notify.service: Start request repeated too quickly.\n"
        b"Nov 24 04:29:59 web1 systemd[1]: notify.service: Failed with result 'start-limit-hit'.\n"
    ),
    "sos_commands/networking/ss_-peaonmi": (
        b"State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
        b'LISTEN 0      511    0.0.0.0:80         0.0.0.0:*    users:(("nginx",pid=50,fd=6))\n'
    ),
}


def sos(path: Path, files: dict[str, bytes] = SOS, link: str = "../sites-available/chat") -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"sosreport-web1-2026/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        linked = tarfile.TarInfo("sosreport-web1-2026/etc/nginx/sites-enabled/chat")
        linked.type, linked.linkname = tarfile.SYMTYPE, link
        tar.addfile(linked)
    path.write_bytes(lzma.compress(out.getvalue()))
    return path


@pytest.mark.parametrize("link", ["../sites-available/chat", "/etc/nginx/sites-available/chat"])
def test_a_sos_archive_is_judged_as_far_as_it_goes(tmp_path: Path, link: str) -> None:
    path = sos(tmp_path / "sosreport.tar.xz", link=link)
    code, report = analyzed(path, "--url", "http://chat.example.org/events")
    assert "sd_start_limit" in named(report)
    assert report["host"] == "web1"
    assert report["skipped"]["nginx_proxy_buffering"] == (
        "streams: the sos archive does not hold it"
    )
    assert code == 1


def test_a_sos_archive_without_a_url_names_likely_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(sos(tmp_path / "sos.tar.xz"))]) == 2
    said = capsys.readouterr().err.replace("\n", "")
    assert "--url must; likely http://chat.example.org/events" in said


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def _million() -> bytes:
    one = _entry("a/b").tobuf()
    return gzip.compress(one * 100_002, 1)


def _bomb() -> bytes:
    member = _entry("a/evidence.json")
    member.size = 600 << 20
    return gzip.compress(member.tobuf() + b"\0" * (100 << 20), 1)


HOSTILE = {
    "a name that leads up": (tar_of((_entry("a/../../etc/cron.d/x"), b"x")), "leads out of it"),
    "an absolute name": (tar_of((_entry("/etc/cron.d/x"), b"x")), "leads out of it"),
    "a link that leads up": (
        tar_of((_entry("a/etc/nginx/x", tarfile.SYMTYPE, "../../../../etc/passwd"), b"")),
        "a link that leads out of it",
    ),
    "a link in a bundle": (
        tar_of((_entry("a/evidence.json"), b"{}"), (_entry("a/x", tarfile.SYMTYPE, "y"), b"")),
        "is a link, must be a file",
    ),
    "a device": (tar_of((_entry("a/null", tarfile.CHRTYPE), b"")), "is a device or a pipe"),
    "a pipe": (tar_of((_entry("a/pipe", tarfile.FIFOTYPE), b"")), "is a device or a pipe"),
    "a file twice": (
        tar_of((_entry("a/evidence.json"), b"{}"), (_entry("a/evidence.json"), b"[]")),
        "holds evidence.json twice",
    ),
    "no tar in it": (gzip.compress(b"hello" * 1000), "holds no tar"),
    "cut in the middle": (
        gzip.compress(tar_of((_entry("a/evidence.json"), bytes(range(256)) * 400)))[:300],
        "ends in the middle",
    ),
    "damaged": (b"\x1f\x8b\x08\x00" + b"\xff" * 300, "or is no archive"),
    "nothing for us": (tar_of((_entry("a/photo.jpg"), b"x")), "holds nothing that can be judged"),
    "JSON that is too deep": (
        tar_of((_entry("a/evidence.json"), b"[" * 200_000)), "is not JSON",
    ),
    "evidence of another kind": (
        tar_of((_entry("a/evidence.json"), b'{"schema": 7}')), "schema is 7, must be 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", [*HOSTILE, "a million entries", "a bomb"])
def test_a_hostile_archive_is_refused_in_one_sentence_and_writes_nothing(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = {"a million entries": (_million, "entries"), "a bomb": (_bomb, "times its size")}
    content, said = (late[kind][0](), late[kind][1]) if kind in late else HOSTILE[kind]
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = tmp_path / "sent.tar.gz"
    path.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    assert main(["analyze", str(path), "--url", URL]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert told.count("ssemedic:") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"log": {"entries": []}}', "must hold an event stream"),
        ('{"log": {"entries": [{"request": {"url": "https://h/e"}}]}}', "an entry cannot be read"),
        ('{"log": 7}', "log.entries must be a list"),
        ('{"a": 1}', "is JSON of no kind that is known"),
        ("{", "is not JSON"),
        ('{"host": "a", "collected_at": 1}', "schema is None, must be 1"),
    ],
)
def test_json_that_cannot_be_judged_is_refused_in_one_sentence(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sent.json"
    path.write_text(content)
    assert main(["analyze", str(path)]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_an_nginx_dump_goes_to_the_same_judge_as_with_its_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nginx-T.txt"
    path.write_bytes(
        b"# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp { server {"
        b" listen 80; location /events { proxy_pass http://127.0.0.1:8000; } } }\n\n"
    )
    assert read_source(path, None) is None
    codes = [
        main(["analyze", *given, "--url", "http://h/events"])
        for given in ([str(path)], ["--nginx", str(path)])
    ]
    first, second = capsys.readouterr().out.split("as nginx")[:2]
    assert codes[0] == codes[1]
    assert "proxy_buffering" in first and "proxy_buffering" in second


def test_either_a_file_or_a_configuration_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze"]) == 2
    assert main(["analyze", "x", "--nginx", "y"]) == 2
    assert capsys.readouterr().err.count("needs either FILE or --nginx PATH") == 2
