"""Tokens that a log has kept: counted here, on the host, and never sent anywhere.

What leaves the host are numbers and the names of files. A token is remembered as a keyed
hash, and only while the count goes on, so that one in a hundred lines counts once.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import IO, Any, Iterator, Sequence

from . import log_files
from .limits import UnavailableError
from .masking import claims

#: Names of query parameters that carry tokens, beside the endpoint's own.
PARAMETERS = ("access_token", "id_token", "auth_token", "token", "jwt", "api_key", "ticket")
SECONDS = 2.0  # for all logs together
_MOST_BYTES = 256 * 1024 * 1024  # of one file, its newest
_MOST_TOKENS = 50000  # remembered at once: a few megabytes
_BLOCK = 128 * 1024
_OVERLAP = 16 * 1024  # nginx takes request lines of up to 8 KiB, and a log may escape them
_SHORTEST = 8
_FAR = 1e11  # epoch seconds, in the year 5138


@dataclass
class Count:
    """What was found in one log and the files that it was rotated to."""

    log: str
    files: list[str] = field(default_factory=list)  # that hold tokens, newest first
    read: int = 0  # files that were read
    distinct: int = 0
    valid: int = 0
    expired: int = 0
    unknown: int = 0  # opaque ones: only who issued them knows
    last_expiry: float | None = None  # of a valid one, epoch seconds; None also for "never"
    stopped: str = ""  # why not all was read

    def to_dict(self) -> dict[str, Any]:
        """`ExposedTokens` data."""
        return dict(self.__dict__)


def count(
    logs: Sequence[str], parameters: Sequence[str], seconds: float = SECONDS
) -> list[dict[str, Any]]:
    """`ExposedTokens` data of each log that can be read."""
    end = time.monotonic() + seconds
    names = sorted({name for name in (*PARAMETERS, *parameters) if name}, key=len, reverse=True)
    search = _Search(_stems(names), _pattern(names))
    return [_count(log, search, end, time.time()).to_dict() for log in logs]


@dataclass(frozen=True)
class _Search:
    """Few lines hold a token: ``stems`` tell quickly which may, and ``pattern`` finds it there."""

    stems: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    def tokens(self, text: bytes) -> Iterator[bytes]:
        """Each token in some lines, as it is written there."""
        if not self._hints(text):
            return
        for line in text.split(b"\n"):
            if self._hints(line):
                for found in self.pattern.finditer(line):
                    yield found.group(1) or found.group(2)

    def _hints(self, text: bytes) -> bool:
        low = text.lower()
        return any(stem in low for stem in self.stems)


def _stems(names: Sequence[str]) -> tuple[bytes, ...]:
    """A part of each name that stands there however its words are joined."""
    words = {max(re.split("[_-]", name.lower()), key=len) for name in names}
    return (*(word.encode("utf-8", "replace") for word in sorted(words)), b"eyj")


def _pattern(names: Sequence[str]) -> re.Pattern[bytes]:
    """A token behind its parameter's name, or a JSON web token anywhere; "***" is none."""
    # "access_token" fits "accessToken" and "access%5ftoken", too.
    either = "|".join(re.escape(n.replace("-", "_")).replace("_", "(?:[_-]|%5f)?") for n in names)
    value = r"[^&\s\"'\\<>;*][^&\s\"'\\<>]{%d,8192}" % (_SHORTEST - 1)
    text = r"(?i:(?:%s)(?:=|%%3d))(%s)|(eyJ[\w-]{6,2000}\.[\w-]{2,6000}(?:\.[\w-]{0,2000})?)"
    return re.compile((text % (either, value)).encode("ascii", "replace"))


def _count(log: str, search: _Search, end: float, now: float) -> Count:
    result = Count(log)
    key, seen = os.urandom(16), set()
    for path in log_files.rotated(log):
        if result.stopped:
            break
        before = len(seen)
        hits = 0
        try:
            for token in _tokens(path, search, end, result):
                hits += 1
                digest = hashlib.blake2b(token, digest_size=8, key=key).digest()
                if digest in seen:
                    continue
                if len(seen) >= _MOST_TOKENS:
                    result.stopped = "more than %d different tokens" % _MOST_TOKENS
                    break
                seen.add(digest)
                _judge(token, now, result)
        except (OSError, EOFError, lzma.LZMAError, UnavailableError) as error:
            if path == log and not os.path.lexists(path):
                continue  # nothing was logged since it was rotated
            result.stopped = "%s: %s" % (path, _reason(error))
            continue
        finally:
            result.distinct += len(seen) - before
        result.read += 1
        if hits:
            result.files.append(path)
    return result


def _judge(token: bytes, now: float, result: Count) -> None:
    """Whether it is still good, by its own word and this host's clock."""
    parts = token.decode("ascii", "replace").split(".")
    if not parts[0].startswith("eyJ") or len(parts) < 2:
        result.unknown += 1
        return
    said = claims(parts[1])
    expiry = said.get("exp")
    if not said:
        result.unknown += 1  # encrypted, or not a web token after all
    elif not isinstance(expiry, (int, float)) or isinstance(expiry, bool):
        result.valid += 1  # it never expires
    elif expiry > now:
        result.valid += 1
        # What claims to be good for thousands of years is told as that many.
        result.last_expiry = max(min(float(expiry), _FAR), result.last_expiry or 0.0)
    else:
        result.expired += 1


def _tokens(path: str, search: _Search, end: float, result: Count) -> Iterator[bytes]:
    """Each token of a file as it is written, percent signs taken out. Constant memory."""
    with _regular(path, result) as plain, log_files.decoded(path, plain) as file:
        rest = b""
        while True:
            block = file.read(_BLOCK)
            text = rest + block
            # What may go on in the next block is looked at with it.
            cut = len(text) if not block else max(text.rfind(b"\n") + 1, len(text) - _OVERLAP)
            for written in search.tokens(text[:cut]):
                token = urllib.parse.unquote_to_bytes(written).partition(b"&")[0]
                if token.strip(b"*"):
                    yield token
            if not block:
                return
            # Only now: the newest log is begun with even on a host that is too busy.
            if time.monotonic() > end and len(block) == _BLOCK:
                result.stopped = "%s and older ones: not read to the end, to be quick" % path
                return
            rest = text[cut:]


def _regular(path: str, result: Count) -> IO[bytes]:
    """A regular file, from where its newest bytes begin."""
    plain, size = log_files.opened(path)
    if size > _MOST_BYTES and not log_files.packed(path):
        plain.seek(size - _MOST_BYTES)
        result.stopped = "%s: only its newest %d MiB" % (path, _MOST_BYTES >> 20)
    return plain


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
