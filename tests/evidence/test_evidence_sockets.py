"""Listening sockets, as /proc/net and ss of a Debian 12 host printed them."""

from __future__ import annotations

from ansible.module_utils.sse_host import proc, sockets

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:107E 00000000:0000 0A 00000000:00000003 00:00000000 00000000   101        0 27962 1 00000000f3eece28 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27398 1 000000005005fe8a 100 0 0 10 0
   3: 0100007F:1F40 0100007F:C350 08 00000000:00000001 00:00000000 00000000   999        0 31337 1 000000005005fe8b 20 4 30 10 -1
   4: malformed
"""  # noqa: E501
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27399 1 00000000b37ff056 100 0 0 10 0
   1: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27412 1 00000000d140c53f 100 0 0 10 0
"""  # noqa: E501
UNIX = """\
Num       RefCount Protocol Flags    Type St Inode Path
00000000855fb435: 00000002 00000000 00010000 0001 01 68421 /run/notify/notify sse.sock
000000004bdc584b: 00000002 00000000 00010000 0001 01 27221 @/tmp/abstract
00000000c97103f8: 00000003 00000000 00000000 0001 03 27223 /run/dbus/system_bus_socket
00000000c97103f9: 00000002 00000000 00000000 0002 01 27224 /run/systemd/notify
"""
SS = """\
u_dgr UNCONN 0      0                   /run/user/1000/systemd/notify 68418       * 0
u_str LISTEN 2      128                            /run/notify/n.sock 68421       * 0
tcp   LISTEN 3      4096                                    127.0.0.1:4222  0.0.0.0:*
tcp   LISTEN 0      511                                       0.0.0.0:80    0.0.0.0:*
tcp   LISTEN 0      5                                            [::1]:8000     [::]:*
tcp   LISTEN 0      5                                127.0.0.53%lo:53    0.0.0.0:*
"""


def test_tcp_sockets_are_read_with_state_and_accept_queue() -> None:
    found = sockets.parse_tcp(TCP, "inet")
    assert [(s.address, s.port, s.state, s.queue) for s in found] == [
        ("127.0.0.1", 4222, "LISTEN", 3),
        ("*", 80, "LISTEN", 0),
        ("", 8000, "CLOSE_WAIT", 1),
    ]
    assert sockets.states(found) == {"LISTEN": 2, "CLOSE_WAIT": 1}


def test_tcp6_addresses_are_read_word_by_word() -> None:
    assert [(s.address, s.port) for s in sockets.parse_tcp(TCP6, "inet6")] == [
        ("*", 80),
        ("::1", 8000),
    ]


def test_of_unix_sockets_only_accepting_streams_with_a_path_count() -> None:
    assert sockets.parse_unix(UNIX) == [sockets.UnixListener("/run/notify/notify sse.sock", 68421)]


def test_ss_tells_how_many_wait_and_may_wait() -> None:
    assert sockets.parse_ss(SS) == {
        ("/run/notify/n.sock", 0): (2, 128),
        ("127.0.0.1", 4222): (3, 4096),
        ("*", 80): (0, 511),
        ("::1", 8000): (0, 5),
        ("127.0.0.53", 53): (0, 5),
    }


def test_a_socket_that_master_and_workers_share_belongs_to_the_master() -> None:
    table = {pid: proc.Proc(pid, parent, "nginx", 0.0, 1, 0) for pid, parent in ((9, 71), (71, 1))}
    assert sockets.owner([9, 71], table) == 71
    assert sockets.owner([], table) is None
