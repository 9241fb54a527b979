"""Experiments: the same stream asked for in two ways, so that causes come apart.

Each runs only where the first record calls for it, within a time for all together. What
is not a GET may change something, or cost money, each time: it is repeated only on demand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ssemedic.endpoint import Message
from ssemedic.probe import outside
from ssemedic.probe.message_experiments import busy, count_receivers, sweep
from ssemedic.probe.redirects import record_following
from ssemedic.probe.request import Request, RequestError
from ssemedic.stream import preflight
from ssemedic.stream.bursts import buffer_size
from ssemedic.stream.coding import coding, parse_decoded
from ssemedic.stream.cuts import Cut, judge_cut
from ssemedic.stream.detect import observe, observe_one, origins
from ssemedic.stream.hops import STALL_SECONDS
from ssemedic.stream.moments import first_event
from ssemedic.stream.record import Stream
from ssemedic.stream.resume import compare, resume_point
from ssemedic.stream.single import is_cross_origin
from ssemedic.symptoms import Expected, Kind, Symptom

NAMES = ("gzip", "versions", "idle", "resume", "preflight", "hops", "many", "fanout", "sizes")

#: Only when asked for by name: they cost the server something, or send messages.
COSTLY = ("many", "fanout", "sizes")

#: Asks no more of the server than a browser does before any request.
_HARMLESS = ("preflight", "hops")

#: No experiment is begun with less time left than this (seconds).
_LEAST_SECONDS = 1.0

Recorder = Callable[[Request], Stream]


@dataclass(frozen=True)
class Experiment:
    """One comparison: what was varied, the records, and what they say in one sentence."""

    name: str
    varied: str
    records: tuple[Stream, ...]
    conclusion: str
    symptoms: tuple[Symptom, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """Which experiments, and how far they may go.

    ``names`` None means as the first record calls for it, and none of `COSTLY`. ``seconds``
    is the time for all together. ``hops`` are requests to each hop, inner to outer.
    ``message`` is what makes an event come; ``streams`` how many are opened at once.
    """

    names: tuple[str, ...] | None = None
    seconds: float = 30.0
    expected: Expected = field(default_factory=Expected)
    hops: tuple[Request, ...] = ()
    message: Message | None = None
    streams: int = 7


@dataclass(frozen=True)
class Setting:
    """What an experiment has to work with; ``window`` is for each of its records (seconds)."""

    request: Request
    first: Stream
    wanted: Wanted
    record: Recorder
    window: float
    left: float

    def together(self, *requests: Request) -> tuple[Stream, ...]:
        """The records of requests made at the same time, so that all see the same events."""
        with ThreadPoolExecutor(max_workers=len(requests)) as threads:
            return tuple(threads.map(self.record, requests))

    def varied(self, variant: str, **changes: object) -> Request:
        """The request with one thing changed, for this experiment's window."""
        return self.request.varied(variant, window=self.window, **changes)


def run(
    request: Request,
    wanted: Wanted | None = None,
    first: Stream | None = None,
    record: Recorder = record_following,
) -> tuple[Experiment, ...]:
    """The experiments that are wanted; ``first`` is a record of the request, if there is one.

    Raises ValueError for a name that is not in `NAMES`. What no time was left for says so.
    """
    wanted = wanted or Wanted()
    unknown = sorted(set(wanted.names or ()) - set(NAMES))
    if unknown:
        raise ValueError(f"experiment: {unknown[0]!r} is not one of {', '.join(NAMES)}")
    closes = time.monotonic() + wanted.seconds
    if first is None:
        first = record(replace(request, window=min(request.window, wanted.seconds)))
    done: list[Experiment] = []
    for name in NAMES:
        if not _is_chosen(name, wanted, request.method):
            continue
        left = closes - time.monotonic()
        setting = Setting(request, first, wanted, record, _window(request, first, left), left)
        why_not, experiment = _EXPERIMENTS[name]
        reason = why_not(setting)
        if reason and wanted.names is None:
            continue
        if not reason and left < _LEAST_SECONDS:
            reason = f"of {wanted.seconds:g} s none are left"
        done.append(
            Experiment(name, "", (), f"not run: {reason}") if reason else experiment(setting)
        )
    return tuple(done)


