"""`ssemedic probe URL`: watch one event stream from here, and say what is wrong with it."""

from __future__ import annotations

import argparse
import functools
import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ssemedic.assertions import check
from ssemedic.commands.output import UsageError, save
from ssemedic.commands.probe_request import Asked, asked_of, seconds
from ssemedic.jwks import verify
from ssemedic.probe import experiments, outside
from ssemedic.probe.live import LiveView
from ssemedic.probe.redirects import record_following
from ssemedic.probe.request import Request
from ssemedic.probe.tape import Watch
from ssemedic.report import probe_words
from ssemedic.report.arrival_svg import arrival_svg
from ssemedic.report.har import har
from ssemedic.report.junit import junit
from ssemedic.report.page import QUIET, page_on
from ssemedic.report.probed import Probed, data_of
from ssemedic.report.words import ENDS, brief
from ssemedic.stream.detect import observe, observe_one
from ssemedic.stream.measured import measured
from ssemedic.stream.origin import origins
from ssemedic.stream.record import Stream
from ssemedic.stream.remarks import remarks as stream_remarks
from ssemedic.symptoms import Expected, Symptom
from ssemedic.token_remarks import Carried, Level, Remark, remarks

#: Inner hops that are still being recorded when the URL is done get this much longer (seconds).
_GRACE = 1.0


def run(arguments: argparse.Namespace) -> int:
    """One probe; its exit code. Raises `UsageError`."""
    asked = asked_of(arguments)
    console = _console_for(arguments)
    if arguments.streams is not None:
        return _capacity(arguments, asked, console)
    page = page_on(console)
    page.raw(page.host(f"{asked.url.method} {asked.url.public_url}"))
    with LiveView(page, asked.requests) as live:
        streams = _record(asked.requests, live)
    page.raw(page.text(f"{streams[-1].end.at:9.3f} s  {_ending(streams[-1])}", QUIET))
    page.blank()
    probed = _judge(asked, streams)
    if arguments.experiments or arguments.experiment:
        page.raw(page.text("experiments: asking again, in other ways ...", QUIET))
        probed = _experiment(asked, probed, tuple(arguments.experiment) or None)
        page.blank()
    data = data_of(probed, asked.secrets)
    probe_words.render(data, console)
    _write(arguments, data)
    return probed.exit_code


def _console_for(arguments: argparse.Namespace) -> Console:
    """Where people read: standard error if the report itself goes to standard output."""
    if arguments.plain:
        return Console(
            stderr=arguments.json == "-",
            highlight=False,
            no_color=True,
            color_system=None,
            force_terminal=False,
        )
    return Console(stderr=arguments.json == "-", highlight=False)


def _record(requests: Sequence[Request], live: LiveView) -> tuple[Stream, ...]:
    """Every hop at the same time. The URL is recorded here, so that Ctrl-C ends it in order."""
    found: dict[str, Stream] = {}

    def one(request: Request, watch: Watch) -> Stream:
        return record_following(request, functools.partial(outside.record, watch=watch))

    def beside(request: Request) -> None:
        found[request.hop] = one(request, live.watch(request.hop))

    threads = [
        threading.Thread(target=beside, args=(request,), daemon=True) for request in requests[:-1]
    ]
    for thread in threads:
        thread.start()
    ours = one(requests[-1], live.watch(requests[-1].hop))
    stopped = ours.end.kind == "limit_time" and ours.end.at < requests[-1].window
    for thread, request in zip(threads, requests[:-1], strict=True):
        thread.join(0.0 if stopped else max(0.0, request.window - ours.end.at) + _GRACE)
    return (*(found[r.hop] for r in requests[:-1] if r.hop in found), ours)


def _judge(asked: Asked, streams: tuple[Stream, ...]) -> Probed:
    ours = streams[-1]
    # What ended by hand was not watched for as long as was asked for.
    expected = replace(asked.expected, window=min(asked.expected.window, ours.end.at))
    symptoms = _symptoms(streams, expected)
    names = [stream.hop for stream in streams]
    told, verified = _token(asked, ours)
    return Probed(
        streams=streams,
        symptoms=symptoms,
        origins=frozenset(symptom.id for symptom in origins(symptoms, names)),
        checked=tuple(check(assertion, measured(ours)) for assertion in asked.assertions),
        remarks=told,
        verified=verified,
        allowed=asked.allowed,
        expected=expected,
    )


