"""Take secrets out of host text before it leaves the host.

What a rule needs stays: a JSON web token leaves its algorithm and its times behind,
a variable its name, a URL its host.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import shlex
import urllib.parse
from typing import Iterable, Sequence

STARS = "***"

_NAME = (
    r"[\w.\-]{0,64}(?:token|secret|passw(?:or)?d|passphrase|(?:api|private)[_-]?key|credentials?)"
)
_JWT = re.compile(r"eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*){0,4}")
_URL_PASSWORD = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://[^\s:/@]{0,128}:)[^\s/]{1,256}@")
_SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|negotiate)(\s+|%20|\+)(?!\*\*\*)[^\s\"',;]{6,}")
_QUERY = re.compile(
    r"(?i)([?&;](?:jwt|auth|authorization|key|sig|signature|ticket|session|sid|code|state|"
    + _NAME
    + r")=)[^&\s\"'#;]+"
)
#: What a query may do to a name that a framework still understands: encode its letters, its
#: brackets or the equals sign, once or more often, as inside another URL.
_PERCENT = r"%(?:25){0,3}"
_DISGUISED = re.compile(
    r"(?i)((?:token|jwt|key|ticket|secret|passw(?:or)?d|session)"
    r"(?:(?:(?:\[|" + _PERCENT + r"5b)[^=&\s\"']{0,40}|(?:\+|" + _PERCENT + r"20){1,3})"
    r"(?:=|" + _PERCENT + r"3d)|" + _PERCENT + r"3d)"
    r"|(?:[?&;]|" + _PERCENT + r"(?:3f|26|3b))[^=&\s\"']{0,24}?" + _PERCENT + r"(?:2[de]|5f|7e"
    r"|3\d|[46][1-9a-f]|[57][\da])[^=&\s\"']{0,24}?(?:=|" + _PERCENT + r"3d))([^&\s\"']+)"
)
#: What stands for a secret already.
_MASKED = re.compile(
    r"\*\*\*(?:jwt\((?:(?:alg|iat|nbf|exp)=[A-Za-z0-9]{1,12}(?:,|(?=\)|$)))*(?:\)|$)|)"
)
_ASSIGNED = re.compile(
    r"(?i)(\b" + _NAME + r"\b[\"']?\s{0,4}=\s{0,4})(\"[^\"\n]*\"|'[^'\n]*'|[^\s&\"',;]+)"
)
_QUOTED = re.compile(r"(?i)([\"']" + _NAME + r"[\"']\s{0,4}:\s{0,4})(\"[^\"\n]*\"|'[^'\n]*')")
_COLON = re.compile(r"(?i)(\b" + _NAME + r"\s{0,4}:\s{0,4})(?=[^\s\d]{0,256}\d)([^\s\"',;]{16,})")
_OPTION = re.compile(r"(?i)(--?" + _NAME + r")([ =])(?!-)(\S+)")
_HARMLESS = re.compile(
    r"(?i)true|false|none|null|missing|expired|invalid|absent|yes|no|\*+|\d{1,6}"
)
_COOKIE = re.compile(r"(?i)(\b(?:set-)?cookie:\s*)[^\r\n\"]+")

_SECRET_WORD = re.compile(
    "key|secret|password|passwd|pass|pwd|passphrase|token|credentials?|private|salt|dsn|cookie|"
    "auth|signing|pem"
)
_SAFE_WORD = re.compile(
    "port|hosts?|bind|addr|address|ur[li]|interval|timeout|keepalive|ping|heartbeat|retry|log|"
    "level|debug|workers?|origins?|cors|leeway|iss|issuer|aud|audience|alg|algorithms?|tz|mode|"
    "buffer|buffering|chunked|encoding|headers?|subjects?|channel|topic|stream|prefix|limit|env|"
    "name|path|file|dir|user|group|unit|version"
)
_PLAIN_VALUE = re.compile(
    r"(?i)-?\d{1,9}(\.\d+)?s?|true|false|yes|no|on|off|/[\w./\-]*|[\w.\-]{0,63}:\d{1,5}|"
)
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://")
_URL_SECRET = re.compile(r"(?<=/)[A-Za-z0-9_\-]{20,}")  # a web hook's path is its password


def mask(text: str, secrets: Sequence[str] = ()) -> str:
    """``text`` without tokens, passwords and whatever ``secrets`` lists."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, STARS)
    if "eyJ" in text:
        text = _JWT.sub(lambda found: _jwt(found.group()), text)
    if "://" in text:
        text = _URL_PASSWORD.sub(r"\1" + STARS + "@", text)
    text = _SCHEME.sub(r"\1\2" + STARS, text)
    text = _COOKIE.sub(r"\1" + STARS, text)
    if "=" in text:
        text = _QUERY.sub(_keep_jwt, text)
        text = _ASSIGNED.sub(_unless_harmless, text)
    if "%" in text or "=" in text:
        text = _DISGUISED.sub(lambda found: found.group(1) + _masked(found.group(2)), text)
    if ":" in text:
        text = _QUOTED.sub(_unless_harmless, text)
        text = _COLON.sub(_unless_harmless, text)
    if "-" in text:
        text = _OPTION.sub(_option, text)
    return text


