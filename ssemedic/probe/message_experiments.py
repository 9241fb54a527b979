"""Experiments that send messages: a stream kept busy, who receives, from which size on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ssemedic.endpoint import Message
from ssemedic.probe.message import post
from ssemedic.probe.request import Request
from ssemedic.probe.sending import arrival, id_of
from ssemedic.stream.record import Stream

#: Sizes of the messages that are tried, in bytes of padding, small to large.
SIZES = (64, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10)

#: Streams are given this long to open before a message is sent (seconds).
_HEAD_START = 0.5

#: A message that takes longer than this is held back (seconds).
_PROMPT = 1.0

Recorder = Callable[[Request], Stream]


@dataclass(frozen=True)
class Swept:
    """What a sweep over sizes tried and found."""

    sizes: tuple[int, ...]
    records: tuple[Stream, ...]
    conclusion: str


def busy(request: Request, message: Message, pause: float, record: Recorder) -> Stream:
    """The record of a stream while a message is sent every ``pause`` seconds."""
    over = threading.Event()

    def keep_sending() -> None:
        while not over.wait(pause):
            post(request, message)

    sender = threading.Thread(target=keep_sending, daemon=True)
    sender.start()
    try:
        return record(request)
    finally:
        over.set()
        sender.join(timeout=6.0)  # a message in flight ends within its own window of 5 s


def count_receivers(
    request: Request, message: Message, count: int, record: Recorder
) -> tuple[tuple[Stream, ...], int, str]:
    """``count`` streams and one message: the records, how many got it, and what failed."""
    with ThreadPoolExecutor(max_workers=count) as threads:
        watching = [threads.submit(record, request) for _ in range(count)]
        time.sleep(_HEAD_START)
        number = id_of(answer := post(request, message), message.id)
        records = tuple(future.result() for future in watching)
    if number is None:
        return records, 0, f"POST {message.path} answered {answer.status or answer.end.kind}"
    closed = sum(not record.is_event_stream for record in records)
    if closed:
        return records, 0, f"{closed} of {count} streams did not open"
    return records, sum(arrival(record, number) is not None for record in records), ""


def sweep(request: Request, message: Message, seconds: float, record: Recorder) -> Swept:
    """From which size on a message comes at once; each size on a new stream.

    The longest text of the message's body is what is padded. Stops at the first size that
    comes at once, or when the seconds are over.
    """
    field = _text_field(message)
    if field is None:
        return Swept((), (), "not run: the message has no text that could be made longer")
    closes = time.monotonic() + seconds
    window = _HEAD_START + 2 * _PROMPT
    tried: list[int] = []
    records: list[Stream] = []
    for size in SIZES:
        if closes - time.monotonic() < window:
            break
        larger = replace(message, body={**message.body, field: "x" * size})
        stream, prompt = _deliver(replace(request, window=window), larger, record)
        if prompt is None:
            return Swept(tuple(tried), tuple(records), "not run to its end: POST was refused")
        tried.append(size)
        records.append(stream)
        if prompt:
            return Swept(tuple(tried), tuple(records), _conclusion(tried))
    held = f"up to {tried[-1]} bytes no message comes at once" if tried else "no time was left"
    return Swept(tuple(tried), tuple(records), held)


def _deliver(request: Request, message: Message, record: Recorder) -> tuple[Stream, bool | None]:
    """The stream, and whether the message came at once; None if it was refused."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        watching = threads.submit(record, request)
        time.sleep(_HEAD_START)
        answer = post(request, message)
        stream = watching.result()
    number = id_of(answer, message.id)
    if number is None:
        return stream, None
    at = arrival(stream, number)
    sent = answer.started + (answer.phases.sent or 0.0)
    return stream, at is not None and stream.started + at - sent <= _PROMPT + stream.stalled


def _conclusion(tried: list[int]) -> str:
    if len(tried) == 1:
        return f"a message of {tried[0]} bytes comes at once: no buffer waits to be full"
    return (
        f"a message of {tried[-1]} bytes comes at once and one of {tried[-2]} does not:"
        " a buffer of a size between holds them back"
    )


def _text_field(message: Message) -> str | None:
    texts = {name: value for name, value in message.body.items() if isinstance(value, str)}
    return max(texts, key=lambda name: len(texts[name])) if texts else None
