"""What a stream must show, written as ``first-event<1s``: for a pipeline that must fail."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from ssemedic.duration import seconds_of
from ssemedic.stream.measured import Measured

#: What can be asserted in seconds, and what as a whole number.
TIMES = ("connect", "headers", "first-byte", "first-event", "gap", "keepalive", "duration")
COUNTS = ("events", "comments", "bytes", "status")
NAMES = (*TIMES, *COUNTS)

_FORM = re.compile(r"\s*([A-Za-z_-]+)\s*(<=|>=|==|!=|<|>|=)\s*(\S+)\s*")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}

_NOTHING = {
    "connect": "never connected",
    "headers": "no headers",
    "first-byte": "no byte of a body",
    "first-event": "no event",
    "gap": "no headers, so no stream",
    "keepalive": "fewer than two keep-alives",
    "events": "no event stream",
    "comments": "no event stream",
    "status": "no answer",
}


class AssertionFormError(ValueError):
    """The assertion cannot be read; the message says what must be there."""


@dataclass(frozen=True)
class Assertion:
    """One claim about a stream; ``value`` in seconds for `TIMES`, else a whole number."""

    text: str
    name: str
    operator: str
    value: float


@dataclass(frozen=True)
class Checked:
    """An assertion against a record. ``note`` says what limits the answer, or ""."""

    assertion: Assertion
    holds: bool
    observed: str
    note: str = ""


def assertion_of(text: str) -> Assertion:
    """An assertion from ``NAME OP VALUE``; raises `AssertionFormError`."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise AssertionFormError(f"{text!r} cannot be read, must look like first-event<1s")
    name, sign, value = found.group(1).lower().replace("_", "-"), found.group(2), found.group(3)
    if name not in NAMES:
        raise AssertionFormError(f"{name!r} is not known, must be one of {', '.join(NAMES)}")
    return Assertion("".join((name, sign, value)), name, sign, _value(name, value))


def check(assertion: Assertion, seen: Measured) -> Checked:
    """Whether it holds. What was not there to be measured fulfils nothing."""
    value = getattr(seen, assertion.name.replace("-", "_"))
    if value is None:
        return Checked(assertion, False, _NOTHING[assertion.name])
    holds = _OPERATORS[assertion.operator](value, assertion.value)
    return Checked(assertion, holds, _shown(assertion.name, value), _note(assertion, seen))


def _value(name: str, text: str) -> float:
    if name in TIMES:
        try:
            return seconds_of(text)
        except ValueError as error:
            raise AssertionFormError(f"{name}: {error}") from error
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise AssertionFormError(f"{name}: {text!r} is no whole number")
    return float(text)


def _shown(name: str, value: float) -> str:
    if name in COUNTS:
        return str(value)
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.2f} s"


def _note(assertion: Assertion, seen: Measured) -> str:
    """A silence longer than the record cannot show in it."""
    bounded = assertion.name in ("gap", "keepalive") and assertion.operator.startswith("<")
    if bounded and assertion.value > seen.duration:
        return f"watched for {seen.duration:.1f} s only: a longer gap could not show"
    return ""
