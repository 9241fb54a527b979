"""A whole site, as it is rendered, loads in a real nginx and does what its comments say."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from real_nginx import RealNginx, main_conf, running
from test_nginx_adopt import ENVIRONMENT, TEMPLATES

from ssemedic.endpoint import Endpoint
from ssemedic.nginx import route, tree_of
from ssemedic.rules import all_rules

ROLE = TEMPLATES.parents[1] / "roles" / "sse_nginx"
TLS = {"sse_nginx_tls_certificate": "/c", "sse_nginx_tls_key": "/k"}
APP = "https://app.example"
LONG = "https://a.name.so.long.that.no.hash.takes.it.staging.example.org:8443"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.CANARYsignature"


def site(**changes: Any) -> str:
    """The template with the role's defaults, as the role renders it."""
    values: dict[str, Any] = {
        **yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8")),
        "sse_nginx_site": "chat",
        "sse_nginx_version": "1.22.1",
        "sse_nginx_listen": ["127.0.0.1:8080"],
        "sse_nginx_server_names": ["chat.example.org"],
        "sse_nginx_upstreams": ["127.0.0.1:8000"],
        **changes,
    }
    return ENVIRONMENT.get_template("site.conf.j2").render(values)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate; its key stands beside it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
         "-subj", "/CN=chat.example.org"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return folder / "cert.pem"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sse_nginx_upstreams": ["unix:/run/a.sock", "[::1]:8000"], "sse_nginx_web_root": "/srv"},
        {"sse_nginx_origins": [APP, "http://localhost:3000", "http://[::1]:3000"]},
        {"sse_nginx_origins": ["*"]},
        {"sse_nginx_origins": [f"https://{'a-very-long.' * 8}example:8443"]},
        {"sse_nginx_token_parameters": ["access_token", "x.y"]},
        {"sse_nginx_api_paths": ["/api/", "/health"], "sse_nginx_streams_per_client": 40},
        {
            "sse_nginx_endpoints": [
                {"path": "/events"},
                {"path": "/live", "upstreams": ["127.0.0.1:8001"], "read_timeout": "2h"},
            ]
        },
        {"tls": True},
        {"tls": True, "sse_nginx_redirect_listen": [], "sse_nginx_hsts_seconds": 86400},
        {"tls": True, "sse_nginx_origins": [APP], "sse_nginx_cors_credentials": True},
    ],
)
def test_a_whole_site_loads(
    nginx: RealNginx, tmp_path: Path, certificate: Path, changes: dict[str, Any]
) -> None:
    changes = dict(changes)
    if changes.pop("tls", False):
        changes["sse_nginx_tls_certificate"] = str(certificate)
        changes["sse_nginx_tls_key"] = str(certificate.with_name("key.pem"))
    text = site(sse_nginx_log_dir=str(tmp_path), sse_nginx_version=nginx.version, **changes)
    main = tmp_path / "nginx.conf"
    main.write_text(main_conf(tmp_path, text))
    tested = nginx.test(main)
    assert (tested.returncode, tested.stderr) == (0, "")


def test_two_sites_stand_side_by_side(nginx: RealNginx, tmp_path: Path) -> None:
    one = site(sse_nginx_log_dir=str(tmp_path), sse_nginx_origins=[APP])
    two = site(
        sse_nginx_site="http_of_twenty_four_char", sse_nginx_log_dir=str(tmp_path),
        sse_nginx_origins=[APP], sse_nginx_server_names=["b.example.org"],
    )  # fmt: skip
    main = tmp_path / "nginx.conf"
    main.write_text(main_conf(tmp_path, one + two))
    tested = nginx.test(main)
    assert (tested.returncode, tested.stderr) == (0, "")


