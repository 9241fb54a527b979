"""Cause: nginx_token_in_access_log."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence

from ssemedic.case import Case
from ssemedic.clues.masked_log import UnmaskableError, by_hand, leaking, masked_log
from ssemedic.endpoint import Endpoint
from ssemedic.evidence import ExposedTokens
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.nginx.logs import AccessLog
from ssemedic.nginx_plan import slug
from ssemedic.rules import configured, rule

_MOST_FILES = 8  # named one by one


@rule(layer=Layer.NGINX, severity=Severity.HYGIENE, explains=(), needs=("nginx",))
def nginx_token_in_access_log(case: Case) -> Iterator[Finding]:
    """nginx writes the token of each stream into its access log.

    EventSource cannot send a header, so the token stands in the URL, and nginx's usual log
    format writes the URL down with its query. Whoever may read the log, its rotated files,
    a copy in a log collector or a backup can open streams as these users for as long as
    their tokens are good. No symptom comes from it: the stream is fine.

    The host counts the different tokens in the log and its rotated files, and how many have
    not expired by its clock; the tokens stay there, and none is shown. With `--mask-log` (or
    `mask_access_log: true` in the inventory) the stream's location gets a log format of its
    own that masks tokens and keeps all else. What was written before is for a person to
    remove. error.log quotes the request of each error in full, and nginx has no way to mask
    that: keep it readable by few, and prefer tokens of minutes, or a ticket that counts once.
    """
    if case.route.server is None:
        return  # what nginx never gets, it does not write down
    parameter = case.endpoint.token_parameter
    found = leaking(case.route, parameter)
    sent = case.token is not None and bool(parameter)
    for log, variable in found:
        kept = _kept(case, log)
        if sent or (kept is not None and kept.distinct):
            yield _finding(case, found, (log, variable), kept)
            return
    if found:
        return
    for log in case.route.access_logs:
        kept = _kept(case, log)
        if kept is not None and kept.valid:
            yield _leftover(case, log, kept)
            return


@configured(nginx_token_in_access_log)
def _configured(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """A format that names the token's own parameter can only be meant to write it down."""
    for log, variable in leaking(route, endpoint.token_parameter):
        if variable.startswith("$arg_"):
            yield Finding(
                hop="nginx",
                where=log.format_where or log.where,
                observed=f"log_format {log.format} writes {variable}, the token",
                expected="a log format without the token",
            )


def _kept(case: Case, log: AccessLog) -> ExposedTokens | None:
    """The count of one log; the host gives full paths, the configuration maybe relative ones."""
    path = log.path if log.path.startswith("/") else f"/{log.path}"
    return next((one for one in case.evidence.exposed or () if one.log.endswith(path)), None)


def _finding(
    case: Case,
    found: Sequence[tuple[AccessLog, str]],
    worst: tuple[AccessLog, str],
    kept: ExposedTokens | None,
) -> Finding:
    log, variable = worst
    name = "nginx's own format combined" if not log.format_where else f"log_format {log.format}"
    remedy, how = _remedy(case, found)
    return Finding(
        hop="nginx",
        where=log.where,
        observed=f"{log.path} keeps the token of each stream{_counted(kept)}",
        expected="an access log without tokens",
        evidence=(f"{name} writes {variable}, which holds the query", *_evidence(case, kept)),
        certainty=3 if kept is not None and kept.distinct else 2,
        remedy=remedy,
        advice=(Advice(Audience.SERVER, how), *_cleaning(kept)),
    )


def _leftover(case: Case, log: AccessLog, kept: ExposedTokens) -> Finding:
    """The log is masked by now, but tokens of before are still good."""
    return Finding(
        hop="nginx",
        where=log.where,
        observed=f"{log.path} takes no new tokens, but older lines{_counted(kept)}",
        expected="no valid token in any log",
        evidence=_evidence(case, kept),
        certainty=3,
        advice=_cleaning(kept),
    )


def _remedy(case: Case, found: Sequence[tuple[AccessLog, str]]) -> tuple[NginxRemedy | None, str]:
    """The masked log where it was asked for; and what a person may write."""
    text = by_hand(found[0][0])
    try:
        masked = masked_log(case.route, slug(case.endpoint.url), case.endpoint.token_parameter)
    except UnmaskableError as error:
        return None, f"{text}(Not masked by us: {error}.)\n{_ERRORS}"
    if case.endpoint.mask_access_log:
        return NginxRemedy({"access_log": masked.lines}), _ERRORS
    return None, (
        f"{text}or have tokens masked and all else kept: remediate --mask-log.\n{_ERRORS}"
    )


_ERRORS = (
    "error.log quotes the request of each error with its query, and nginx cannot mask that: keep "
    "it readable by root alone, and let tokens in URLs expire within minutes."
)


def _counted(kept: ExposedTokens | None) -> str:
    if kept is None or not kept.distinct:
        return ""
    parts = [f"{kept.valid} still valid" if kept.valid else "", f"{kept.expired} expired"]
    parts += [f"{kept.unknown} of unknown validity" if kept.unknown else ""]
    least = "at least " if kept.stopped else ""
    one = "token" if kept.distinct == 1 else "different tokens"
    said = ", ".join(part for part in parts if part and not part.startswith("0 "))
    return f": {least}{kept.distinct} {one}, {said}"


def _evidence(case: Case, kept: ExposedTokens | None) -> tuple[str, ...]:
    if kept is None:
        reason = case.evidence.missing.get("exposed", "it was not read")
        return (f"what the log holds is not known: {reason}",)
    if not kept.distinct:
        return (f"no token is in it yet{_stopped(kept)}",)
    lines = [f"in {_named(kept.files)}; counted on the host, where they stayed{_stopped(kept)}"]
    if kept.valid and kept.last_expiry is not None:
        left = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(kept.last_expiry, 2**40)))
        lines.append(f"the last valid one expires at {left} by its own word")
    elif kept.valid:
        lines.append("the valid ones never expire by their own word")
    return tuple(lines)


def _stopped(kept: ExposedTokens) -> str:
    return f" (not all was read: {kept.stopped})" if kept.stopped else ""


def _named(files: Sequence[str]) -> str:
    more = f" and {len(files) - _MOST_FILES} more" if len(files) > _MOST_FILES else ""
    return ", ".join(files[:_MOST_FILES]) + more


def _cleaning(kept: ExposedTokens | None) -> tuple[Advice, ...]:
    """Commands that remove what was written; and what to do about tokens that are still good."""
    if kept is None or not kept.distinct:
        return ()
    old = [shlex.quote(path) for path in kept.files if path != kept.log]
    commands = [f"rm -- {' '.join(old)}"] if old else []
    if kept.log in kept.files:
        # nginx appends to the file that it has open: it must stay the same file.
        commands.append(f"truncate -s 0 -- {shlex.quote(kept.log)}")
    text = "Remove what was written, on the host and wherever logs are copied to:\n" + "".join(
        f"    {command}\n" for command in commands
    )
    if kept.valid or kept.unknown:
        text += (
            "Until then these tokens open streams: where not all readers of the log may do that, "
            "revoke them, or rotate the key that signs them (everyone logs in anew)."
        )
    return (Advice(Audience.SERVER, text.rstrip("\n")),)
