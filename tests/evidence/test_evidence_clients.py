"""How many streams each client holds: counted from what ss(8) prints, addresses left out."""

from __future__ import annotations

from ansible.module_utils.sse_host import sockets

_STREAM = (
    "\t bbr wscale:10,10 rto:204 rtt:0.01/0.006 bytes_sent:338 bytes_received:342 "
    "lastsnd:{sent} lastrcv:{heard} lastack:{sent} pacing_rate 1bps delivered:3"
)


def printed(*connections: tuple[str, str, int, int]) -> str:
    """As `ss -Htin state established` prints (local, peer, ms since sent, ms since heard)."""
    lines = []
    for local, peer, sent, heard in connections:
        lines += [f"0      0      {local} {peer} ", _STREAM.format(sent=sent, heard=heard)]
    return "\n".join(lines) + "\n"


def test_a_connection_on_which_the_server_went_on_sending_is_a_stream() -> None:
    text = printed(
        ("192.0.2.1:443", "192.0.2.7:50001", 400, 61_000),
        ("192.0.2.1:443", "192.0.2.7:50002", 9_000, 3_600_000),
        ("192.0.2.1:443", "192.0.2.9:50003", 10, 30_000),
    )
    assert sockets.parse_streams(text) == [2, 1]


def test_a_connection_kept_alive_for_the_next_request_is_no_stream() -> None:
    answered = ("192.0.2.1:443", "192.0.2.7:50001", 41_960, 42_000)
    slowly = ("192.0.2.1:443", "192.0.2.7:50002", 41_100, 42_000)
    assert sockets.parse_streams(printed(answered, slowly)) == []


def test_connections_of_the_host_itself_say_nothing_of_a_browser() -> None:
    text = printed(
        ("127.0.0.1:443", "127.0.0.1:50001", 400, 61_000),
        ("[::1]:443", "[::1]:50002", 400, 61_000),
        ("192.0.2.1:443", "192.0.2.1:50003", 400, 61_000),
    )
    assert sockets.parse_streams(text) == []


def test_one_client_is_one_whether_its_socket_is_of_ipv4_or_ipv6() -> None:
    text = printed(
        ("192.0.2.1:443", "192.0.2.7:50001", 400, 61_000),
        ("[::ffff:192.0.2.1]:443", "[::ffff:192.0.2.7]:50002", 400, 61_000),
        ("[2001:db8::1]:443", "[2001:db8::7]:50003", 400, 61_000),
    )
    assert sockets.parse_streams(text) == [2, 1]


def test_what_ss_does_not_know_of_a_connection_is_not_made_up() -> None:
    text = "0 0 192.0.2.1:443 192.0.2.7:50001\n\t bbr wscale:10,10 bytes_sent:338\n"
    assert sockets.parse_streams(text) == []
    assert sockets.parse_streams("") == []