HOSTILE = [
    ("sse_nginx_site", "a b"),
    ("sse_nginx_site", "x}"),
    ("sse_nginx_site", ""),
    ("sse_nginx_site", "a" * 25),
    ("sse_nginx_server_names", []),
    ("sse_nginx_server_names", ["a;}"]),
    ("sse_nginx_server_names", ["a\nroot /;"]),
    ("sse_nginx_listen", ["80; include /etc/passwd"]),
    ("sse_nginx_upstreams", ["127.0.0.1:8000; }"]),
    ("sse_nginx_upstreams", ["localhost:8000"]),
    ("sse_nginx_upstreams", ["unix:run/relative.sock"]),
    ("sse_nginx_upstreams", ["$host:80"]),
    ("sse_nginx_endpoints", [{"path": "/a b"}]),
    ("sse_nginx_endpoints", [{"path": "events"}]),
    ("sse_nginx_endpoints", [{"path": "/e {"}]),
    ("sse_nginx_endpoints", [{"path": "/e", "read_timeout": "1h; root /"}]),
    ("sse_nginx_endpoints", [{"path": "/e", "upstreams": ["a;b"]}]),
    ("sse_nginx_api_paths", ["/$uri"]),
    ("sse_nginx_web_root", "/srv;"),
    ("sse_nginx_web_root", "srv"),
    ("sse_nginx_origins", ["null"]),
    ("sse_nginx_origins", ["*", APP]),
    ("sse_nginx_origins", ["https://*.example"]),
    ("sse_nginx_origins", ["https://a.example/"]),
    ("sse_nginx_origins", ["~https://a"]),
    ("sse_nginx_origins", ['https://a" $x']),
    ("sse_nginx_origins", ["default"]),
    ("sse_nginx_security_headers", {"X-A": 'a" always; root /; #'}),
    ("sse_nginx_security_headers", {"X-A": "$http_cookie"}),
    ("sse_nginx_security_headers", {"X A": "b"}),
    ("sse_nginx_security_headers", {"X-A": "a\nb"}),
    ("sse_nginx_token_parameters", ["a)|(b"]),
    ("sse_nginx_token_parameters", [".*"]),
    ("sse_nginx_log_dir", "/var/log; x"),
    ("sse_nginx_read_timeout", "1h 2"),
    ("sse_nginx_read_timeout", "{{ 1 }}"),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_a_value_that_has_no_business_there_is_refused_by_name(name: str, value: Any) -> None:
    changes = {name: value, **({"sse_nginx_origins": [APP]} if "headers" in name else {})}
    with pytest.raises(jinja2.UndefinedError) as refused:
        site(**changes)
    assert name in str(refused.value)


def test_a_certificate_path_is_typed_too() -> None:
    with pytest.raises(jinja2.UndefinedError, match="sse_nginx_tls_key"):
        site(sse_nginx_tls_certificate="/c", sse_nginx_tls_key="/k; x")


def test_any_origin_never_comes_with_credentials() -> None:
    with pytest.raises(jinja2.UndefinedError, match="with credentials"):
        site(sse_nginx_origins=["*"], sse_nginx_cors_credentials=True)
    assert "Allow-Credentials $" not in site(sse_nginx_origins=["*"])
    assert "add_header Access-Control-Allow-Origin * always;" in site(sse_nginx_origins=["*"])


def test_http2_is_a_directive_from_1_25_1_on() -> None:
    assert "8080 ssl http2;" in site(sse_nginx_version="1.25.0", **TLS)
    assert "http2 on;" in site(sse_nginx_version="1.25.1", **TLS)
    assert "http2 on;" in site(sse_nginx_version="1.30.0", **TLS)
    assert "http2" not in re.sub("#.*", "", site(sse_nginx_version="1.26.3"))


def test_http_leads_to_https_unless_nobody_wants_it() -> None:
    default = site(sse_nginx_listen=[], **TLS)
    assert "listen 80;" in default and "listen 443 ssl http2;" in default
    assert "return 308 https://$host$request_uri;" in default
    assert "https://$host:8443$request_uri" in site(sse_nginx_listen=["8443"], **TLS)
    assert "308" not in site(sse_nginx_redirect_listen=[], **TLS)
    assert "308" not in site()


def test_the_stream_location_of_a_whole_site_has_every_setting() -> None:
    tree = tree_of({"/m": f"http {{ {site()} }}".encode()}, "/m")
    found = route(tree, "http://chat.example.org:8080/events?access_token=x", "1.22.1")
    got = {
        name: found.setting(name).values[0][0]
        for name in ("proxy_buffering", "proxy_http_version", "proxy_read_timeout", "gzip")
    }
    assert got == {
        "proxy_buffering": "off", "proxy_http_version": "1.1", "proxy_read_timeout": "1h",
        "gzip": "off",
    }  # fmt: skip
    assert found.setting("proxy_set_header").keyed("Connection") == ("",)
    assert found.uri_passed == "/events?access_token=x"
    assert [(t.host, t.port) for t in found.targets] == [("127.0.0.1", 8000)]


def test_each_endpoint_has_its_own_service_and_timeout() -> None:
    text = site(
        sse_nginx_endpoints=[
            {"path": "/events"},
            {"path": "/live", "upstreams": ["unix:/run/live.sock"], "read_timeout": "2h"},
        ]
    )
    tree = tree_of({"/m": f"http {{ {text} }}".encode()}, "/m")
    live = route(tree, "http://chat.example.org:8080/live", "1.22.1")
    assert [t.unix for t in live.targets] == ["/run/live.sock"]
    assert live.setting("proxy_read_timeout").values == (("2h",),)
    events = route(tree, "http://chat.example.org:8080/events", "1.22.1")
    assert events.setting("proxy_read_timeout").values == (("1h",),)
    assert [t.port for t in events.targets] == [8000]


WHOLE: dict[str, Any] = {
    **TLS,
    "sse_nginx_listen": ["443"],
    "sse_nginx_origins": [APP],
    "sse_nginx_cors_credentials": True,
    "sse_nginx_api_paths": ["/api/"],
    "sse_nginx_web_root": "/srv/www",
    "sse_nginx_endpoints": [{"path": "/events"}, {"path": "/live", "read_timeout": "2h"}],
}


@pytest.mark.parametrize("version", ["1.18.0", "1.22.1", "1.25.1", "1.26.3", "1.29.7", "1.30.0"])
@pytest.mark.parametrize("changes", [{}, WHOLE], ids=["plain", "whole"])
def test_our_own_rules_find_nothing_wrong_with_it(version: str, changes: dict[str, Any]) -> None:
    """What every rule says of a configuration alone, with and without a "depends"."""
    text = site(sse_nginx_version=version, **changes)
    main = f"events {{ worker_connections 4096; }} http {{ {text} }}"
    tree = tree_of({"/m": main.encode()}, "/m")
    scheme = "https://chat.example.org" if changes else "http://chat.example.org:8080"
    for endpoint in changes.get("sse_nginx_endpoints", [{"path": "/events"}]):
        url = scheme + endpoint["path"]
        found = route(tree, url, version)
        assert found.serves == "proxy"
        told = [
            (rule.id, finding.observed)
            for rule in all_rules()
            if rule.configured is not None
            for finding in rule.configured(found, Endpoint(url))
        ]
        assert told == []


def test_every_cause_that_a_comment_names_is_known() -> None:
    known = {rule.id for rule in all_rules()}
    comments = re.findall(r"^ *# ((?:[a-z0-9]+_[a-z0-9_]+(?:, )?)+): ", site(**WHOLE), re.M)
    named = {name for comment in comments for name in comment.split(", ")}
    assert len(named) >= 12
    assert named <= known


@dataclass(frozen=True)
class Served:
    """A site that is running: its port and where it logs."""

    port: int
    log: Path

    def ask(
        self, target: str, origin: str = APP, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], list[tuple[str, str]]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": "chat.example.org", "Origin": origin, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        connection.close()
        pairs = [(k.lower(), v) for k, v in answer.getheaders()]
        return answer.status, dict(pairs), pairs

    def raw(self, request: bytes) -> None:
        """Bytes that no client library would send."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as sent:
            sent.sendall(request)
            while sent.recv(65536):
                pass

    def lines(self, count: int) -> list[str]:
        """The log, once it has that many lines."""
        for _ in range(200):
            text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
            if text.count("\n") >= count:
                return text.splitlines()
            time.sleep(0.02)
        pytest.fail(f"{self.log}: has {text!r}, must have {count} lines")


@pytest.fixture
def served(nginx: RealNginx, echo: int, free_port: int, tmp_path: Path) -> Iterator[Served]:
    text = site(
        sse_nginx_listen=[f"127.0.0.1:{free_port}"],
        sse_nginx_upstreams=[f"127.0.0.1:{echo}"],
        sse_nginx_endpoints=[{"path": "/events"}, {"path": "/dead", "upstreams": ["127.0.0.1:9"]}],
        sse_nginx_origins=[APP, LONG],
        sse_nginx_cors_credentials=True,
        sse_nginx_log_dir=str(tmp_path),
    )
    main = tmp_path / "nginx.conf"
    main.write_text(main_conf(tmp_path, text))
    process = running(nginx, main, free_port)
    yield Served(free_port, tmp_path / "chat.access.log")
    process.terminate()
    process.wait(10)


CORS = "access-control-allow-"


def test_only_listed_origins_may_read_the_stream(served: Served) -> None:
    _, allowed, pairs = served.ask("/events")
    assert allowed[f"{CORS}origin"] == APP
    assert allowed[f"{CORS}credentials"] == "true"
    assert [name for name, _ in pairs].count(f"{CORS}origin") == 1
    assert f"{CORS}methods" not in allowed
    for origin in (
        "https://evil.example",
        "https://app.example.evil",
        "null",
        "http://app.example",
    ):
        _, denied, _ = served.ask("/events", origin)
        assert not [name for name in denied if name.startswith(CORS)]
        assert denied["vary"] == "Origin"


def test_a_preflight_is_answered_for_listed_origins_alone(served: Served) -> None:
    status, headers, _ = served.ask("/events", method="OPTIONS")
    assert status == 204
    assert headers[f"{CORS}origin"] == APP
    assert headers[f"{CORS}methods"] == "GET, OPTIONS"
    assert "Last-Event-ID" in headers[f"{CORS}headers"]
    assert headers["access-control-max-age"] == "7200"
    status, headers, _ = served.ask("/events", "https://evil.example", "OPTIONS")
    assert not [name for name in headers if name.startswith("access-control-")]


def test_an_error_can_be_read_by_the_page_too_and_keeps_the_security_headers(
    served: Served,
) -> None:
    status, headers, _ = served.ask("/dead")
    assert (status, headers[f"{CORS}origin"]) == (502, APP)
    assert headers["x-content-type-options"] == "nosniff"
    assert served.ask("/")[1]["x-content-type-options"] == "nosniff"


#: Each way a token is known to reach a log, as target and Referer.
LEAKS = {
    "alone": ("/events?access_token=CANARY", ""),
    "in the middle": ("/events?a=1&access_token=CANARY&b=2", ""),
    "another name": ("/events?ticket=CANARY", ""),
    "name that ends so": ("/events?refresh_token=CANARY&x=1", ""),
    "camel case": ("/events?accessToken=CANARY", ""),
    "capitals": ("/events?ACCESS_TOKEN=CANARY", ""),
    "value percent-encoded": ("/events?access_token=%43ANARY%26CANARY", ""),
    "name percent-encoded": ("/events?%61ccess%5Ftoke%6E=CANARY", ""),
    "equals sign percent-encoded": ("/events?next=%2Fevents%3Faccess_token%3DCANARY%26a%3D1", ""),
    "encoded twice": ("/events?next=%252Fevents%253Faccess_token%253DCANARY", ""),
    "encoded name inside": ("/events?next=%2Fe%3Ftoke%6E%3DCANARY", ""),
    "given twice": ("/events?access_token=CANARY&access_token=CANARY", ""),
    "three of them": ("/events?token=CANARY&ticket=CANARY&x=1&jwt=CANARY&y=2", ""),
    "five of them": ("/events?token=CANARY&a=CANARY_&token=CANARY&jwt=CANARY&jwt=CANARY&y=2", ""),
    "semicolons": ("/events?a=1;access_token=CANARY;b=2", ""),
    "array": ("/events?access_token[]=CANARY&token%5B0%5D=CANARY", ""),
    "empty first": ("/events?access_token=&access_token=CANARY", ""),
    "stars first": ("/events?access_token=***CANARY", ""),
    "a value with =": ("/events?access_token=a=CANARY==", ""),
    "web token under another name": (f"/events?q={JWT}&z=1", ""),
    "web token in the path": (f"/events/{JWT}/x?a=1", ""),
    "two web tokens": (f"/events/{JWT}?a={JWT}&b=token", ""),
    "referer": ("/events", "https://chat.example.org/app?access_token=CANARY&tab=2"),
    "referer, encoded name": ("/events", "https://chat.example.org/?acc%65ss_token=CANARY"),
    "referer, fragment": ("/events", "https://chat.example.org/#access_token=CANARY"),
    "absolute form": ("http://chat.example.org/events?access_token=CANARY", ""),
}  # fmt: skip


def test_the_access_log_keeps_no_token_in_any_form(served: Served) -> None:
    leaks = {name: (t.replace("CANARY_", "kept"), r) for name, (t, r) in LEAKS.items()}
    for target, referer in leaks.values():
        served.ask(target, **({"Referer": referer} if referer else {}))
    lines = served.lines(len(leaks))
    assert len(lines) == len(leaks)
    leaked = [
        name
        for name, line in zip(leaks, lines, strict=True)
        if "CANARY" in line or "ANARY" in line or JWT[-20:] in line
    ]
    assert leaked == []
    assert all("***" in line for line in lines)


def test_what_is_no_token_stays_in_the_line(served: Served) -> None:
    kept = [
        "/events?a=1&access_token=***&b=2",
        "/events?tab=tokens&filter%5Bname%5D=x%20y&next=%2Fhome",
        "/events?tokenizer=fast&keys=1",
        "/events",
    ]
    served.ask(kept[0].replace("***", "CANARY"))
    for target in kept[1:]:
        served.ask(target, Referer="https://chat.example.org/a?b=c")
    served.ask("/events?access_token=X&ticket=Y&page=3")
    lines = served.lines(5)
    for target, line in zip(
        [*kept, "/events?access_token=***&ticket=***&page=3"], lines, strict=True
    ):
        assert f'"GET {target} HTTP/1.1" 200 ' in line
    assert '"https://chat.example.org/a?b=c"' in lines[1]
    # The head of a line is that of the format that most tools read.
    assert re.match(r'127\.0\.0\.1 - - \[[^\]]+\] "GET ', lines[0])


def test_a_request_that_is_no_http_leaks_nothing_either(served: Served) -> None:
    served.raw(b"GET /events?access_token=CANARY CANARY HTTP/1.1\r\nHost: a\r\n\r\n")
    served.raw(b"GET /events?access_token=CANARY\x01 HTTP/1.1\r\nHost: a\r\n\r\n")
    served.raw(b"GET /events?access_token=CANARY\r\n\r\n")
    assert "CANARY" not in "\n".join(served.lines(3))


def test_the_longest_request_is_masked_and_takes_no_time(served: Served) -> None:
    for filler in ("a", "%41", "?token", "&a%5f", "token[", "eyJ", "%3f%41", ";%5f%3d"):
        query = (filler * (7900 // len(filler)))[:7900]
        began = time.monotonic()
        served.ask(f"/events?access_token=CANARY&{query}&ticket=CANARY")
        assert time.monotonic() - began < 1.0
    assert "CANARY" not in "\n".join(served.lines(8))


def test_a_browser_speaks_http2_and_a_request_by_http_is_sent_on(
    nginx: RealNginx, echo: int, free_port: int, tmp_path: Path, certificate: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        plain = probe.getsockname()[1]
    text = site(
        sse_nginx_version=nginx.version,
        sse_nginx_listen=[f"127.0.0.1:{free_port}"],
        sse_nginx_redirect_listen=[f"127.0.0.1:{plain}"],
        sse_nginx_upstreams=[f"127.0.0.1:{echo}"],
        sse_nginx_tls_certificate=str(certificate),
        sse_nginx_tls_key=str(certificate.with_name("key.pem")),
        sse_nginx_log_dir=str(tmp_path),
    )
    main = tmp_path / "nginx.conf"
    main.write_text(main_conf(tmp_path, text))
    process = running(nginx, main, free_port)
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", free_port), 10) as sent,
            context.wrap_socket(sent, server_hostname="chat.example.org") as secure,
        ):
            assert secure.selected_alpn_protocol() == "h2"
            assert secure.version() == "TLSv1.3"
        status, headers, _ = Served(plain, tmp_path).ask("/events?access_token=CANARY&a=1")
        assert status == 308
        expected = f"https://chat.example.org:{free_port}/events?access_token=CANARY&a=1"
        assert headers["location"] == expected
        assert "CANARY" not in (tmp_path / "chat.access.log").read_text()
    finally:
        process.terminate()
        process.wait(10)


def test_ansible_renders_the_same_site(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        **yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8")),
        "sse_nginx_site": "chat",
        "sse_nginx_version": "1.22.1",
        "sse_nginx_listen": ["8443"],
        "sse_nginx_server_names": ["chat.example.org"],
        "sse_nginx_upstreams": ["127.0.0.1:8000"],
        "sse_nginx_origins": [APP],
        **TLS,
        "ansible_python_interpreter": sys.executable,
    }
    template = {"src": str(TEMPLATES / "site.conf.j2"), "dest": str(tmp_path / "out")}
    play = [{
        "hosts": "localhost", "gather_facts": False, "connection": "local", "vars": values,
        "tasks": [{"ansible.builtin.template": {**template, "mode": "0644"}}],
    }]  # fmt: skip
    (tmp_path / "play.yml").write_text(json.dumps(play))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "play.yml"],
        check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    expected = site(sse_nginx_listen=["8443"], sse_nginx_origins=[APP], **TLS)
    assert (tmp_path / "out").read_text() == expected


def test_the_documentation_shows_what_is_rendered() -> None:
    shown = (TEMPLATES.parents[1] / "docs" / "own-site.md").read_text("utf-8")
    play = yaml.safe_load(shown.split("```yaml\n")[1].split("```")[0])
    values = play[0]["roles"][0]["vars"]
    values.pop("sse_nginx_mode")
    block = shown.split("```nginx\n")[1].split("```")[0]
    text = site(**{**values, "sse_nginx_listen": []})
    assert text[text.index("upstream chat_app {") :].rstrip() == block.rstrip()
