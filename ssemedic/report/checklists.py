"""The two checklists of a dead stream, filled in from a report: server team, frontend team.

A line is done or failed only for what was seen; what nobody looked at is open.
Texts may quote the host: they are not cleaned here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ssemedic.finding import Layer
from ssemedic.report import words
from ssemedic.report.present import Present, kept, present
from ssemedic.rules import all_rules
from ssemedic.symptoms import Kind

Data = Mapping[str, Any]

_HEADER_KINDS = frozenset(
    {Kind.MISSING_HEADER, Kind.WRONG_TYPE, Kind.HTML_INSTEAD, Kind.WRONG_HOP_HEADER}
    | {Kind.MISSING_CORS, Kind.DUPLICATE_CORS, Kind.ERROR_WITHOUT_CORS, Kind.PREFLIGHT_REFUSED}
    | {Kind.COMPRESSED}
)
_KEEPALIVE_KINDS = frozenset({Kind.KEEPALIVE_SLOW, Kind.CUT_WHEN_IDLE, Kind.SILENT})
_SHOWN_HEADERS = ("content-type", "cache-control", "access-control-allow-origin")

#: What a page sees of a symptom at the public URL (WHATWG HTML, 9.2.3: the readyState).
_IN_BROWSER: Mapping[str, str] = {
    Kind.UNREACHABLE: "never connects: stays at readyState 0 and tries again and again",
    Kind.REFUSED: "an error at once, readyState 0, again and again (ERR_CONNECTION_REFUSED)",
    Kind.TLS_ERROR: "an error at once, with a certificate or protocol error in the console",
    Kind.NOT_HTTP: "an error at once, with ERR_INVALID_HTTP_RESPONSE in the console",
    Kind.NO_ANSWER: "stays pending: readyState 0, and neither open nor error",
    Kind.HEADERS_LATE: "stays pending for long, then opens",
    Kind.WRONG_STATUS: "an error at once and readyState 2: the browser does not try again",
    Kind.HTML_INSTEAD: "an error about MIME type text/html and readyState 2",
    Kind.WRONG_TYPE: "an error about the MIME type and readyState 2",
    Kind.CLOSED_AT_ONCE: "open for an instant (readyState 1), then an error (readyState 0), "
    "again and again, and never an event",
    Kind.ENDED: "works, then an error (readyState 0) and a new connection",
    Kind.CUT_WHEN_IDLE: "drops when nothing happens for a while, then connects again",
    Kind.CUT_AFTER: "drops a fixed time after it opened, then connects again",
    Kind.RESET: "an error (readyState 0), with ERR_CONNECTION_RESET in the console",
    Kind.BUFFERED: "pending or open, and no event; then many at once",
    Kind.SILENT: "open (readyState 1), and nothing ever comes",
    Kind.NOT_PARSABLE: "open (readyState 1), bytes in the network tab, and no event",
    Kind.MISSING_CORS: "a CORS error in the console and readyState 2",
    Kind.DUPLICATE_CORS: "a CORS error in the console about several values, and readyState 2",
    Kind.REDIRECT_LOOP: "ERR_TOO_MANY_REDIRECTS and readyState 2",
    Kind.SIX_CONNECTIONS: "six tabs work, the seventh stays pending",
    Kind.FEW_STREAMS: "the first tabs work, the next one fails",
}


class State(StrEnum):
    """How a line stands."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True)
class Line:
    """One line: the task, how it stands, what was seen, and the causes (places in the report)."""

    task: str
    state: State
    said: str
    causes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Checklist:
    """What one team has to go through."""

    team: str
    lines: tuple[Line, ...]


def checklists(report: Data) -> tuple[Checklist, Checklist]:
    """The list of the server team and that of the frontend team."""
    now = present(report)
    server = (
        _service(report, now),
        _running(report, now),
        _log(report, now),
        _local(report, now),
        _validation(report, now),
        _headers(report, now),
        _keepalive(report, now),
    )
    frontend = (
        _page(now),
        _patterns(report, now),
        _token(report),
        _proxy_log(report, now),
        _proxy(report, now),
    )
    return Checklist("server team", server), Checklist("frontend team", frontend)