def _is_chosen(name: str, wanted: Wanted, method: str) -> bool:
    if wanted.names is not None:
        return name in wanted.names
    return name in _HARMLESS if method != "GET" else name not in COSTLY


def _window(request: Request, first: Stream, left: float) -> float:
    """Long enough to see again what the first record saw, and no longer."""
    at = first_event(first) if first.is_event_stream else None
    enough = request.window if at is None else min(request.window, max(3.0, 2 * at + 1))
    return max(0.1, min(enough, left))


def _needs_stream(setting: Setting) -> str:
    return "" if setting.first.is_event_stream else "there is no event stream to compare with"


# --- gzip against identity ------------------------------------------------------------


def _gzip(setting: Setting) -> Experiment:
    plain = setting.varied("identity", headers=_accepting(setting.request, "identity"))
    # What browsers accept; without TLS they leave out what old proxies break.
    accepted = "gzip, deflate, br, zstd" if setting.request.secure else "gzip, deflate"
    zipped = setting.varied("gzip", headers=_accepting(setting.request, accepted))
    records = setting.together(plain, zipped)
    conclusion, symptoms = compare_codings(*records)
    varied = f"Accept-Encoding: identity against a browser's {accepted}"
    return Experiment("gzip", varied, records, conclusion, symptoms)


def compare_codings(plain: Stream, zipped: Stream) -> tuple[str, tuple[Symptom, ...]]:
    """What compression does to a stream, from two records made at the same time."""
    named = coding(zipped)
    if zipped.is_event_stream and not named:
        return "the stream is not compressed for a client that accepts it", ()
    at, zipped_at = first_event(plain), first_event(zipped)
    if at is None:
        return (
            f"no event came without compression either; Content-Encoding is {named or 'none'}",
            (),
        )
    count, zipped_count = _events(plain), _events(zipped)
    late = STALL_SECONDS + max(plain.stalled, zipped.stalled)
    missing = zipped_at is None and zipped.end.at - at > late
    behind = zipped_at is not None and zipped_at - at > late
    if missing or behind or (count >= 6 and 2 * zipped_count <= count):
        said = "none" if zipped_at is None else f"{zipped_count}, the first after {zipped_at:.1f} s"
        text = (
            f"compression holds events back: {count} events without it, the first after {at:.1f} s;"
            f" with {named or 'gzip'} {said}"
        )
        numbers = {"encoding": named or None, "events": zipped_count, "events_identity": count}
        symptom = Symptom(Kind.COMPRESSED, zipped.hop, f"{zipped.hop}: {text}", numbers)
        return text, (symptom,)
    return f"the stream is compressed ({named}) and each event comes on time", ()


def _accepting(request: Request, coding_name: str) -> tuple[tuple[str, str], ...]:
    return _with_header(request.headers, "Accept-Encoding", coding_name)


def _with_header(
    headers: Sequence[tuple[str, str]], name: str, value: str
) -> tuple[tuple[str, str], ...]:
    return (*(pair for pair in headers if pair[0].lower() != name.lower()), (name, value))


# --- 1.0 against 1.1 against 2 --------------------------------------------------------


def _versions(setting: Setting) -> Experiment:
    names = ("1.0", "1.1", "2") if setting.request.secure else ("1.0", "1.1")
    records = setting.together(
        *(setting.varied(f"http{name.replace('.', '')}", version=name) for name in names)
    )
    shown = "; ".join(f"HTTP/{n}: {_in_words(r)}" for n, r in zip(names, records, strict=True))
    symptoms = list(_only_with_two(records, setting.wanted.expected))
    two = records[-1]
    if names[-1] == "2" and two.is_event_stream and two.response_version != "2":
        text = (
            f"{two.hop}: speaks HTTP/{two.response_version} at most, so a browser opens six"
            " streams to it from all tabs together"
        )
        symptoms.append(
            Symptom(Kind.SIX_CONNECTIONS, two.hop, text, {"version": two.response_version})
        )
    return Experiment("versions", f"HTTP/{', '.join(names)}", records, shown, tuple(symptoms))


def _only_with_two(records: Sequence[Stream], expected: Expected) -> tuple[Symptom, ...]:
    """What is wrong over HTTP/2 and not over HTTP/1.1."""
    one, two = records[1], records[-1]
    if two.request_version != "2":
        return ()
    known = {symptom.kind for symptom in observe_one(one, expected)}
    return tuple(s for s in observe_one(two, expected) if s.kind not in known)


