"""Secrets out of texts and reports, each replaced by a short tag that tells it from others.

The same secret gets the same tag within one process, so that "the token in this log line
is the one we sent" stays visible. The tag is keyed by a random value that dies with the
process: it cannot be tried against guesses.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets as random_source
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus, unquote

_KEY = random_source.token_bytes(16)
_SHORTEST = 6  # a known secret shorter than this would be found all over an innocent report

#: What stands for a secret already: our own tag, or the stars of the collector.
_DONE = (
    r"(?!\u2039(?:token|key|password|cookie|secret):[0-9a-f]{4}\u203a"
    r"|\*\*\*(?=jwt\(|[^A-Za-z0-9]|$))"
)
_NAME = (
    r"[\w.\-]{0,64}(?:token|secret|passw(?:or)?d|passphrase|api_?-?key|private_?-?key|credentials?)"
)
_BEFORE_VALUE = r"(?:[?&;]|%3f|%26|\\u0026|&amp;)"

_PRIVATE_KEY = re.compile(
    r"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END [A-Z0-9 ]{0,40}-----)?"
)


def _after(head: str, value: str) -> re.Pattern[str]:
    """A value behind a head that says it is secret. The head is atomic, so that no shorter
    head can be found that would take a tag for a value."""
    return re.compile(rf"(?i)((?<!\u2039)(?>{head})){_DONE}({value})")


_AUTH = r"(?:proxy-)?authorization"
_CUSTOM = r"x-(?:auth[\w\-]{0,40}|[\w\-]{0,40}(?:key|token|secret))"
_KEYS = rf"(?:jwt|auth|authorization|key|sig|signature|ticket|session|sid|code|{_NAME})"
_QUERY = _after(rf"{_BEFORE_VALUE}{_KEYS}=", r"(?:(?!\\u0026)[^&\s\"'#;<>\\])+")
#: Inside another URL an encoded "&" ends the value.
_INNER_QUERY = _after(rf"{_BEFORE_VALUE}{_KEYS}%3d", r"(?:(?!%26|\\u0026)[^&\s\"'#;<>\\])+")
#: What a query may do to a name that a framework still understands; see sse_host/masking.py.
_PERCENT = r"%(?:25){0,3}"
_DISGUISED = _after(
    r"(?:token|jwt|key|ticket|secret|passw(?:or)?d|session)"
    rf"(?:(?:(?:\[|{_PERCENT}5b)[^=&\s\"']{{0,40}}|(?:\+|{_PERCENT}20){{1,3}})(?:=|{_PERCENT}3d)"
    rf"|%(?:25){{1,3}}3d)"
    rf"|(?:[?&;]|{_PERCENT}(?:3f|26|3b))[^=&\s\"']{{0,24}}?{_PERCENT}"
    r"(?:2[de]|5f|7e|3\d|[46][1-9a-f]|[57][\da])"
    rf"[^=&\s\"']{{0,24}}?(?:=|{_PERCENT}3d)",
    r"[^&\s\"'#;<>\\\u2039\u203a]+",
)
_URL_PASSWORD = _after(r"\b[a-z][a-z0-9+.\-]{1,20}://[^\s:/@\"']{0,128}:", r"[^\s/\"']{1,256}(?=@)")
_HEADER = _after(
    rf"\b(?:{_AUTH}|{_CUSTOM})[\"']?\s{{0,4}}[:=]\s{{0,4}}[\"']?"
    r"(?:(?:bearer|basic|digest|negotiate|token)\s{1,4})?",
    r"[^\s\"';<>]{6,}",
)
_DIRECTIVE = _after(
    rf"\b(?:proxy_set_header|add_header)\s{{1,8}}[\"']?(?:{_AUTH}|{_CUSTOM}|cookie)[\"']?\s{{1,8}}"
    r"[\"']?(?:(?:bearer|basic|digest|negotiate|token)\s{1,4})?",
    r"[^\s\"';]+",
)
#: Prose says "basic authentication": a credential has more than small letters in it.
_SCHEME = _after(
    r"\b(?:bearer|basic|digest|negotiate)(?:\s{1,4}|%20|\+)",
    r"(?-i:(?![a-z]{1,20}\b(?![\-._~+/=])))[^\s\"',;<>\\]{6,}",
)
_COOKIE = _after(r"\b(?:set-)?cookie[\"']?\s{0,4}:\s{0,4}[\"']?", r"[^\r\n\"]+")
_ASSIGNED = _after(rf"\b{_NAME}[\"']?\s{{0,4}}(?:=|%3d)\s{{0,4}}[\"']?", r"[^\s&\"',;<>]+")
_NAMED = _after(rf"[\"']{_NAME}[\"']\s{{0,4}}:\s{{0,4}}[\"']", r"[^\"'\n]+(?=[\"'])")
_OPTION = _after(rf"\s--?{_NAME}\s(?!-)", r"\S+")
#: A JSON web token, or what a cut line left of one. Possessive, so that it takes linear time.
_JWT = re.compile(r"()(eyJ[A-Za-z0-9_\-]{10,}+(?:\.[A-Za-z0-9_\-]*+){0,4})")

_KINDS = {"pass": "password", "token": "token", "key": "key"}
#: Values that are no secret: states, numbers of few digits, variables of nginx and of the shell.
_HARMLESS = re.compile(
    r"(?i)true|false|none|null|missing|expired|invalid|absent|required|yes|no|on|off|\d{1,5}"
    r"|\$\{?[a-z_]\w*\}?|%[ns]|\*+"
)
#: Headers and fields whose whole value is a secret.
_SECRET_FIELD = re.compile(rf"(?i){_AUTH}|(?:set-)?cookie2?|{_CUSTOM}|{_NAME}")


def redact(text: str) -> str:
    """``text`` without tokens, passwords, cookies and private keys. Idempotent; never raises."""
    text = _PRIVATE_KEY.sub(lambda found: _tag("key", found.group()), text)
    for kind, pattern in (
        ("token", _QUERY),
        ("token", _INNER_QUERY),
        ("token", _DISGUISED),
        ("password", _URL_PASSWORD),
        ("token", _HEADER),
        ("token", _DIRECTIVE),
        ("token", _SCHEME),
        ("cookie", _COOKIE),
        ("secret", _ASSIGNED),
        ("secret", _NAMED),
        ("secret", _OPTION),
        ("token", _JWT),
    ):
        text = pattern.sub(lambda found, kind=kind: _mask(kind, found), text)  # type: ignore[misc]
    return text


def redact_report(report: Mapping[str, Any], secrets: Sequence[str] = ()) -> dict[str, Any]:
    """A copy of a report that may be written, sent and shown.

    ``secrets`` are known values, masked wherever they stand: as they are, percent-encoded,
    as JSON, or inside base64. In a plan a value that holds a secret becomes None, because
    a plan with a tag in a file's content would write the tag into that file; `withheld`
    names the places.
    """
    spelled = tuple(s for secret in secrets for s in _spellings(secret))
    spellings = tuple(sorted(spelled, key=lambda pair: len(pair[0]), reverse=True))
    result = _walk(report, spellings)
    assert isinstance(result, dict)
    plan, original = result.get("plan"), report.get("plan")
    if isinstance(plan, dict) and isinstance(original, Mapping):
        _withhold(plan, original, spellings)
    return result


def withheld(plan: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a redacted plan no longer holds: it must not be applied from this copy."""
    if not plan:
        return ()
    nginx = plan.get("nginx") or {}
    files = [str(edit["path"]) for edit in nginx.get("edits", ()) if edit["content_b64"] is None]
    lines = [
        f"{nginx['ours']}: {x['name']}" for x in nginx.get("directives", ()) if x["args"] is None
    ]
    settings = [
        f"{unit['unit']}: {key}"
        for unit in plan.get("units", ())
        for lines in unit["settings"].values()
        for key, value in lines.items()
        if value is None
    ]
    return tuple(files + lines + settings)


