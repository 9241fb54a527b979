"""Case files: a host, described in a few lines, as evidence."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ssemedic.endpoint import Endpoint, endpoint_of
from ssemedic.evidence import SCHEMA, Evidence
from ssemedic.judge import Judgement, judge
from ssemedic.token import Token

HERE = Path(__file__).parent
NOW = 1_800_000_000.0
WINDOW = 8.0

#: Where who records a hop stands.
_VANTAGES = {"public": "outside", "browser": "browser"}

_EVENT = b"event: connected\ndata: {}\n\n"


@dataclass(frozen=True)
class CaseFile:
    """One file of tests/rules/<rule>/: what it claims and what it describes."""

    path: Path
    data: dict[str, Any]

    @property
    def rule(self) -> str:
        return self.path.parent.name

    @property
    def name(self) -> str:
        return f"{self.rule}/{self.path.stem}"

    @property
    def broken(self) -> bool:
        return self.path.stem.startswith("broken")

    def endpoint(self) -> Endpoint:
        endpoint, _ = endpoint_of(
            {"url": "http://web1:8080/events", **self.data.get("endpoint", {})}
        )
        return endpoint

    def token(self) -> Token | None:
        """Times in a case file are seconds from now by the controller's clock."""
        described = self.data.get("token")
        if described is None:
            return None
        times = {k: NOW + v for k, v in described.items() if isinstance(v, (int, float))}
        said = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in described.items()
            if key not in times
        }
        return Token(**{"length": 400, "is_jwt": True, "algorithm": "HS256", **said, **times})

    def evidence(self, without: str | None = None) -> Evidence:
        data: dict[str, Any] = {
            "schema": SCHEMA,
            "host": "web1",
            "collected_at": NOW,
            "seconds": 0.3,
            "missing": {},
            "streams": [_stream(s) for s in self.data.get("streams", [])],
            "nginx": _nginx(self.data),
            "units": [_unit(u) for u in self.data.get("units", [{}])],
            "processes": [_process(p) for p in self.data.get("processes", [{}])],
            "names": [_host_name(x) for x in self.data.get("names", [])],
            "exposed": self.data.get("exposed"),
            "listeners": [_listener(x) for x in self.data.get("listeners", [{}])],
            "logs": [_log(source, lines) for source, lines in self.data.get("logs", {}).items()],
            "brokers": [_broker(b) for b in self.data.get("brokers", [])],
            "canary": _canary(self.data.get("canary")),
            "browser": _browser(self.data.get("browser")),
            "resources": _resources(self.data.get("resources", {})),
            "system": _system(self.data.get("system", {})),
            "firewall": {"tool": "nft", "rules": "", **self.data.get("firewall", {})},
            "clock": {
                "now": NOW + self.data.get("clock", {}).get("ahead", 0.0),
                "synchronized": True,
                "service": "systemd-timesyncd.service",
                "service_active": True,
                "service_installed": True,
                "ahead": 0.0,
                "ahead_error": 3.0,
                **self.data.get("clock", {}),
            },
        }
        if without:
            data[without] = None
            data["missing"][without] = f"{without}: taken away by the test"
        return Evidence.from_dict(data)

    def judged(self, without: str | None = None) -> Judgement:
        return judge(self.evidence(without), self.endpoint(), self.token())


def case_files() -> list[CaseFile]:
    return [
        CaseFile(path, yaml.safe_load(path.read_text("utf-8")))
        for path in sorted(HERE.glob("*/*.yml"))
    ]


