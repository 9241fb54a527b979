"""Rules as nft and iptables-save of Debian 12 print them, and what becomes of a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ssemedic.clues.firewall import Blocked, Connection, FirewallError, blocked
from ssemedic.evidence import Firewall

OUTSIDE = Connection(8080, loopback=False)
PORT = {"payload": {"protocol": "tcp", "field": "dport"}}


def _chain(name: str = "input", **more: Any) -> dict[str, Any]:
    base = {"family": "inet", "table": "filter", "name": name, "handle": 1}
    return {"chain": base | more}


def _base(policy: str = "accept", name: str = "input", hook: str = "input") -> dict[str, Any]:
    return _chain(name, type="filter", hook=hook, prio=0, policy=policy)


def _rule(*parts: Any, chain: str = "input") -> dict[str, Any]:
    head = {"family": "inet", "table": "filter", "chain": chain, "handle": 7}
    return {"rule": head | {"expr": list(parts)}}


def _match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def _nft(*objects: Any) -> Firewall:
    return Firewall("nft", json.dumps({"nftables": [{"metainfo": {}}, *objects]}))


def _stop(firewall: Firewall, connection: Connection = OUTSIDE) -> Blocked | None:
    return blocked(firewall, connection)


def test_without_rules_everything_comes_in() -> None:
    assert _stop(Firewall("nft", "")) is None
    assert _stop(_nft()) is None


def test_the_first_rule_that_fits_decides() -> None:
    accept, drop = _rule(_match(PORT, 8080), {"accept": None}), _rule({"drop": None})
    assert _stop(_nft(_base(), accept, drop)) is None
    found = _stop(_nft(_base(), drop, accept))
    assert found is not None and found.sure


@pytest.mark.parametrize(
    ("right", "stops"),
    [(8080, True), (80, False), ({"set": [22, 8080]}, True), ({"range": [8000, 9000]}, True)],
)
def test_ports_are_compared_singly_in_sets_and_in_ranges(right: Any, stops: bool) -> None:
    found = _stop(_nft(_base(), _rule(_match(PORT, right), {"drop": None})))
    assert (found is not None) is stops


def test_a_rule_for_known_connections_says_nothing_of_a_new_one() -> None:
    state = _match({"ct": {"key": "state"}}, ["established", "related"], "in")
    assert _stop(_nft(_base("drop"), _rule(state, {"accept": None}))) is not None
    assert _stop(_nft(_base(), _rule(state, {"drop": None}))) is None


def test_loopback_is_told_from_outside() -> None:
    lo = _match({"meta": {"key": "iifname"}}, "lo")
    firewall = _nft(_base("drop"), _rule(lo, {"accept": None}))
    assert _stop(firewall) is not None
    assert _stop(firewall, Connection(8000, loopback=True)) is None


def test_what_is_not_understood_makes_it_unsure() -> None:
    limit = {"limit": {"rate": 10, "per": "second"}}
    found = _stop(_nft(_base(), _rule(_match(PORT, 8080), limit, {"drop": None})))
    assert found is not None and not found.sure
    office = _match({"payload": {"protocol": "ip", "field": "saddr"}}, "203.0.113.9")
    found = _stop(_nft(_base("drop"), _rule(office, {"accept": None})))
    assert found is not None and not found.sure


def test_an_unsure_drop_before_a_sure_accept_is_still_told() -> None:
    office = _match({"payload": {"protocol": "ip", "field": "saddr"}}, "203.0.113.9")
    found = _stop(_nft(_base(), _rule(office, {"drop": None}), _rule({"accept": None})))
    assert found is not None and not found.sure


def test_chains_are_followed_and_come_back() -> None:
    jump = _rule({"jump": {"target": "web"}})
    web = _rule(_match(PORT, {"set": [80, 443]}), {"accept": None}, chain="web")
    firewall = _nft(_base("drop"), _chain("web"), jump, web)
    assert _stop(firewall) is not None
    assert _stop(firewall, Connection(443, loopback=False)) is None


def test_a_chain_that_leads_back_to_itself_ends() -> None:
    jump = _rule({"jump": {"target": "loop"}})
    again = _rule({"jump": {"target": "loop"}}, chain="loop")
    assert _stop(_nft(_base(), _chain("loop"), jump, again)) is None


def test_udp_rules_and_nat_chains_do_not_count() -> None:
    udp = _match({"payload": {"protocol": "udp", "field": "dport"}}, 8080)
    nat = _chain("prerouting", type="nat", hook="prerouting", prio=-100, policy="drop")
    assert _stop(_nft(_base(), _rule(udp, {"drop": None}), nat)) is None


def test_what_is_no_json_is_an_error_and_no_clean_filter() -> None:
    with pytest.raises(FirewallError):
        _stop(Firewall("nft", "table inet filter {"))


SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.0.2.9
COMMIT
*filter
:INPUT ACCEPT [10:600]
:OUTPUT ACCEPT [0:0]
:web - [0:0]
-A INPUT ! -i lo -p tcp -m tcp --dport 9000:9100 -j DROP
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -j web
-A web -p tcp -m tcp --dport 8080 -m comment --comment "a b -j ACCEPT" -j REJECT --reject-with tcp-reset
COMMIT
"""  # noqa: E501


def test_iptables_save_is_read_with_quotes_ranges_and_chains() -> None:
    found = _stop(Firewall("iptables-save", SAVED))
    assert found is not None
    assert (found.how, found.chain, found.sure) == ("reject", "filter web", True)
    assert found.remove.startswith("iptables -t filter -D web -p tcp")
    assert _stop(Firewall("iptables-save", SAVED), Connection(443, loopback=False)) is None
    dropped = _stop(Firewall("iptables-save", SAVED), Connection(9050, loopback=False))
    assert dropped is not None and dropped.sure
    assert _stop(Firewall("iptables-save", SAVED), Connection(9050, loopback=True)) is None