def _tag(kind: str, secret: str) -> str:
    raw = secret.encode("utf-8", "surrogatepass")
    return f"\u2039{kind}:{hmac.new(_KEY, raw, hashlib.sha256).hexdigest()[:4]}\u203a"


def _mask(kind: str, found: re.Match[str]) -> str:
    head, value = found.group(1), found.group(2)
    if kind == "secret":
        words = head.lower()
        named = [name for part, name in _KINDS.items() if part in words]
        kind = named[0] if named else kind
    if kind != "password" and _HARMLESS.fullmatch(value):
        return found.group()
    return head + _tag(kind, unquote(value))


def _spellings(secret: str) -> list[tuple[str, str]]:
    """Each way a known secret may be written, with the tag that replaces it."""
    if len(secret) < _SHORTEST:
        return []
    tag = _tag("token", secret)
    escaped = quote(secret, safe="")
    forms = {secret, escaped, escaped.lower(), quote(secret), quote_plus(secret)}
    forms |= {quote(escaped, safe=""), json.dumps(secret)[1:-1]}
    forms |= {form for form in _inside_base64(secret) if len(form) >= _SHORTEST}
    return [(form, tag) for form in forms]


def _inside_base64(secret: str) -> set[str]:
    """What base64 of any text around the secret must contain, for each of three alignments."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = set()
    for offset, first in ((0, 0), (1, 2), (2, 3)):  # first: characters that mix in what precedes
        encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii")
        whole = (offset + len(raw)) * 8 // 6  # later characters mix in what follows
        forms.add(encoded[first:whole])
        forms.add(encoded[first:whole].translate(str.maketrans("+/", "-_")))
    return forms


def _scrub(text: str, spellings: Sequence[tuple[str, str]]) -> str:
    for form, tag in spellings:
        if form in text:
            text = text.replace(form, tag)
    return redact(text)


def _walk(value: Any, spellings: Sequence[tuple[str, str]], name: str = "") -> Any:
    if isinstance(value, str):
        if name and _SECRET_FIELD.fullmatch(name):
            return _whole(_scrub(value, spellings), name)
        return _scrub(value, spellings)
    if isinstance(value, Mapping):
        return {
            _scrub(str(key), spellings): _walk(item, spellings, str(key))
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        if _is_header(value):
            return [_scrub(value[0], spellings), _walk(value[1], spellings, value[0])]
        return [_walk(item, spellings) for item in value]
    return value


def _is_header(value: Sequence[Any]) -> bool:
    return len(value) == 2 and all(isinstance(part, str) for part in value)


def _whole(value: str, name: str) -> str:
    if not value or _HARMLESS.fullmatch(value) or re.match(_DONE, value) is None:
        return value
    return _tag("cookie" if "cookie" in name.lower() else "token", value)


def _withhold(
    plan: dict[str, Any], original: Mapping[str, Any], spellings: Sequence[tuple[str, str]]
) -> None:
    """Keep what is to be written byte for byte, or not at all."""
    before = (original.get("nginx") or {}).get("edits", ())
    after = (plan.get("nginx") or {}).get("edits", ())
    for edit, copy in zip(before, after, strict=True):
        copy["content_b64"] = _intact(edit["content_b64"], spellings)
    lines = (original.get("nginx") or {}).get("directives", ())
    copies = (plan.get("nginx") or {}).get("directives", ())
    for line, copy in zip(lines, copies, strict=True):
        # Lines of the admin's are repeated in our file, with what they tell the app.
        said = " ".join((line["name"], *(line["args"] or ())))
        safe = copy["args"] == line["args"] and _scrub(said, spellings) == said
        copy["args"] = line["args"] if safe else None
    for unit, twin in zip(original.get("units", ()), plan.get("units", ()), strict=True):
        twin["settings"] = {
            section: {
                key: value if _walk(value, spellings, key) == value else None
                for key, value in lines.items()
            }
            for section, lines in unit["settings"].items()
        }


def _intact(content: str | None, spellings: Sequence[tuple[str, str]]) -> str | None:
    if content is None:
        return None
    try:
        text = base64.b64decode(content, validate=True).decode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error):
        return None
    return content if _scrub(text, spellings) == text else None
