"""The arrival strip as one SVG: time from left to right, a row for each hop, a mark for each read.

It stands alone: no script, no font, nothing that is requested from anywhere. Colours follow
the reader's light or dark setting.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

from ssemedic.report import words
from ssemedic.report.clean import clean

Data = Mapping[str, Any]

_WIDTH, _LEFT, _RIGHT = 1040, 180, 230  # pixels: the picture, the names, the words at the end
_TOP, _ROW, _BOTTOM = 74, 72, 60
_TRACK = _WIDTH - _LEFT - _RIGHT
_TALL, _SHORT = 44.0, 8.0  # pixels of the largest and the smallest mark
_FULL_BUFFER = 4096  # bytes: the tallest mark is never less than a buffer of nginx
_MOST_SYMPTOMS = 4
_GAP_SHARE = 0.2  # of the width: a shorter gap is seen without words

_LIGHT = {
    "ink": "#1c2430",
    "quiet": "#687385",
    "line": "#c3cad5",
    "paper": "#ffffff",
    "band": "#eef1f6",
    "mark": "#1f6feb",
    "open": "#1a7f37",
    "bad": "#c62828",
    "warn": "#9a6700",
}
_DARK = {
    "ink": "#e8ecf2",
    "quiet": "#98a3b5",
    "line": "#465063",
    "paper": "#11151c",
    "band": "#1d2430",
    "mark": "#6cb0ff",
    "open": "#56d364",
    "bad": "#ff8078",
    "warn": "#e3b341",
}


def _colours(of: dict[str, str]) -> str:
    """Written out twice, not by CSS variables: most programs that draw SVG know none."""
    return f"""
  text {{ fill: {of["ink"]}; }}
  line {{ stroke: {of["line"]}; }} .track, .wait {{ stroke: {of["quiet"]}; }}
  .head {{ stroke: {of["ink"]}; }} .cut {{ stroke: {of["bad"]}; }}
  .paper {{ fill: {of["paper"]}; }} .band {{ fill: {of["band"]}; }}
  .read {{ fill: {of["mark"]}; }} .quiet {{ fill: {of["quiet"]}; }}
  .good {{ fill: {of["open"]}; }} .warn {{ fill: {of["warn"]}; }} .bad {{ fill: {of["bad"]}; }}
"""


_STYLE = f"""
  text {{ font-family: ui-sans-serif, system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
         font-size: 13px; }}
  .title {{ font-size: 16px; font-weight: 600; }} .name {{ font-size: 14px; font-weight: 600; }}
  .quiet {{ font-size: 12px; }} .mid {{ text-anchor: middle; }} .end {{ text-anchor: end; }}
  line {{ stroke-width: 1; }} .track, .wait {{ stroke-width: 1.5; }}
  .wait {{ stroke-dasharray: 2 4; }} .head {{ stroke-width: 2; }} .cut {{ stroke-width: 2.5; }}
{_colours(_LIGHT)}
  @media (prefers-color-scheme: dark) {{ {_colours(_DARK)} }}
