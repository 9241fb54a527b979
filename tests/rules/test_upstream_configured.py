"""What the configuration alone tells of causes between nginx and its upstream."""

from __future__ import annotations

import pytest

from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding
from ssemedic.nginx import route, tree_of
from ssemedic.rules import all_rules

URL = "https://chat.example.org/api/events"
GOOD = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; '
#: The causes of this page.
IDS = (
    "nginx_args_dropped",
    "nginx_host_header_rejected",
    "nginx_http10_upstream",
    "nginx_stale_upstream_dns",
    "nginx_upgrade_connection",
    "nginx_upstream_ipv6_localhost",
    "nginx_upstream_wrong_target",
    "nginx_uri_rewrite",
)


def told(location: str, http: str = "", version: str = "1.22.1") -> dict[str, Finding]:
    text = f"events {{}} http {{ {http}\nserver {{ listen 443 ssl;\n{location}\n}} }}"
    found = route(tree_of({"/n.conf": text.encode()}, "/n.conf"), URL, version)
    return {
        rule.id: finding
        for rule in all_rules()
        if rule.id in IDS and rule.configured is not None
        for finding in rule.configured(found, Endpoint(URL))
    }


@pytest.mark.parametrize(
    ("location", "cause"),
    [
        ("location / { set $a 127.0.0.1:80; proxy_pass http://$a/events; G }", IDS[0]),
        ("location / { proxy_pass http://chat_api; G }", IDS[1]),
        ("location / { proxy_pass http://127.0.0.1:8000; proxy_buffering off; }", IDS[2]),
        ("location / { proxy_pass http://app.example.org:8000; G }", IDS[3]),
        (
            "location / { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1;"
            " proxy_set_header Connection upgrade; }",
            IDS[4],
        ),
        ("location / { proxy_pass http://localhost:8000; G }", IDS[5]),
        ("location / { proxy_pass https://127.0.0.1:443; G proxy_set_header Host $host; }", IDS[6]),
        ("location /api { proxy_pass http://127.0.0.1:8000/; G }", IDS[7]),
        ("location /api/ { proxy_pass http://127.0.0.1:8000/v1; G }", IDS[7]),
    ],
)
def test_a_configuration_is_suspected_with_what_it_takes_beside_it(
    location: str, cause: str
) -> None:
    upstream = "upstream chat_api { server 127.0.0.1:8000; }"
    found = told(location.replace("G", GOOD), upstream)
    assert set(found) == {cause}
    finding = found[cause]
    assert finding.depends or cause == "nginx_upstream_wrong_target"
    assert finding.where.startswith(("/n.conf:", "default of"))
    assert finding.remedy or finding.advice


@pytest.mark.parametrize(
    "location",
    [
        "location / { proxy_pass http://127.0.0.1:8000; G }",
        "location /api/ { proxy_pass http://127.0.0.1:8000/; G }",
        "location /api { proxy_pass http://127.0.0.1:8000/v1; G }",
        "location ^~ /api/events { proxy_pass http://127.0.0.1:8000/stream; G }",
        "location / { set $a 127.0.0.1:80; proxy_pass http://$a; G }",
        "location / { set $a 127.0.0.1:80; proxy_pass http://$a$request_uri; G }",
        "location / { set $a 127.0.0.1:80; proxy_pass http://$a/x$is_args$args; G }",
        "location / { proxy_pass http://pool; G proxy_set_header Host $host; }",
        "location / { proxy_pass http://app:8000; G }",
        "location / { proxy_pass http://unix:/run/app.sock; G }",
        "location / { proxy_pass http://unix:/run/app.sock:/events; G }",
        "location / { proxy_pass http://[::1]:8000; G }",
        "location / { proxy_pass https://127.0.0.1:8443; G proxy_set_header Host $host; }",
        "location / { resolver 127.0.0.53; set $a app.example.org; proxy_pass http://$a:80; G }",
        "location / { try_files $uri @app; } location @app { proxy_pass http://127.0.0.1:80; G }",
        "location / { proxy_pass http://127.0.0.1:80; proxy_http_version 1.1;"
        " proxy_set_header Connection $connection_upgrade; }",
        "location / { return 404; }",
    ],
)
def test_a_good_configuration_gives_nothing(location: str) -> None:
    http = (
        "upstream pool { server 127.0.0.1:8000; } "
        'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }'
    )
    assert told(location.replace("G", GOOD), http) == {}


def test_from_1_29_7_on_a_bare_proxy_pass_is_good_too() -> None:
    bare = "location / { proxy_pass http://127.0.0.1:8000; proxy_buffering off; }"
    assert told(bare, version="1.29.7") == {}
