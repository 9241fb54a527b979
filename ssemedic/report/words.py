"""The report's facts in sentences: pure text, the same for every form of the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ssemedic.diagnosis import Verdict
from ssemedic.duration import spell
from ssemedic.finding import Disruption, Severity, Status
from ssemedic.symptoms import Kind, cost

Data = Mapping[str, Any]

#: What a hop does when it shows a symptom; follows "nginx", "the app", "the public URL".
SHOWS: Mapping[str, str] = {
    Kind.UNREACHABLE: "cannot be reached",
    Kind.REFUSED: "refuses the connection",
    Kind.TLS_ERROR: "fails the TLS handshake",
    Kind.NOT_HTTP: "answers, but not in HTTP",
    Kind.NO_ANSWER: "does not answer",
    Kind.HEADERS_LATE: "sends its headers late",
    Kind.WRONG_STATUS: "answers with an error",
    Kind.HTML_INSTEAD: "answers with an HTML page",
    Kind.WRONG_TYPE: "answers with another content type",
    Kind.CLOSED_AT_ONCE: "ends the stream at once",
    Kind.ENDED: "ends the stream after some events",
    Kind.CUT_WHEN_IDLE: "cuts the stream when it is idle",
    Kind.CUT_AFTER: "cuts the stream a fixed time after its start",
    Kind.RESET: "resets the connection",
    Kind.BUFFERED: "holds events back",
    Kind.SILENT: "opens the stream and sends nothing",
    Kind.NOT_PARSABLE: "sends bytes that form no event",
    Kind.COMPRESSED: "compresses the events",
    Kind.MISSING_HEADER: "leaves out a header",
    Kind.DUPLICATE_CORS: "sends Access-Control-Allow-Origin twice",
    Kind.MISSING_CORS: "refuses pages of another origin",
    Kind.CANARY_LOST: "loses a published event",
    Kind.REDIRECT_LOOP: "redirects in a circle",
    Kind.PREFLIGHT_REFUSED: "refuses the preflight of another origin",
    Kind.ERROR_WITHOUT_CORS: "hides its errors from pages of another origin",
    Kind.KEEPALIVE_SLOW: "keeps the stream alive too seldom",
    Kind.NOT_CONFORMING: "sends lines that a browser drops",
    Kind.WRONG_HOP_HEADER: "sends a header that does nothing there",
    Kind.LOST_ON_RESUME: "loses events when a client comes back",
    Kind.REPLAYED: "sends old events again when a client comes back",
    Kind.FANOUT_PARTIAL: "brings a message to some streams only",
    Kind.FEW_STREAMS: "takes only some of the streams of one client",
    Kind.NO_ROOM: "has no connection left for another client",
    Kind.SIX_CONNECTIONS: "speaks no HTTP/2, so a browser opens six streams at most",
    Kind.BROWSER_REFUSED: "refuses the stream and gives no reason",
}

#: How a record ended, by the kind of its end; {at} is the time since the start.
ENDS: Mapping[str, str] = {
    "limit_time": "still open after {at}",
    "limit_bytes": "open at the byte limit, {at}",
    "last_chunk": "ended after {at}",
    "eof": "closed after {at}",
    "truncated": "broken off after {at}",
    "reset": "reset after {at}",
    "h2_reset": "reset by HTTP/2 after {at}",
    "refused": "connection refused",
    "unreachable": "unreachable",
    "timeout_connect": "no answer to the connection attempt",
    "tls_error": "TLS failed",
    "limit_headers": "endless headers, given up after {at}",
    "limit_line": "an endless line, given up after {at}",
    "limit_event": "an endless event, given up after {at}",
    "limit_redirects": "redirected in a circle",
    "protocol_error": "not HTTP",
    "not_recorded": "not recorded",
    "hidden": "failed after {at}, the browser does not say why",
}

DISRUPTIONS: Mapping[str, str] = {
    Disruption.NONE: "open streams do not notice",
    Disruption.RELOAD: "reload of nginx; open streams go on in the old workers",
    Disruption.RESTART: "restart of the service; its open streams drop and reconnect",
}

OUTCOMES: Mapping[str, str] = {
    "committed": "changed and kept",
    "undone": "changed, not proven, and undone: the host is as it was before",
    "undo_failed": "THE UNDO FAILED: look at the host before anything else",
    "refused": "refused: nothing was changed",
    "unsure": "the host did not say how it ended; what was begun it undoes by itself",
    "unchanged": "nothing had to be changed",
    "check": "nothing was changed: this was a check",
}

#: What becomes of the connections that are open when a change is made; follows their number.
_WILL = {
    "stay": "will go on in its old workers, with the old settings until they connect again",
    "drop": "will drop; browsers connect again by themselves",
}

#: What a proof compares, by its field, and how it is called.
PROOF: Mapping[str, str] = {
    "gone": "gone",
    "stayed": "stayed",
    "came": "came",
    "not_streaming": "no stream at",
    "revealed": "hidden until now",
}

#: Neither a shell nor Ansible sees anything but a word in these characters.
_PASTABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]*")


def accepted(cause: Data) -> str:
    """That a cause stays as it is, why and until when; "" where it counts."""
    waiver = cause.get("accepted")
    return f"accepted until {waiver['until']}: {waiver['reason']}" if waiver else ""


def crowd(seen: Data) -> str:
    """What becomes, or became, of those who are connected to one place of a service."""
    number, kept = int(seen["open"]), seen["kept"]
    counted = f"{number:,} open connection{'s' if number != 1 else ''}"
    place = f"{seen['of']}, {seen['at']}"
    if kept is None:
        will = _WILL.get(seen["will"], seen["will"])
        return f"{place}: {counted} {will}" + (
            f", for {seen['until']} at most" if seen["until"] else ""
        )
    where = " in its old workers" if seen["will"] == "stay" and kept else ""
    return f"{place}: of {counted} {kept:,} went on{where}, {number - kept:,} ended"


def verdict_sentence(report: Data) -> str:
    """Who, how bad, and why, in one sentence or two. Holds host text: not yet cleaned."""
    return " ".join(verdict_parts(report))


def verdict_parts(report: Data) -> tuple[str, str]:
    """The sentence in two: the verdict, and why. Both hold host text: not yet cleaned."""
    host, before, after = report["host"], report["verdict"]["before"], report["verdict"]["after"]
    changes, proof = report.get("changes"), report.get("proof")
    outcome = changes["outcome"] if changes else None
    why = reason(report)
    if outcome == "undo_failed":
        return f"{host}: the change failed, and so did the undo.", why
    if outcome == "undone":
        return f"{host}: still {before}; the change did not cure it and was undone.", why
    if outcome == "refused":
        return f"{host}: still {before}; the change was refused, nothing was changed.", why
    if outcome == "unsure":
        return f"{host}: it is not known how the change ended.", why
    if proof and proof["proven"] and outcome == "committed" and after != Verdict.HEALTHY:
        stayed = set(proof["stayed"])
        left = [cause for cause in report["causes"] if stayed & set(cause["explains"])]
        # One that only showed now is known by its rule and its sentence.
        new = [text.partition(": ")[2] for text in proof["revealed"]]
        why = new[0] if new and not left else reason({**report, "causes": left})
        return f"{host}: the change is proven; {after} still, and that needs a person.", why
    if proof and proof["proven"] and outcome == "committed":
        was = f"It was {before}: {_lower(why)}"
        return f"{host}: repaired and proven, {after or Verdict.HEALTHY} now.", was
    if proof and not proof["proven"]:
        return f"{host}: {after or before}, not proven.", why
    return f"{host}: {after or before}.", why


def reason(report: Data) -> str:
    """Why the verdict is what it is: the first cause at its hop, or what is missing."""
    causes, symptoms = report["causes"], report["symptoms"]
    by_id = {symptom["id"]: symptom for symptom in symptoms}
    if causes and causes[0]["status"] != Status.LATENT:
        cause = causes[0]
        symptom = next((by_id[i] for i in cause["explains"] if i in by_id), None)
        sure = "" if cause["status"] == Status.CONFIRMED else "probably "
        more = f", and {_others(len(causes) - 1)}" if len(causes) > 1 else ""
        return f"{_cause(cause, symptom, sure)}{_where(cause)}{more}."
    grave = [s for s in report["unexplained"] if is_grave(s["kind"])]
    if grave:
        return f"{_shows(grave[0])}, and no known cause explains it."
    if causes and causes[0]["severity"] != Severity.HYGIENE:
        return f"The stream works, but {_lower(_title(causes[0]))}{_where(causes[0])}."
    if report["verdict"]["before"] == Verdict.UNKNOWN:
        return _unknown(report)
    names = [hop["name"] for hop in report["hops"] if hop["stream"]]
    tidy = f" Worth tidying: {_lower(_title(causes[0]))}." if causes else ""
    return f"The stream comes through at every hop: {', '.join(names)}.{tidy}"


def is_grave(kind: str) -> bool:
    """True if the symptom stops or harms a stream; without one a hop counts as streaming."""
    return cost(kind) is not Severity.HYGIENE


def hop_subject(hop: str) -> str:
    """A hop as the subject of a sentence."""
    names = {"app": "the app", "nginx": "nginx", "public": "the public URL"}
    outside = {"browser": "the browser", "devproxy": "the dev proxy"}
    return {**names, "inner": "the second nginx", **outside}.get(hop, hop)


def shown(stream: Data) -> str:
    """What a hop answered, in words: status, type, times since the start, bytes."""
    if stream["status"] is None:
        return ""
    parts = [f"{stream['status']} {stream['content_type']}".strip()]
    if stream["headers_at"] is not None:
        parts.append(f"headers {brief(stream['headers_at'])}")
    reads = stream["reads"]
    if not reads:
        return ", ".join([*parts, "no byte of a body"])
    count = f"{len(reads)} read{'' if len(reads) == 1 else 's'}"
    return ", ".join([*parts, f"first byte {brief(reads[0][0])}", size(stream["bytes"]), count])


def end(stream: Data) -> str:
    """How a record ended."""
    kind, at = stream["end"]["kind"], brief(stream["end"]["at"])
    if kind == "limit_time" and stream["status"] is None:
        return f"no answer in {at}"
    said = ENDS.get(str(kind))
    return str(kind) if said is None else said.format(at=at)


def fault(data: Data) -> str:
    """What the recorder noted about an end that was not clean, or ""."""
    ours = data["kind"] in ("limit_time", "limit_bytes", "limit_event", "last_chunk", "eof")
    return "" if ours else str(data["detail"])


def brief(seconds: float) -> str:
    """Seconds with two places below ten, for times within a record."""
    return f"{seconds:.2f} s" if abs(seconds) < 10 else spell(seconds)


def size(count: int) -> str:
    """Bytes in the unit a person reads at a glance."""
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 1024 / 1024:.1f} MiB"


def token(data: Data, now: float) -> str:
    """What the token that was sent says of itself."""
    if not data["is_jwt"]:
        return f"an opaque token of {data['length']} characters"
    parts = ["a JSON web token", *([data["algorithm"]] if data["algorithm"] else [])]
    if data["expires"] is not None:
        left = data["expires"] - now
        parts.append(f"valid for {spell(left)}" if left > 0 else f"expired {spell(-left)} ago")
    return ", ".join(parts)


def symptom(data: Data) -> str:
    """A symptom in one line: its id, and what was measured."""
    return f"{data['id']}: {str(data['text']).removeprefix(str(data['hop']) + ': ')}"


def undo_command(host: str, transaction: str) -> str | None:
    """The command that undoes a change, or None where a name is not one to paste into a shell."""
    if not all(_PASTABLE.fullmatch(name) for name in (host, transaction)):
        return None
    return (
        f"ansible-playbook playbooks/rollback.yml -e sse_hosts={host} "
        f"-e sse_transaction_id={transaction}"
    )


def place(where: str) -> str:
    """A place as short as it stays clear."""
    if where.startswith("default of "):
        return f"the default of nginx {where.removeprefix('default of ')}"
    return where.removeprefix("/etc/nginx/")


def breaks_at(report: Data) -> str | None:
    """The innermost hop that shows a symptom which stops or harms the stream."""
    for hop in report["hops"]:
        if any(map(is_grave, hop["symptoms"])):
            return str(hop["name"])
    origins = [s["hop"] for s in report["symptoms"] if is_grave(s["kind"])]
    return str(origins[0]) if origins else None


def unit_steps(unit: Data) -> Sequence[str]:
    """What a plan does to one unit besides its drop-in."""
    steps = []
    if unit["reset_failed"]:
        steps.append("forget its failures")
    if unit["enabled"] is not None:
        steps.append("enable" if unit["enabled"] else "disable")
    state = {"started": "start", "restarted": "restart"}.get(unit["state"])
    return [*steps, *([state] if state else [])]


def _cause(cause: Data, symptom: Data | None, sure: str) -> str:
    """The symptom and its cause; one of them where they would say the same."""
    title = _title(cause)
    if symptom is None:
        return f"Probably {_lower(title)}" if sure else title
    subject = hop_subject(symptom["hop"])
    if not title.lower().startswith(f"{subject} "):
        return f"{_shows(symptom)}: {sure}{_lower(title)}"
    what = title[len(subject) + 1 :]
    if what.startswith(SHOWS.get(symptom["kind"], "")):
        return f"Probably {_lower(title)}" if sure else title
    return f"{_shows(symptom)}: {sure}it {what}"


def _shows(symptom: Data) -> str:
    words = SHOWS.get(symptom["kind"], f"shows {symptom['kind']}")
    status = symptom["measured"].get("status")
    if symptom["kind"] == Kind.WRONG_STATUS and status:
        words = f"answers {status}"
    subject = hop_subject(symptom["hop"])
    return f"{subject if subject == 'nginx' else subject[:1].upper() + subject[1:]} {words}"


def _title(cause: Data) -> str:
    return str(cause["title"]).rstrip(".")


def _lower(title: str) -> str:
    """A sentence as part of another one; names and acronyms keep their capitals."""
    first = title.split(" ", 1)[0]
    return title if first.isupper() and len(first) > 1 else title[:1].lower() + title[1:]


def _where(cause: Data) -> str:
    return f" ({place(cause['where'])})" if cause["where"] else ""


def _others(count: int) -> str:
    return "one more cause" if count == 1 else f"{count} more causes"


def _unknown(report: Data) -> str:
    reasons = {**report["missing"]}
    why = reasons.get("streams") or next(iter(reasons.values()), "")
    notes = report["notes"]
    why = why or (notes[0] if notes else "the outermost hop was not recorded")
    return f"No verdict is possible: {str(why).rstrip('.')}."
