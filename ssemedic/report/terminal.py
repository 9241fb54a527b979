"""The report for a tired engineer: what is wrong, where, why, what was done, is it proven.

Each part can be printed by itself as soon as it is known; `render` prints all that a
report holds. Works on any width from 60 columns, without colours and in plain ASCII.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.text import Text

from ssemedic.diagnosis import Verdict
from ssemedic.finding import Severity, Status
from ssemedic.report import canary_words, strip, words
from ssemedic.report.page import BAD, GOOD, MARK, QUIET, STRONG, WARN, Page, page_on
from ssemedic.report.redact import redact
from ssemedic.report.strip import Scale

Data = Mapping[str, Any]

TEXT_WIDTH = 100  # columns of `text`
_STRIP_WIDTH = 60  # columns of a strip at most: more would not be read at a glance
_END_WIDTH = 26  # columns for the words after a strip
_OUTCOMES = {
    "committed": GOOD,
    "undone": WARN,
    "refused": WARN,
    "undo_failed": BAD,
    "unsure": BAD,
}
_PROOF = {"gone": GOOD, "revealed": WARN}
_NAMED = 4  # rules that are named in a line
_INDENT = 6  # columns before what belongs to a hop
_VERDICTS = {
    Verdict.HEALTHY: GOOD,
    Verdict.DEGRADED: WARN,
    Verdict.BROKEN: BAD,
    Verdict.UNKNOWN: WARN,
}
_SEVERITIES = {Severity.BROKEN: BAD, Severity.DEGRADED: WARN, Severity.HYGIENE: QUIET}


class Stage(StrEnum):
    """The parts of a report, in the order in which they become known."""

    VERDICT = "verdict"
    DIAGNOSIS = "diagnosis"
    PLAN = "plan"
    CHANGES = "changes"
    PROOF = "proof"


def render(
    report: Data, console: Console, *, stage: Stage | None = None, verbose: bool = False
) -> None:
    """Print one stage of a report, or with None all that it holds."""
    if stage in (None, Stage.VERDICT):
        render_verdict(report, console)
    if stage in (None, Stage.DIAGNOSIS):
        render_diagnosis(report, console, verbose=verbose)
    if stage in (None, Stage.PLAN):
        render_plan(report, console)
    if stage in (None, Stage.CHANGES):
        render_changes(report, console)
    if stage in (None, Stage.PROOF):
        render_proof(report, console)


def text(report: Data, *, verbose: bool = False) -> list[str]:
    """The whole report as plain lines, without any escape, for a log."""
    sink = io.StringIO()
    console = Console(
        file=sink,
        width=TEXT_WIDTH,
        color_system=None,
        no_color=True,
        force_terminal=False,
        legacy_windows=False,
        _environ={},
    )
    render(report, console, verbose=verbose)
    return [line.rstrip() for line in sink.getvalue().splitlines()]


def render_verdict(report: Data, console: Console) -> None:
    """The one sentence, and the URL it is about."""
    page = page_on(console)
    verdict = report["verdict"]["after"] or report["verdict"]["before"]
    said, why = words.verdict_parts(report)
    style = _VERDICTS.get(verdict, STRONG)
    page.put(page.join(page.host(said, style), page.host(f" {why}")))
    page.put(page.host(report["endpoint"]["url"], QUIET))


def render_diagnosis(report: Data, console: Console, *, verbose: bool = False) -> None:
    """The hops in a row, what each showed, the causes, and what is not known."""
    page = page_on(console)
    _hops(page, report)
    _canary(page, report)
    _causes(page, report)
    _unexplained(page, report)
    _limits(page, report, verbose)


def render_plan(report: Data, console: Console) -> None:
    """What would be changed, as a diff, and what people must do themselves."""
    page, plan = page_on(console), report["plan"]
    if plan is None:
        return
    if not plan["empty"]:
        page.head("Plan")
        page.put(page.text(_disruption(plan), WARN), 2)
        page.bullets(page.host(words.crowd(seen)) for seen in plan.get("streams") or ())
        for unit in plan["units"]:
            _unit(page, unit)
        if plan["nginx"]:
            _directives(page, plan["nginx"], bool(plan["diff"]))
        render_diff(page, plan["diff"])
    elif report["causes"]:
        page.head("Plan")
        harmless = all(cause["severity"] == Severity.HYGIENE for cause in report["causes"])
        said = "Nothing that we could change on this host cures it."
        page.put(page.text("Nothing is changed: the stream is fine." if harmless else said), 2)
    if plan["advice"]:
        page.head("For people")
        for advice in plan["advice"]:
            page.put(
                page.join(
                    page.host(advice["audience"], STRONG),
                    page.host(f"  ({advice['rule']})", QUIET),
                ),
                2,
            )
            page.put(page.host(advice["text"], lines=True), 4)


def render_changes(report: Data, console: Console) -> None:
    """What was done to the host, and the id by which it can be undone."""
    page, changes = page_on(console), report["changes"]
    if changes is None:
        return
    outcome = changes["outcome"]
    style = _OUTCOMES.get(outcome, QUIET)
    page.head("Changes")
    page.put(page.text(words.OUTCOMES.get(outcome, outcome), style), 2)
    rows = [("why", changes["message"])] if changes["message"] else []
    rows += [("file", path) for path in changes["files"]]
    if changes["id"]:
        rows.append(("id", changes["id"]))
    if changes["workers"]:
        before, after = (_pids(changes["workers"][when]) for when in ("before", "after"))
        rows.append(("workers", f"{before} {page.signs.to} {after}"))
    if changes["seconds"] is not None:
        rows.append(("took", words.brief(changes["seconds"])))
    page.rows([(page.text(name, QUIET), page.host(value)) for name, value in rows])
    page.bullets(page.host(words.crowd(seen)) for seen in changes.get("streams") or ())
    render_drift(page, changes.get("drift") or ())
    undo = words.undo_command(report["host"], changes["id"])
    if undo and outcome in ("committed", "undo_failed"):
        page.put(page.text("to undo it:", QUIET), 2)
        page.raw(page.host(undo), 2)
    planned = report["plan"]["diff"] if report["plan"] else []
    if changes["diff"] != planned:
        render_diff(page, changes["diff"])


def render_proof(report: Data, console: Console) -> None:
    """The same streams before and after, symptom by symptom."""
    page, proof = page_on(console), report["proof"]
    if proof is None:
        return
    page.head("Proof")
    watched = f"new connections, watched for {words.brief(proof['seconds'])}"
    if proof["proven"]:
        page.put(page.text(f"{page.signs.good} proven: {watched}", GOOD), 2)
    else:
        page.put(page.text(f"{page.signs.bad} not proven: {watched}", BAD), 2)
    page.blank()
    _before_after(page, proof["hops"])
    rows = [
        (page.text(label, _PROOF.get(key, BAD)), page.host(", ".join(proof[key])))
        for key, label in words.PROOF.items()
        if proof[key]
    ]
    if proof["message"]:
        rows.append(_message(page, proof["message"]))
    page.rows(rows)


def render_candidates(host: str, candidates: Sequence[Data], console: Console) -> None:
    """The URLs that may be event streams, for when nobody named one."""
    page = page_on(console)
    if not candidates:
        said = f"{host}: no URL was given, and nginx there leads to nothing like an event stream."
        page.put(page.host(said, WARN))
        return
    page.put(page.host(f"{host}: no URL was given. These may be event streams:", STRONG))
    for candidate in candidates:
        page.blank()
        page.put(page.host(candidate["url"], MARK), 2)
        targets = ", ".join(candidate["targets"])
        way = f" {page.signs.to} {targets}" if targets else ""
        page.put(page.host(words.place(candidate["where"]) + way, QUIET), 4)
        page.bullets((page.host(reason) for reason in candidate["reasons"]), 4)
    page.blank()
    page.put(page.host("Name one with --url."))


def _hops(page: Page, report: Data) -> None:
    broken = words.breaks_at(report)
    page.blank()
    page.put(_row(page, report, broken), 2)
    page.blank()
    streams = [hop["stream"] for hop in report["hops"] if hop["stream"]]
    scale = _scale(page, streams, _INDENT)
    origins = {s["id"]: s for s in report["symptoms"]}
    for index, hop in enumerate(report["hops"]):
        if hop["name"] == broken:
            _break(page, report["hops"], index)
        _hop(page, report, hop, scale, origins)
    if streams:
        page.put(page.text(strip.axis(scale.span, scale.width), QUIET), _INDENT)
        page.put(page.text(_legend(page), QUIET), _INDENT)
    if report["token"]:
        said = words.token(report["token"], report["collected_at"])
        page.put(page.host(f"asked with {said}", QUIET), _INDENT)
    logged = list(origins.values())
    if logged:
        page.blank()
        page.bullets(page.host(words.symptom(s)) for s in logged)


def _hop(page: Page, report: Data, hop: Data, scale: Scale, origins: dict[str, Data]) -> None:
    """One hop; the symptoms that start here are taken out of ``origins``."""
    sign, style = _mark(page, hop)
    name = page.join(page.text(f"{sign} ", style), page.host(hop["name"], STRONG), Text(" "))
    page.rows([(name, page.host(f"{hop['label']}  {hop['address']}", QUIET))])
    stream = hop["stream"]
    if stream is None:
        page.put(page.host(f"not recorded{_why_not(report, hop)}", WARN), _INDENT)
    else:
        ended = page.text(f" {words.end(stream)}")
        page.raw(page.join(_strip(page, stream, scale), ended), _INDENT)
        for said in filter(None, (_answer(stream), words.fault(stream["end"]))):
            page.put(page.host(said), _INDENT)
    for kind in hop["symptoms"]:
        _symptom(page, hop["name"], kind, origins.pop(f"{kind}@{hop['name']}", None))


def _row(page: Page, report: Data, broken: str | None) -> Text:
    parts: list[Text] = []
    for hop in report["hops"]:
        sign, style = _mark(page, hop)
        if parts:
            here = hop["name"] == broken
            arrow = page.signs.broken if here else page.signs.arrow
            parts.append(page.text(f"  {arrow}  ", BAD if here else QUIET))
        parts += [page.text(f"{sign} ", style), page.host(hop["name"], STRONG)]
    return page.join(*parts)


def _break(page: Page, hops: Sequence[Data], index: int) -> None:
    name = hops[index]["name"]
    said = f"breaks between {hops[index - 1]['name']} and {name}"
    if index == 0:
        said = f"breaks at {words.hop_subject(name)}"
    rule = page.signs.rule * 4
    page.put(page.host(f"{rule} {said} {rule}", BAD), 2)


def _mark(page: Page, hop: Data) -> tuple[str, str]:
    grave = [kind for kind in hop["symptoms"] if words.is_grave(kind)]
    if grave:
        return page.signs.bad, BAD
    if hop["stream"] is None:
        return page.signs.unseen, WARN
    if not hop["stream"]["is_event_stream"]:
        return page.signs.bad, BAD
    return ("!", WARN) if hop["symptoms"] else (page.signs.good, GOOD)


def _answer(stream: Data) -> str:
    more = len(stream["reads"]) >= strip.KEPT_READS
    return words.shown(stream) + (f" (the first {strip.KEPT_READS} are drawn)" if more else "")


def _why_not(report: Data, hop: Data) -> str:
    missing = report["missing"]
    why = next((missing[k] for k in (f"streams.{hop['name']}", "streams") if k in missing), "")
    return f": {why}" if why else ""


def _symptom(page: Page, hop: str, kind: str, origin: Data | None) -> None:
    style = BAD if words.is_grave(kind) else WARN
    if origin:
        said = str(origin["text"]).removeprefix(f"{hop}: ")
        page.put(page.join(page.host(f"{kind}: ", style), page.host(said)), _INDENT)
    else:
        page.put(page.host(f"{kind}, in consequence", QUIET), _INDENT)


def _scale(page: Page, streams: list[Data], left: int) -> Scale:
    width = max(20, min(_STRIP_WIDTH, page.console.width - left - _END_WIDTH))
    return strip.scale(streams, width)


def _strip(page: Page, stream: Data, scale: Scale) -> Text:
    drawn = strip.draw(stream, scale, page.signs)
    last = {page.signs.open: GOOD, page.signs.cut: BAD}.get(drawn[-1:], WARN)
    return page.join(page.text(drawn[:-1], MARK), page.text(drawn[-1:], last))


def _legend(page: Page) -> str:
    s = page.signs
    return (
        f"{s.headers} headers  {s.sizes[0]}{s.sizes[-1]} bytes as they came  "
        f"{s.open} still open  {s.ended} ended  {s.cut} cut"
    )


def _canary(page: Page, report: Data) -> None:
    rows = canary_words.lines(report.get("canary"))
    if not rows:
        return
    page.head("Message")
    bad = ("refused", "lost")
    page.rows(
        (page.text(label, BAD if label in bad else QUIET), page.host(said)) for label, said in rows
    )


def _causes(page: Page, report: Data) -> None:
    if not report["causes"]:
        return
    page.head("Causes")
    for number, cause in enumerate(report["causes"], 1):
        style = _SEVERITIES.get(cause["severity"], STRONG)
        sure = cause["status"]
        title = page.host(cause["title"], style if sure != Status.LATENT else STRONG)
        page.rows([(page.text(f"{number}.", STRONG), title)])
        facts = f"{sure} · {cause['severity']} · layer {cause['layer']} · hop {cause['hop']}"
        page.put(page.join(page.host(cause["rule"], MARK), page.host(f"  {facts}", QUIET)), 5)
        rows = (
            ("where", page.host(cause["where"])),
            ("observed", page.host(cause["observed"])),
            ("expected", page.host(cause["expected"])),
        )
        page.rows([(page.text(label, QUIET), value) for label, value in rows], 5)
        page.bullets((page.host(item) for item in cause["evidence"]), 5)
        if words.accepted(cause):
            page.put(page.host(words.accepted(cause), WARN), 5)


def _unexplained(page: Page, report: Data) -> None:
    if not report["unexplained"]:
        return
    page.head("Not explained")
    page.put(
        page.text("No known cause fits what the wire shows here; nobody is blamed for it.", WARN), 2
    )
    page.bullets(page.host(words.symptom(s)) for s in report["unexplained"])


def _limits(page: Page, report: Data, verbose: bool) -> None:
    if report["notes"]:
        page.head("Notes")
        page.bullets(page.host(note) for note in report["notes"])
    if report["missing"]:
        page.head("Not seen")
        page.rows(
            (page.host(name, QUIET), page.host(why)) for name, why in report["missing"].items()
        )
    _checked(page, report, verbose)


def _checked(page: Page, report: Data, verbose: bool) -> None:
    cleared, skipped = report["cleared"], report["skipped"]
    page.blank()
    if cleared:
        other = "other" if report["causes"] else "known"
        counted = f"{len(cleared)} {other} causes checked and ruled out"
        page.put(page.text(f"{counted}{':' if verbose else '.'}", QUIET))
    if verbose:
        page.put(page.host(", ".join(cleared), QUIET), 2)
    if skipped:
        page.put(page.text(f"{len(skipped)} could not be checked:", WARN))
    reasons: dict[str, list[str]] = {}
    for rule, why in skipped.items():
        reasons.setdefault(why, []).append(rule)
    page.bullets(
        page.join(page.host(f"{why}: "), *_named(page, rules, verbose))
        for why, rules in reasons.items()
    )


def _named(page: Page, rules: Sequence[str], verbose: bool) -> list[Text]:
    """A few rules by name; many of them only where names were asked for."""
    shown = rules if verbose or len(rules) <= _NAMED else rules[: _NAMED - 1]
    names = [page.host(f"{', ' if index else ''}{rule}") for index, rule in enumerate(shown)]
    rest = len(rules) - len(shown)
    return [*names, *([page.text(f" and {rest} more")] if rest else [])]


def _disruption(plan: Data) -> str:
    said = words.DISRUPTIONS.get(plan["disruption"], plan["disruption"])
    return said[:1].upper() + said[1:]


def _unit(page: Page, unit: Data) -> None:
    steps = ", ".join(words.unit_steps(unit)) or "no change of state"
    why = page.host(f"  ({', '.join(unit['causes'])})", QUIET)
    page.put(page.join(page.host(unit["unit"], STRONG), page.host(f": {steps}"), why), 2)
    for section, lines in unit["settings"].items():
        for key, value in lines.items():
            shown = value if value is not None else "(left out here: it holds a secret)"
            page.put(page.host(f"[{section}] {key}={shown}"), 4)


def _directives(page: Page, nginx: Data, shown: bool) -> None:
    """Which cause calls for which directive; the directives in full where no diff shows them."""
    causes = dict.fromkeys(line["cause"] for line in nginx["directives"] if line["cause"])
    why = f"  ({', '.join(causes)})" if causes else ""
    paths = [edit["path"] for edit in nginx["edits"]]
    place = nginx["ours"] if nginx["directives"] else ", ".join(paths)
    page.put(page.join(page.host(place, STRONG), page.host(why, QUIET)), 2)
    for line in () if shown else nginx["directives"]:
        said = ["(left out here: it holds a secret)"] if line["args"] is None else line["args"]
        parts = [line["name"], *(arg or '""' for arg in said)]
        page.put(page.host(f"{' '.join(parts)};"), 4)
    page.bullets((page.host(note) for note in nginx["notes"]), 4)


def render_diff(page: Page, files: Sequence[Data]) -> None:
    """Files before and after, secrets masked."""
    for file in files:
        page.blank()
        lines = difflib.unified_diff(
            _lines(redact(file["before"] or "")),
            _lines(redact(file["after"] or "")),
            file["path"] if file["before"] else "/dev/null",
            file["path"] if file["after"] else "/dev/null",
            lineterm="",
        )
        for line in lines:
            page.raw(page.host(line, _diff_style(line)), 2)


def render_drift(page: Page, files: Sequence[Data]) -> None:
    """What others changed since the plan was made, and what the plan would make of it."""
    for file in files:
        page.blank()
        said = "changed since the plan was made: make a new one"
        page.put(page.join(page.host(file["path"], STRONG), page.text(f" {said}", WARN)), 2)
        now = {"path": file["path"], "before": file["saw"], "after": file["now"]}
        if file["saw"] is None:
            page.put(page.text("what the plan saw is not known", QUIET), 2)
        else:
            page.put(page.text("from what the plan saw to what is there now:", QUIET), 2)
            render_diff(page, [now])
            page.blank()
        page.put(page.text("from what is there now to what the plan wants:", QUIET), 2)
        render_diff(page, [{**now, "before": file["now"], "after": file["wanted"]}])


def _lines(content: str) -> list[str]:
    """Lines as nginx and systemd count them; other separators of Unicode are text."""
    return content.removesuffix("\n").split("\n") if content else []


def _diff_style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return STRONG
    return {"+": GOOD, "-": "red", "@": MARK}.get(line[:1], "")


def _before_after(page: Page, hops: Sequence[Data]) -> None:
    names = max((len(hop["hop"]) for hop in hops), default=0)
    streams = [hop[when] for hop in hops for when in ("before", "after") if hop[when]]
    scale = _scale(page, streams, names + 18)
    for hop in hops:
        for when, label in (("before", hop["hop"]), ("after", "")):
            head = page.join(
                page.host(label.ljust(names), STRONG), page.text(f"  {when.ljust(6)}  ", QUIET)
            )
            stream = hop[when]
            drawn = _strip(page, stream, scale) if stream else page.text("not recorded", WARN)
            said = page.text(f" {_status(stream)}{words.end(stream)}" if stream else "")
            page.raw(page.join(head, drawn, said), 2)


def _status(stream: Data) -> str:
    return f"{stream['status']}, " if stream["status"] is not None else ""


def _message(page: Page, message: Data) -> tuple[Text, Text]:
    to = page.signs.to
    if message["delivered"]:
        took = f" in {words.brief(message['seconds'])}" if message["seconds"] is not None else ""
        said, style = f"sent {to} delivered{took}", GOOD
    elif message["sent"]:
        said, style = f"sent {to} NOT delivered", BAD
    else:
        said, style = "could not be sent, so it proves nothing", WARN
    detail = f" ({message['detail']})" if message["detail"] else ""
    return page.text("message", style), page.host(said + detail)


def _pids(pids: Sequence[int]) -> str:
    return ", ".join(map(str, pids)) or "none"
