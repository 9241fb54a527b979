"""Which socket an address reaches, and which sockets may be the application's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.sse_host import listeners


def listening(
    address: str, port: int, process: str | None = "python3", unit: str | None = None, **other: Any
) -> dict[str, Any]:
    family = "inet6" if ":" in address else "inet"
    return {
        "family": family,
        "address": address,
        "port": port,
        "process": process,
        "unit": unit,
    } | other


APP = listening("127.0.0.1", 8000, unit="notify.service")
V6 = listening("::1", 9000)
ANY = listening("*", 7000)
SOCKET = listening("/run/n.sock", 0, family="unix")
ALL = [APP, V6, ANY, SOCKET]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1:8000", APP),
        ("localhost:8000", APP),
        ("[::1]:8000", None),
        ("[::1]:9000", V6),
        ("localhost:9000", V6),
        ("127.0.0.1:9000", None),
        ("127.0.0.1:7000", ANY),
        ("192.0.2.9:7000", None),  # not an address of this host
        ("unix:/run/n.sock", SOCKET),
        ("unix:/run/n.sock:", SOCKET),
        ("unix:/run/other.sock", None),
        ("127.0.0.1:1", None),
    ],
)
def test_an_address_reaches_the_socket_that_the_kernel_would_give_it(
    address: str, found: dict[str, Any] | None
) -> None:
    assert listeners.at(address, ALL) is found


def test_whether_an_address_is_ours_is_known_without_a_name_server() -> None:
    assert listeners.here("127.9.9.9:1") and listeners.here("unix:/x") and listeners.here("[::1]:1")
    assert not listeners.here("192.0.2.9:80")
    assert not listeners.here("app.internal:8000")


def test_candidates_are_applications_with_the_named_unit_first() -> None:
    found = [
        listening("*", 22, "sshd", "ssh.service"),
        listening("127.0.0.1", 4222, "nats-server", "nats-server.service"),
        listening("*", 8080, "nginx", "nginx.service"),
        listening("10.0.0.5", 9100, "python3"),
        listening("*", 8001, "node", "other.service"),
        listening("127.0.0.1", 8002, "python3", "notify.service"),
        listening("::1", 8003, "java", None),
    ]
    assert listeners.candidates(found, ["notify.service"]) == [
        "127.0.0.1:8002",
        "127.0.0.1:8001",
        "[::1]:8003",
    ]


def test_without_root_the_well_known_ports_are_left_out() -> None:
    found = [listening("*", port, None) for port in (22, 80, 4222, 6379, 8000)]
    assert listeners.candidates(found, []) == ["127.0.0.1:8000"]