def _stream(given: dict[str, Any]) -> dict[str, Any]:
    """A record; by default a healthy stream whose first event comes at once."""
    events = given.get("events", [0.05])
    status = given.get("status", 200)
    answered = status is not None
    body = given.get("body")
    raw = body.encode() if body is not None else _EVENT * len(events)
    reads = [[at, len(_EVENT)] for at in events] if body is None else [[0.03, len(raw)]]
    headers: dict[str, str] = {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        **given.get("headers", {}),
    }
    repeated = [[k, v] for k, v in given.get("also", [])]  # header lines that come twice
    return {
        "hop": given["hop"],
        "vantage": _VANTAGES.get(given["hop"], "inside"),
        "variant": given.get("variant", ""),
        "address": given.get("address", {"app": "127.0.0.1:8000"}.get(given["hop"], "web1:8080")),
        "url": given.get("url", "http://web1:8080/events"),
        "method": "GET",
        "request_version": given.get("version", "1.1"),
        "response_version": given.get("response_version", "1.1") if answered else None,
        "started": NOW + given.get("started", 0.0),
        "window": given.get("window", WINDOW),
        "phases": {
            "resolved": 0.0,
            "connected": None if given.get("end") == "refused" else 0.001,
            "tls": None,
            "sent": None if given.get("end") == "refused" else 0.001,
            "headers": given.get("headers_at", 0.02) if answered else None,
        },
        "status": status,
        "reason": given.get("reason", ""),
        "headers": [*([k, v] for k, v in headers.items() if v is not None), *repeated]
        if answered
        else [],
        "reads": reads if answered and raw else [],
        "body": base64.b64encode(raw if answered else b"").decode(),
        "end": {
            "kind": given.get("end", "limit_time"),
            "at": given.get("at", given.get("window", WINDOW)),
            "detail": given.get("detail", ""),
        },
    }


