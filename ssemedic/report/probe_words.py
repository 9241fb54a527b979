"""A probe's plain data in sentences, and on a page. Text of the server is cleaned by the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from ssemedic.report import strip, words
from ssemedic.report.page import BAD, GOOD, MARK, QUIET, STRONG, WARN, Page, page_on

Data = Mapping[str, Any]

_STRIP_WIDTH = 60
_END_WIDTH = 26
_VERDICTS = {"healthy": GOOD, "degraded": WARN, "broken": BAD, "unknown": WARN}
_LEVELS = {"good": GOOD, "note": QUIET, "warning": WARN, "bad": BAD}


def sentence(data: Data) -> str:
    """The verdict, and why, in one sentence. Holds text of the server: not yet cleaned."""
    verdict = data["verdict"]
    counted = [s for s in data["symptoms"] if not s["allowed"]]
    first = next((s for s in counted if s["origin"]), None) or next(iter(counted), None)
    if first is None:
        end = data["hops"][-1]["record"]["end"]
        if verdict == "unknown":
            return f"unknown: not recorded ({end['detail']})"
        return f"{verdict}: {_healthy(data['hops'][-1])}"
    more = len([s for s in counted if s["origin"]]) - 1
    others = "" if more < 1 else f"; and {more} more symptom{'s' if more > 1 else ''}"
    return f"{verdict}: {_of_hop(first, data)}{others}"


def render(data: Data, console: Console) -> None:
    """The end of a probe: verdict, arrival strip, numbers, symptoms, token, assertions."""
    page = page_on(console)
    said, _colon, why = sentence(data).partition(": ")
    page.put(page.join(page.text(f"{said}: ", _VERDICTS[data["verdict"]]), page.host(why)))
    _strips(page, data)
    for hop in data["hops"]:
        _numbers(page, hop, named=len(data["hops"]) > 1)
    _symptoms(page, data)
    _experiments(page, data)
    if data["credentials"]:
        page.head("Token")
        page.rows(
            (page.text(f"{r['part']} ", _LEVELS[r["level"]]), page.host(r["text"]))
            for r in data["credentials"]
        )
    _assertions(page, data)


def numbers(hop: Data) -> Iterable[str]:
    """What was measured at one hop, in two or three phrases."""
    seen, phases = hop["measured"], hop["record"]["phases"]
    steps = [
        (name, phases[key])
        for name, key in (("connected", "connected"), ("TLS", "tls"), ("headers", "headers"))
    ]
    steps += [("first byte", seen["first_byte"]), ("first event", seen["first_event"])]
    told = [f"{name} {_time(at)}" for name, at in steps if at is not None]
    if told:
        yield ", ".join(told)
    if seen["events"] is not None:
        counts = [_count(seen["events"], "event"), _count(seen["comments"], "comment")]
        kept = "" if hop["kept"] >= hop["size"] else f" in the first {words.size(hop['kept'])}"
        size, gap = words.size(hop["size"]), _time(seen["gap"])
        yield f"{', '.join(counts)}{kept}, {size}; longest gap {gap}"


def _healthy(hop: Data) -> str:
    seen = hop["measured"]
    if seen["events"]:
        first = _time(seen["first_event"])
        return (
            f"events come through, the first after {first}, no gap longer than {_time(seen['gap'])}"
        )
    if seen["comments"]:
        return f"the stream is open and kept alive; no event in {words.brief(seen['duration'])}"
    if seen["events"] is None:
        kind = hop["content_type"] or "nothing"
        return f"answered {seen['status']} with {kind}, which the request accepts; no stream"
    if seen["bytes"]:
        return f"the stream is open; no event and no comment in {words.brief(seen['duration'])}"
    return f"the stream is open; not one byte in {words.brief(seen['duration'])}"


def _of_hop(symptom: Data, data: Data) -> str:
    """The symptom's text; with a single hop there is no need to name it."""
    text = str(symptom["text"])
    return text.removeprefix(f"{symptom['hop']}: ") if len(data["hops"]) == 1 else text


def _strips(page: Page, data: Data) -> None:
    hops = data["hops"]
    drawn = [_drawable(hop) for hop in hops]
    label = max(len(hop["hop"]) for hop in hops) + 2
    width = max(20, min(_STRIP_WIDTH, page.console.width - label - _END_WIDTH - 4))
    scale = strip.scale(drawn, width)
    page.blank()
    for hop, record in zip(hops, drawn, strict=True):
        row = strip.draw(record, scale, page.signs)
        bad = any(s["hop"] == hop["hop"] and not s["allowed"] for s in data["symptoms"])
        page.raw(
            page.join(
                page.host(hop["hop"].ljust(label), STRONG),
                page.text(row.ljust(width + 2), BAD if bad else MARK),
                page.text(words.end(record), QUIET),
            ),
            2,
        )
    page.raw(page.text(" " * label + strip.axis(scale.span, width), QUIET), 2)


def _drawable(hop: Data) -> dict[str, Any]:
    record = hop["record"]
    return {
        "reads": record["reads"],
        "headers_at": record["phases"]["headers"],
        "end": record["end"],
        "window": record["window"],
        "status": hop["status"],
    }


def _numbers(page: Page, hop: Data, named: bool) -> None:
    lines = list(numbers(hop))
    if not lines:
        return
    page.blank()
    if named:
        page.put(page.host(hop["hop"], STRONG), 2)
    if hop["status"] is not None:
        status = f"{hop['status']} {hop['content_type']}".strip()
        version = hop["record"]["response_version"]
        page.put(page.host(f"{status} over HTTP/{version}"), 2)
    for line in lines:
        page.put(page.text(line), 2)


def _symptoms(page: Page, data: Data) -> None:
    if not data["symptoms"]:
        return
    page.head("What is wrong")
    rows: list[tuple[Text, Text]] = []
    for symptom in data["symptoms"]:
        note = " (allowed)" if symptom["allowed"] else ""
        note += "" if symptom["origin"] else " (in consequence)"
        style = QUIET if symptom["allowed"] or not symptom["origin"] else BAD
        rows.append(
            (page.text(f"{symptom['kind']} ", style), page.host(_of_hop(symptom, data) + note))
        )
    page.rows(rows)


def _experiments(page: Page, data: Data) -> None:
    if not data["experiments"]:
        return
    page.head("Experiments")
    page.rows(
        (page.text(f"{e['name']} ", STRONG), page.host(e["conclusion"]))
        for e in data["experiments"]
    )


def _assertions(page: Page, data: Data) -> None:
    if not data["assertions"]:
        return
    page.head("Assertions")
    for entry in data["assertions"]:
        style, sign = (GOOD, page.signs.good) if entry["holds"] else (BAD, page.signs.bad)
        note = f" ({entry['note']})" if entry["note"] else ""
        page.put(
            page.join(
                page.text(f"{sign} ", style),
                page.text(entry["assertion"].ljust(20)),
                page.text(f" observed {entry['observed']}{note}", QUIET),
            ),
            2,
        )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else words.brief(seconds)