def spellings(values: Iterable[str | None]) -> tuple[str, ...]:
    """Each secret as it is and as it looks inside a URL, longest first; short ones are no use."""
    found: set[str] = set()
    for value in values:
        if value and len(value) >= 6:
            found.update((value, urllib.parse.quote(value, safe=""), urllib.parse.quote(value)))
    return tuple(sorted(found, key=len, reverse=True))


def environment_text(text: str, secrets: Sequence[str] = ()) -> str:
    """An EnvironmentFile, or a unit file with Environment= lines, without secret values."""
    lines = []
    for line in text.splitlines(True):
        body = line.rstrip("\r\n")
        key, equals, value = body.partition("=")
        if key.strip() == "Environment" and equals:
            body = key + equals + assignments(value, secrets)
        elif equals and re.fullmatch(r"\s*(export\s+)?[A-Z_][A-Z0-9_]*", key):
            body = key + equals + _value(key.split()[-1], value, secrets)
        else:
            body = mask(body, secrets)
        lines.append(body + line[len(line.rstrip("\r\n")) :])
    return "".join(lines)


def assignments(text: str, secrets: Sequence[str] = ()) -> str:
    """``A=1 "B=two words"`` as systemd writes it, without secret values."""
    try:
        words = shlex.split(text)
    except ValueError:
        return STARS
    shown = []
    for word in words:
        name, equals, value = word.partition("=")
        value = _value(name, value, secrets) if equals else ""
        shown.append(name + equals + ('"%s"' % value if " " in value else value))
    return " ".join(shown)


def arguments(argv: Sequence[str], secrets: Sequence[str] = ()) -> str:
    """A command line in one string, without secrets."""
    return mask(" ".join(argv), secrets)


def _value(name: str, value: str, secrets: Sequence[str]) -> str:
    words = name.lower().split("_")
    bare = value.strip().strip("\"'")
    if _SECRET_WORD.fullmatch(words[-1]):
        return STARS if bare else ""
    shown = mask(value, secrets)
    if _URL.match(bare):
        return _URL_SECRET.sub(STARS, shown)
    if any(map(_SAFE_WORD.fullmatch, words)) or _PLAIN_VALUE.fullmatch(bare):
        return shown
    return STARS


def _keep_jwt(found: re.Match[str]) -> str:
    head = found.group(1)
    return head + _masked(found.group()[len(head) :])


def _masked(value: str) -> str:
    """Stars, with the times of a web token where it stands; a host may write stars, too."""
    done = _MASKED.match(value)
    return done.group() if done else STARS


def _unless_harmless(found: re.Match[str]) -> str:
    head, value = found.group(1), found.group(2)
    bare = value.strip("\"'")
    if _HARMLESS.fullmatch(bare) and "passw" not in head.lower():
        return found.group()
    quote = value[0] if value[0] in "\"'" else ""
    return head + quote + _masked(bare) + quote


def _option(found: re.Match[str]) -> str:
    head, between, value = found.groups()
    return head + between + _masked(value)


def _jwt(token: str) -> str:
    """What a rule may know of a token: algorithm, iat, nbf, exp. No space, so log fields hold."""
    parts = token.split(".")
    facts = []
    algorithm = claims(parts[0]).get("alg")
    if isinstance(algorithm, str) and re.fullmatch(r"[A-Za-z0-9]{1,12}", algorithm):
        facts.append("alg=" + algorithm)
    said = claims(parts[1]) if len(parts) > 1 else {}
    for name in ("iat", "nbf", "exp"):
        value = said.get(name)
        if isinstance(value, (int, float)) and 0 <= value < 1e11:
            facts.append("%s=%d" % (name, value))
    return STARS + "jwt(" + ",".join(facts) + ")"


def claims(part: str) -> dict[str, object]:
    """The JSON object in one part of a web token; {} where it holds none."""
    if len(part) > 4096:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