def _browser(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a page in a browser told; None where nobody opened one."""
    if given is None:
        return None
    origin = given.get("origin", "http://web1:8080")
    return {"name": "Chrome 131", "origin": origin, "app_origin": origin, **given}


def _nginx(data: dict[str, Any]) -> dict[str, Any]:
    server = data.get("server", "location /events { proxy_pass http://127.0.0.1:8000; }")
    text = (
        f"{data.get('main', '')}events {{{data.get('events', '')}}}\n"
        f"http {{ {data.get('access_log', 'access_log off;')}\n{data.get('http', '')}  server {{\n"
        f"    {data.get('listen', 'listen 8080;')}\n    server_name _;\n"
        + "".join(f"    {line}\n" for line in server.splitlines())
        + "  }\n}\n"
    ).encode()
    return {
        "version": data.get("nginx_version", "1.22.1"),
        "build": "",
        "unit": "nginx.service",
        "running": True,
        "workers": [
            {
                "pid": 11,
                "started": NOW - 3600,
                "shutting_down": False,
                "fds_used": 10,
                "fds_soft": 1024,
            }
        ],
        "main": "/etc/nginx/nginx.conf",
        "files": [
            {
                "path": "/etc/nginx/nginx.conf",
                "content": base64.b64encode(text).decode(),
                "sha256": hashlib.sha256(text).hexdigest(),
                "mode": 0o644,
                "owner": "root",
                "group": "root",
                "link": None,
            }
        ],
        "test_ok": True,
        "test_output": "",
        "error_logs": ["/var/log/nginx/error.log"],
        "access_logs": [],
        **data.get("nginx", {}),
    }


def _unit(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "notify.service",
        "load_state": "loaded",
        "active_state": "active",
        "sub_state": "running",
        "unit_file_state": "enabled",
        "result": "success",
        "main_pid": 100,
        "restarts": 0,
        "exit_status": 0,
        "exit_code": "",
        "fragment": "/etc/systemd/system/notify.service",
        "drop_ins": [],
        "need_reload": False,
        "active_since": NOW - 3600,
        "properties": {},
        **given,
        "files": [_text_file(path, text) for path, text in given.get("files", {}).items()],
    }


def _text_file(path: str, text: str) -> dict[str, Any]:
    """A file of a unit: in a case file, a path and its text."""
    return {
        "path": path,
        "content": base64.b64encode(text.encode()).decode(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "mode": 0o644,
        "owner": "root",
        "group": "root",
        "link": None,
    }


def _process(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "pid": 100,
        "name": "python3",
        "cmdline": "python3 -m notify",
        "user": "notify",
        "unit": "notify.service",
        "started": NOW - 3600,
        "rss_bytes": 50_000_000,
        "threads": 2,
        "fds_used": 12,
        "fds_soft": 65536,
        "fds_hard": 65536,
        "sockets": {},
        **given,
    }


def _listener(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "family": "inet",
        "address": "127.0.0.1",
        "port": 8000,
        "pid": 100,
        "process": "python3",
        "unit": "notify.service",
        "queue": 0,
        "backlog": 2048,
        **given,
    }


def _resources(given: dict[str, Any]) -> dict[str, Any]:
    """A host with room for everything; ``disks`` are {mount: "/var", full: true, ...}."""
    disks = [
        {
            "mount": disk.get("mount", "/"),
            "size_bytes": disk.get("size_bytes", 20_000_000_000),
            "free_bytes": disk.get("free_bytes", 9_000_000_000),
            "inodes": disk.get("inodes", 1_000_000),
            "inodes_free": disk.get("inodes_free", 800_000),
        }
        for disk in given.get("disks", [{}])
    ]
    return {
        "memory_bytes": 4_000_000_000,
        "memory_available_bytes": 2_000_000_000,
        "swap_used_bytes": 0,
        "load": [0.1, 0.1, 0.1],
        "cpus": 2,
        "files_used": 1000,
        "files_max": 1_000_000,
        "sockets": {},
        **given,
        "disks": disks,
    }


def _system(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "hostname": "web1",
        "release": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "Linux 6.1.0",
        "init": "systemd",
        "python": "3.11.2",
        "privileged": True,
        **given,
    }


def _host_name(given: dict[str, Any]) -> dict[str, Any]:
    """``hosts_changed`` counts in seconds from now; the workers started an hour ago."""
    changed = given.get("hosts_changed", -86400.0)
    return {"hosts_file": [], "error": "", **given, "hosts_changed": NOW + changed}


def _broker(given: dict[str, Any]) -> dict[str, Any]:
    """NATS by default. Times are seconds from now; what is published passed right away."""
    published = given.get("published")
    return {
        "kind": "nats",
        "address": "127.0.0.1:4222",
        "unit": "nats-server.service",
        "reachable": True,
        "detail": "",
        **given,
        "facts": {"found": "the settings of notify.service name it", **given.get("facts", {})},
        "clients": None
        if given.get("clients", []) is None
        else [_broker_client(c) for c in given.get("clients", [])],
        "published": None
        if published is None
        else [
            {
                "count": 1,
                "first": NOW + 1.5,
                "largest_bytes": 120,
                "canary_at": NOW + 1.5 if item.get("canary") else None,
                **item,
            }
            for item in published
        ],
    }


def _broker_client(given: dict[str, Any]) -> dict[str, Any]:
    heard = given.get("subjects", [])
    return {
        "name": "notify",
        "address": "127.0.0.1:50000",
        "pid": 100,
        "unit": "notify.service",
        "process": "python3",
        "subscriptions": len(heard),
        **given,
        "since": NOW + given.get("since", -3600.0),
    }


def _canary(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """A message that was taken, 1.5 s after the streams began; its id is ``needle``."""
    if given is None:
        return None
    return {
        "how": "POST /api/chats/1/messages",
        "accepted": True,
        "answer": "202",
        "needle": "c0ffee",
        "answered": 0.002,
        "asked": 5,
        **given,
        "at": NOW + given.get("at", 1.5),
        "until": NOW + WINDOW,
    }


def _log(source: str, lines: list[Any]) -> dict[str, Any]:
    """Lines are "text" (now) or [seconds from now, "text"]."""
    pairs = [(0.0, line) if isinstance(line, str) else (float(line[0]), line[1]) for line in lines]
    return {
        "source": source,
        "lines": [{"at": NOW + offset, "text": text} for offset, text in pairs],
        "truncated": False,
    }
