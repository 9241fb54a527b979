"""Kernel settings, counters and far ends, from files as the kernel prints them."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.sse_host import sockets, tuning

NETSTAT = """\
TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPTimeouts TCPBacklogDrop
TcpExt: 0 31 33 7 0
IpExt: InNoRoutes InTruncatedPkts
IpExt: 0 0
"""
#: Loopback: one stream to 8000 that reads nothing (window probe), one that is gone
#: (retransmission, 4 tries), one that is well, one in TIME_WAIT, and the listening socket.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 100 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F40 0100007F:C351 01 00004000:00000000 04:0000001A 00000003   998        3 201 2 0000000000000000 20 4 0 10 -1
   2: 0100007F:1F40 0A0200C0:C352 01 00000800:00000000 01:0000001A 00000004   998        0 202 2 0000000000000000 20 4 0 10 -1
   3: 0100007F:1F40 0A0200C0:C353 01 00000000:00000000 00:00000000 00000000   998        0 203 2 0000000000000000 20 4 0 10 -1
   4: 0100007F:C351 0100007F:1F40 01 00000000:00000000 00:00000000 00000000     0        0 301 2 0000000000000000 20 4 0 10 -1
   5: 0100007F:C354 0100007F:1F40 06 00000000:00000000 03:00000F00 00000000     0        0 0 3 0000000000000000
"""  # noqa: E501
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0000000000000000FFFF00000100007F:C355 0000000000000000FFFF00000100007F:1F40 01 00000000:00000000 00:00000000 00000000     0        0 302 2 0 20 4 0 10 -1
"""  # noqa: E501
FIB = """\
Main:
  +-- 0.0.0.0/0 2 0 2
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 198.51.100.101
        /32 host LOCAL
     |-- 198.51.100.255
        /32 link BROADCAST
"""


def _proc(tmp_path: Path) -> str:
    net = tmp_path / "net"
    net.mkdir()
    (net / "netstat").write_text(NETSTAT)
    (net / "tcp").write_text(TCP)
    (net / "tcp6").write_text(TCP6)
    (net / "fib_trie").write_text(FIB)
    (net / "if_inet6").write_text(
        "00000000000000000000000000000001 01 80 10 80 lo\n"
        "fe80000000000000005e00fffe000001 02 40 20 80 eth0\n"
    )
    (tmp_path / "vmstat").write_text("nr_free_pages 10\noom_kill 15\n")
    pressure = tmp_path / "pressure"
    pressure.mkdir()
    (pressure / "memory").write_text(
        "some avg10=12.50 avg60=1.00 avg300=0.10 total=10429\n"
        "full avg10=3.00 avg60=0.00 avg300=0.00 total=2823\n"
    )
    return str(tmp_path)


def test_counters_of_lost_connections_and_of_kills_for_memory(tmp_path: Path) -> None:
    counted = tuning.counters(_proc(tmp_path))
    assert counted["ListenOverflows"] == 31
    assert counted["ListenDrops"] == 33
    assert counted["oom_kill"] == 15
    assert "SyncookiesSent" not in counted


def test_growth_names_only_what_grew() -> None:
    before = {"ListenOverflows": 31, "ListenDrops": 33}
    assert tuning.grown(before, {"ListenOverflows": 40, "ListenDrops": 33}) == {
        "ListenOverflows": 9
    }


def test_pressure_is_the_share_of_the_last_ten_seconds(tmp_path: Path) -> None:
    assert tuning.pressure(_proc(tmp_path)) == {"memory.some": 12.5, "memory.full": 3.0}


def test_ports_in_use_are_counted_by_far_end_in_both_families(tmp_path: Path) -> None:
    busiest = tuning.peers(_proc(tmp_path))[0]
    assert (busiest["address"], busiest["port"]) == ("127.0.0.1", 8000)
    assert busiest["states"] == {"ESTABLISHED": 2, "TIME_WAIT": 1}


def test_only_the_busiest_far_ends_are_told(tmp_path: Path) -> None:
    assert len(tuning.peers(_proc(tmp_path), most=2)) == 2


def test_own_addresses_are_those_of_interfaces_without_loopback(tmp_path: Path) -> None:
    assert tuning.addresses(_proc(tmp_path)) == ["198.51.100.101", "fe80::5e:ff:fe00:1"]


def test_a_client_that_does_not_read_is_told_from_one_that_is_gone() -> None:
    unsent = {one.inode: one for one in sockets.parse_unsent(TCP)}
    assert {inode: one.queued for inode, one in unsent.items()} == {201: 16384, 202: 2048}
    assert [inode for inode, one in unsent.items() if one.silent] == [202]


def test_settings_that_the_kernel_does_not_have_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "net" / "ipv4"
    folder.mkdir(parents=True)
    (folder / "ip_local_port_range").write_text("32768\t60999\n")
    assert tuning.settings(str(tmp_path)) == {"net.ipv4.ip_local_port_range": "32768 60999"}


def test_the_disk_of_a_file_that_is_not_there_yet_is_its_folders(tmp_path: Path) -> None:
    assert tuning.mounts_of([str(tmp_path / "not" / "yet")]) == tuning.mounts_of([str(tmp_path)])