def _symptoms(streams: Sequence[Stream], expected: Expected) -> tuple[Symptom, ...]:
    """What the wire shows, then what is worth a remark; each kind once at a hop."""
    if len(streams) == 1:
        found = observe_one(streams[0], expected)
    else:
        found = observe(streams, expected, [stream.hop for stream in streams])
    remarked = (remark for stream in streams for remark in stream_remarks(stream, expected))
    unique = {symptom.id: symptom for symptom in (*remarked, *found)}
    extra = tuple(s for s in unique.values() if s.id not in {seen.id for seen in found})
    return found + extra


def _token(asked: Asked, ours: Stream) -> tuple[tuple[Remark, ...], bool | None]:
    """What is to be said about the token, and whether it verified; None where no key was given."""
    request = asked.url
    if request.token is None:
        return (), None
    in_url = bool(request.token_parameter)
    line = f"{request.method} {request.target} HTTP/1.1" if in_url else ""
    carried = Carried(
        line_bytes=len(line or f"Authorization: Bearer {request.token}"),
        in_url=in_url,
        now=ours.started,
        clock_ahead=_ahead(ours),
    )
    told = remarks(request.token, carried)
    if asked.keys is None:
        unknown = "not verified: no key was given (--key, --jwks)"
        return (*told, Remark("signature", Level.NOTE, unknown)), None
    result = verify(request.token, asked.keys)
    level = Level.GOOD if result.verified else Level.BAD
    return (*told, Remark("signature", level, result.text)), result.verified


def _ahead(stream: Stream) -> float | None:
    """Seconds by which the server's Date header (RFC 9110, 6.6.1) is ahead of our clock."""
    text = stream.header("date")
    if text is None or stream.phases.headers is None:
        return None
    try:
        theirs = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    # The header has whole seconds, cut off: on average it is half a second old.
    return theirs + 0.5 - (stream.started + stream.phases.headers)


def _ending(stream: Stream) -> str:
    return ENDS.get(stream.end.kind, stream.end.kind).format(at=brief(stream.end.at))


def _write(arguments: argparse.Namespace, data: dict[str, Any]) -> None:
    if arguments.json == "-":
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
    elif arguments.json:
        save(Path(arguments.json), json.dumps(data, indent=2) + "\n")
    if arguments.har:
        save(arguments.har, json.dumps(har(data), indent=2) + "\n")
    if arguments.svg:
        save(arguments.svg, arrival_svg(data, probe_words.sentence(data)))
    if arguments.junit:
        save(arguments.junit, junit(data))


def _capacity(arguments: argparse.Namespace, asked: Asked, console: Console) -> int:
    from ssemedic.probe import capacity

    request = asked.url
    proxied = request.proxy or request.proxy_command
    if request.version != "1.1" or proxied or arguments.hop or asked.assertions:
        raise UsageError(
            "--streams: goes with neither --http, --proxy, --proxy-command, --hop nor --assert"
        )
    page = page_on(console)
    try:
        load = capacity.Load(
            url=request.url,
            streams=arguments.streams,
            seconds=request.window,
            ramp=seconds("--ramp", arguments.ramp),
            method=request.method,
            headers=request.headers,
            token=request.token,
            token_parameter=request.token_parameter,
            body=request.body,
            connect=request.connect,
            ca_file=request.ca_file,
            server_name=request.server_name,
        )
        result = capacity.run(
            load,
            yes=arguments.yes,
            progress=lambda now: page.raw(
                page.text(
                    f"{now.at:9.1f} s  {now.held:,} held, {now.failed:,} refused, "
                    f"{now.dropped:,} dropped, {now.events:,} events",
                    QUIET,
                )
            ),
        )
    except capacity.CapacityError as error:
        raise UsageError(str(error)) from error
    page.blank()
    for line in capacity.render_lines(result):
        page.put(page.text(line))
    if arguments.json == "-":
        sys.stdout.write(json.dumps(result.to_dict(), indent=2) + "\n")
    elif arguments.json:
        save(Path(arguments.json), json.dumps(result.to_dict(), indent=2) + "\n")
    if result.opened == 0:
        return 3
    return 0 if result.opened == result.asked and not result.dropped else 1


def _experiment(asked: Asked, probed: Probed, names: tuple[str, ...] | None) -> Probed:
    """The probe with what experiments add; they see what the first record saw, and vary it."""
    wanted = experiments.Wanted(
        names=names,
        expected=asked.expected,
        hops=asked.requests[:-1],
        message=asked.message,
        streams=asked.parallel,
    )
    done = experiments.run(asked.url, wanted, probed.streams[-1])
    known = {symptom.id for symptom in probed.symptoms}
    new = {s.id: s for experiment in done for s in experiment.symptoms if s.id not in known}
    return replace(
        probed,
        symptoms=(*probed.symptoms, *new.values()),
        origins=probed.origins | frozenset(new),
        experiments=done,
    )