def _in_words(stream: Stream) -> str:
    if stream.status is None:
        return f"no answer ({stream.end.kind})"
    if not stream.is_event_stream:
        return f"status {stream.status}, {stream.content_type or 'no type'}"
    at = first_event(stream)
    if at is None:
        return "no event"
    events = _events(stream)
    return f"{events} event{'s' if events > 1 else ''}, the first after {at:.1f} s"


def _events(stream: Stream) -> int:
    parsed = parse_decoded(stream)
    return len(parsed.events) if parsed is not None else 0


# --- idle against busy ----------------------------------------------------------------


def _why_not_idle(setting: Setting) -> str:
    first = setting.first
    over = first.method != "GET" and first.end.kind in ("last_chunk", "eof")
    if not first.is_event_stream or first.open_at_end or first.end.at < 1.0 or over:
        return "no stream was cut after a time"
    if first.end.at + 2.0 > setting.left:
        return f"a cut after {first.end.at:.0f} s needs longer than the {setting.left:.0f} s left"
    return ""


def _idle(setting: Setting) -> Experiment:
    window = min(setting.left, 1.5 * setting.first.end.at + 2.0)
    request = replace(setting.request, variant="again", window=window)
    message = setting.wanted.message
    if message is None:
        records = (setting.first, setting.record(request))
        varied = "nothing: the stream was recorded twice"
    else:
        request = replace(request, variant="busy")
        pause = max(0.3, setting.first.end.at / 5)
        records = (setting.first, busy(request, message, pause, setting.record))
        varied = f"a message every {pause:.1f} s"
    cut, seconds = judge_cut(records)
    said = {
        Cut.IDLE: f"silence is what is cut, after {seconds or 0:.1f} s",
        Cut.ABSOLUTE: f"the stream is cut {seconds or 0:.1f} s after its start, whatever flows",
        Cut.UNCLEAR: "both records look alike: a limit on silence and one on life both fit",
    }
    return Experiment("idle", varied, records, said[cut])


# --- coming back ----------------------------------------------------------------------


def _why_not_resume(setting: Setting) -> str:
    last = resume_point(setting.first)
    if last is None:
        return "the events have no ids"
    try:
        setting.request.resumed(last)
    except RequestError as error:
        return str(error)
    return ""


def _resume(setting: Setting) -> Experiment:
    last = resume_point(setting.first) or ""
    request = replace(setting.request.resumed(last), window=setting.window)
    records = (setting.first, setting.record(request))
    symptoms = compare(*records, last)
    said = "; ".join(symptom.text for symptom in symptoms)
    if not records[1].is_event_stream:
        said = f"a client that comes back gets {_in_words(records[1])}"
    fine = "the events after the id came again, and none before it"
    return Experiment("resume", f"Last-Event-ID: {last!r}", records, said or fine, symptoms)


# --- preflight ------------------------------------------------------------------------


def _why_not_preflight(setting: Setting) -> str:
    if not is_cross_origin(setting.first, setting.wanted.expected):
        return "no page of another origin reads the stream"
    if not preflight.is_needed(setting.request.method, _asked_headers(setting.request)):
        return "a browser sends this request without asking first"
    return ""


def _preflight(setting: Setting) -> Experiment:
    request, expected = setting.request, setting.wanted.expected
    names = _asked_headers(request)
    asked = [
        ("Origin", expected.origin or ""),
        ("Access-Control-Request-Method", request.method),
        ("Accept", "*/*"),
    ]
    if names:
        asked.append(("Access-Control-Request-Headers", ",".join(names)))
    # As a browser does: without token, cookies and body, and no redirect is followed.
    options = setting.varied(
        "preflight", method="OPTIONS", headers=tuple(asked), body=None, **_without_token(request)
    )
    answer = outside.record(options)
    symptoms = preflight.judge_preflight(answer, request.method, names, expected)
    said = symptoms[0].text if symptoms else "the preflight is allowed"
    return Experiment("preflight", "OPTIONS before the request", (answer,), said, symptoms)