def _service(report: Data, now: Present) -> Line:
    task = "Status of the service"
    layers = {Layer.SYSTEMD, Layer.OS}
    failed = _of_layers(report, now.harmful, layers)
    if failed:
        return Line(task, State.FAILED, _observed(report, failed), failed)
    cured = _of_layers(report, now.cured, layers)
    if cured:
        return Line(task, State.DONE, f"Repaired. It was: {_observed(report, cured)}", cured)
    rules = {rule.id for rule in all_rules() if rule.layer in layers}
    of_units = {rule.id for rule in all_rules() if rule.layer is Layer.SYSTEMD}
    skipped = [why for rule, why in report["skipped"].items() if rule in of_units]
    if "units" in report["missing"] or skipped:
        why = report["missing"].get("units") or skipped[0]
        return Line(task, State.OPEN, f"Not seen: {why}")
    cleared = [rule for rule in report["cleared"] if rule in rules]
    if not cleared:
        return Line(task, State.OPEN, "The report holds nothing about the service.")
    unseen = sorted({why for rule, why in report["skipped"].items() if rule in rules})
    more = f" Not seen: {'; '.join(unseen)}." if unseen else ""
    return Line(task, State.DONE, f"Checked and ruled out: {', '.join(cleared)}.{more}")


def _running(report: Data, now: Present) -> Line:
    task = "The endpoint is running"
    hop = next((hop for hop in report["hops"] if hop["name"] == "app"), None)
    stream = now.streams.get("app")
    if hop is None or stream is None:
        return Line(task, State.OPEN, f"The app was not asked{_why_not(report, 'app')}")
    answer = words.shown(stream) or words.end(stream)
    said = f"{hop['label']} at {hop['address']}: {answer}."
    good = stream["status"] is not None and stream["status"] < 500 and stream["status"] != 404
    causes = () if good else _at_hops(report, now, {"app"})
    return Line(task, State.DONE if good else State.FAILED, said, causes)


def _log(report: Data, now: Present) -> Line:
    task = "Log of connection attempts"
    logged = [s for s in report["symptoms"] if s["source"] not in ("stream", "sockets")]
    left = [s for s in logged if s["id"] in now.symptoms]
    if left:
        causes = _explaining(report, now, [s["id"] for s in left])
        return Line(task, State.FAILED, " ".join(f"{s['text']}." for s in left), causes)
    unread = {name: why for name, why in report["missing"].items() if "log" in name.lower()}
    if unread:
        name, why = next(iter(unread.items()))
        return Line(task, State.OPEN, f"Not read: {name}: {why}")
    readers = {rule.id for rule in all_rules() if "logs" in rule.needs}
    judged = {*report["cleared"], *(cause["rule"] for cause in report["causes"])}
    if not readers & judged:
        return Line(task, State.OPEN, "No rule that reads the logs could be asked.")
    if logged:
        return Line(task, State.DONE, f"Repaired. It held: {logged[0]['text']}.", now.cured)
    return Line(task, State.DONE, "Read; nothing in it that the causes do not tell already.")


def _local(report: Data, now: Present) -> Line:
    task = "The endpoint tested on the host itself"
    names = [hop["name"] for hop in report["hops"] if hop["vantage"] == "inside"]
    seen = {name: stream for name in names if (stream := now.streams.get(name)) is not None}
    if not seen:
        return Line(task, State.OPEN, f"Not tested{_why_not(report, names[0] if names else '')}")
    bad = [
        name
        for name, stream in seen.items()
        if not stream["is_event_stream"]
        or any(s["hop"] == name and words.is_grave(s["kind"]) for s in now.symptoms.values())
    ]
    answers = "; ".join(
        f"{name}: {words.shown(stream) or words.end(stream)}, {words.end(stream)}"
        if words.shown(stream)
        else f"{name}: {words.end(stream)}"
        for name, stream in seen.items()
    )
    state = State.FAILED if bad else State.DONE
    return Line(task, state, f"{answers}.", _at_hops(report, now, set(bad)))


