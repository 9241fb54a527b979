"""When a log line was written: epoch seconds from the formats that logs use."""

from __future__ import annotations

import calendar
import re
import time
from typing import Iterable

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_NGINX = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)\b")
_ACCESS = re.compile(r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]")
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d:?\d\d))?"
)
_SYSLOG = re.compile(r"(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) ")
_UNIX = re.compile(r"(\d{9,10}\.\d{3,9}) ")  # journalctl --output=short-unix
_HEAD = 200  # a time further right is not the time of the line


def stamp(line: str, now: float) -> float | None:
    """Epoch seconds of a line; None where it carries no time that can be read.

    A time without a zone is the host's local time, which is how nginx's error log,
    syslog and Python's logging write it.
    """
    head = line[:_HEAD]
    found = _UNIX.match(head)
    if found:
        return float(found.group(1))
    found = _NGINX.match(head)
    if found:
        return _epoch(_numbers(found.groups()))
    found = _ISO.search(head)
    if found:
        fraction = float("0." + found.group(7)) if found.group(7) else 0.0
        whole = _epoch(_numbers(found.groups()[:6]), found.group(8))
        return None if whole is None else whole + fraction
    found = _ACCESS.search(line[:1000])
    if found:
        day, month, year, hour, minute, second, zone = found.groups()
        clock = _numbers((hour, minute, second))
        return _epoch((int(year), _MONTHS.get(month, 0), int(day), *clock), zone)
    found = _SYSLOG.match(head)
    if found:
        month, *rest = found.groups()
        return _syslog((_MONTHS.get(month, 0), *_numbers(rest)), now)
    return None


def _numbers(texts: Iterable[str]) -> tuple[int, ...]:
    return tuple(int(text) for text in texts)


def _epoch(moment: tuple[int, ...], zone: str | None = None) -> float | None:
    """``moment`` is year, month, day, hour, minute, second; without a zone it is local time."""
    year, month, day, hour, minute, second = moment
    if not (1970 <= year < 9999 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    parts = (year, month, day, hour, minute, second, 0, 0, -1)
    if zone is None:
        try:
            return time.mktime(parts)
        except (OverflowError, ValueError):
            return None
    return calendar.timegm(parts) - _offset(zone)


def _offset(zone: str) -> int:
    if zone in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _syslog(moment: tuple[int, ...], now: float) -> float | None:
    """Syslog writes no year: the latest one that is not in the future."""
    year = time.localtime(now).tm_year
    at = _epoch((year, *moment))
    if at is not None and at > now + 86400:
        at = _epoch((year - 1, *moment))
    return at
