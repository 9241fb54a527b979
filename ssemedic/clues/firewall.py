"""What a host's packet filter does with a new connection, as far as its rules can be read.

Rules of nftables (`nft --json`) and of `iptables-save` are read into one small model. A
condition that is not understood is neither met nor unmet: a rule that hangs on one is
"perhaps", and what is said of it says so.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ssemedic.evidence import Firewall

_ENDS = ("drop", "reject", "accept", "return", "queue")
_DEEPEST = 16  # jumps; the kernel allows as many


@dataclass(frozen=True)
class Connection:
    """A new TCP connection to ``port`` of this host; from itself where ``loopback``."""

    port: int
    loopback: bool


@dataclass(frozen=True)
class Blocked:
    """The rule that stops a connection: ``how`` is "drop" or "reject".

    ``sure`` is false where a condition of it, or of a rule before it that would accept, is
    not understood. ``packets`` is how many it stopped, None where it does not count.
    """

    how: str
    chain: str
    rule: str
    sure: bool
    packets: int | None = None
    remove: str = ""  # the command that takes the rule away, "" for a policy


@dataclass(frozen=True)
class _Rule:
    conditions: tuple[bool | None, ...]
    verdict: str  # one of _ENDS, "jump", "goto", ""
    target: str
    text: str
    packets: int | None
    remove: str


@dataclass(frozen=True)
class _Chain:
    name: str
    hook: str
    priority: int
    policy: str
    rules: tuple[_Rule, ...]


class FirewallError(ValueError):
    """The rules are not in the form that the tool prints."""


def blocked(firewall: Firewall, connection: Connection) -> Blocked | None:
    """What stops a new connection on its way in; None where nothing does.

    Raises `FirewallError` where the rules cannot be read.
    """
    if not firewall.rules:
        return None
    if firewall.tool == "nft":
        chains = _of_nft(firewall.rules, connection)
    else:
        chains = _of_iptables(firewall.rules, connection)
    hooks = ("prerouting", "input", "output") if connection.loopback else ("prerouting", "input")
    first = [c for c in chains.values() if c.hook in hooks]
    for chain in sorted(first, key=lambda c: (hooks.index(c.hook), c.priority)):
        stop = _walk(chain, chains, sure=True, depth=0)
        if isinstance(stop, Blocked):
            return stop
    return None


def _walk(
    chain: _Chain, chains: Mapping[str, _Chain], *, sure: bool, depth: int
) -> Blocked | bool | None:
    """A block, True where the packet is accepted for good, None where the chain ends.

    A rule that perhaps stops it counts only where nothing after it surely decides.
    """
    perhaps: Blocked | None = None
    for rule in chain.rules:
        met = _all(rule.conditions)
        if met is False:
            continue
        if rule.verdict in ("drop", "reject"):
            found = Blocked(
                rule.verdict, chain.name, rule.text, sure and met is True, rule.packets, rule.remove
            )
            if met:
                return perhaps or found
            perhaps = perhaps or found
        elif rule.verdict in ("accept", "queue"):
            if met:
                return True if perhaps is None else perhaps
            sure = False
        elif rule.verdict == "return":
            if met:
                return perhaps
            sure = False
        elif rule.verdict in ("jump", "goto") and rule.target in chains and depth < _DEEPEST:
            inner = _walk(chains[rule.target], chains, sure=sure and met is True, depth=depth + 1)
            if isinstance(inner, Blocked):
                if met and inner.sure:
                    return inner
                perhaps = perhaps or inner
            elif inner is True and met:
                return True if perhaps is None else perhaps
            elif inner is True:
                sure = False
    if chain.policy in ("drop", "reject"):
        return Blocked(chain.policy, chain.name, f"policy {chain.policy}", sure)
    return perhaps


def _all(conditions: Sequence[bool | None]) -> bool | None:
    if False in conditions:
        return False
    return None if None in conditions else True


def _of_nft(text: str, connection: Connection) -> dict[str, _Chain]:
    try:
        objects = json.loads(text)["nftables"]
        chains: dict[str, dict[str, Any]] = {}
        rules: dict[str, list[_Rule]] = {}
        for one in objects:
            if "chain" in one:
                chains[_key(one["chain"], one["chain"]["name"])] = one["chain"]
            elif "rule" in one:
                rule = one["rule"]
                rules.setdefault(_key(rule, rule["chain"]), []).append(_nft_rule(rule, connection))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FirewallError(f"nft: its JSON is not understood ({error})") from error
    return {
        key: _Chain(
            f"{one['family']} {one['table']} {one['name']}",
            one.get("hook", "") if one.get("type") == "filter" else "",
            one.get("prio", 0) if isinstance(one.get("prio"), int) else 0,
            one.get("policy", "accept"),
            tuple(rules.get(key, ())),
        )
        for key, one in chains.items()
    }


def _key(one: Mapping[str, Any], chain: str) -> str:
    return f"{one['family']} {one['table']} {chain}"


def _nft_rule(rule: Mapping[str, Any], connection: Connection) -> _Rule:
    conditions: list[bool | None] = []
    verdict, target, packets = "", "", None
    for part in rule["expr"]:
        ((kind, value),) = part.items()
        if kind == "match":
            conditions.append(_nft_match(value, connection))
        elif kind == "counter" and isinstance(value, dict):
            packets = value.get("packets")
        elif kind in _ENDS:
            verdict = kind
        elif kind in ("jump", "goto"):
            verdict, target = kind, _key(rule, value["target"])
        elif kind == "xt":
            name = (value or {}).get("name", "") if isinstance(value, dict) else ""
            if name in ("REJECT", "DROP", "ACCEPT"):
                verdict = name.lower()
            else:
                conditions.append(None)
        elif kind not in ("log", "comment", "mangle"):
            conditions.append(None)
    remove = (
        f"nft delete rule {rule['family']} {rule['table']} {rule['chain']} handle {rule['handle']}"
    )
    return _Rule(tuple(conditions), verdict, target, _nft_text(rule["expr"]), packets, remove)


def _nft_match(match: Mapping[str, Any], connection: Connection) -> bool | None:
    left, right, negated = match["left"], match["right"], match["op"] == "!="
    if match["op"] not in ("==", "!=", "in"):
        return None
    found = _nft_field(left, right, connection)
    return found if found is None else found is not negated


def _nft_field(left: Any, right: Any, connection: Connection) -> bool | None:
    if not isinstance(left, dict):
        return None
    if "payload" in left and isinstance(left["payload"], dict):
        protocol, name = left["payload"].get("protocol"), left["payload"].get("field")
        if protocol in ("udp", "icmp", "icmpv6", "sctp", "dccp"):
            return False
        if protocol in ("tcp", "th") and name == "dport":
            return _has(right, connection.port)
        if protocol in ("ip", "ip6") and name in ("saddr", "daddr") and connection.loopback:
            return _holds(right, "127.0.0.1" if protocol == "ip" else "::1")
        if protocol == "ip" and name == "protocol":
            return _names(right, {"tcp", "6"})
        return None
    if "meta" in left:
        key = left["meta"].get("key")
        if key in ("iifname", "iif", "oifname", "oif"):
            if right == "lo":
                return connection.loopback
            return False if connection.loopback else None
        if key == "l4proto":
            return _names(right, {"tcp", "6"})
        return None
    if "ct" in left and left["ct"].get("key") == "state":
        return _names(right, {"new"})
    return None


def _has(right: Any, number: int) -> bool | None:
    if isinstance(right, bool):
        return None
    if isinstance(right, int):
        return right == number
    if isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        return bool(low <= number <= high)
    if isinstance(right, dict) and "set" in right:
        each = [_has(item, number) for item in right["set"]]
        return True if True in each else (None if None in each else False)
    return None


def _names(right: Any, wanted: set[str]) -> bool | None:
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    if isinstance(right, list):
        return any(str(item) in wanted for item in right)
    return str(right) in wanted if isinstance(right, (str, int)) else None


def _holds(right: Any, address: str) -> bool | None:
    if isinstance(right, dict) and "prefix" in right:
        right = f"{right['prefix']['addr']}/{right['prefix']['len']}"
    if not isinstance(right, str):
        return None
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(right, strict=False)
    except ValueError:
        return None


def _nft_text(parts: Sequence[Mapping[str, Any]]) -> str:
    """A rule much as `nft list` prints it: enough to find it again."""
    words = []
    for part in parts:
        ((kind, value),) = part.items()
        if kind == "match":
            words.append(_nft_words(value))
        elif kind == "reject" and isinstance(value, dict):
            words.append(f"reject with {value.get('type', '')} {value.get('expr', '')}".strip())
        elif kind in ("jump", "goto"):
            words.append(f"{kind} {value['target']}")
        elif kind in _ENDS:
            words.append(kind)
    return " ".join(words)


def _nft_words(match: Mapping[str, Any]) -> str:
    left, right = match["left"], match["right"]
    name = json.dumps(left)
    if isinstance(left, dict) and "payload" in left and "field" in left["payload"]:
        name = f"{left['payload'].get('protocol')} {left['payload'].get('field')}"
    elif isinstance(left, dict) and "meta" in left:
        name = str(left["meta"].get("key"))
    elif isinstance(left, dict) and "ct" in left:
        name = f"ct {left['ct'].get('key')}"
    operator = "!= " if match["op"] == "!=" else ""
    return f"{name} {operator}{_nft_value(right)}"


def _nft_value(right: Any) -> str:
    if isinstance(right, dict) and "set" in right:
        return "{ " + ", ".join(_nft_value(x) for x in right["set"]) + " }"
    if isinstance(right, dict) and "range" in right:
        return "-".join(str(x) for x in right["range"])
    if isinstance(right, dict) and "prefix" in right:
        return f"{right['prefix']['addr']}/{right['prefix']['len']}"
    if isinstance(right, list):
        return ",".join(_nft_value(x) for x in right)
    return str(right)


def _of_iptables(text: str, connection: Connection) -> dict[str, _Chain]:
    policies: dict[str, str] = {}
    rules: dict[str, list[_Rule]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            name, policy = [*line[1:].split(), "-"][:2]
            policies[f"{table} {name}"] = policy.lower()
        elif line.startswith("-A "):
            try:
                words = shlex.split(line)
            except ValueError as error:
                raise FirewallError(f"iptables-save: {error}") from error
            rules.setdefault(f"{table} {words[1]}", []).append(
                _iptables_rule(table, words, connection)
            )
    hooks = {"INPUT": "input", "OUTPUT": "output", "PREROUTING": "prerouting"}
    return {
        key: _Chain(
            key,
            hooks.get(key.split()[1], "") if key.split()[0] in ("filter", "mangle", "raw") else "",
            0,
            policy if policy in ("drop", "accept") else "accept",
            tuple(rules.get(key, ())),
        )
        for key, policy in policies.items()
    }


def _iptables_rule(table: str, words: Sequence[str], connection: Connection) -> _Rule:
    conditions: list[bool | None] = []
    verdict, target, negated = "", "", False
    index = 2
    while index < len(words):
        word = words[index]
        value = words[index + 1] if index + 1 < len(words) else ""
        if word == "!":
            negated, index = True, index + 1
            continue
        if word in ("-j", "-g"):
            verdict, target = _iptables_target(table, word, value)
            break
        if word in ("-m", "--comment"):
            index += 2
            continue
        found = _iptables_match(word, value, connection)
        conditions.append(found if found is None else found is not negated)
        negated, index = False, index + 2
    text = " ".join(words[2:])
    remove = f"iptables -t {table} -D {' '.join(shlex.quote(word) for word in words[1:])}"
    return _Rule(tuple(conditions), verdict, target, text, None, remove)


def _iptables_target(table: str, word: str, value: str) -> tuple[str, str]:
    if value.lower() in _ENDS:
        return value.lower(), ""
    if value in ("LOG", "NFLOG", "MARK", "CONNMARK", "TCPMSS", "CT"):
        return "", ""
    return ("jump" if word == "-j" else "goto"), f"{table} {value}"


def _iptables_match(word: str, value: str, connection: Connection) -> bool | None:
    if word in ("-p", "--protocol"):
        return value in ("tcp", "6", "all")
    if word in ("--dport", "--destination-port", "--dports"):
        spans = [part.partition(":") for part in value.split(",")]
        if not all(low.isdigit() and (high or "0").isdigit() for low, _, high in spans):
            return None
        return any(int(low) <= connection.port <= int(high or low) for low, _, high in spans)
    if word in ("-i", "-o"):
        if value == "lo":
            return connection.loopback
        return False if connection.loopback else None
    if word in ("--ctstate", "--state"):
        return "NEW" in value.split(",")
    if word in ("-s", "-d") and connection.loopback:
        return _holds(value, "127.0.0.1")
    return None
