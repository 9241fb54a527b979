"""Whether nginx would keep an answer in its cache.

Follows ngx_http_upstream_process_headers(), ngx_http_upstream_test_next() and
ngx_http_file_cache_valid(): the app's own headers first, then proxy_cache_valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ssemedic.clues.intent import family
from ssemedic.nginx import Route, Setting, seconds
from ssemedic.stream.record import Stream

_AGE = re.compile(r"(?:^|,)\s*s-maxage\s*=\s*(\d+)|(?:^|,)\s*max-age\s*=\s*(\d+)", re.IGNORECASE)
_FORBIDS = re.compile(r"\b(?:no-cache|no-store|private)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Kept:
    """Why an answer would be kept: the cache's setting, and what makes the answer fit for it."""

    cache: Setting
    why: str


def kept(found: Route, answer: Stream | None) -> Kept | None:
    """Why nginx would keep this answer of its upstream; None where it would not.

    Without an answer only the configuration is asked: that it keeps whatever comes.
    """
    kind = family(found)
    cache = found.setting(f"{kind}_cache")
    if cache.is_default or not cache.values[0] or cache.values[0][0] == "off":
        return None
    if _is_refused(found, kind):
        return None
    ignored = _ignored(found, kind)
    valid = _valid(found.setting(f"{kind}_cache_valid"))
    if answer is None:
        if valid is not None and {"cache-control", "expires"} & ignored:
            return Kept(cache, f"{valid}, and what the app says of caching is ignored")
        return None
    if "set-cookie" not in ignored and answer.header("set-cookie") is not None:
        return None
    if "vary" not in ignored and (answer.header("vary") or "").strip() == "*":
        return None
    said = _said(answer, ignored)
    if said is not None:
        return Kept(cache, said) if said else None
    return Kept(cache, valid) if valid is not None else None


def _said(answer: Stream, ignored: set[str]) -> str | None:
    """What the app's headers say: why it may be kept, "" where it may not, None for nothing."""
    expires = answer.header("x-accel-expires")
    if expires is not None and "x-accel-expires" not in ignored:
        return f"X-Accel-Expires: {expires}" if expires.lstrip("@") not in ("0", "") else ""
    control = ", ".join(answer.header_values("cache-control"))
    if control and "cache-control" not in ignored:
        if _FORBIDS.search(control):
            return ""
        age = _AGE.search(control)
        if age is not None:
            return f"Cache-Control: {control}" if int(age[1] or age[2]) > 0 else ""
    if answer.header("expires") is not None and "expires" not in ignored:
        return "" if answer.header("expires") in ("0", "-1") else "the app sends Expires"
    return None


def _ignored(found: Route, kind: str) -> set[str]:
    lines = found.setting(f"{kind}_ignore_headers").values
    return {arg.lower() for args in lines for arg in args}


def _valid(setting: Setting) -> str | None:
    """The line that says how long a 200 is kept; None where none does."""
    for args, where in zip(setting.values, setting.wheres, strict=True):
        codes = args[:-1] or ("200",)
        if {"200", "any"} & set(codes) and (seconds(args[-1]) or 0) > 0:
            return f"{setting.name} {' '.join(args)} ({where})"
    return None


def _is_refused(found: Route, kind: str) -> bool:
    """True if a condition that is known to hold keeps answers out (proxy_no_cache 1)."""
    variables = found.variables
    for args in found.setting(f"{kind}_no_cache").values:
        for arg in args:
            known = variables.expand(arg) if variables is not None else None
            if known not in (None, "", "0"):
                return True
    return False
