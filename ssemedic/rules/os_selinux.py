"""Cause: os_selinux."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.unit_journal import shortened
from ssemedic.clues.upstream_log import upstream_errors
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Target
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_FORBIDDEN = re.compile(r"\(13: Permission denied\)")
_AVC = re.compile(r"avc: +denied +\{ (?P<what>[^}]+) \}.*?comm=\"?(?P<comm>[^\"\s]+)")
_DEST = re.compile(r"\bdest=(\d+)")
_PERMISSIVE = re.compile(r"permissive=1")
_APPARMOR = re.compile(
    r"apparmor=\"DENIED\".*?operation=\"(?P<what>[^\"]+)\".*?profile=\"(?P<profile>[^\"]+)\""
    r"(?:.*?name=\"(?P<name>[^\"]*)\")?.*?comm=\"(?P<comm>[^\"]+)\""
)
_SOURCES = ("/var/log/audit/audit.log", "kernel")
_LATELY = 3600.0  # seconds


@rule(
    layer=Layer.OS,
    severity=Severity.BROKEN,
    explains=(
        Kind.REFUSED,
        Kind.CLOSED_AT_ONCE,
        Sign(Kind.WRONG_STATUS, (403, 500, 502, 503, 504)),
    ),
    needs=("nginx", "logs", "streams"),
)
def os_selinux(case: Case) -> Iterator[Finding]:
    """SELinux or AppArmor forbids what the stream needs, though every file mode allows it.

    nginx may not connect to the app's port, so each request is answered 502 within
    milliseconds with "(13: Permission denied) while connecting to upstream" in its log; or
    the service may not listen or read its files. A shell of root is not confined, so by
    hand everything works. The kernel writes each refusal down.
    """
    yield from _proxy(case)
    yield from _service(case)


def _proxy(case: Case) -> Iterator[Finding]:
    hop, found = case.asking
    symptom = case.symptom(hop, Kind.WRONG_STATUS)
    target = case.topology.target
    if found.serves != "proxy" or symptom is None or target is None:
        return
    refused = [x for x in upstream_errors(case.evidence, found.url) if _FORBIDDEN.search(x.message)]
    denial = _denial(case, ("nginx",), target.port)
    system = case.evidence.system
    enforcing = system is not None and system.selinux == "enforcing"
    if not refused or not (denial or enforcing):
        return  # without either it is the mode of a socket, which is another cause
    yield Finding(
        hop=hop,
        where=target.where,
        observed=f"{denial[0] if denial else 'SELinux'} keeps nginx from {_place(target)}",
        expected="nginx may connect to the app",
        evidence=(
            f"nginx's error log: {shortened(refused[-1].message)}",
            *((f"{denial[1]}: {denial[2]}",) if denial else ("SELinux is enforcing",)),
        ),
        certainty=3,
        advice=(Advice(Audience.SERVER, _for_proxy(denial, target)),),
    )


def _service(case: Case) -> Iterator[Finding]:
    """The service itself was refused something, and does not come up or answers badly."""
    unit, process = case.topology.unit, case.topology.process
    symptom = next((s for s in case.symptoms if s.hop == "app"), None)
    if unit is None or symptom is None:
        return
    program = re.search(r"path=(\S+)", unit.prop("ExecStart"))
    names = {program[1].rpartition("/")[2]} if program else set()
    names |= {process.name} if process is not None else set()
    denial = _denial(case, tuple(names), 0)
    if denial is None:
        return
    yield Finding(
        hop="app",
        where=unit.name,
        observed=f"{denial[0]} refused something to {unit.name}",
        expected="a policy that allows what the service needs",
        evidence=(symptom.text, f"{denial[1]}: {denial[2]}"),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "See all that was refused (ausearch -m avc -ts recent, or aa-logprof), and allow "
                "exactly that: a boolean, a label (restorecon -Rv), or a line in the profile.",
            ),
        ),
    )


def _denial(case: Case, names: tuple[str, ...], port: int) -> tuple[str, str, str] | None:
    """Who refused, where it is written, and the newest line; None where nothing was refused."""
    now = case.evidence.collected_at
    for source in _SOURCES:
        log = case.evidence.log(source)
        for line in reversed(log.lines if log else ()):
            if line.at is not None and now - line.at > _LATELY:
                continue
            avc, armor = _AVC.search(line.text), _APPARMOR.search(line.text)
            if avc and avc["comm"] in names and not _PERMISSIVE.search(line.text):
                dest = _DEST.search(line.text)
                if not port or dest is None or int(dest[1]) == port:
                    return "SELinux", source, shortened(line.text)
            if armor and (armor["comm"] in names):
                return "AppArmor", source, shortened(line.text)
    return None


def _place(target: Target) -> str:
    return f"unix:{target.unix}" if target.unix else f"port {target.port}"


def _for_proxy(denial: tuple[str, str, str] | None, target: Target) -> str:
    if denial is not None and denial[0] == "AppArmor":
        return (
            "Allow it in nginx's profile (aa-logprof shows the line, such as `network inet "
            "stream,`), then: apparmor_parser -r /etc/apparmor.d/PROFILE"
        )
    if target.unix:
        return (
            f"Label the socket's folder so that httpd_t may use it: semanage fcontext -a -t "
            f"httpd_var_run_t '{target.unix.rpartition('/')[0]}(/.*)?' && restorecon -Rv "
            f"{target.unix.rpartition('/')[0]}"
        )
    return (
        "setsebool -P httpd_can_network_connect 1 lets nginx connect to any port; narrower: "
        f"semanage port -a -t http_port_t -p tcp {target.port} (-m where the port has a label "
        "already). Never turn SELinux off for it."
    )