def _validation(report: Data, now: Present) -> Line:
    task = "Validation of the token"
    failed = _of_layers(report, now.harmful, {Layer.AUTH})
    if failed:
        return Line(task, State.FAILED, _observed(report, failed), failed)
    if report["token"] is None:
        return Line(task, State.OPEN, "No token was given; name one with --token-file.")
    stream = now.streams.get("app")
    if stream is None or stream["status"] is None:
        return Line(task, State.OPEN, "The app did not answer a request with the token.")
    if stream["status"] in (401, 403):
        causes = _at_hops(report, now, {"app"})
        return Line(task, State.FAILED, f"The app answers {stream['status']} to it.", causes)
    if stream["status"] != 200:
        return Line(task, State.OPEN, f"The app answers {stream['status']}, which does not tell.")
    return Line(task, State.DONE, "The app answers 200 to a request with the token.")


def _headers(report: Data, now: Present) -> Line:
    task = "Headers of the answer"
    ids = now.of_kinds(_HEADER_KINDS)
    if ids:
        said = " ".join(f"{now.symptoms[name]['text']}." for name in ids)
        return Line(task, State.FAILED, said, _explaining(report, now, ids))
    outermost = [stream for stream in now.streams.values() if stream is not None][-1:]
    if not outermost or outermost[0]["status"] is None:
        return Line(task, State.OPEN, "No headers came.")
    shown = "; ".join(
        f"{name}: {value}"
        for name, value in outermost[0]["headers"]
        if name.lower() in _SHOWN_HEADERS
    )
    return Line(task, State.DONE, f"{shown or outermost[0]['content_type'] or 'no type'}.")


def _keepalive(report: Data, now: Present) -> Line:
    task = "Keep-alive"
    ids = now.of_kinds(_KEEPALIVE_KINDS)
    if ids:
        said = " ".join(f"{now.symptoms[name]['text']}." for name in ids)
        return Line(task, State.FAILED, said, _explaining(report, now, ids))
    promised = report["endpoint"].get("keepalive_seconds")
    if promised is None:
        said = "How often the app sends a comment is not known: keepalive_seconds in the inventory."
        return Line(task, State.OPEN, said)
    watched = max(
        (s["window"] for s in now.streams.values() if s and s["is_event_stream"]), default=0
    )
    if watched <= promised:
        said = f"Watched {words.brief(watched)}, and one is due every {words.brief(promised)}: "
        return Line(task, State.OPEN, f"{said}watch longer with --for {promised * 2:.0f}.")
    said = f"No silence longer than {words.brief(promised)} in {words.brief(watched)}."
    return Line(task, State.DONE, said)


def _page(now: Present) -> Line:
    task = "Diagnosis page run in the browser"
    stream = now.streams.get("public")
    if stream is None:
        return Line(task, State.OPEN, "Not run, and the public URL was not asked from outside.")
    answer = ", ".join(filter(None, (words.shown(stream), words.end(stream))))
    return Line(task, State.OPEN, f"Not run in a browser. Asked from outside: {answer}.")