def _without_token(request: Request) -> dict[str, object]:
    """A token in the URL is part of what is asked for; one in a header is not shown yet."""
    return {} if request.token_parameter else {"token": None}


def _asked_headers(request: Request) -> tuple[str, ...]:
    bearer = request.token is not None and not request.token_parameter
    return preflight.asked_headers(request.headers, bearer)


# --- direct against through each hop --------------------------------------------------


def _hops(setting: Setting) -> Experiment:
    asked = [replace(r, window=min(r.window, setting.left)) for r in setting.wanted.hops]
    records = setting.together(*asked)
    symptoms = observe(records, setting.wanted.expected)
    begin = origins(symptoms)
    said = "; ".join(symptom.text for symptom in begin) or "every hop delivers the stream"
    names = ", ".join(record.hop for record in records)
    return Experiment("hops", f"where it is asked for: {names}", records, said, symptoms)


# --- one against many -----------------------------------------------------------------


def _many(setting: Setting) -> Experiment:
    count = setting.wanted.streams
    window = min(setting.window, max(3.0, 2 * (setting.first.phases.headers or 0.0) + 1.0))
    request = replace(setting.request, variant="many", window=window)
    records = setting.together(*[request] * count)
    opened = [record for record in records if record.is_event_stream]
    others = sorted({_in_words(record) for record in records if not record.is_event_stream})
    said = f"{len(opened)} of {count} streams of one client opened"
    symptoms: tuple[Symptom, ...] = ()
    if others:
        said += f"; the others: {', '.join(others)}"
        numbers = {"opened": len(opened), "streams": count}
        hop = setting.request.hop
        symptoms = (Symptom(Kind.FEW_STREAMS, hop, f"{hop}: {said}", numbers),)
    return Experiment("many", f"1 and {count} streams at once", records, said, symptoms)


# --- with messages --------------------------------------------------------------------


def _why_not_fanout(setting: Setting) -> str:
    reason = "" if setting.wanted.message else "no message is known that makes an event come"
    return _needs_stream(setting) or reason


def _fanout(setting: Setting) -> Experiment:
    assert setting.wanted.message is not None
    count = setting.wanted.streams
    window = min(setting.window, 3.0)
    request = replace(setting.request, variant="fanout", window=window)
    records, reached, trouble = count_receivers(
        request, setting.wanted.message, count, setting.record
    )
    said = trouble or f"a message reached {reached} of {count} streams"
    symptoms: tuple[Symptom, ...] = ()
    if not trouble and reached < count:
        kind = Kind.FANOUT_PARTIAL if reached else Kind.CANARY_LOST
        hop = setting.request.hop
        numbers = {"reached": reached, "streams": count}
        symptoms = (Symptom(kind, hop, f"{hop}: {said}", numbers),)
    return Experiment("fanout", f"{count} streams, one message", records, said, symptoms)


def _why_not_sizes(setting: Setting) -> str:
    if buffer_size(setting.first) is not None:
        return ""
    return _why_not_fanout(setting)


def _sizes(setting: Setting) -> Experiment:
    size = buffer_size(setting.first)
    if size is not None:
        said = f"bytes come in bursts of {size}: a buffer of that size holds them back"
        return Experiment("sizes", "nothing: the bursts show it", (setting.first,), said)
    assert setting.wanted.message is not None
    request = replace(setting.request, variant="size")
    swept = sweep(request, setting.wanted.message, setting.left, setting.record)
    varied = "the size of a message: " + ", ".join(f"{size} bytes" for size in swept.sizes)
    return Experiment("sizes", varied, swept.records, swept.conclusion)


_EXPERIMENTS: dict[str, tuple[Callable[[Setting], str], Callable[[Setting], Experiment]]] = {
    "gzip": (_needs_stream, _gzip),
    "versions": (
        lambda s: "" if s.first.status is not None else "nothing answers",
        _versions,
    ),
    "idle": (_why_not_idle, _idle),
    "resume": (_why_not_resume, _resume),
    "preflight": (_why_not_preflight, _preflight),
    "hops": (lambda s: "" if s.wanted.hops else "no other hop is known", _hops),
    "many": (_needs_stream, _many),
    "fanout": (_why_not_fanout, _fanout),
    "sizes": (_why_not_sizes, _sizes),
}
