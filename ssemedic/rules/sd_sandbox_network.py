"""Cause: sd_sandbox_network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.unit_journal import lines_of, shortened
from ssemedic.clues.unit_settings import in_force, place
from ssemedic.evidence import Broker, Unit
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity, UnitRemedy
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_NO_FAMILY = re.compile(
    r"Address family not supported|EAFNOSUPPORT|Errno 97\b|os error 97\b|errno: 97\b", re.I
)
_NOT_PERMITTED = re.compile(
    r"Operation not permitted|\bEPERM\b|Errno 1\]|os error 1\)|Network is unreachable|ENETUNREACH",
    re.I,
)
_LATELY = 900.0  # seconds


@rule(
    layer=Layer.SYSTEMD,
    severity=Severity.BROKEN,
    explains=(
        Kind.REFUSED,
        Kind.UNREACHABLE,
        Kind.CANARY_LOST,
        Kind.SILENT,
        Kind.CLOSED_AT_ONCE,
        Kind.NO_ANSWER,
        Sign(Kind.WRONG_STATUS, (500, 502, 503, 504)),
    ),
    needs=("units", "streams"),
)
def sd_sandbox_network(case: Case) -> Iterator[Finding]:
    """The sandbox of the service's unit cuts it off from nginx or from its broker.

    A hardening drop-in took the network away: PrivateNetwork= puts the service on a
    loopback of its own, where nginx cannot reach it and no broker answers;
    RestrictAddressFamilies= without AF_INET refuses every TCP socket; IPAddressDeny=
    drops what goes to the broker. From the host's shell everything answers, because a
    shell is not in the sandbox. The stream is refused, or it opens, sends heartbeats,
    and never an event.
    """
    unit = case.unit
    yield from _own_network(case, unit)
    yield from _families(case, unit)
    yield from _filtered(case, unit)


def _own_network(case: Case, unit: Unit) -> Iterator[Finding]:
    key = "NetworkNamespacePath" if unit.prop("NetworkNamespacePath") else "PrivateNetwork"
    configured = unit.prop(key) not in ("", "no")
    main = next((p for p in case.evidence.processes or () if p.pid == unit.main_pid), None)
    if not configured or main is None or main.own_network is not True:
        return  # what is configured but not in force is no cause
    if ".socket" in unit.prop("TriggeredBy"):
        return  # systemd listens for it outside and passes the socket in
    if case.topology.listener is not None:
        return
    setting = f"{key}={unit.prop(key)}"
    yield Finding(
        hop="app",
        where=place(unit, key),
        observed=f"{setting}: the service is alone in a network of its own",
        expected="the host's network, where nginx and the broker are",
        evidence=(
            f"process {main.pid} runs, and its network namespace is not the host's",
            "nobody listens on the app's port in the host's network",
        ),
        certainty=3,
        remedy=UnitRemedy(unit.name, {"Service": {"PrivateNetwork": "no"}}, state="restarted")
        if key == "PrivateNetwork"
        else None,
        advice=(
            Advice(
                Audience.SERVER,
                "Where the service must be shut in, let systemd listen for it (a .socket unit "
                "passes the socket in), or filter by address: IPAddressDeny=any and "
                "IPAddressAllow=localhost with the broker's address.",
            ),
        ),
    )


def _families(case: Case, unit: Unit) -> Iterator[Finding]:
    allowed = unit.prop("RestrictAddressFamilies").split()
    if not allowed:
        return
    refused = _said(case, unit, _NO_FAMILY)
    if refused is None:
        return
    denies = allowed[0].startswith("~")
    names = {name.lstrip("~") for name in allowed}
    lacking = [f for f in ("AF_INET", "AF_INET6", "AF_UNIX") if (f in names) is denies]
    if not lacking:
        return
    lines = in_force(unit, "RestrictAddressFamilies")
    # A list that denies is no list to add to: what is added to it is denied too.
    plain = not denies and all(not line.value.startswith("~") for line in lines)
    yield Finding(
        hop="app",
        where=place(unit, "RestrictAddressFamilies"),
        observed=f"RestrictAddressFamilies={' '.join(allowed)} refuses {', '.join(lacking)}",
        expected="AF_INET AF_INET6 AF_UNIX for a service that listens on TCP and asks a broker",
        evidence=(f"journal of {unit.name}: {refused}",),
        certainty=3,
        remedy=UnitRemedy(
            unit.name,
            {"Service": {"RestrictAddressFamilies": " ".join(lacking)}},
            state="restarted",
            reset_failed=unit.active_state == "failed",
        )
        if plain
        else None,
        advice=()
        if plain
        else (
            Advice(
                Audience.SERVER,
                f"{place(unit, 'RestrictAddressFamilies')}: RestrictAddressFamilies=AF_INET "
                f"AF_INET6 AF_UNIX, then: systemctl daemon-reload && systemctl restart {unit.name}",
            ),
        ),
    )


def _filtered(case: Case, unit: Unit) -> Iterator[Finding]:
    """IPAddressDeny= that covers a broker which the host itself reaches."""
    denied = unit.prop("IPAddressDeny").split()
    refused = _said(case, unit, _NOT_PERMITTED)
    if not denied or refused is None:
        return
    for broker in case.evidence.brokers or ():
        address = _address(broker)
        if address is None or not broker.reachable or not _covers(denied, address):
            continue
        if _covers(unit.prop("IPAddressAllow").split(), address):
            continue  # what is allowed wins over what is denied (systemd.resource-control(5))
        where = place(unit, "IPAddressDeny")
        yield Finding(
            hop="app",
            where=where,
            observed=f"IPAddressDeny={' '.join(denied)} covers {broker.kind} at {broker.address}",
            expected=f"IPAddressAllow={address}",
            evidence=(
                f"journal of {unit.name}: {refused}",
                f"from the host {broker.kind} answers at {broker.address}",
            ),
            certainty=3,
            advice=(
                Advice(
                    Audience.SERVER,
                    f"systemctl edit {unit.name}: [Service] IPAddressAllow={address} (this host's "
                    "own clients need IPAddressAllow=localhost too), then restart it.",
                ),
            ),
        )


def _said(case: Case, unit: Unit, pattern: re.Pattern[str]) -> str | None:
    now = case.evidence.collected_at
    lines = [x for x in lines_of(case, unit) if pattern.search(x.text)]
    fresh = [x for x in lines if x.at is None or now - x.at < _LATELY]
    return shortened(fresh[-1].text) if fresh else None


def _address(broker: Broker) -> str | None:
    host = broker.address.rpartition(":")[0].strip("[]")
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        return None


def _covers(prefixes: list[str], address: str) -> bool:
    one = ipaddress.ip_address(address)
    for prefix in prefixes:
        try:
            if one in ipaddress.ip_network(prefix, strict=False):
                return True
        except ValueError:
            continue  # a word that systemd prints and no address: nothing is covered by it
    return False