def _patterns(report: Data, now: Present) -> Line:
    task = "Error pattern noted"
    outer = [hop for hop in report["hops"] if hop["vantage"] == "outside"]
    if not any(hop["stream"] for hop in outer):
        return Line(task, State.OPEN, "Nothing was recorded from outside.")
    shown = {kind for hop in outer for kind in hop["symptoms"]}
    if kept(report) and now.symptoms:
        shown = {name.partition("@")[0] for name in now.symptoms}
    was = "; ".join(text for kind, text in _IN_BROWSER.items() if kind in shown)
    if kept(report) and not now.symptoms:
        was = f" It was: {was}." if was else ""
        said = f"Now created, established (readyState 1), and kept open.{was}"
        return Line(task, State.DONE, said, now.cured)
    if was:
        causes = _explaining(report, now, now.symptoms)
        return Line(task, State.DONE, f"The page sees: {was}.", causes)
    return Line(task, State.DONE, "None: the page sees it open (readyState 1), and it stays open.")


def _token(report: Data) -> Line:
    task = "Token: format and validity"
    token = report["token"]
    if token is None:
        return Line(task, State.OPEN, "No token was given; name one with --token-file.")
    said = words.token(token, report["collected_at"])
    said = f"{said[:1].upper()}{said[1:]}."
    expires, begins = token.get("expires"), token.get("not_before")
    late = expires is not None and expires <= report["collected_at"]
    early = begins is not None and begins > report["collected_at"]
    if late or early:
        causes = _of_layers(report, range(len(report["causes"])), {Layer.AUTH})
        return Line(task, State.FAILED, f"{said}{' Not valid yet.' if early else ''}", causes)
    if not token["is_jwt"]:
        return Line(task, State.OPEN, f"{said} Only its issuer can say whether it is valid.")
    return Line(task, State.DONE, said)


def _proxy_log(report: Data, now: Present) -> Line:
    task = "Log of the dev proxy during a test"
    stream = now.streams.get("devproxy")
    if stream is None:
        return Line(task, State.OPEN, f"No dev proxy was asked{_why_not(report, 'devproxy')}")
    said = "It runs on a developer's machine: look there for the request of this test"
    return Line(task, State.OPEN, f"{said}. It answered: {words.shown(stream) or 'nothing'}.")


def _proxy(report: Data, now: Present) -> Line:
    task = "Configuration of the dev proxy"
    failed = _of_layers(report, now.harmful, {Layer.DEVPROXY})
    own = [s["id"] for s in now.symptoms.values() if s["hop"] == "devproxy"]
    if failed or own:
        said = _observed(report, failed) if failed else words.symptom(now.symptoms[own[0]])
        return Line(task, State.FAILED, said, failed or _explaining(report, now, own))
    stream = now.streams.get("devproxy")
    if stream is None:
        return Line(task, State.OPEN, f"No dev proxy was asked{_why_not(report, 'devproxy')}")
    if not stream["is_event_stream"]:
        return Line(
            task, State.OPEN, "What stands behind it does not stream, so it cannot be told."
        )
    return Line(task, State.DONE, f"It hands the stream on: {words.shown(stream)}.")


def _observed(report: Data, causes: Sequence[int]) -> str:
    return " ".join(f"{report['causes'][n]['observed'].rstrip('.')}." for n in causes)


def _of_layers(report: Data, causes: Iterable[int], layers: set[Layer]) -> tuple[int, ...]:
    return tuple(n for n in causes if report["causes"][n]["layer"] in layers)


def _explaining(report: Data, now: Present, ids: Iterable[str]) -> tuple[int, ...]:
    wanted = set(ids)
    return tuple(n for n in now.causes if wanted & set(report["causes"][n]["explains"]))


def _at_hops(report: Data, now: Present, hops: set[str]) -> tuple[int, ...]:
    """The causes of what is wrong at these hops; those of an inner one reach outwards."""
    return tuple(
        n
        for n in now.harmful
        if hops & {name.partition("@")[2] for name in report["causes"][n]["explains"]}
    )


def _why_not(report: Data, hop: str) -> str:
    missing = report["missing"]
    if hop == "devproxy" and not report["endpoint"].get("devproxy"):
        return ": none is named in the inventory (devproxy)."
    why = missing.get(f"streams.{hop}") or missing.get("streams")
    return f": {str(why).rstrip('.')}." if why else "."