"""

_VERDICTS = {"healthy": "good", "degraded": "warn", "broken": "bad", "unknown": "warn"}


def arrival_svg(data: Data, sentence: str) -> str:
    """The picture of a probe's plain data, under the verdict's ``sentence``."""
    hops: Sequence[Data] = data["hops"]
    span = max([0.001, *(max(hop["record"]["window"], _end(hop)) for hop in hops)])
    # The first symptom is in the sentence.
    origins = [symptom for symptom in data["symptoms"] if symptom["origin"]][1:_MOST_SYMPTOMS]
    height = _TOP + _ROW * len(hops) + _BOTTOM + 20 * len(origins)
    peak = max([_FULL_BUFFER, *(size for hop in hops for _at, size in hop["record"]["reads"])])
    body = [
        _text(20, 30, _short(sentence, 105), f"title {_VERDICTS[data['verdict']]}"),
        _text(20, 50, _short(f"{data['method']} {data['url']}", 130), "quiet"),
        *_axis(span, _TOP, _TOP + _ROW * len(hops)),
    ]
    for number, hop in enumerate(hops):
        body.extend(_row(hop, span, peak, _TOP + _ROW * number))
    below = _TOP + _ROW * len(hops) + 46
    for number, symptom in enumerate(origins):
        text = f"{symptom['kind']}: {symptom['text']}"
        body.append(_text(20, below + 20 * number, _short(text, 140), "bad"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">\n'
        f"<title>{_safe(sentence)}</title>\n<style>{_STYLE}</style>\n"
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _row(hop: Data, span: float, peak: int, top: int) -> Iterator[str]:
    middle = top + _ROW // 2
    end = _x(_end(hop), span)
    headers = hop["record"]["phases"]["headers"]
    opened = end if headers is None else _x(headers, span)
    yield _text(20, middle - 2, _short(hop["hop"], 16), "name")
    yield _text(20, middle + 15, _short(_answer(hop), 24), "quiet")
    yield from _gaps(hop, span, middle)
    yield _line(_LEFT, middle, opened, middle, "wait")
    yield _line(opened, middle, end, middle, "track")
    if headers is not None:
        mark = _line(opened, middle - 7, opened, middle + 7, "head")
        yield f"<g><title>headers after {words.brief(headers)}</title>{mark}</g>"
    yield from _marks(hop["record"]["reads"], span, peak, middle)
    yield from _ending(hop, end, middle)


def _marks(reads: Sequence[Sequence[float]], span: float, peak: int, middle: int) -> Iterator[str]:
    """A bar for each read; those on the same half pixel share one, as tall as all of them."""
    bars: dict[int, list[float]] = {}
    for at, size in reads:
        bar = bars.setdefault(round(2 * _x(at, span)), [at, 0, 0])
        bar[1] += size
        bar[2] += 1
    for place, (at, size, count) in bars.items():
        share = math.log2(size + 1) / math.log2(max(peak, size) + 1)
        tall = _SHORT + (_TALL - _SHORT) * share
        told = f"{words.brief(at)}: {words.size(int(size))}"
        told += f" in {count:.0f} reads" if count > 1 else ""
        yield (
            f'<rect class="read" x="{place / 2 - 1.25:.1f}" y="{middle - tall / 2:.1f}" '
            f'width="2.5" height="{tall:.1f}" rx="1"><title>{told}</title></rect>'
        )


def _gaps(hop: Data, span: float, middle: int) -> Iterator[str]:
    """A band for every silence that is long for this picture."""
    headers = hop["record"]["phases"]["headers"]
    if headers is None:
        return
    times = [headers, *(at for at, _size in hop["record"]["reads"]), _end(hop)]
    for begin, end in pairwise(times):
        if (end - begin) / span < _GAP_SHARE:
            continue
        left, right = _x(begin, span), _x(end, span)
        yield (
            f'<rect class="band" x="{left:.1f}" y="{middle - 24}" '
            f'width="{right - left:.1f}" height="48" rx="3"/>'
        )
        text = f"{end - begin:.1f} s without a byte"
        if right - left > 7 * len(text):
            yield _text((left + right) / 2, middle + 18, text, "quiet mid")


def _ending(hop: Data, end: float, middle: int) -> Iterator[str]:
    kind, status = hop["record"]["end"]["kind"], hop["status"]
    seen = {"end": hop["record"]["end"], "status": status}
    if kind in ("limit_time", "limit_bytes"):
        style = "good" if status == 200 else "warn"
        shape = f"M{end:.1f} {middle - 7} l11 7 l-11 7 z"
        yield f'<path class="{style}" d="{shape}"/>'
    elif kind in ("last_chunk", "eof"):
        style = "warn"
        yield f'<rect class="warn" x="{end:.1f}" y="{middle - 6}" width="12" height="12"/>'
    else:
        style = "bad"
        x = end + 6
        yield _line(x - 6, middle - 6, x + 6, middle + 6, "cut")
        yield _line(x - 6, middle + 6, x + 6, middle - 6, "cut")
    right = _WIDTH - _RIGHT + 22
    yield _text(right, middle - 2, _short(words.end(seen), 30), style)
    yield _text(right, middle + 15, _short(_counts(hop), 34), "quiet")


def _axis(span: float, top: int, bottom: int) -> Iterator[str]:
    step = _step(span)
    for number in range(int(span / step + 1e-9) + 1):
        at = number * step
        x = _x(at, span)
        yield _line(x, top, x, bottom, "")
        yield _text(x, bottom + 18, f"{at:g} s", "quiet mid")


def _step(span: float) -> float:
    """The distance of ticks: 1, 2 or 5 of a power of ten, at most ten of them."""
    power = 10.0 ** math.floor(math.log10(span / 10))
    return next(power * times for times in (1, 2, 5, 10) if span / (power * times) <= 10)


def _answer(hop: Data) -> str:
    if hop["status"] is None:
        return "no answer"
    return f"{hop['status']} {hop['content_type']}".strip()


def _counts(hop: Data) -> str:
    seen = hop["measured"]
    size = words.size(hop["size"])
    if seen["events"] is None:
        return f"{len(hop['record']['reads'])} reads, {size}"
    return f"{seen['events']} events, {seen['comments']} comments, {size}"


def _end(hop: Data) -> float:
    return float(hop["record"]["end"]["at"])


def _x(at: float, span: float) -> float:
    return _LEFT + _TRACK * min(1.0, max(0.0, at / span))


def _line(x: float, y: float, to_x: float, to_y: float, style: str) -> str:
    named = f' class="{style}"' if style else ""
    return f'<line{named} x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'


def _text(x: float, y: float, text: str, style: str = "") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}">{_safe(text)}</text>'


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _safe(text: str) -> str:
    return escape(clean(text))
