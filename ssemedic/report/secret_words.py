"""What is a secret by its form or its place in a text, and the tag that stands for it."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets as random_source
from urllib.parse import unquote

#: Names the variable by which a run hands its key to the processes that it starts.
KEY_VARIABLE = "SSEMEDIC_TAG_KEY"
_KEY = os.environ.get(KEY_VARIABLE, "").encode() or random_source.token_hex(16).encode()

#: What stands for a secret already: our own tag, or the stars of the collector.
DONE = (
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
    return re.compile(rf"(?i)((?<!\u2039)(?>{head})){DONE}({value})")


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
    r"(?!(?:bearer|basic|digest|negotiate|token)\b)[^\s\"';<>]{6,}",
)
_DIRECTIVE = _after(
    rf"\b(?:proxy_set_header|add_header)\s{{1,8}}[\"']?(?:{_AUTH}|{_CUSTOM}|cookie)[\"']?\s{{1,8}}"
    r"[\"']?(?:(?:bearer|basic|digest|negotiate|token)\s{1,4})?",
    r"[^\s\"';]+",
)
#: Prose says "basic authentication", a comment "Basic Settings": a credential is no word.
#: A challenge (WWW-Authenticate) says what is missing, and nothing secret.
_SCHEME = _after(
    r"\b(?:bearer|basic|digest|negotiate)(?:\s{1,4}|%20|\+)",
    r"(?!(?:realm|scope|charset|error(?:_description|_uri)?)=)(?-i:(?![A-Z]?[a-z]{1,20}\b(?![\-._~+/=])))[^\s\"',;<>\\]{6,}",
)
_COOKIE = _after(
    r"\b(?:set-)?cookie[\"']?\s{0,4}:\s{0,4}[\"']?",
    r"(?=[^\r\n\"=]{0,256}=|[^\s\"]{8,256}(?:[\"\r\n]|$))[^\r\n\"]+",
)
#: systemd names a credential by these, and does not give it.
_NAMED_CREDENTIAL = r"(?!(?:Load|Import|Condition|Assert)Credential(?:Encrypted)?=)"
_ASSIGNED = _after(
    rf"\b{_NAMED_CREDENTIAL}{_NAME}[\"']?\s{{0,4}}(?:=|%3d)\s{{0,4}}[\"']?", r"[^\s&\"',;<>]+"
)
_NAMED = _after(rf"[\"']{_NAME}[\"']\s{{0,4}}:\s{{0,4}}[\"']", r"[^\"'\n]+(?=[\"'])")
_OPTION = _after(rf"\s--?{_NAME}\s(?!-)", r"\S+")
#: A JSON web token, or what a cut line left of one. Possessive, so that it takes linear time.
_JWT = re.compile(r"()(eyJ[A-Za-z0-9_\-]{10,}+(?:\.[A-Za-z0-9_\-]*+){0,4})")

_KINDS = {"pass": "password", "token": "token", "key": "key"}
#: Values that are no secret: states, numbers of few digits, variables of nginx and of the shell.
HARMLESS = re.compile(
    r"(?i)(?:true|false|none|null|missing|expired|invalid|absent|required|yes|no|on|off|\d{1,5})[)\]}.]*"
    r"|\$\{?[a-z_]\w*\}?|\$\(\w*|%[ns]|\*+|[^a-z0-9]+|\)?\[\^.*"
)
#: What a cookie is besides its value (RFC 6265, 4.1.2); the second part of a date in Expires.
_ATTRIBUTE = re.compile(
    r"(?i)path|domain|expires|max-age|secure|httponly|samesite|partitioned|priority|version"
    r"|\d{1,2}[ -][a-z]{3}[ -]\d{2,4} \d\d:\d\d:\d\d gmt"
)
#: Headers and fields whose whole value is a secret.
SECRET_FIELD = re.compile(rf"(?i){_AUTH}|(?:set-)?cookie2?|{_CUSTOM}|{_NAME}")


_PATTERNS = (
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
)
#: Masked on request alone: they are what a server team needs to find its own log lines.
PERSONAL = (
    (
        "email",
        re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){1,8}"),
    ),
    ("address", re.compile(r"(?<![\d.])(?!127\.|0\.0\.0\.0)(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")),
    (
        "address",
        re.compile(r"(?i)(?<![\w:.])(?=[0-9a-f:]{0,45}[0-9a-f]:[0-9a-f:]{0,45}:)"
                   r"(?:[0-9a-f]{1,4}|(?=::)):(?:[0-9a-f]{0,4}:){1,6}[0-9a-f]{1,4}(?![\w:])"),
    ),
)  # fmt: skip


def redact(text: str) -> str:
    """``text`` without tokens, passwords, cookies and private keys. Idempotent; never raises."""
    return masked_by_form(text, {})


def masked_by_form(text: str, found: dict[str, str]) -> str:
    """The text without what is a secret by its form or its place; ``found`` learns them."""

    def key(match: re.Match[str]) -> str:
        for line in re.split(r"\s+|\\n", match.group()):
            found[line] = "key"
        return tag("key", match.group())

    text = _PRIVATE_KEY.sub(key, text)
    for kind, pattern in _PATTERNS:
        text = pattern.sub(lambda match, kind=kind: _mask(kind, match, found), text)  # type: ignore[misc]
    return text


def tag(kind: str, secret: str) -> str:
    """What stands for a secret: the same for the same secret, as long as the process lives."""
    raw = secret.encode("utf-8", "surrogatepass")
    return f"\u2039{kind}:{hmac.new(_KEY, raw, hashlib.sha256).hexdigest()[:4]}\u203a"


def _mask(kind: str, match: re.Match[str], found: dict[str, str]) -> str:
    head, value = match.group(1), match.group(2)
    if kind == "secret":
        words = head.lower()
        named = [name for part, name in _KINDS.items() if part in words]
        kind = named[0] if named else kind
    if kind != "password" and HARMLESS.fullmatch(value):
        return match.group()
    found[value] = kind
    return head + (cookie(value) if kind == "cookie" else tag(kind, unquote(value)))


def cookie(value: str) -> str:
    """A Cookie or Set-Cookie value with names and attributes, and no value of a cookie."""
    return "".join(
        part if secret is None else part[: len(part) - len(secret)] + tag("cookie", secret)
        for part, secret in cookie_parts(value)
    )


def cookie_parts(value: str) -> list[tuple[str, str | None]]:
    """The parts of a cookie header, separators included, each with the secret it ends with."""
    return [(part, _cookie_secret(part)) for part in re.findall(r"[;,]?[^;,]+|[;,]", value)]


def _cookie_secret(part: str) -> str | None:
    name, equals, rest = part.partition("=")
    bare = (rest if equals else name.lstrip(";, ")).strip()
    if _ATTRIBUTE.fullmatch(name.strip(";, ")) or not bare or HARMLESS.fullmatch(bare):
        return None
    if re.match(DONE, bare) is None:
        return None
    return (rest if equals else name.lstrip(";, ")).lstrip()


def key_of_tags() -> dict[str, str]:
    """The environment for processes whose tags must be ours: it dies with them, and with us."""
    return {KEY_VARIABLE: _KEY.decode()}
